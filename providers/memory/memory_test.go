package memory_test

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hubcap/engine"
	"hubcap/engine/journal"
	"hubcap/engine/resource"
	"hubcap/engine/run"
	"hubcap/providers/memory"
	"hubcap/providers/providertest"
)

var _ engine.Locker = (*memory.World)(nil)

func desired(replicas int64) resource.Desired {
	block := resource.Address{Kind: "manifest", Name: "web"}
	address := block
	address.Object = "Deployment/web"
	return resource.Desired{
		ID:      resource.ID{Cluster: "prod", Group: "apps", Kind: "Deployment", Namespace: "web", Name: "web"},
		Address: address, Component: resource.Component{Block: block}, Presence: resource.Managed,
		Object: resource.Object{
			"kind":     "Deployment",
			"metadata": map[string]any{"name": "web", "labels": map[string]any{"app": "web"}},
			"spec":     map[string]any{"replicas": replicas, "template": map[string]any{"spec": map[string]any{"image": "web:1"}}},
		},
	}
}

// sealsOf is what others do to the seal of an object.
func sealsOf(w *memory.World, id resource.ID) providertest.Seals {
	return providertest.Seals{
		Strip: func(*testing.T) { w.Unseal(id) },
		Rekey: func(t *testing.T) {
			if _, err := w.Rotate(t.Context()); err != nil {
				t.Fatal(err)
			}
		},
		Copy: func(*testing.T) resource.ID {
			copied := id
			copied.Namespace = "elsewhere"
			w.Copy(id, copied)
			return copied
		},
	}
}

// TestProvider holds the world to the laws of every provider.
func TestProvider(t *testing.T) {
	providertest.Run(t, func(t *testing.T, f func(*testing.T, providertest.World)) {
		w := memory.New("prod", "default")
		wanted := desired(1)
		f(t, providertest.World{
			Provider: w, Wanted: wanted, Other: desired(2),
			Move:  func(*testing.T) { w.Edit(wanted.ID, "kubectl-edit", int64(7), "spec", "replicas") },
			Seals: sealsOf(w, wanted.ID),
		})
	})
}

// TestProviderAdmitted holds a world whose admission changes what is written to the
// same laws.
func TestProviderAdmitted(t *testing.T) {
	providertest.Run(t, func(t *testing.T, f func(*testing.T, providertest.World)) {
		w := memory.New("prod", "default")
		w.Admission = func(_ resource.ID, o resource.Object) resource.Object {
			if n, _ := o.Value("spec", "replicas"); n != nil {
				o.Set(min(n.(int64), 5), "spec", "replicas")
			}
			return o
		}
		wanted, anew := desired(8), desired(7)
		anew.Object.Set("other", "spec", "selector")
		f(t, providertest.World{
			Provider: w, Wanted: wanted, Other: desired(2), Anew: anew,
			Move: func(*testing.T) { w.Edit(wanted.ID, "kubectl-edit", int64(1), "spec", "replicas") },
			Gone: func(*testing.T) { w.Remove(wanted.ID) }, Seals: sealsOf(w, wanted.ID),
		})
	})
}

// TestFile checks that a world outlives its process, secrets and journal and all.
func TestFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "world.json")
	w, err := memory.Open("prod", "default", file)
	if err != nil {
		t.Fatal(err)
	}
	d := desired(3)
	change := resource.Change{ID: d.ID, Address: d.Address, Component: d.Component, Action: resource.Create, After: d.Object}
	if _, err := w.Write(t.Context(), change, run.Sight{State: run.AtBefore}); err != nil {
		t.Fatal(err)
	}
	r := journal.Run{ID: "a", Entries: []journal.Entry{{Seq: 1, Mark: journal.RunStarted}}}
	if err := w.Create(t.Context(), r, []byte("{}"), map[string]string{"place": "hush"}); err != nil {
		t.Fatal(err)
	}
	again, err := memory.Open("prod", "default", file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(w.Objects(), again.Objects()); diff != "" {
		t.Errorf("objects (-before +after):\n%s", diff)
	}
	reading, err := again.Read(t.Context(), []resource.Desired{d})
	if err != nil || !reading.Observations[0].Same {
		t.Errorf("reading = %+v, %v; want the object as desired", reading, err)
	}
	record, err := again.Load(t.Context(), "a")
	if err != nil || record.Secrets["place"] != "hush" || len(record.Run.Entries) != 1 {
		t.Errorf("run = %+v, %v", record, err)
	}
	if _, err := again.Load(t.Context(), "b"); !errors.Is(err, engine.ErrNoRun) {
		t.Errorf("load of an unknown run = %v, want ErrNoRun", err)
	}
}

// TestForeign checks that what someone else wrote is told with its writer, and
// that secrets stay hidden.
func TestForeign(t *testing.T) {
	w := memory.New("prod", "default")
	id := resource.ID{Cluster: "prod", Kind: "Secret", Namespace: "web", Name: "token"}
	d := resource.Desired{ID: id, Presence: resource.Managed, Object: resource.Object{"data": map[string]any{"token": resource.Secret("one")}}}
	change := resource.Change{ID: id, Action: resource.Create, After: d.Object}
	if _, err := w.Write(t.Context(), change, run.Sight{State: run.AtBefore}); err != nil {
		t.Fatal(err)
	}
	w.Edit(id, "kubectl-edit", "two", "data", "token")
	reading, err := w.Read(t.Context(), []resource.Desired{d})
	if err != nil {
		t.Fatal(err)
	}
	o := reading.Observations[0]
	if len(o.Foreign) != 1 || o.Foreign[0].Manager != "kubectl-edit" || o.Foreign[0].Path != "data.token" || o.Foreign[0].Time.IsZero() {
		t.Fatalf("foreign = %+v", o.Foreign)
	}
	if _, hidden := o.Foreign[0].Live.(resource.Sensitive); !hidden {
		t.Error("the live value of a secret is plain")
	}
	if o.Same {
		t.Error("an object that was edited counts as desired")
	}
	w.Put(resource.ID{Cluster: "prod", Kind: "ConfigMap", Name: "theirs"}, resource.Object{}, "")
	reading, err = w.Read(t.Context(), []resource.Desired{{ID: resource.ID{Cluster: "prod", Kind: "ConfigMap", Name: "theirs"}, Presence: resource.Managed}})
	if err != nil || reading.Observations[0].Refused == "" {
		t.Errorf("an object of someone else's = %+v, %v; want it refused", reading, err)
	}
}
