//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// helm runs Helm 3 as the administrator.
func helm(t *testing.T, args ...string) string {
	t.Helper()
	program := os.Getenv("HUBCAP_HELM")
	if program == "" {
		t.Skip("HUBCAP_HELM is not set (make e2e builds it)")
	}
	if !filepath.IsAbs(program) {
		program, _ = filepath.Abs(program)
	}
	home := t.TempDir()
	cmd := exec.CommandContext(contextOf(t), program, append(args, "--kubeconfig", site.sandbox.Kubeconfig)...)
	cmd.Env = append(os.Environ(), "HELM_CACHE_HOME="+home, "HELM_CONFIG_HOME="+home, "HELM_DATA_HOME="+home)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("helm %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// pods returns the UIDs of the running pods of a namespace by the workload that
// made them, as kubectl says both.
func pods(t *testing.T, namespace string) string {
	t.Helper()
	return kubectl(t, "get", "pods", "-n", namespace, "--sort-by=.metadata.name",
		"--field-selector=status.phase=Running", `-o=jsonpath={range .items[*]}{.metadata.name}={.metadata.uid}{"\n"}{end}`)
}

// awaitPods waits until n pods of a namespace are running.
func awaitPods(t *testing.T, namespace string, n int) string {
	t.Helper()
	await(t, 2*time.Minute, "running pods", func() string {
		if now := pods(t, namespace); strings.Count(now, "=") != n {
			return "have:\n" + now
		}
		return ""
	})
	return pods(t, namespace)
}

// TestTakeOver installs a hub by Helm itself and makes it hubcap's: the plan says
// so first, no pod restarts, what is removed later really goes, and what Helm does
// behind hubcap's back is told by its name.
func TestTakeOver(t *testing.T) {
	setUp(t)
	const namespace = "takeover"
	chart, err := filepath.Abs("../../modules/charts/jupyterhub")
	if err != nil {
		t.Fatal(err)
	}
	values := func(more string) string {
		return `
hub:
  db: {type: sqlite-memory}
  extraPodSpec: {affinity: {nodeAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 1, preference: {matchExpressions: [{key: disk, operator: Exists}]}}]}}}
  ` + more + `
singleuser: {storage: {type: none}}
scheduling: {userScheduler: {enabled: false}, userPlaceholder: {enabled: false}}
prePuller: {hook: {enabled: false}, continuous: {enabled: false}}
`
	}
	config := func(values string) map[string]string {
		return map[string]string{"values.yaml": values, "main.hcl": fmt.Sprintf(`
hubcap {
  name              = "takeover"
  journal_namespace = "takeover-runs"
}
cluster "c" {}
hub "lab" {
  namespace    = %q
  release      = "lab"
  chart        = "builtin:jupyterhub"
  values_files = ["values.yaml"]
}
`, namespace)}
	}
	w := newWorld(t, "takeover", "takeover-runs", config(values("")))
	file := filepath.Join(w.dir, "values.yaml")
	helm(t, "install", "lab", chart, "-n", namespace, "--create-namespace", "-f", file)
	before := awaitPods(t, namespace, 2)
	token := kubectl(t, "get", "secret", "hub", "-n", namespace, "-o=jsonpath={.data}")
	templates := func() string {
		return kubectl(t, "get", "deployments", "-n", namespace, "-o=jsonpath={.items[*].spec.template}")
	}
	was := templates()

	w.run("the plan shows it", func(t *testing.T) {
		r := w.hubcap(reader, 2, "plan", "--detailed-exitcode")
		r.says(t, "hub.lab takes over", "objects of Helm release takeover/lab", "revision 1, chart jupyterhub-", "by Helm 3", "restarts nothing", "Plan: 0 to add, 0 to change, 0 to remove", "to change owner only")
		var document struct {
			Takeovers []struct{ Objects, Changed, Pods int }
		}
		if err := json.Unmarshal([]byte(w.hubcap(reader, 0, "plan", "-o", "json").out), &document); err != nil {
			t.Fatal(err)
		}
		if len(document.Takeovers) != 1 || document.Takeovers[0].Objects < 8 || document.Takeovers[0].Changed+document.Takeovers[0].Pods > 0 {
			t.Errorf("JSON: %+v", document.Takeovers)
		}
		w.hubcap(reader, 0, "plan", "-o", "markdown").has(t, "hub.lab takes over", "restarts nothing")
	})
	w.run("apply restarts nothing", func(t *testing.T) {
		w.hubcap(applier, 0, "apply", "--auto-approve")
		if now := templates(); now != was {
			t.Errorf("the pod templates changed:\n%s\nwere:\n%s", now, was)
		}
		if now := pods(t, namespace); now != before {
			t.Errorf("pods are\n%s\nand were\n%s", now, before)
		}
		if now := kubectl(t, "get", "secret", "hub", "-n", namespace, "-o=jsonpath={.data}"); now != token {
			t.Error("the generated secrets changed")
		}
		w.proxy = newProxy(t)
		defer func() { w.proxy = nil }()
		w.hubcap(applier, 0, "plan", "--detailed-exitcode").has(t, "No changes")
		for _, request := range w.proxy.take() {
			if strings.Contains(request, "owner%3Dhelm") || strings.Contains(request, "dryRun") {
				t.Errorf("a plan of what was taken over asks for %s", request)
			}
		}
		w.hubcap(reader, 0, "drift")
	})
	w.run("what is removed goes", func(t *testing.T) {
		w.write("values.yaml", strings.ReplaceAll(values(""), "  extraPodSpec:", "  # extraPodSpec:"))
		w.hubcap(reader, 2, "plan", "--detailed-exitcode").has(t, "nodeAffinity")
		w.hubcap(applier, 0, "apply", "--auto-approve")
		if left := kubectl(t, "get", "deployment", "hub", "-n", namespace, "-o=jsonpath={.spec.template.spec.affinity}"); strings.Contains(left, "disk") {
			t.Errorf("still there: %s", left)
		}
		w.hubcap(reader, 0, "plan", "--detailed-exitcode")
	})
	w.run("helm upgrade is drift by name", func(t *testing.T) {
		other := filepath.Join(t.TempDir(), "other.yaml")
		if err := os.WriteFile(other, []byte(values("concurrentSpawnLimit: 7")), 0o600); err != nil {
			t.Fatal(err)
		}
		helm(t, "upgrade", "lab", chart, "-n", namespace, "-f", other)
		r := w.hubcap(reader, 2, "drift")
		r.has(t, "by helm", "revision 2 of Helm release takeover/lab", "affinity")
		w.hubcap(reader, 2, "plan", "--detailed-exitcode").has(t, "hub.lab takes back", "by helm (revision 2 of Helm release takeover/lab)")
		w.hubcap(applier, 0, "apply", "--auto-approve")
		if left := kubectl(t, "get", "deployment", "hub", "-n", namespace, "-o=jsonpath={.spec.template.spec.affinity}"); strings.Contains(left, "disk") {
			t.Errorf("Helm's field is still there: %s", left)
		}
		w.hubcap(reader, 0, "plan", "--detailed-exitcode")
		w.hubcap(reader, 0, "drift")
	})
}
