package engine_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hubcap/engine"
	"hubcap/engine/journal"
	"hubcap/providers/memory"
	"hubcap/schema"
)

// farewell returns an engine over w for a chart that wants things done when it goes
// or goes back; without a value the block is gone from the config.
func farewell(t *testing.T, w *memory.World, value string) *engine.Engine {
	t.Helper()
	dir, block := t.TempDir(), ""
	if value != "" {
		block = fmt.Sprintf(`
variable "token" {
  default   = %q
  sensitive = true
}
chart "a" {
  cluster   = cluster.prod
  namespace = "a"
  chart     = "./chart"
  values    = { value = %q, token = var.token }
}
`, password, value)
	}
	job := func(name, event, more string) string {
		return fmt.Sprintf(`
---
apiVersion: batch/v1
kind: Job
metadata:
  name: %s
  annotations: {helm.sh/hook: "%s"%s}
spec: {template: {spec: {containers: [{name: x, image: "%s:1", args: [{{ .Values.token }}]}]}}}
`, name, event, more, name)
	}
	for name, text := range map[string]string{
		"name.hcl": "hubcap { name = \"default\" }\n",
		"main.hcl": `
cluster "prod" { context = "x" }
manifest "beside" {
  object = { apiVersion = "v1", kind = "ConfigMap", metadata = { name = "beside" } }
}
` + block,
		"chart/Chart.yaml": "apiVersion: v2\nname: leaving\nversion: 1.0.0\n",
		"chart/templates/all.yaml": `
apiVersion: v1
kind: ConfigMap
metadata: {name: said}
data: {said: {{ .Values.value }}}
` + job("dump", "pre-delete,pre-rollback", `, helm.sh/hook-delete-policy: hook-failed`) + job("tell", "post-delete,post-rollback", "") +
			job("stays", "post-install", ""),
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cfg, diags := schema.Load(dir, schema.Options{})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return &engine.Engine{Version: "test", Holder: "ada@desk", Config: cfg, Now: clock,
		Clusters: map[string]*engine.Cluster{"prod": w.Cluster()}}
}

// names returns the kinds and names of what lives, but for the namespace and what
// lies beside.
func names(w *memory.World) []string {
	var all []string
	for _, id := range w.IDs() {
		if id.Kind != "Namespace" && id.Name != "beside" {
			all = append(all, id.Kind+"/"+id.Name)
		}
	}
	slices.Sort(all)
	return all
}

var living = []string{"ConfigMap/said", "Job/stays", "Secret/hubcap-hooks-a"}

// TestRemovalHooks checks the hooks of a block that goes.
func TestRemovalHooks(t *testing.T) {
	w := memory.New("prod", "default")
	apply(t, farewell(t, w, "x"))
	if diff := cmp.Diff(living, names(w)); diff != "" {
		t.Errorf("after the installation (-want +got):\n%s", diff)
	}
	if p := mustPlan(t, farewell(t, w, "x")); !p.Empty() {
		t.Errorf("plan after it has steps %v", stepIDs(p))
	}
	e := farewell(t, w, "")
	document, err := e.Document(t.Context(), mustPlan(t, e))
	if i := strings.Index(string(document), password); err != nil || i >= 0 {
		t.Fatalf("document: %v, or it holds a secret: %s", err, document[max(0, i-600):i+100])
	}
	p, err := e.Open(t.Context(), document)
	if err != nil {
		t.Fatal(err)
	}
	told := events(e)
	if o, err := e.Apply(t.Context(), p); err != nil || o.Outcome != journal.Succeeded {
		t.Fatalf("apply = %+v, %v", o, err)
	}
	want := []string{"pre-delete create dump", "pre-delete delete dump", "post-install delete stays", "post-delete create tell", "post-delete delete tell"}
	if diff := cmp.Diff(want, ran(*told)); diff != "" {
		t.Errorf("hooks (-want +got):\n%s", diff)
	}
	if got := names(w); len(got) > 0 {
		t.Errorf("left of the block: %v", got)
	}
	if p := mustPlan(t, farewell(t, w, "")); !p.Empty() {
		t.Errorf("plan after the removal has steps %v", stepIDs(p))
	}
}

// TestRemovalHookFails checks that nothing of a block goes when the hook before
// fails, and that the hook after is owed until it succeeds.
func TestRemovalHookFails(t *testing.T) {
	w := memory.New("prod", "default")
	apply(t, farewell(t, w, "x"))
	w.Broken = []string{"dump:1"}
	e := farewell(t, w, "")
	if o, err := e.Apply(t.Context(), mustPlan(t, e)); err != nil || o.Outcome != journal.WasRolledBack {
		t.Fatalf("apply = %+v, %v; want it rolled back", o, err)
	}
	if diff := cmp.Diff(living, names(w)); diff != "" {
		t.Errorf("after a hook before failed (-want +got):\n%s", diff)
	}
	w.Broken = []string{"tell:1"}
	if o, err := e.Apply(t.Context(), mustPlan(t, e)); err != nil || o.Outcome != journal.WasRolledBack {
		t.Fatalf("apply = %+v, %v; want it rolled back", o, err)
	}
	if diff := cmp.Diff([]string{"Job/tell", "Secret/hubcap-hooks-a"}, names(w)); diff != "" {
		t.Errorf("after a hook after failed (-want +got):\n%s", diff)
	}
	w.Broken = nil
	told := events(e)
	apply(t, e)
	if diff := cmp.Diff([]string{"post-delete create tell", "post-delete delete tell"}, ran(*told)); diff != "" {
		t.Errorf("hooks of the next apply (-want +got):\n%s", diff)
	}
	if got := names(w); len(got) > 0 {
		t.Errorf("left of the block: %v", got)
	}
}

// TestRollbackHooks checks the hooks of a run that is undone.
func TestRollbackHooks(t *testing.T) {
	w := memory.New("prod", "default")
	apply(t, farewell(t, w, "x"))
	e := farewell(t, w, "y")
	apply(t, e)
	told := events(e)
	undo(t, e)
	want := []string{"pre-rollback create dump", "post-rollback create tell"}
	if diff := cmp.Diff(want, ran(*told)); diff != "" {
		t.Errorf("hooks (-want +got):\n%s", diff)
	}
	if p := mustPlan(t, farewell(t, w, "x")); !p.Empty() {
		t.Errorf("plan after it has steps %v", stepIDs(p))
	}
}

// TestCrashInRemoval holds promise P2 for a block that goes with hooks.
func TestCrashInRemoval(t *testing.T) {
	t.Parallel()
	matrix(t, 150, crashes(remedies...), crashInRemoval)
}

func crashInRemoval(t *testing.T, r crash, n int) bool {
	t.Helper()
	w := made(t, "farewell", func() *memory.World {
		w := memory.New("prod", "default")
		apply(t, farewell(t, w, "x"))
		return w
	})
	remedy := r.name
	e := farewell(t, w, "")
	p := mustPlan(t, e)
	w.DieAt(n, r.at)
	if _, err := e.Apply(t.Context(), p); !w.Revive() {
		if err != nil {
			t.Fatal(err)
		}
		return false
	}
	runs, err := e.History(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	last := runs[len(runs)-1]
	_, ended := journal.Ended(last.Entries)
	where := remedy + " after " + r.death(n).String()
	switch {
	case len(runs) == 1:
		return true
	case remedy == "resume" && ended:
		return true
	case remedy == "resume":
		resume(t, e)
	case remedy == "rollback":
		if !journal.Touched(last.Entries) {
			return true
		}
		undo(t, e)
		got := slices.DeleteFunc(names(w), func(name string) bool { return name == "Job/stays" }) // what hooks left is not brought back
		if diff := cmp.Diff([]string{"ConfigMap/said", "Secret/hubcap-hooks-a"}, slices.DeleteFunc(got, func(name string) bool { return strings.HasPrefix(name, "Job/") })); diff != "" {
			t.Fatalf("%s (-want +got):\n%s", where, diff)
		}
		if again := mustPlan(t, farewell(t, w, "x")); !again.Empty() {
			t.Fatalf("%s: the next plan of what was before has steps %v", where, stepIDs(again))
		}
		return true
	default:
		if again := mustPlan(t, e); !again.Empty() {
			apply(t, e)
		}
	}
	if got := names(w); len(got) > 0 {
		t.Fatalf("%s: left of the block: %v", where, got)
	}
	if again := mustPlan(t, e); !again.Empty() {
		t.Fatalf("%s: the next plan has steps %v", where, stepIDs(again))
	}
	return true
}
