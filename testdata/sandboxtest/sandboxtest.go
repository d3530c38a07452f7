// Package sandboxtest starts the sandbox, a real Kubernetes control plane with a GKE emulator, for a test that
// needs one. It stands outside the pipeline, and knows of the sandbox (testdata/sandbox) only its command line.
//
// The environment variable HUBCAP_SANDBOX names the built program; "make e2e" builds it and sets it. Without
// it the tests are skipped.
//
// A package whose tests share one sandbox has
//
//	func TestMain(m *testing.M) { sandboxtest.Main(m) }
//
// and calls [Shared]; tests then keep apart by namespace and by pool name. A test that stops the sandbox, or
// counts what is in it, calls [Start] for one of its own.
package sandboxtest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Variable names the environment variable with the path of the sandbox program.
const Variable = "HUBCAP_SANDBOX"

const (
	startWithin = 4 * time.Minute // on a machine that compiles meanwhile
	stopWithin  = 30 * time.Second
)

// A Sandbox is a running one. Its addresses are on 127.0.0.1.
type Sandbox struct {
	Kubeconfig  string            `json:"kubeconfig"`  // path; the user is an administrator
	APIServer   string            `json:"apiServer"`   // URL
	GKEEndpoint string            `json:"gkeEndpoint"` // URL of the GKE emulator
	GKECluster  string            `json:"gkeCluster"`  // projects/P/locations/L/clusters/C, there from the start
	Simulator   string            `json:"simulator"`   // URL of the simulated hubs, with --simulate
	Prometheus  string            `json:"prometheus"`  // URL, with --prometheus
	Dir         string            `json:"dir"`         // holds the logs; gone once the sandbox has stopped
	PID         int               `json:"pid"`
	Versions    map[string]string `json:"versions"`

	program string
	command *exec.Cmd
	gone    chan struct{} // closed when the process has ended
	err     error         // how it ended; set before gone is closed
}

// Start starts a sandbox for this test alone and stops it at the test's end. The arguments are added to
// "sandbox up". Without the environment variable it skips the test.
func Start(t testing.TB, args ...string) *Sandbox {
	t.Helper()
	s, err := start(program(t), args...)
	if err != nil {
		t.Fatalf("start sandbox: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Errorf("stop sandbox: %v", err)
		}
	})
	return s
}

// shared is the sandbox of a test binary, started by the first test that asks for it.
var shared struct {
	once    sync.Once
	sandbox *Sandbox
	err     error
}

// Shared returns the one sandbox of this test binary, whose TestMain is [Main]. The arguments of the first call
// are added to "sandbox up". Without the environment variable it skips the test.
func Shared(t testing.TB, args ...string) *Sandbox {
	t.Helper()
	path := program(t)
	shared.once.Do(func() { shared.sandbox, shared.err = start(path, args...) })
	if shared.err != nil {
		t.Fatalf("start sandbox: %v", shared.err)
	}
	return shared.sandbox
}

// Main runs the tests and stops the shared sandbox, if one was started. It does not return.
func Main(m *testing.M) {
	code := m.Run()
	if shared.sandbox != nil {
		if err := shared.sandbox.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, "stop sandbox:", err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}

func program(t testing.TB) string {
	t.Helper()
	path := os.Getenv(Variable)
	if path == "" {
		t.Skipf("%s is not set: this test needs the sandbox; run make e2e", Variable)
	}
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatalf("find sandbox: %v", err)
	}
	return path
}

// start returns once the sandbox says that it is ready. It stops by itself when this process ends, however
// that happens.
func start(program string, args ...string) (*Sandbox, error) {
	s := &Sandbox{program: program, gone: make(chan struct{})}
	s.command = exec.Command(program, append([]string{"up", "--parent=" + strconv.Itoa(os.Getpid())}, args...)...)
	var said bytes.Buffer
	s.command.Stderr = &said
	out, err := s.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.command.Start(); err != nil {
		return nil, err
	}
	ready := make(chan []byte, 1)
	go func() {
		lines := bufio.NewScanner(out)
		if lines.Scan() {
			ready <- bytes.Clone(lines.Bytes())
		}
		for lines.Scan() { // nothing more is said there; the pipe must be empty before Wait
		}
		s.err = s.command.Wait()
		close(s.gone)
	}()
	select {
	case line := <-ready:
		if err := json.Unmarshal(line, s); err != nil {
			_ = s.Stop()
			return nil, fmt.Errorf("read %q: %w", line, err)
		}
		return s, nil
	case <-s.gone:
		return nil, fmt.Errorf("%w: %s", s.err, strings.TrimSpace(said.String()))
	case <-time.After(startWithin):
		_ = s.Stop()
		return nil, fmt.Errorf("not ready after %v: %s", startWithin, strings.TrimSpace(said.String()))
	}
}

// Stop asks the sandbox to stop and waits until it has. It is nil when the sandbox ended well, also when that
// was earlier.
func (s *Sandbox) Stop() error {
	_ = s.command.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.gone:
		return s.err
	case <-time.After(stopWithin):
		_ = s.command.Process.Kill()
		<-s.gone
		return fmt.Errorf("did not stop within %v", stopWithin)
	}
}

// Kubectl runs kubectl as the administrator and returns what it prints. It fails the test when kubectl fails.
func (s *Sandbox) Kubectl(t testing.TB, args ...string) string {
	t.Helper()
	return s.kubectl(t, "", args...)
}

// Apply applies manifests in YAML as the administrator, or fails the test.
func (s *Sandbox) Apply(t testing.TB, manifests string) {
	t.Helper()
	s.kubectl(t, manifests, "apply", "--server-side", "-f", "-")
}

func (s *Sandbox) kubectl(t testing.TB, input string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), s.program, append([]string{"kubectl", "--kubeconfig=" + s.Kubeconfig}, args...)...)
	cmd.Stdin = strings.NewReader(input)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, said.String())
	}
	return out.String()
}

// KubeconfigFor writes a kubeconfig whose user is a service account, with a token for one hour, and returns its
// path. The account must exist. Bound to a role, it acts with that role's rights and the API server's ordinary
// priority, of which the administrator feels nothing.
func (s *Sandbox) KubeconfigFor(t testing.TB, namespace, account string) string {
	t.Helper()
	token := strings.TrimSpace(s.Kubectl(t, "create", "token", account, "--namespace="+namespace, "--duration=1h"))
	data, err := os.ReadFile(s.Kubeconfig)
	if err != nil {
		t.Fatalf("read kubeconfig: %v", err)
	}
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatalf("write kubeconfig: %v", err)
	}
	config := func(args ...string) {
		cmd := exec.CommandContext(t.Context(), s.program, append([]string{"kubectl", "--kubeconfig=" + path, "config"}, args...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("kubectl config %s: %v\n%s", args[0], err, out)
		}
	}
	user := namespace + "-" + account
	config("set-credentials", user, "--token="+token)
	config("set-context", "--current", "--user="+user)
	config("delete-user", "admin")
	return path
}
