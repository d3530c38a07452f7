//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// upgraded is a hub of a chart whose version is written at its top; %s is the tag
// of the hub's image.
const upgraded = `
hubcap {
  name              = "backup"
  journal_namespace = "backup"
}
cluster "c" {}
variable "tag" {}
variable "chart" {}
hub "prod" {
  namespace = "backup-app"
  chart     = var.chart
  images    = { hub = "example.org/own-hub:${var.tag}" }
  values = {
    hub           = { db = { pvc = { storageClassName = "standard" } } }
    prePuller     = { continuous = { enabled = false }, hook = { enabled = false } }
    scheduling    = { userScheduler = { enabled = false } }
    rbac          = { create = true }
  }
}
`

// chartVersion writes the built-in chart beside the config, as a release of
// upstream's, with the JupyterHub in it.
func (w *world) chartVersion(version, hub string) string {
	w.t.Helper()
	dir := filepath.Join(w.dir, "chart-"+version)
	if err := os.CopyFS(dir, os.DirFS("../../modules/charts/jupyterhub")); err != nil {
		w.t.Fatal(err)
	}
	file := filepath.Join(dir, "Chart.yaml")
	text := strings.NewReplacer("version: 0.1.0", "version: "+version, `appVersion: "5.3.0"`, `appVersion: "`+hub+`"`).Replace(read(w.t, file))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
	return "./chart-" + version
}

// TestBackup upgrades a hub to a JupyterHub with another schema of its database:
// the backup comes first, and the hub is not touched when it fails.
func TestBackup(t *testing.T) {
	w := newWorld(t, "backup", "backup", map[string]string{"main.hcl": upgraded})
	old, next := w.chartVersion("3.3.8", "4.1.6"), w.chartVersion("4.2.0", "5.3.0")
	at := func(chart, tag string, more ...string) []string {
		return append(more, "--var=chart="+chart, "--var=tag="+tag)
	}
	image := func() string {
		return kubectl(t, "-n", "backup-app", "get", "deployment", "hub", "-o", "jsonpath={.spec.template.spec.containers[0].image}")
	}
	jobs := func() string {
		return kubectl(t, "-n", "backup-app", "get", "jobs", "-o", "jsonpath={.items[*].metadata.name}")
	}
	w.hubcap(applier, 0, at(old, "fail-1", "apply", "--auto-approve")...)

	w.run("a backup that fails", func(t *testing.T) {
		r := w.hubcap(applier, 4, at(next, "2", "apply", "--auto-approve")...)
		r.has(t, "database-backup", "the job failed", "chart jupyterhub 3.3.8 → 4.2.0", "JupyterHub 4.1.6 → 5.3.0")
		if got := image(); got != "example.org/own-hub:fail-1" {
			t.Errorf("the hub's image is %s after a backup that failed", got)
		}
		if got := jobs(); got != "" {
			t.Errorf("jobs left: %s", got)
		}
	})

	w.hubcap(applier, 0, at(old, "1", "apply", "--auto-approve")...)
	w.run("a backup that succeeds", func(t *testing.T) {
		r := w.hubcap(reader, 2, at(next, "2", "plan", "--detailed-exitcode")...)
		r.has(t, "one-way", "the hub upgrades its database from JupyterHub 4.1.6 to 5.3.0", "hub.prod/database-backup", "annotations.hubcap\\.dev/restore")
		w.hubcap(applier, 0, at(next, "2", "apply", "--auto-approve")...)
		job := jobs()
		if image() != "example.org/own-hub:2" || !strings.HasPrefix(job, "hub-database-backup-") {
			t.Fatalf("image %s, jobs %q", image(), job)
		}
		ended := kubectl(t, "-n", "backup-app", "get", "job", job, "-o", "jsonpath={.status.completionTime}")
		started := kubectl(t, "-n", "backup-app", "get", "pods", "-l", "component=hub", "--sort-by=.metadata.creationTimestamp", "-o", "jsonpath={.items[-1:].metadata.creationTimestamp}")
		e, err := time.Parse(time.RFC3339, ended)
		if err != nil {
			t.Fatal(err)
		}
		if s, err := time.Parse(time.RFC3339, started); err != nil || s.Before(e) {
			t.Errorf("the hub started at %s, the backup ended at %s (%v)", started, ended, err)
		}
		w.hubcap(reader, 0, at(next, "2", "plan", "--detailed-exitcode")...)
		w.hubcap(reader, 0, at(next, "2", "drift")...)
	})

	w.run("back to the old schema", func(t *testing.T) {
		r := w.hubcap(applier, 6, at(old, "1", "apply", "--auto-approve")...)
		r.has(t, "restore its backup first")
		if image() != "example.org/own-hub:2" {
			t.Errorf("the hub's image is %s: it went back all the same", image())
		}
		w.hubcap(applier, 0, at(old, "1", "apply", "--auto-approve", "--override", "one_way.hub.prod=restored")...)
	})
}
