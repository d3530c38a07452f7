//go:build e2e

// Package e2e runs the built hubcap against a shared sandbox, as service accounts
// bound to the roles that docs/rbac ships: plan, drift, status and history as the
// reader, apply, resume and rollback as the applier. The administrator only looks
// and tampers.
//
// Place in the pipeline: outside; it is a user at a terminal. "make e2e" builds
// the programs and names them in HUBCAP_BIN and HUBCAP_SANDBOX.
package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"hubcap/testdata/sandboxtest"
)

func TestMain(m *testing.M) { sandboxtest.Main(m) }

// The names of the emulated cluster are those of examples/quickstart.
const (
	project  = "hubcap-demo"
	location = "us-central1-a"
	cluster  = "binder"
)

// A role is whom hubcap acts as.
type role string

const (
	reader  role = "reader"  // docs/rbac/read-only.yaml
	applier role = "applier" // docs/rbac/apply.yaml as well
	nobody  role = "nobody"  // an account without rights
)

// site is what all tests share; made once.
var site struct {
	once    sync.Once
	err     error
	sandbox *sandboxtest.Sandbox
	admin   kubernetes.Interface
	objects dynamic.Interface
	config  *rest.Config
	tokens  map[role]string
}

func setUp(t *testing.T) {
	t.Helper()
	site.sandbox = sandboxtest.Shared(t, "--gke-project="+project, "--gke-location="+location, "--gke-cluster="+cluster)
	site.once.Do(func() { site.err = prepare(t) })
	if site.err != nil {
		t.Fatal(site.err)
	}
}

// prepare installs the roles as they ship, with an account for each, and a node
// pool of nobody's with room for every test's pods.
func prepare(t *testing.T) (err error) {
	s := site.sandbox
	if site.config, err = clientcmd.BuildConfigFromFlags("", s.Kubeconfig); err != nil {
		return err
	}
	site.config.QPS = -1
	if site.admin, err = kubernetes.NewForConfig(site.config); err != nil {
		return err
	}
	if site.objects, err = dynamic.NewForConfig(site.config); err != nil {
		return err
	}
	for _, file := range []string{"read-only.yaml", "apply.yaml"} {
		s.Apply(t, read(t, "../../docs/rbac/"+file))
	}
	site.tokens = map[role]string{}
	var text strings.Builder
	for _, who := range []role{reader, applier, nobody} {
		fmt.Fprintf(&text, "---\napiVersion: v1\nkind: ServiceAccount\nmetadata: {name: %s, namespace: hubcap}\n", who)
	}
	for _, b := range []struct{ role, account role }{{"hubcap-read", reader}, {"hubcap-read", applier}, {"hubcap-apply", applier}} {
		fmt.Fprintf(&text, `---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: %[1]s-%[2]s}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: %[1]s}
subjects: [{kind: ServiceAccount, name: %[2]s, namespace: hubcap}]
`, b.role, b.account)
	}
	s.Apply(t, text.String())
	grantJournal(t, "hubcap")
	s.Apply(t, `apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: hubcap-lock, namespace: hubcap}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: hubcap-lock}
subjects: [{kind: ServiceAccount, name: applier, namespace: hubcap}]
`)
	for _, who := range []role{reader, applier, nobody} {
		seconds := int64(3600)
		request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &seconds}}
		answer, err := site.admin.CoreV1().ServiceAccounts("hubcap").CreateToken(t.Context(), string(who), request, metav1.CreateOptions{})
		if err != nil {
			return err
		}
		site.tokens[who] = answer.Status.Token
	}
	emulator(t, "POST", "/v1/"+s.GKECluster+"/nodePools", map[string]any{"nodePool": map[string]any{
		"name": "base", "initialNodeCount": 3, "config": map[string]any{"machineType": "n2-standard-32"},
	}})
	await(t, time.Minute, "nodes of the base pool", func() string {
		nodes, err := site.admin.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{LabelSelector: "cloud.google.com/gke-nodepool=base"})
		if err != nil || len(nodes.Items) < 3 {
			return "not there yet"
		}
		return ""
	})
	idle(t)
	return nil
}

// grantJournal gives the applier the shipped journal role in a namespace, as who
// sets journal_namespace has to do.
func grantJournal(t *testing.T, namespace string) {
	t.Helper()
	documents := strings.Split(read(t, "../../docs/rbac/apply.yaml")+"\n---\n"+read(t, "../../docs/rbac/read-only.yaml"), "\n---\n")
	for i, d := range documents {
		if !strings.Contains(d, "kind: Role\n") || strings.Contains(d, "name: hubcap-lock\n") {
			documents[i] = ""
		}
	}
	documents = slices.DeleteFunc(documents, func(d string) bool { return d == "" })
	journal := strings.ReplaceAll(strings.Join(documents, "\n---\n"), "namespace: hubcap", "namespace: "+namespace)
	if journal == "" {
		t.Fatal("docs/rbac/apply.yaml has no Role for the journal")
	}
	site.sandbox.Apply(t, fmt.Sprintf("apiVersion: v1\nkind: Namespace\nmetadata: {name: %s}\n", namespace))
	site.sandbox.Apply(t, journal+fmt.Sprintf(`
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: hubcap-journal, namespace: %[1]s}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: hubcap-journal}
subjects: [{kind: ServiceAccount, name: applier, namespace: hubcap}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: hubcap-read-key, namespace: %[1]s}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: hubcap-read-key}
subjects: [{kind: ServiceAccount, name: reader, namespace: hubcap}, {kind: ServiceAccount, name: applier, namespace: hubcap}]
`, namespace))
}

// A world is one config with its user: a directory, a place for hubcap's state,
// and everything hubcap said.
type world struct {
	t       *testing.T
	name    string // of the config
	dir     string // of the config
	state   string // XDG_STATE_HOME
	journal string // namespace
	closed  string // namespace in which the reader may read no Secrets; may be empty
	vars    []string
	proxy   *proxy   // nil: straight to the API server
	hidden  []string // values of sensitive variables
	ada     string   // UID of the server of a user who stays through all of it

	mu   sync.Mutex
	said bytes.Buffer
}

// newWorld makes a world with the files of the config of that name; the journal's
// namespace is made with the applier's rights in it. When the test ends, nothing
// that hubcap wrote or said may hold a secret.
func newWorld(t *testing.T, name, journal string, files map[string]string) *world {
	t.Helper()
	setUp(t)
	w := &world{t: t, name: name, dir: t.TempDir(), state: t.TempDir(), journal: journal}
	for name, text := range files {
		w.write(name, text)
	}
	if journal != "hubcap" {
		grantJournal(t, journal)
	}
	t.Cleanup(func() { w.noSecrets() })
	return w
}

// run runs a part of the test and reports whether it passed.
func (w *world) run(name string, part func(t *testing.T)) bool {
	w.t.Helper()
	whole := w.t
	defer func() { w.t = whole }()
	return whole.Run(name, func(t *testing.T) {
		w.t = t
		part(t)
	})
}

// bindReader lets the reader read Secrets where hubs are: in all namespaces but those
// of the system, of the journals that a test keeps apart, and the one that is closed.
func bindReader(t *testing.T, closed string) {
	t.Helper()
	namespaces, err := site.admin.CoreV1().Namespaces().List(contextOf(t), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range namespaces.Items {
		if n.Name == "hubcap" || n.Name == closed || strings.HasPrefix(n.Name, "kube-") || strings.HasSuffix(n.Name, "-runs") {
			continue
		}
		binding := &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: "hubcap-read-secrets"},
			RoleRef:    rbacv1.RoleRef{APIGroup: "rbac.authorization.k8s.io", Kind: "ClusterRole", Name: "hubcap-read-secrets"},
			Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Name: string(reader), Namespace: "hubcap"}},
		}
		_, err := site.admin.RbacV1().RoleBindings(n.Name).Create(contextOf(t), binding, metav1.CreateOptions{})
		if err != nil && !apierrors.IsAlreadyExists(err) && !apierrors.IsNotFound(err) && !apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
			t.Fatal(err)
		}
	}
}

// contextOf is the test's context also while it cleans up.
func contextOf(t *testing.T) context.Context { return context.WithoutCancel(t.Context()) }

func (w *world) write(name, text string) {
	w.t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// A result is how a command ended.
type result struct {
	args     []string
	code     int
	out, err string
}

func (r result) String() string {
	return fmt.Sprintf("hubcap %s: exit %d\n--- stdout\n%s--- stderr\n%s", strings.Join(r.args, " "), r.code, r.out, r.err)
}

// has fails the test unless each text was printed.
func (r result) has(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(r.out+r.err, text) {
			t.Errorf("%q is missing from: %s", text, r)
		}
	}
}

// hubcap runs a command to its end, which must be the wanted exit code.
func (w *world) hubcap(who role, want int, args ...string) result {
	w.t.Helper()
	if who == reader {
		bindReader(w.t, w.closed)
	}
	began := time.Now()
	r := w.begin(who, args...).wait()
	if took := time.Since(began); took > tooLong {
		w.t.Logf("took %v: %s", took.Round(time.Second), r)
	}
	if r.code != want {
		w.t.Fatalf("exit code %d, want %d: %s", r.code, want, r)
	}
	return r
}

// A process is a command under way.
type process struct {
	w        *world
	cmd      *exec.Cmd
	args     []string
	out, err *watched
	done     chan struct{}
}

// begin starts a command, with the kubeconfig of the role.
func (w *world) begin(who role, args ...string) *process {
	w.t.Helper()
	return w.beginWith(w.kubeconfig(who), args...)
}

func (w *world) beginWith(kubeconfig string, args ...string) *process {
	w.t.Helper()
	p := &process{w: w, args: args, out: newWatched(w), err: newWatched(w), done: make(chan struct{})}
	full := append([]string{}, args...)
	if takesConfig(args[0]) {
		full = append(full, "--chdir="+w.dir, "--kubeconfig="+kubeconfig)
		for _, v := range w.vars {
			full = append(full, "--var="+v)
		}
	}
	p.cmd = exec.Command(binary(w.t), full...)
	p.cmd.Env = append(os.Environ(), "XDG_STATE_HOME="+w.state, "NO_COLOR=1")
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.err
	if err := p.cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait() // its exit code tells
		close(p.done)
	}()
	w.t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.done
	})
	return p
}

func takesConfig(command string) bool { return command != "show" && command != "version" }

func binary(t *testing.T) string {
	t.Helper()
	path := os.Getenv("HUBCAP_BIN")
	if path == "" {
		t.Skip("HUBCAP_BIN is not set: this test needs the program; run make e2e")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// tooLong is after what time a command has something to explain.
const tooLong = 30 * time.Second

// longest is more than any command here may take.
const longest = 2 * time.Minute

func (p *process) wait() result {
	p.w.t.Helper()
	select {
	case <-p.done:
	case <-time.After(longest):
		_ = p.cmd.Process.Signal(syscall.SIGQUIT)
		<-p.done
		p.w.t.Fatalf("still running after %v: %s", longest, p.result())
	}
	return p.result()
}

func (p *process) result() result {
	return result{args: p.args, code: p.cmd.ProcessState.ExitCode(), out: p.out.String(), err: p.err.String()}
}

// kill ends the process as a power cut would.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

func (p *process) interrupt() {
	p.w.t.Helper()
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		p.w.t.Fatal(err)
	}
}

// says waits until the process has printed text.
func (p *process) says(text string) {
	p.w.t.Helper()
	await(p.w.t, time.Minute, text, func() string {
		select {
		case <-p.done:
			if !strings.Contains(p.out.String()+p.err.String(), text) {
				p.w.t.Fatalf("ended without %q: %s", text, p.result())
			}
		default:
		}
		if strings.Contains(p.out.String()+p.err.String(), text) {
			return ""
		}
		return "not said yet; so far:\n" + p.err.String()
	})
}

// A watched is a buffer that may be read while it is written.
type watched struct {
	w   *world
	mu  sync.Mutex
	all bytes.Buffer
}

func newWatched(w *world) *watched { return &watched{w: w} }

func (b *watched) Write(p []byte) (int, error) {
	b.w.mu.Lock()
	b.w.said.Write(p)
	b.w.mu.Unlock()
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.all.Write(p)
}

func (b *watched) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.all.String()
}

// kubeconfig writes the kubeconfig of a role and returns its path.
func (w *world) kubeconfig(who role) string {
	w.t.Helper()
	server, ca := site.config.Host, site.config.CAData
	if len(ca) == 0 {
		ca = []byte(read(w.t, site.config.CAFile))
	}
	if w.proxy != nil {
		// The cluster's own authority stays beside the proxy's: it tells which cluster this is.
		server, ca = w.proxy.server.URL, append(w.proxy.ca(), ca...)
	}
	return w.kubeconfigOf(string(who), server, ca, site.tokens[who])
}

func (w *world) kubeconfigOf(name, server string, ca []byte, token string) string {
	w.t.Helper()
	c := clientcmd.NewDefaultClientConfig(kubeconfigFor(server, ca, token), nil)
	raw, err := c.RawConfig()
	if err != nil {
		w.t.Fatal(err)
	}
	path := filepath.Join(w.t.TempDir(), name)
	if err := clientcmd.WriteToFile(raw, path); err != nil {
		w.t.Fatal(err)
	}
	return path
}

// await asks until holds is "" or the time is over; holds otherwise says what is
// missing.
func await(t *testing.T, within time.Duration, what string, holds func() string) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	end := time.Now().Add(within)
	for {
		missing := holds()
		if missing == "" {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s: after %v: %s", what, within, missing)
		}
		<-tick.C
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// copyExample returns the files of an example.
func copyExample(t *testing.T, name string) map[string]string {
	t.Helper()
	paths, err := filepath.Glob("../../examples/" + name + "/*")
	if err != nil || len(paths) == 0 {
		t.Fatalf("examples/%s: %v, %d files", name, err, len(paths))
	}
	files := map[string]string{}
	for _, path := range paths {
		files[filepath.Base(path)] = read(t, path)
	}
	return files
}

// kubectl acts as the administrator, behind hubcap's back.
func kubectl(t *testing.T, args ...string) string {
	t.Helper()
	return strings.TrimSpace(site.sandbox.Kubectl(t, args...))
}

func drain(r io.ReadCloser) string {
	defer r.Close()
	text, err := io.ReadAll(r)
	if err != nil && !errors.Is(err, context.Canceled) {
		return err.Error()
	}
	return string(text)
}
