package engine_test

import (
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"hubcap/engine"
	"hubcap/engine/journal"
	"hubcap/engine/plan"
	"hubcap/engine/resource"
	"hubcap/modules"
	"hubcap/providers/memory"
	"hubcap/schema"
)

// example returns an engine for an example, over empty worlds.
func example(t *testing.T, name string) (*engine.Engine, map[string]*memory.World) {
	t.Helper()
	builtin := func(name string) (fs.FS, error) { return modules.Module(name) }
	cfg, diags := schema.Load(filepath.Join("..", "examples", name), schema.Options{Builtin: builtin})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	e := &engine.Engine{Version: "test", Holder: "ada@desk", Config: cfg, Clusters: map[string]*engine.Cluster{}, Now: clock}
	worlds := map[string]*memory.World{}
	for _, c := range cfg.Clusters {
		w := memory.New(c.Address.Name, cfg.Settings.Name)
		worlds[c.Address.Name], e.Clusters[c.Address.Name] = w, w.Cluster()
	}
	return e, worlds
}

// TestExamples carries every example from nothing to desired and back, through
// its plan file.
func TestExamples(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"quickstart", "mybinder", "kubeconfig-only"} {
		synctest.Test(t, func(t *testing.T) { // its gates bake for minutes
			e, worlds := example(t, name)
			document, err := e.Document(t.Context(), mustPlan(t, e))
			if err != nil {
				t.Fatal(err)
			}
			p, err := e.Open(t.Context(), document)
			if err != nil {
				t.Fatal(err)
			}
			if o, err := e.Apply(t.Context(), p); err != nil || o.Outcome != journal.Succeeded {
				t.Fatalf("apply = %+v, %v", o, err)
			}
			again := mustPlan(t, e)
			for _, s := range again.Steps() {
				for _, c := range s.Changes {
					t.Errorf("after apply: %s of %s: %v", c.Action, c.Address, c.Fields)
				}
			}
			grep(t, e, worlds)
			undo(t, e)
			for _, w := range worlds {
				for id, o := range w.Objects() {
					isProtected := o.Text("config", "resourceLabels", "hubcap-protected") == "true"
					if !isProtected && !slices.Contains([]string{"Namespace", "PersistentVolumeClaim", "Secret"}, id.Kind) { // keys of a database that stays do, too
						t.Errorf("left after undo: %s", id)
					}
				}
			}
		})
	}
}

// grep looks for the values of all Secrets in everything that was stored as a
// document or an entry.
func grep(t *testing.T, e *engine.Engine, worlds map[string]*memory.World) {
	t.Helper()
	var secrets []string
	for _, w := range worlds {
		for id, o := range w.Objects() {
			data, _ := o.Value("data")
			values, _ := data.(map[string]any)
			for _, v := range values {
				if text, isText := v.(string); isText && id.Kind == "Secret" && len(text) > 8 {
					secrets = append(secrets, text)
				}
			}
		}
	}
	if len(secrets) == 0 {
		t.Fatal("there is no secret to look for")
	}
	runs, err := e.History(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range runs {
		for _, w := range worlds {
			record, err := w.Load(t.Context(), r.ID)
			if err != nil {
				continue
			}
			for _, s := range secrets {
				if strings.Contains(string(record.Document), s) {
					t.Errorf("the document of run %s holds a secret", r.ID)
				}
			}
		}
	}
}

// TestOneComponent raises one repository's limit: only the binder is touched.
func TestOneComponent(t *testing.T) { synctest.Test(t, raise) }

func raise(t *testing.T) {
	e, _ := example(t, "quickstart")
	apply(t, e)
	if len(e.Config.RepoLimits) == 0 {
		t.Fatal("the example limits no repository")
	}
	e.Config.RepoLimits[0].Sessions += 7
	p := mustPlan(t, e)
	var components []string
	for _, s := range p.Steps() {
		components = append(components, s.Component.String()+": "+s.Class.String())
	}
	if diff := cmp.Diff([]string{"hub.binder/binder: restart of binder"}, components); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
	apply(t, e)
	if p := mustPlan(t, e); !p.Empty() {
		t.Errorf("steps after apply: %v", stepIDs(p))
	}
}

// TestCacheWipe changes the image prefix of an example: the plan says what that
// costs.
func TestCacheWipe(t *testing.T) { synctest.Test(t, wipe) }

func wipe(t *testing.T) {
	e, _ := example(t, "mybinder")
	apply(t, e)
	if len(e.Config.ImageCaches) == 0 {
		t.Fatal("the example has no image cache")
	}
	e.Config.ImageCaches[0].Prefix += "new-"
	p := mustPlan(t, e)
	steps := p.Steps()
	if len(steps) == 0 || !anyStep(steps, func(s plan.Step) bool { return s.Class == resource.ClassCacheWipe }) {
		t.Errorf("steps = %v, want a cache wipe among them", stepIDs(p))
	}
}

func anyStep(steps []plan.Step, is func(plan.Step) bool) bool {
	for _, s := range steps {
		if is(s) {
			return true
		}
	}
	return false
}
