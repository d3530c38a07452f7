package engine_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hubcap/engine"
	"hubcap/engine/journal"
	"hubcap/engine/plan"
	"hubcap/engine/resource"
	"hubcap/providers/memory"
)

// TestRejected checks that what was rolled back is remembered: wanting it again is
// denied until somebody says so, and is forgotten once it went well.
func TestRejected(t *testing.T) {
	w := settled(t)
	w.Broken = []string{"hub:broken"}
	e := newEngine(w, broken)
	tried, err := e.Apply(t.Context(), mustPlan(t, e))
	if err != nil || tried.Outcome != journal.WasRolledBack {
		t.Fatalf("%+v, %v", tried, err)
	}

	again := newEngine(w, broken)
	p := mustPlan(t, again)
	var said []plan.Verdict
	for _, v := range p.Verdicts {
		if v.Name == "rejected" {
			said = append(said, v)
		}
	}
	if len(said) != 1 || said[0].Level != plan.Deny || said[0].About.String() != "hub.prod" ||
		!strings.Contains(said[0].Text, "hub.prod/hub as it is wanted was rolled back by run "+tried.Run) || !strings.Contains(said[0].Text, "ImagePullBackOff") {
		t.Fatalf("verdicts of the next plan: %+v", p.Verdicts)
	}
	if o, err := again.Apply(t.Context(), p); !errors.Is(err, engine.ErrPolicy) || o.Run != "" {
		t.Errorf("apply without saying so: %+v, %v", o, err)
	}

	other := newEngine(w, func() []resource.Desired {
		d := next()
		d[4] = deployment("hub", "hub:broken2", "hub", "b")
		return d
	})
	if p := mustPlan(t, other); len(p.Verdicts) > 0 {
		t.Errorf("another image is denied, too: %+v", p.Verdicts)
	}

	w.Broken = nil // whatever was wrong is mended
	p = mustPlan(t, again)
	p.Retry()
	if o, err := again.Apply(t.Context(), p); err != nil || o.Outcome != journal.Succeeded {
		t.Fatalf("trying it again: %+v, %v", o, err)
	}
	apply(t, newEngine(w, next)) // back to something else, and once more
	if p := mustPlan(t, again); len(p.Verdicts) > 0 || p.Empty() {
		t.Errorf("what went well since is still denied: %+v", p.Verdicts)
	}
}

// TestSuperseded checks that a run that was cut off is not gone on with once another
// has changed the same.
func TestSuperseded(t *testing.T) {
	w := settled(t)
	e := newEngine(w, next)
	w.DieAt(25, memory.AfterEffect)
	cut, _ := e.Apply(t.Context(), mustPlan(t, newEngine(w, next)))
	if !w.Revive() {
		t.Fatalf("it was not cut off: %+v", cut)
	}
	runs, err := e.History(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	id := runs[len(runs)-1].ID
	apply(t, newEngine(w, next))
	if o, err := e.Resume(t.Context(), id); !errors.Is(err, engine.ErrStale) || o.Run != "" {
		t.Errorf("resume of what was superseded: %+v, %v; want it stale", o, err)
	}
	if p := mustPlan(t, newEngine(w, next)); !p.Empty() {
		t.Errorf("the plan after it has steps %v", stepIDs(p))
	}
}

// TestRejectedByHand holds that a rollback by a person is remembered: the next apply of
// the same says who rolled it back with which run, and wants to be told once more.
func TestRejectedByHand(t *testing.T) {
	w := settled(t)
	e := newEngine(w, next)
	made := apply(t, e)
	undo(t, e)
	runs := history(t, e)
	back := runs[len(runs)-1]
	p := mustPlan(t, e)
	if len(p.Denied()) == 0 || len(p.Forbidden()) > 0 {
		t.Fatalf("verdicts of the next plan: %+v; want it denied until --retry", p.Verdicts)
	}
	for _, v := range p.Denied() {
		if !strings.Contains(v.Text, "was rolled back by ada@desk with run "+back.ID) || !strings.Contains(v.Text, "it undid run "+made.Run) {
			t.Errorf("said: %s; want who rolled it back, and with which run", v.Text)
		}
	}
	if o, err := e.Apply(t.Context(), p); !errors.Is(err, engine.ErrPolicy) || o.Run != "" {
		t.Errorf("apply without saying so: %+v, %v", o, err)
	}
	p.Retry()
	if o, err := e.Apply(t.Context(), p); err != nil || o.Outcome != journal.Succeeded {
		t.Fatalf("trying it again: %+v, %v", o, err)
	}
	apply(t, newEngine(w, first))
	if p := mustPlan(t, e); len(p.Verdicts) > 0 {
		t.Errorf("what went well since is still denied: %+v", p.Verdicts)
	}
}

// TestUndoOfUndo holds that taking a rollback back makes what it had taken back wanted
// again, and rejects nothing.
func TestUndoOfUndo(t *testing.T) {
	w := settled(t)
	e := newEngine(w, next)
	apply(t, e)
	undo(t, e)
	runs := history(t, e)
	back := runs[len(runs)-1].ID
	p, err := e.Undo(t.Context(), back, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if o, err := e.ApplyUndo(t.Context(), p, back); err != nil || o.Outcome != journal.Succeeded {
		t.Fatalf("undo of the undo: %+v, %v", o, err)
	}
	if p := mustPlan(t, e); !p.Empty() || len(p.Verdicts) > 0 {
		t.Errorf("the plan after it has steps %v, verdicts %+v", stepIDs(p), p.Verdicts)
	}
	apply(t, newEngine(w, first))
	if p := mustPlan(t, e); len(p.Verdicts) > 0 {
		t.Errorf("what is wanted again is denied: %+v", p.Verdicts)
	}
}

// TestUndoExcept holds that a component can be left out of a rollback: it stays, the
// journal says so, the run does not count as undone, and the rest is remembered.
func TestUndoExcept(t *testing.T) {
	w := settled(t)
	e := newEngine(w, next)
	apply(t, e)
	p, err := e.Undo(t.Context(), "", engine.Options{Except: []string{"hub.prod/binder"}})
	if err != nil {
		t.Fatal(err)
	}
	if o, err := e.ApplyUndo(t.Context(), p, ""); err != nil || o.Outcome != journal.Succeeded {
		t.Fatalf("apply undo = %+v, %v", o, err)
	}
	want, after := wanted(first()), wanted(next())
	for _, d := range append(first(), next()...) {
		if d.Component.Name == "binder" {
			delete(want, d.ID)
			if o, stays := after[d.ID]; stays {
				want[d.ID] = o
			}
		}
	}
	if diff := cmp.Diff(want, w.Objects()); diff != "" {
		t.Errorf("world (-want +got):\n%s", diff)
	}
	for _, v := range mustPlan(t, e).Denied() {
		if strings.Contains(v.Text, "binder") {
			t.Errorf("what was left out is denied: %s", v.Text)
		}
	}
	undo(t, e) // the rest
	if diff := cmp.Diff(wanted(first()), w.Objects()); diff != "" {
		t.Errorf("world once more undone (-want +got):\n%s", diff)
	}
	if _, err := e.Undo(t.Context(), "", engine.Options{Except: []string{"hub.nosuch"}}); !errors.Is(err, engine.ErrNothing) && !errors.Is(err, plan.ErrNoSuchAddress) {
		t.Errorf("a component that there is not: %v", err)
	}
}
