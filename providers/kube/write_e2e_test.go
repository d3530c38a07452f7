//go:build e2e

package kube

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"hubcap/engine/diff"
	"hubcap/engine/resource"
	"hubcap/engine/run"
	"hubcap/testdata/sandboxtest"
)

// A fault is something that happens to the next writes.
type fault struct {
	next http.RoundTripper
	left atomic.Int64
	do   func(next http.RoundTripper, r *http.Request) (*http.Response, error)
}

func (f *fault) RoundTrip(r *http.Request) (*http.Response, error) {
	write := (r.Method == http.MethodPatch || r.Method == http.MethodDelete) && r.URL.Query().Get("dryRun") == ""
	if write && f.left.Add(-1) >= 0 {
		return f.do(f.next, r)
	}
	return f.next.RoundTrip(r)
}

func answer(code int, header http.Header, body string) *http.Response {
	return &http.Response{StatusCode: code, Header: header, Body: io.NopCloser(strings.NewReader(body)), ProtoMajor: 1, ProtoMinor: 1}
}

// lost lets the request through and loses the answer.
func lost(next http.RoundTripper, r *http.Request) (*http.Response, error) {
	resp, err := next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	return nil, &os.SyscallError{Syscall: "read", Err: syscall.ECONNRESET}
}

// broken is a connection that ends before the request gets through.
func broken(http.RoundTripper, *http.Request) (*http.Response, error) {
	return nil, &os.SyscallError{Syscall: "write", Err: syscall.ECONNRESET}
}

func unavailable(http.RoundTripper, *http.Request) (*http.Response, error) {
	return answer(http.StatusServiceUnavailable, http.Header{}, "the load balancer says no"), nil
}

func tooMany(http.RoundTripper, *http.Request) (*http.Response, error) {
	return answer(http.StatusTooManyRequests, http.Header{"Retry-After": {"1"}}, ""), nil
}

func TestFaults(t *testing.T) {
	const text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: config}\ndata: {a: \"%d\"}"
	for name, do := range map[string]func(http.RoundTripper, *http.Request) (*http.Response, error){
		"the answer is lost": lost, "the connection breaks": broken, "503": unavailable, "429": tooMany,
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t).makeNamespace()
			f := &fault{do: do}
			_, apply := kubeconfigs(t)
			client, err := Connect(Options{Kubeconfig: apply, WrapTransport: func(next http.RoundTripper) http.RoundTripper {
				f.next = next
				return f
			}})
			if err != nil {
				t.Fatal(err)
			}
			b.p.Client = client
			for i := range 2 { // a creation, an update
				f.left.Store(2)
				b.apply(b.desire("web", fmt.Sprintf(text, i)))
				if f.left.Load() >= 2 {
					t.Error("nothing went wrong")
				}
			}
			f.left.Store(2)
			b.apply(nil)
			if out := b.kubectl("get", "configmap", "config", "--ignore-not-found"); out != "" {
				t.Errorf("still there: %s", out)
			}
		})
	}
}

// A status that moves between the look and the write is nobody's change.
func TestStatusMayMove(t *testing.T) {
	b := newBench(t).makeNamespace()
	const text = `apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 0
  selector: {matchLabels: {app: web}}
  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: web, image: "example.org/web:%d"}]}}`
	b.await(b.apply(b.desire("web", fmt.Sprintf(text, 1))), isSettled)
	c := b.changes(b.desire("web", fmt.Sprintf(text, 2)))[0]
	s, err := b.p.Look(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	b.kubectl("annotate", "deployment/web", "somebody=else") // the version moves, our fields do not
	if _, err := b.p.Write(t.Context(), c, s); err != nil {
		t.Errorf("write: %v", err)
	}
	b.settled(b.desire("web", fmt.Sprintf(text, 2)))
}

func TestAppearedMeanwhile(t *testing.T) {
	b := newBench(t).makeNamespace()
	desired := b.desire("web", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: config}\ndata: {a: ours}")
	c := b.changes(desired)[0]
	s, err := b.p.Look(t.Context(), c)
	if err != nil || s.State != run.AtBefore {
		t.Fatalf("look: %+v, %v", s, err)
	}
	b.kubectl("create", "configmap", "config", "--from-literal=a=theirs")
	if _, err := b.p.Write(t.Context(), c, s); !errors.Is(err, run.ErrMoved) {
		t.Errorf("write over what appeared: %v", err)
	}
	if out := b.kubectl("get", "configmap", "config", "-o", "jsonpath={.data.a}"); out != "theirs" {
		t.Errorf("it holds %q now", out)
	}
}

func TestGoneMeanwhile(t *testing.T) {
	b := newBench(t).makeNamespace()
	b.apply(b.desire("web", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: config}\ndata: {a: one}"))
	c := b.changes(b.desire("web", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: config}\ndata: {a: two}"))[0]
	s, err := b.p.Look(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	b.kubectl("delete", "configmap", "config")
	if _, err := b.p.Write(t.Context(), c, s); !errors.Is(err, run.ErrMoved) || !strings.Contains(err.Error(), "gone") {
		t.Errorf("write of what is gone: %v", err)
	}
}

func TestAppliedMark(t *testing.T) {
	b := newBench(t).makeNamespace()
	b.p.Stamp("run-0", "abc123")
	desired := b.desire("web", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: config}\ndata: {a: one}")
	c := b.changes(desired)[0]
	if _, err := b.p.Write(run.WithID(t.Context(), "run-7"), c, run.Sight{State: run.AtBefore}); err != nil {
		t.Fatal(err)
	}
	l := b.read(desired).Observations[0].Live
	if l.Applied == nil || l.Applied.Run != "run-7" || l.Applied.Commit != "abc123" || l.Applied.Time.IsZero() {
		t.Errorf("applied: %+v", l.Applied)
	}
	if l.Address.String() != "hub.prod/ConfigMap/config" || l.Owner != b.p.Owner {
		t.Errorf("marks: %s, %s", l.Address, l.Owner)
	}
}

// No value of a Secret shows in what is read, compared or said.
func TestSecretsStayHidden(t *testing.T) {
	b := newBench(t).makeNamespace()
	const first, second = "the-first-password-1234", "the-second-password-1234"
	text := "apiVersion: v1\nkind: Secret\nmetadata: {name: secret}\nstringData: {password: %s}\n" +
		"---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: config}\ndata: {a: plain}"
	b.apply(b.desire("web", fmt.Sprintf(text, first)))
	desired := b.desire("web", fmt.Sprintf(text, second))
	desired[1].Object.Set(resource.Secret("config-secret-1234"), "data", "a")
	r := b.read(desired)
	changes := diff.Compare(r)
	if len(changes) != 2 {
		t.Fatalf("%d changes, want 2", len(changes))
	}
	for _, c := range changes {
		for _, f := range c.Fields {
			for _, v := range []any{f.Before, f.After} {
				if _, isSensitive := v.(resource.Sensitive); !isSensitive {
					t.Errorf("%s of %s is plain", f.Path, c.ID)
				}
			}
		}
		b.write(c)
	}
	said := fmt.Sprintf("%v %+v %#v", r, changes, changes)
	for _, secret := range []string{first, second, "config-secret-1234", "dGhlLWZpcnN0", "dGhlLXNlY29uZC"} {
		if strings.Contains(said, secret) {
			t.Errorf("%q shows", secret)
		}
	}
	if _, err := json.Marshal(r.Observations[0].Live.Object); !errors.Is(err, resource.ErrSensitive) {
		t.Errorf("a live Secret can be encoded: %v", err)
	}
	if got := b.kubectl("get", "configmap", "config", "-o", "jsonpath={.data.a}"); got != "config-secret-1234" {
		t.Errorf("written: %q", got)
	}
	bad := b.desire("web", "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {ports: [{port: 80}]}")
	bad[0].Object.Set(resource.Secret("no-such-type-secret"), "spec", "type")
	if o := b.read(bad).Observations[0]; o.Refused == "" || strings.Contains(o.Refused, "no-such-type-secret") {
		t.Errorf("refused: %q", o.Refused)
	}
}

func TestReaderReads(t *testing.T) {
	b := newBench(t).makeNamespace()
	desired := b.desire("web", spelled)
	b.apply(desired)
	read, _ := kubeconfigs(t)
	b.kubectl("create", "rolebinding", "secrets", "--clusterrole=hubcap-read-secrets", "--serviceaccount=hubcap:reader")
	r := benchAs(t, read, b.namespace)
	r.settled(desired)

	changed := r.desire("web", strings.Replace(spelled, "example.org/web:1", "example.org/web:2", 1)+
		"\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: fresh}")
	changes := r.changes(changed)
	if len(changes) != 2 {
		t.Fatalf("%d changes, want 2", len(changes))
	}
	for _, c := range changes {
		if !strings.Contains(strings.Join(c.Notes, " "), "not checked by the server") {
			t.Errorf("%s: notes %q", c.ID, c.Notes)
		}
		if c.Action == resource.Update && (len(c.Fields) != 1 || c.Fields[0].Path != "spec.template.spec.containers[web].image") {
			t.Errorf("fields guessed: %v", c.Fields)
		}
	}
	s, err := r.p.Look(t.Context(), changes[0])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.p.Write(t.Context(), changes[0], s); !errors.Is(err, ErrForbidden) {
		t.Errorf("write as reader: %v", err)
	}
}

// A caller with rights in one namespace only sees that, and is told what it could
// not see.
func TestNamespaceBoundCaller(t *testing.T) {
	b := newBench(t).makeNamespace()
	desired := b.desire("web", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: config}\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: hidden}")
	b.apply(desired)
	b.sandbox.Apply(t, fmt.Sprintf(`
apiVersion: v1
kind: ServiceAccount
metadata: {name: local, namespace: %[1]s}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: local, namespace: %[1]s}
rules: [{apiGroups: [""], resources: [configmaps], verbs: [get, list]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: local, namespace: %[1]s}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: local}
subjects: [{kind: ServiceAccount, name: local, namespace: %[1]s}]
`, b.namespace))
	l := benchAs(t, b.sandbox.KubeconfigFor(t, b.namespace, "local"), b.namespace)
	r, err := l.p.Read(t.Context(), desired)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Observations) != 1 || !r.Observations[0].Same {
		t.Errorf("observed: %+v, want the ConfigMap alone, and the same", r.Observations)
	}
	var unread []string
	for _, u := range r.Unreadable {
		unread = append(unread, u.What)
		if !strings.Contains(u.Reason, "forbidden") {
			t.Errorf("%s: %s", u.What, u.Reason)
		}
	}
	if !strings.Contains(strings.Join(unread, "; "), "secrets in namespace "+b.namespace) {
		t.Errorf("unreadable: %q", unread)
	}
	if _, err := l.p.Client.Identity(t.Context()); !errors.Is(err, ErrForbidden) {
		t.Errorf("identity: %v", err)
	}
}

func TestIdentity(t *testing.T) {
	b := newBench(t)
	id, err := b.p.Client.Identity(t.Context())
	want := strings.TrimSpace(b.sandbox.Kubectl(t, "get", "namespace", "kube-system", "-o", "jsonpath={.metadata.uid}"))
	if err != nil || id != want || id == "" {
		t.Errorf("identity %q, %v; want %q", id, err, want)
	}
}

// Each way in which the cluster cannot be had is told apart.
func TestNoCluster(t *testing.T) {
	s := sandboxtest.Shared(t)
	_, apply := kubeconfigs(t)
	text, err := os.ReadFile(apply)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	at := bytes.Index(text, []byte("token: ")) + len("token: ")
	end := at + bytes.IndexByte(text[at:], '\n')
	expired := bytes.Replace(text, text[at:end], []byte("expired"), 1)
	nowhere := bytes.Replace(text, []byte(s.APIServer), []byte("https://127.0.0.1:1"), 1)
	for name, tc := range map[string]struct {
		options Options
		want    string
		cause   error
	}{
		"no file":             {Options{Kubeconfig: filepath.Join(dir, "none")}, "no such file", nil},
		"no such context":     {Options{Kubeconfig: apply, Context: "elsewhere"}, `no context "elsewhere"`, nil},
		"unreachable":         {Options{Kubeconfig: file("nowhere", nowhere)}, "connection refused", ErrUnreachable},
		"expired credentials": {Options{Kubeconfig: file("expired", expired)}, "may have expired", ErrUnauthorized},
		"another cluster":     {Options{Host: s.APIServer}, "certificate", ErrUnreachable},
	} {
		client, err := Connect(tc.options)
		if err == nil {
			_, err = client.Identity(t.Context())
			p := &Provider{Client: client, Cluster: "prod", Owner: "o"}
			if _, readErr := p.Read(t.Context(), nil); !errors.Is(readErr, tc.cause) {
				t.Errorf("%s: read: %v, want %v", name, readErr, tc.cause)
			}
		}
		if err == nil || !strings.Contains(err.Error(), tc.want) || tc.cause != nil && !errors.Is(err, tc.cause) {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
		}
		t.Log(err)
	}
}

func TestFacts(t *testing.T) {
	b := newBench(t).makeNamespace()
	b.apply(b.desire("web", "apiVersion: v1\nkind: Secret\nmetadata: {name: ours}\nstringData: {a: b}"))
	b.kubectl("create", "secret", "generic", "theirs", "--from-literal=a=b")
	facts, err := b.p.Facts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(facts.KubeVersion, "v1.") {
		t.Errorf("version %q", facts.KubeVersion)
	}
	all := "\n" + strings.Join(facts.APIVersions, "\n") + "\n"
	for _, want := range []string{"v1", "apps/v1", "policy/v1/PodDisruptionBudget", "v1/Secret"} {
		if !strings.Contains(all, "\n"+want+"\n") {
			t.Errorf("no %s among the API versions", want)
		}
	}
	before := b.count.reads.Load()
	for range 5 {
		for name, exists := range map[string]bool{"ours": true, "theirs": true, "nobodys": false} {
			o, err := facts.Lookup("v1", "Secret", b.namespace, name)
			if err != nil || (o != nil) != exists {
				t.Errorf("lookup of %s: %v, %v", name, o != nil, err)
			}
			if o != nil && resource.Object(o).Text("data", "a") != "Yg==" {
				t.Errorf("lookup of %s holds no plain data", name)
			}
		}
	}
	if n := b.count.reads.Load() - before; n != 3 { // ours in one LIST, the others got once each
		t.Errorf("%d reads for lookups, want 3", n)
	}
	if list, err := facts.Lookup("v1", "Secret", b.namespace, ""); err != nil || len(list["items"].([]any)) != 2 {
		t.Errorf("list: %v, %v", list["items"], err)
	}
	if o, err := facts.Lookup("example.org/v1", "Thing", b.namespace, "one"); o != nil || err != nil {
		t.Errorf("of a kind that is not served: %v, %v", o, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.p.Facts(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("facts with a cancelled context: %v", err)
	}
}
