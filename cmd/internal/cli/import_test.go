package cli

import (
	"encoding/base64"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"hubcap/engine/adopt"
	"hubcap/engine/resource"
	"hubcap/providers/charts"
	"hubcap/providers/kube"
)

// unreachable answers nothing.
type unreachable struct{}

func (unreachable) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("no route to host")
}

func recorded(t *testing.T, chart string) *kube.Release {
	t.Helper()
	text := `{"name":"r","namespace":"n","version":1,"info":{"status":"deployed"},"chart":` + chart + `}`
	r, err := kube.DecodeRelease([]byte(base64.StdEncoding.EncodeToString([]byte(text))))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestImportChart holds where the chart of a release is said to be.
func TestImportChart(t *testing.T) {
	const template = `"templates":[{"name":"templates/a.yaml","data":"e30="}]`
	for _, row := range []struct {
		reason, chart string
		charts        string // --charts
		want, problem string
	}{
		{"not published under this version", `{"metadata":{"name":"jupyterhub","version":"0.0.1-set.by.chartpress"},` + template + `}`, "", "./charts/jupyterhub-0.0.1-set.by.chartpress", ""},
		{"published, and the repository does not answer", `{"metadata":{"name":"jupyterhub","version":"4.3.3"},` + template + `}`, "", "./charts/jupyterhub-4.3.3", ""},
		{"as recorded, because it was asked for", `{"metadata":{"name":"jupyterhub","version":"4.3.3"},` + template + `}`, "vendor", "./vendor/jupyterhub-4.3.3", ""},
		{"any other chart", `{"metadata":{"name":"redis","version":"1.0.0"},` + template + `}`, "", "./charts/redis-1.0.0", ""},
		{"a name that would lead elsewhere", `{"metadata":{"name":"../../x","version":"1"},` + template + `}`, "", "./charts/-..-x-1", ""},
		{"published, not recorded whole, not to be had", `{"metadata":{"name":"binderhub","version":"1.0.0","dependencies":[{"name":"jupyterhub","version":"4.2.0","repository":"https://x.invalid/"}]}}`, "", "", "answer"},
		{"of one's own, with a dependency in a folder", `{"metadata":{"name":"basehub","version":"0.1.0","dependencies":[{"name":"jupyterhub","version":"4","repository":"file://../jupyterhub"}]}}`, "", "", "no dependency"},
	} {
		dir := t.TempDir()
		t.Chdir(dir)
		s, _, _ := newSession(nil)
		s.chdir = "."
		i := &importing{s: s, chartsDir: row.charts, found: &found{}}
		resolver := &charts.Resolver{Client: &http.Client{Transport: unreachable{}}, Pause: 1}
		u, err := i.chartOf(t.Context(), resolver, recorded(t, row.chart), map[string]map[string][]byte{})
		if row.problem != "" {
			if err == nil || !strings.Contains(err.Error(), row.problem) {
				t.Errorf("%s: %v, want %q", row.reason, err, row.problem)
			}
			continue
		}
		if err != nil || u.source.Source != row.want || u.source.Repository != "" {
			t.Errorf("%s: %+v, %v; want %s", row.reason, u, err, row.want)
			continue
		}
		for name := range u.files {
			if rel, err := filepath.Rel(dir, below(dir, name)); err != nil || strings.HasPrefix(rel, "..") {
				t.Errorf("%s: %s would be written outside of the config", row.reason, name)
			}
		}
	}
}

// TestSecretsFile writes secrets for nobody else to read.
func TestSecretsFile(t *testing.T) {
	s, _, _ := newSession(nil)
	file := filepath.Join(t.TempDir(), "secrets.vars")
	i := &importing{s: s, secrets: file, draft: &adopt.Draft{Secrets: []adopt.SecretSet{{
		Variable: "prod_secrets", Values: map[string]resource.Sensitive{"hub.cookieSecret": resource.Secret("a\"${b}")},
	}}}}
	if err := i.writeSecrets(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	text, err := os.ReadFile(file)
	if err != nil || !strings.Contains(string(text), `"hub.cookieSecret" = "a\"$${b}"`) {
		t.Errorf("%v: %s", err, text)
	}
}

// TestGroupAt finds the typed attributes that a diagnostic is about.
func TestGroupAt(t *testing.T) {
	const text = `qos_class "a" {
  cpu = "1"
}
hub "h" {
  chart = "x"
  images = {
    hub = "x"
  }
  culling {
    timeout = "1m"
  }
}
repo_ban "b" {
  repo = "a/b"
}
`
	body, diags := hclsyntax.ParseConfig([]byte(text), "h.hcl", hcl.InitialPos)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	for line, want := range map[int]adopt.Group{2: "qos", 5: "", 7: "images", 10: "culling", 14: "repo_ban", 99: ""} {
		if got := groupAt(body, line); got != want {
			t.Errorf("line %d: %q, want %q", line, got, want)
		}
	}
	if groupAt(nil, 1) != "" {
		t.Error("a file that is not there has a group")
	}
}

func TestWithoutReleases(t *testing.T) {
	inhabited := map[string]bool{"prod": true}
	for _, c := range []struct {
		reason string
		asked  []string
		want   string
	}{
		{"a name that is mistyped is said", []string{"prod", "pord"}, "Namespace pord has no release of Helm."},
		{"nothing to say of one with releases", []string{"prod"}, ""},
		{"the whole cluster may have none", nil, ""},
	} {
		if got := strings.Join(withoutReleases(c.asked, inhabited), "\n"); got != c.want {
			t.Errorf("%s: got %q, want %q", c.reason, got, c.want)
		}
	}
}
