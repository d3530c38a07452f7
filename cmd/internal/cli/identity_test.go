package cli

import (
	"cmp"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/spf13/cobra"
)

// offline are the commands that ask no cluster. One that is new and asks one has the
// flags of a cluster, and is found by that.
var offline = []string{
	"completion bash", "completion fish", "completion powershell", "completion zsh", "help",
	"fmt", "gate list", "gate replay", "show", "validate", "version",
}

// arguments are those of commands that do not go without.
var arguments = map[string][]string{
	"apply": {"--auto-approve"}, "rollback": {"--auto-approve"}, "import": {"--cluster", "c"},
}

// runnable returns all commands below c that do something, by their words.
func runnable(c *cobra.Command, words ...string) map[string]*cobra.Command {
	all := map[string]*cobra.Command{}
	if c.Runnable() && len(words) > 0 {
		all[strings.Join(words, " ")] = c
	}
	for _, sub := range c.Commands() {
		for name, leaf := range runnable(sub, append(slices.Clone(words), sub.Name())...) {
			all[name] = leaf
		}
	}
	return all
}

// An apiServer knows who it is, and notes what else it is asked.
type apiServer struct {
	*httptest.Server
	mu    sync.Mutex
	asked []string
}

func newAPIServer(t *testing.T, identity string) *apiServer {
	t.Helper()
	s := &apiServer{}
	s.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.Method == http.MethodGet && r.URL.Path == "/api/v1/namespaces/kube-system" {
			fmt.Fprintf(w, `{"kind":"Namespace","apiVersion":"v1","metadata":{"name":"kube-system","uid":%q}}`, identity)
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.asked = append(s.asked, r.Method+" "+r.URL.Path)
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404}`)
	}))
	t.Cleanup(s.Close)
	return s
}

// kubeconfig writes a kubeconfig for the server, with this authority or none.
func (s *apiServer) kubeconfig(t *testing.T, dir string, ca []byte) {
	t.Helper()
	authority := "insecure-skip-tls-verify: true"
	if ca != nil {
		authority = "certificate-authority-data: " + base64.StdEncoding.EncodeToString(ca)
	}
	write(t, filepath.Join(dir, "kubeconfig"), fmt.Sprintf("apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts: [{name: c, context: {cluster: c, user: u}}]\n"+
		"clusters: [{name: c, cluster: {server: %q, %s}}]\nusers: [{name: u, user: {token: t}}]\n", s.URL, authority))
}

func (s *apiServer) authority() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

const pinned = `
hubcap { name = "uni" }

cluster "c" {
  identity   = "the-pinned-one"
  kubeconfig = "kubeconfig"
  prometheus { service = "monitoring/prometheus:9090" }
}

manifest "a" {
  object = { apiVersion = "v1", kind = "ConfigMap", metadata = { name = "a", namespace = "hub" } }
}

gate "up" {
  pods {}
}

gate "load" {
  prometheus {
    query = "up"
    max   = 1
  }
}

guard "quiet" {
  prometheus {
    query = "up"
    max   = 1
  }
}
`

// TestEveryCommandComparesIdentity runs every command that can reach a cluster against
// one of another identity than the config pins: each says so, none succeeds, and nothing
// but the identity was asked of the server. A command that is new is among them.
func TestEveryCommandComparesIdentity(t *testing.T) {
	s, _, _ := newSession(nil)
	root := s.root()
	root.InitDefaultCompletionCmd()
	for name, c := range runnable(root) {
		if slices.Contains(offline, name) {
			if c.Flags().Lookup("kubeconfig") != nil {
				t.Errorf("%s has the flags of a cluster, and is listed as offline", name)
			}
			continue
		}
		t.Run(name, func(t *testing.T) {
			if c.Flags().Lookup("kubeconfig") == nil {
				t.Fatal("it is not listed as offline, and has no flags of a cluster: it has to have them, and to connect by session.reach")
			}
			dir, server := t.TempDir(), newAPIServer(t, "another-one")
			server.kubeconfig(t, dir, server.authority())
			write(t, filepath.Join(dir, "main.hcl"), pinned)
			s, out, errs := newSession(map[string]string{"HOME": dir, "XDG_STATE_HOME": dir})
			got := s.run(t.Context(), append(append(strings.Fields(name), "--chdir", dir), arguments[name]...))
			said := out.String() + errs.String()
			if got == exitOK || !strings.Contains(said, "another-one") || !strings.Contains(said, "the-pinned-one") {
				t.Errorf("exits %d and does not say that the cluster is another one:\n%s", got, said)
			}
			if len(server.asked) > 0 {
				t.Errorf("the other cluster was asked: %s", strings.Join(server.asked, ", "))
			}
		})
	}
}

// TestKubeconfigOfAnotherGKECluster checks that the API servers and the node pools of one
// config are those of one cluster, whatever can be known of that.
func TestKubeconfigOfAnotherGKECluster(t *testing.T) {
	other := newAPIServer(t, "uid")
	stranger := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("of another cluster")})
	for _, test := range []struct {
		what      string
		kube, gke []byte // authorities
		endpoint  string
		pinned    string
		refused   bool
		unknown   bool
	}{
		{what: "the same authority", kube: other.authority(), gke: other.authority(), endpoint: "203.0.113.7"},
		{what: "the same endpoint", gke: stranger, endpoint: other.URL},
		{what: "another authority", kube: other.authority(), gke: stranger, endpoint: "203.0.113.7", refused: true},
		{what: "a proxy's authority, pinned", kube: other.authority(), gke: stranger, endpoint: "203.0.113.7", pinned: "uid"},
		{what: "no authority", gke: stranger, endpoint: "203.0.113.7", unknown: true},
		{what: "no authority, pinned", gke: stranger, endpoint: "203.0.113.7", pinned: "uid"},
	} {
		t.Run(test.what, func(t *testing.T) {
			api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				fmt.Fprintf(w, `{"id":"gke-id","endpoint":%q,"masterAuth":{"clusterCaCertificate":%q}}`,
					test.endpoint, base64.StdEncoding.EncodeToString(test.gke))
			}))
			defer api.Close()
			dir := t.TempDir()
			other.kubeconfig(t, dir, test.kube)
			write(t, filepath.Join(dir, "main.hcl"), fmt.Sprintf(`
hubcap { name = "uni" }
cluster "c" {
  project    = "some-project"
  location   = "us-central1-a"
  name       = "prod"
  endpoint   = %q
  kubeconfig = "kubeconfig"
  identity   = %s
}
`, api.URL, cmp.Or(strings.TrimPrefix(fmt.Sprintf("%q", test.pinned), `""`), "null")))
			s, _, errs := newSession(map[string]string{"HOME": dir, "XDG_STATE_HOME": dir})
			s.run(t.Context(), []string{"history", "--chdir", dir})
			if got := strings.Contains(errs.String(), "neither the endpoints nor the authority of the cluster prod of project some-project"); got != test.refused {
				t.Errorf("refused: %t, want %t:\n%s", got, test.refused, errs)
			}
			if got := strings.Contains(errs.String(), "is not known"); got != test.unknown {
				t.Errorf("said to be unknown: %t, want %t:\n%s", got, test.unknown, errs)
			}
			if got := strings.Contains(errs.String(), `and pin it: identity = "uid"`); got != (test.refused || test.unknown) {
				t.Errorf("says how to pin it: %t:\n%s", got, errs)
			}
		})
	}
}
