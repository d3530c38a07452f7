package engine_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"hubcap/engine"
	"hubcap/engine/journal"
	"hubcap/engine/plan"
	"hubcap/engine/resource"
	"hubcap/providers/memory"
)

// seeds is how many random configs the laws are held to.
const seeds = 60

// randomly returns a random config: some of a fixed set of objects, with random
// contents, and needs that no circle is made of.
func randomly(r *rand.Rand) []resource.Desired {
	kinds := []string{"ConfigMap", "Secret", "Deployment", "Service", resource.KindNodePool}
	components := []string{"proxy", "image-builder", "binder", "other"} // a hub would go by its name only
	var all []resource.Desired
	for i := range 16 {
		kind := kinds[i%len(kinds)]
		block := resource.Address{Kind: "manifest", Name: []string{"a", "b"}[i%2]}
		d := resource.Desired{
			ID: id(kind, fmt.Sprint("o", i)), Address: block, Component: resource.Component{Block: block, Name: components[i/4]},
			Presence: resource.Managed, Origin: resource.Range{File: "x.hcl", Line: i % 2},
		}
		d.Address.Object = kind + "/" + d.ID.Name
		if kind == resource.KindNodePool {
			d.Address = resource.Address{Kind: "node_pool", Name: d.ID.Name}
			d.Component = resource.Component{Block: d.Address}
		}
		d.Object = resource.Object{"kind": kind, "data": tree(r, 2, kind == "Secret")}
		if r.IntN(3) == 0 {
			continue // not part of this config
		}
		for _, e := range all {
			if kind != resource.KindNodePool && e.Component == d.Component && r.IntN(3) == 0 {
				d.Needs = append(d.Needs, e.ID)
			}
		}
		all = append(all, d)
	}
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

// tree returns a random map of the given depth.
func tree(r *rand.Rand, depth int, secret bool) map[string]any {
	m := map[string]any{"fixed": "1"}
	for _, key := range []string{"a", "b/c", "d~e"} {
		switch n := r.IntN(6); {
		case n == 0:
		case n == 1 && depth > 0:
			m[key] = tree(r, depth-1, secret)
		case n == 2:
			m[key] = []any{int64(r.IntN(3)), "x"}
		case n == 3 && secret:
			m[key] = resource.Secret(fmt.Sprint(password, r.IntN(3)))
		case n == 4:
			m[key] = int64(r.IntN(3))
		default:
			m[key] = fmt.Sprint("v", r.IntN(3))
		}
	}
	return m
}

// TestRandomly holds every law to random configs: after an apply the next plan is
// empty, undoing restores, a plan survives its file, and wherever an apply dies
// each remedy leads where it must.
func TestRandomly(t *testing.T) {
	t.Parallel()
	const parts = 8 // side by side
	for part := range parts {
		t.Run(fmt.Sprint(part), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				for seed := part; seed < seeds; seed += parts {
					changedRandomly(t, uint64(seed))
				}
			})
		})
	}
}

// changedRandomly applies what a seed draws, dies somewhere, and holds the laws.
func changedRandomly(t *testing.T, seed uint64) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 7))
	from, to := randomly(r), randomly(r)
	w := memory.New("prod", "default")
	set := func(d []resource.Desired) func() []resource.Desired { return func() []resource.Desired { return d } }
	apply(t, newEngine(w, set(from)))
	was := w.Objects()
	e := newEngine(w, set(to))
	p := mustPlan(t, e)
	throughFile(t, e, p, seed)
	w.DieAt(1+r.IntN(60), []memory.Moment{memory.BeforeEffect, memory.AfterEffect}[r.IntN(2)])
	_, err := e.Apply(t.Context(), p)
	died := w.Revive()
	if !died && err != nil {
		t.Fatalf("seed %d: apply: %v", seed, err)
	}
	remedied(t, e, died, r)
	if diff := cmp.Diff(wanted(to), w.Objects()); diff != "" {
		t.Fatalf("seed %d: world (-want +got):\n%s", seed, diff)
	}
	if p := mustPlan(t, e); !p.Empty() {
		t.Fatalf("seed %d: steps after apply: %v", seed, stepIDs(p))
	}
	undoAll(t, e, was, w)
	if diff := cmp.Diff(was, w.Objects()); diff != "" {
		t.Fatalf("seed %d: world after undo (-want +got):\n%s", seed, diff)
	}
}

// throughFile checks that p is the same after its file.
func throughFile(t *testing.T, e *engine.Engine, p *plan.Plan, seed uint64) {
	t.Helper()
	document, err := e.Document(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	back, err := e.Open(t.Context(), document)
	if err != nil {
		t.Fatalf("seed %d: open: %v", seed, err)
	}
	for i, s := range p.Steps() {
		for j, c := range s.Changes {
			got := back.Steps()[i].Changes[j]
			if !resource.Equal(map[string]any(c.After), map[string]any(got.After)) || !resource.Equal(map[string]any(c.Before), map[string]any(got.Before)) {
				t.Fatalf("seed %d: %s differs after its file", seed, c.ID)
			}
		}
	}
}

// remedied ends a run that died by one of the two ways that lead on.
func remedied(t *testing.T, e *engine.Engine, died bool, r *rand.Rand) {
	t.Helper()
	if !died {
		return
	}
	runs, err := e.History(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, ended := journal.Ended(runs[len(runs)-1].Entries); !ended && r.IntN(2) == 0 {
		resume(t, e)
		return
	}
	if p := mustPlan(t, e); !p.Empty() {
		apply(t, e)
	}
}

// undoAll undoes the runs that led away from was: one, or two when the first died.
func undoAll(t *testing.T, e *engine.Engine, was map[resource.ID]resource.Object, w *memory.World) {
	t.Helper()
	runs, err := e.History(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i := len(runs) - 1; i > 0 && !cmp.Equal(was, w.Objects()); i-- {
		p, err := e.Undo(t.Context(), runs[i].ID, engine.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Refused) > 0 {
			t.Fatalf("undo of run %d refuses %v", i, p.Refused)
		}
		if o, err := e.ApplyUndo(t.Context(), p, runs[i].ID); err != nil || o.Outcome != journal.Succeeded {
			t.Fatalf("undo of run %d = %+v, %v", i, o, err)
		}
	}
}
