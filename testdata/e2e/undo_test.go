//go:build e2e

package e2e

import (
	"fmt"
	"testing"
)

// TestUndo goes back from runs that make, change and delete objects: afterwards a
// plan of the config of before is empty, in values and in who owns them.
func TestUndo(t *testing.T) {
	setUp(t)
	of := func(objects string) string {
		return fmt.Sprintf(`
hubcap {
  name              = "undo"
  journal_namespace = "undo"
}
cluster "c" {}
manifest "n" {
  object = { apiVersion = "v1", kind = "Namespace", metadata = { name = "undo-app" } }
}
manifest "m" {
  namespace = "undo-app"
  objects   = [%s]
}
`, objects)
	}
	const (
		kept    = `{ apiVersion = "v1", kind = "ConfigMap", metadata = { name = "kept" }, data = { a = "1" } },`
		service = `{ apiVersion = "v1", kind = "Service", metadata = { name = "s" }, spec = { selector = { app = "web" }, ports = [{ port = 80 }] } },`
		web     = `{ apiVersion = "apps/v1", kind = "Deployment", metadata = { name = "web" }, spec = { replicas = 1, minReadySeconds = 0,
			selector = { matchLabels = { app = "web" } }, template = { metadata = { labels = { app = "web" } }, spec = {
			nodeSelector = {}, hostNetwork = false, containers = [{ name = "web", image = "example.org/web:1", args = [] }] } } } },`
		other = `{ apiVersion = "apps/v1", kind = "Deployment", metadata = { name = "web" }, spec = { replicas = 2, minReadySeconds = 1,
			selector = { matchLabels = { app = "web" } }, template = { metadata = { labels = { app = "web" } }, spec = {
			containers = [{ name = "web", image = "example.org/web:2", workingDir = "/", args = ["x"] }] } } } },`
		relabelled = `{ apiVersion = "apps/v1", kind = "Deployment", metadata = { name = "web" }, spec = { replicas = 1,
			selector = { matchLabels = { app = "new" } }, template = { metadata = { labels = { app = "new" } }, spec = {
			containers = [{ name = "web", image = "example.org/web:1" }] } } } },`
		secret = `{ apiVersion = "v1", kind = "Secret", metadata = { name = "s" }, stringData = { password = "open sesame 99" } },`
	)
	w := newWorld(t, "undo", "undo", map[string]string{"main.hcl": of(kept + service + web + secret)})
	w.hidden = []string{"open sesame 99"}
	w.hubcap(applier, 0, "apply", "--auto-approve")
	w.hubcap(reader, 0, "plan", "--detailed-exitcode")
	for _, c := range []struct{ name, objects string }{
		{"an object is made", kept + service + web + secret + `{ apiVersion = "v1", kind = "ConfigMap", metadata = { name = "new" } },`},
		{"fields are changed, taken and given up", kept + service + other + secret},
		{"a deployment is deleted", kept + service + secret},
		{"a service is deleted", kept + web + secret},
		{"a secret is deleted", kept + service + web},
		{"a deployment is made anew", kept + service + relabelled + secret},
	} {
		w.run(c.name, func(t *testing.T) {
			w.write("main.hcl", of(c.objects))
			w.hubcap(reader, 2, "plan", "--detailed-exitcode")
			w.hubcap(applier, 0, "apply", "--auto-approve")
			w.hubcap(reader, 0, "plan", "--detailed-exitcode")
			w.hubcap(applier, 0, "rollback", "--auto-approve")
			w.write("main.hcl", of(kept+service+web+secret))
			r := w.begin(reader, "plan", "--detailed-exitcode", "-v").wait()
			if r.code != 0 {
				t.Errorf("rolling back is not what was before: %s", r)
				w.hubcap(applier, 0, "apply", "--auto-approve")
			}
			w.hubcap(reader, 0, "drift")
		})
	}
}
