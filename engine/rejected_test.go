package engine_test

import (
	"errors"
	"strings"
	"testing"

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
