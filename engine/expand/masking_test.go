package expand

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"hubcap/engine/resource"
)

// hidden are the paths of an object's sensitive values, but for the data of a Secret.
func hidden(v any, at string, isSecret bool) (paths []string) {
	switch v := v.(type) {
	case map[string]any:
		for key, e := range v {
			if !isSecret || at != "" || key != "data" {
				paths = append(paths, hidden(e, at+"/"+key, isSecret)...)
			}
		}
	case []any:
		for i, e := range v {
			paths = append(paths, hidden(e, fmt.Sprintf("%s/%d", at, i), isSecret)...)
		}
	case resource.Sensitive:
		return []string{at}
	}
	return paths
}

// checksum is where charts note a digest of what pods read.
var checksum = regexp.MustCompile(`^/spec/template/metadata/annotations/checksum`)

// TestNoMoreIsHiddenThanDepends: in the hubs of the built-in charts with secrets in
// their values, at first and with all of it live, nothing is hidden outside of Secrets
// but the digests of these. An image tag is no secret.
func TestNoMoreIsHiddenThanDepends(t *testing.T) {
	for _, kind := range []string{"jupyterhub", "binderhub"} {
		prefix := ""
		if kind == "binderhub" {
			prefix = "jupyterhub = "
		}
		cfg := parse(t, `
cluster "main" { context = "test" }
hub "prod" {
  type    = "`+kind+`"
  cluster = cluster.main
  chart   = "builtin:`+kind+`"
  images  = { hub = "quay.io/jupyterhub/k8s-hub:4.1.0" }
  values = {
    `+wrapped(prefix, `{
      hub = {
        config = {
          JupyterHub        = { authenticator_class = "github" }
          GitHubOAuthenticator = { client_id = "plain-id", client_secret = sensitive("0123456789abcdef0123") }
        }
        extraEnv = { NOT_SECRET = "as it is" }
      }
      proxy = { secretToken = sensitive("fedcba9876543210fedcba9876543210") }
    }`)+`
  }
}
`)
		live := map[string]map[string]any{}
		for pass := range 2 {
			facts := map[string]Facts{"main": {Lookup: func(_, kind, namespace, name string) (map[string]any, error) {
				return live[kind+" "+namespace+" "+name], nil
			}}}
			digests := 0
			for _, d := range mustConfig(t, cfg, facts) {
				for _, path := range hidden(map[string]any(d.Object), "", resource.IsSecret(d.Object)) {
					if digests++; !checksum.MatchString(path) {
						t.Errorf("%s, pass %d: %s%s is hidden", kind, pass, d.Address, path)
					}
				}
				if d.ID.Kind == "Deployment" && d.ID.Name == "hub" && !strings.Contains(fmt.Sprint(d.Object), "k8s-hub:4.1.0") {
					t.Errorf("%s: the hub's image is hidden", kind)
				}
				live[d.ID.Kind+" "+d.ID.Namespace+" "+d.ID.Name] = resource.Reveal(d.Object).(map[string]any)
			}
			if digests == 0 || digests > 4 {
				t.Errorf("%s, pass %d: %d digests are hidden", kind, pass, digests)
			}
		}
	}
}

// wrapped puts values below the key of a chart's dependency, if there is one.
func wrapped(prefix, values string) string {
	if prefix != "" {
		return prefix + values
	}
	return strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(values), "{"), "}")
}
