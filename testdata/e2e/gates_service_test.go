//go:build e2e

package e2e

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"hubcap/testdata/sandboxtest"
)

// throughService is a config whose Prometheus is asked through the API server.
const throughService = `
hubcap { name = "through" }

variable "kubeconfig" { type = string }
variable "service" { default = "support/prometheus-server:80" }

cluster "sandbox" {
  kubeconfig = var.kubeconfig
  prometheus { service = var.service }
}

hub "prod" {
  cluster = cluster.sandbox
  chart   = "builtin:jupyterhub"
}

gate "answers" {
  bake = "10s"
  prometheus {
    query  = "vector(42)"
    min    = 1
    window = "5s"
  }
}
`

// A CONNECT proxy stands for the network of the cluster: addresses in it lead to one
// server on this machine.
type network struct {
	to    string // host:port of the server
	mu    sync.Mutex
	asked []string // what the API server wanted to reach
}

// listen serves at a Unix socket until the test ends, and returns its path.
func (n *network) listen(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "egress") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		l.Close()
		os.RemoveAll(dir)
	})
	go func() {
		for {
			c, err := l.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err == nil {
				go n.connect(c)
			}
		}
	}()
	return path
}

// count is how many connections the API server asked for.
func (n *network) count() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.asked)
}

// connect connects one client to the server, whatever it asks for.
func (n *network) connect(c net.Conn) {
	defer c.Close()
	in := bufio.NewReader(c)
	r, err := http.ReadRequest(in)
	if err != nil || r.Method != http.MethodConnect {
		return
	}
	n.mu.Lock()
	n.asked = append(n.asked, r.Host)
	to := n.to
	n.mu.Unlock()
	server, err := net.Dial("tcp", to)
	if err != nil {
		io.WriteString(c, "HTTP/1.1 502 Bad Gateway\r\n\r\n")
		return
	}
	defer server.Close()
	io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
	go func() {
		io.Copy(server, in)
		server.(*net.TCPConn).CloseWrite()
	}()
	io.Copy(c, server)
}

// TestPrometheusBehindTheAPIServer asks a real Prometheus through the service proxy of
// a real API server, with the rights of the kubeconfig.
func TestPrometheusBehindTheAPIServer(t *testing.T) {
	n := &network{to: "127.0.0.1:1"}
	s := sandboxtest.Start(t, "--prometheus", "--egress="+n.listen(t))
	at, err := url.Parse(s.Prometheus)
	if err != nil {
		t.Fatal(err)
	}
	made, err := http.Post(s.GKEEndpoint+"/v1/"+s.GKECluster+"/nodePools", "application/json",
		strings.NewReader(`{"nodePool": {"name": "core", "initialNodeCount": 1, "config": {"machineType": "n2-standard-2"}}}`))
	if err != nil || made.StatusCode != http.StatusOK {
		t.Fatalf("make a pool: %v, %v", made, err)
	}
	made.Body.Close()
	s.Apply(t, `{apiVersion: v1, kind: Namespace, metadata: {name: support}}`)
	await(t, soon, "the service account", func() string {
		if s.Kubectl(t, "get", "serviceaccounts", "-n", "support", "-o", "name") == "" {
			return "there is none"
		}
		return ""
	})
	s.Apply(t, `
apiVersion: v1
kind: Service
metadata: {name: prometheus-server, namespace: support}
spec: {selector: {app: prometheus}, ports: [{port: 80, targetPort: 9090}]}
---
apiVersion: v1
kind: Pod
metadata: {name: prometheus, namespace: support, labels: {app: prometheus}}
spec: {serviceAccountName: default, automountServiceAccountToken: false, containers: [{name: prometheus, image: "prometheus:1"}]}
---
apiVersion: v1
kind: Service
metadata: {name: lonely, namespace: support}
spec: {selector: {app: nobody}, ports: [{port: 80}]}
`)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "main.hcl"), []byte(throughService), 0o600); err != nil {
		t.Fatal(err)
	}
	ask := func(code int, args ...string) string {
		t.Helper()
		c := exec.CommandContext(t.Context(), os.Getenv("HUBCAP_BIN"), append(args, "--chdir", dir, "--var", "kubeconfig="+s.Kubeconfig)...)
		out, err := c.CombinedOutput()
		if c.ProcessState == nil || c.ProcessState.ExitCode() != code {
			t.Fatalf("hubcap %s: %v, want exit %d:\n%s", strings.Join(args, " "), err, code, out)
		}
		return string(out)
	}
	await(t, soon, "the API server to know the service", func() string {
		out := ask(6, "gate", "test") // nobody answers behind it yet
		if n.count() == 0 {
			return out
		}
		return ""
	})
	n.mu.Lock()
	n.to = at.Host
	n.mu.Unlock()
	if out := ask(0, "gate", "test"); !strings.Contains(out, "gate.answers on hub.prod: pass: 42 (at least 1)") {
		t.Errorf("through the service: %s", out)
	}
	if out := ask(0, "doctor", "metrics"); !strings.Contains(out, "ok") {
		t.Errorf("through the service: %s", out)
	}
	n.mu.Lock()
	for _, asked := range n.asked {
		if want := s.Kubectl(t, "get", "pod", "prometheus", "-n", "support", "-o", "jsonpath={.status.podIP}") + ":9090"; asked != want {
			t.Errorf("the API server asked for %s, want the pod behind the service, %s", asked, want)
		}
	}
	n.mu.Unlock()
	for service, want := range map[string]string{
		"support/lonely:80":            `ask Prometheus support/lonely:80: server error: 503: the API server says: no endpoints available for service "lonely"`,
		"support/prometheus-server:81": "the API server says: ",
		"elsewhere/prometheus:80":      `client error: 404: the API server says: services "prometheus" not found`,
	} {
		if out := ask(6, "gate", "test", "--var", "service="+service); !strings.Contains(out, want) {
			t.Errorf("%s: %s, want %q", service, out, want)
		}
	}
}
