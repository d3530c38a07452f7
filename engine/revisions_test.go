package engine_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hubcap/engine"
	"hubcap/engine/plan"
	"hubcap/engine/resource"
	"hubcap/providers/memory"
	"hubcap/schema"
)

// asking returns an engine over w for a chart that puts into its objects what its
// release is, with one value of its own.
func asking(t *testing.T, w *memory.World, value string) *engine.Engine {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"name.hcl": "hubcap { name = \"default\" }\n",
		"main.hcl": fmt.Sprintf(`
cluster "prod" { context = "x" }
chart "a" {
  cluster   = cluster.prod
  namespace = "a"
  chart     = "./chart"
  values    = { value = %q }
}
`, value),
		"chart/Chart.yaml": "apiVersion: v2\nname: asking\nversion: 1.0.0\n",
		"chart/templates/all.yaml": `
apiVersion: v1
kind: ConfigMap
metadata: {name: said}
data: {said: "{{ .Release.IsInstall }} {{ .Release.Revision }} {{ .Values.value }}"}
---
{{- if .Release.IsInstall }}
apiVersion: v1
kind: ConfigMap
metadata: {name: only-installed}
{{- end }}
---
apiVersion: batch/v1
kind: Job
metadata:
  name: tell
  annotations: {helm.sh/hook: "post-install,post-upgrade", helm.sh/hook-delete-policy: hook-failed}
spec: {template: {spec: {containers: [{name: tell, image: "tell:{{ .Release.Revision }}"}]}}}
`,
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

// TestRevisionsSettle holds promise P1 for a chart that asks whether it is installed
// or upgraded, and how often.
func TestRevisionsSettle(t *testing.T) {
	w := memory.New("prod", "default")
	said := func() (text, job string, only bool) {
		for id, o := range w.Objects() {
			switch {
			case id.Name == "said":
				text = o.Text("data", "said")
			case id.Name == "only-installed":
				only = true
			case id.Kind == "Job":
				list, _ := o.Value("spec", "template", "spec", "containers")
				job = fmt.Sprint(list.([]any)[0].(map[string]any)["image"])
			}
		}
		return text, job, only
	}
	settles := func(e *engine.Engine, want, wantJob string, wantOnly bool) {
		t.Helper()
		document, err := e.Document(t.Context(), mustPlan(t, e))
		if err != nil {
			t.Fatal(err)
		}
		p, err := e.Open(t.Context(), document)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.Apply(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		if text, job, only := said(); text != want || job != wantJob || only != wantOnly {
			t.Errorf("live says %q, the hook %q, installed %v; want %q, %q, %v", text, job, only, want, wantJob, wantOnly)
		}
		for range 2 {
			if p := mustPlan(t, e); !p.Empty() {
				t.Errorf("%s: the next plan has steps %v", want, stepIDs(p))
			}
		}
	}
	settles(asking(t, w, "x"), "true 1 x", "tell:1", true)
	settles(asking(t, w, "y"), "false 2 y", "tell:2", false)
	settles(asking(t, w, "z"), "false 3 z", "tell:3", false)
	undo(t, asking(t, w, "z"))
	if p := mustPlan(t, asking(t, w, "z")); len(p.Denied()) != 1 { // the object, and not the number beside it
		t.Errorf("plan of what was undone: verdicts %+v, want it denied once", p.Verdicts)
	}
	e := asking(t, w, "y")
	if p := mustPlan(t, e); !p.Empty() {
		t.Errorf("plan of what was before the undone run has steps %v", stepIDs(p))
	}
	w.Edit(resource.ID{Cluster: "prod", Kind: "ConfigMap", Namespace: "a", Name: "said"}, "kubectl-edit", "moved", "data", "said")
	settles(e, "false 3 y", "tell:3", false)
	var hooks, record int
	for _, s := range mustPlan(t, asking(t, w, "w")).Steps() {
		if s.Hook != "" {
			hooks++
		}
		if s.Component.Name == "release" {
			record++
		}
	}
	if hooks != 1 || record != 1 {
		t.Errorf("%d steps of hooks and %d of the record, want one of each", hooks, record)
	}
}

// TestForgedRevision checks that a revision which somebody else wrote into hubcap's record
// is told beside what is rendered by it, and that the record is sealed by the next apply.
func TestForgedRevision(t *testing.T) {
	told := func(p *plan.Plan) bool {
		return slices.ContainsFunc(p.Warnings, func(text string) bool {
			return strings.Contains(text, "hubcap-release-a, which says as which revision chart.a is rendered")
		})
	}
	for _, forged := range []string{"2", "7"} { // of a value that says the same as what is rendered, too
		w := memory.New("prod", "default")
		apply(t, asking(t, w, "x"))
		apply(t, asking(t, w, "y"))
		if p := mustPlan(t, asking(t, w, "y")); !p.Empty() || told(p) {
			t.Fatalf("before it was changed: steps %v, warnings %q", stepIDs(p), p.Warnings)
		}
		record := resource.ID{Cluster: "prod", Kind: "ConfigMap", Namespace: "a", Name: "hubcap-release-a"}
		w.Edit(record, "kubectl-edit", forged, "data", "revision")
		w.Edit(record, "kubectl-edit", "x", "data", "theirs")
		p := mustPlan(t, asking(t, w, "y"))
		if p.Empty() || !told(p) {
			t.Errorf("revision %s: steps %v, warnings %q; want it told", forged, stepIDs(p), p.Warnings)
		}
		w.Edit(record, "kubectl-edit", nil, "data", "theirs")
		apply(t, asking(t, w, "y"))
		if p := mustPlan(t, asking(t, w, "y")); !p.Empty() || told(p) {
			t.Errorf("revision %s, after the apply: steps %v, warnings %q", forged, stepIDs(p), p.Warnings)
		}
	}
}
