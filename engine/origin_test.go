package engine_test

import (
	"errors"
	"strings"
	"testing"

	"hubcap/engine"
	"hubcap/engine/journal"
	"hubcap/engine/resource"
	"hubcap/providers/memory"
)

// from returns an engine of the directory with this origin.
func from(w *memory.World, origin string, desired func() []resource.Desired) *engine.Engine {
	e := newEngine(w, desired)
	e.Config.Settings.Origin = origin
	return e
}

// TestOrigins checks that a name is one directory's in a cluster: another one, or one
// without an origin, neither plans nor applies under it until it is told to take it over,
// which the journal says. Runs that were begun are gone on with and taken back by either.
func TestOrigins(t *testing.T) {
	w := memory.New("prod", "default")
	one := from(w, "one", first)
	document, err := one.Document(t.Context(), mustPlan(t, one))
	if err != nil {
		t.Fatal(err)
	}
	apply(t, one)
	apply(t, from(w, "one", next))
	for _, origin := range []string{"two", ""} {
		other := from(w, origin, func() []resource.Desired { return next()[:2] })
		if _, _, err := other.Plan(t.Context(), engine.Options{}); !errors.Is(err, engine.ErrOrigin) || !strings.Contains(err.Error(), "--take-over-config default") {
			t.Errorf("plan from %q = %v, want ErrOrigin that says what to do", origin, err)
		}
		if _, err := other.Open(t.Context(), document); !errors.Is(err, engine.ErrUsed) && !errors.Is(err, engine.ErrOrigin) {
			t.Errorf("apply of a file from %q = %v, want ErrOrigin", origin, err)
		}
	}
	two := from(w, "two", first)
	two.TakeOver = true
	p := mustPlan(t, two)
	two.TakeOver = false // planned with it, and applied without
	if _, err := two.Apply(t.Context(), p); !errors.Is(err, engine.ErrOrigin) {
		t.Errorf("apply without the word = %v, want ErrOrigin", err)
	}
	two.TakeOver = true
	if o, err := two.Apply(t.Context(), p); err != nil || o.Outcome != journal.Succeeded {
		t.Fatalf("apply that takes over = %+v, %v", o, err)
	}
	runs := history(t, two)
	said := false
	for _, e := range runs[len(runs)-1].Entries {
		said = said || e.Mark == journal.Overridden && strings.Contains(e.Reason, "from origin one")
	}
	if !said {
		t.Error("the journal does not say that the name was taken over")
	}
	if _, _, err := one.Plan(t.Context(), engine.Options{}); !errors.Is(err, engine.ErrOrigin) {
		t.Errorf("plan of the directory that lost the name = %v, want ErrOrigin", err)
	}
	if _, err := from(w, "one", first).Undo(t.Context(), runs[len(runs)-1].ID, engine.Options{}); err != nil {
		t.Errorf("rollback from the other directory = %v: a run has its authority from its record", err)
	}
}

// TestForgedOrigin checks that a record which hubcap did not seal says nothing: nobody
// keeps a config from its cluster by writing one.
func TestForgedOrigin(t *testing.T) {
	w := memory.New("prod", "default")
	one := from(w, "one", first)
	apply(t, one)
	kept, err := w.Origin(t.Context(), "default")
	if err != nil || kept == nil || kept.ID != "one" {
		t.Fatalf("origin = %+v, %v", kept, err)
	}
	for what, forged := range map[string]engine.Origin{
		"another ID":     {ID: "evil", Who: kept.Who, Time: kept.Time, Seal: kept.Seal},
		"no seal":        {ID: "evil"},
		"another's seal": {ID: "evil", Seal: "v1.000000000000.AAAA"},
	} {
		if err := w.SetOrigin(t.Context(), "default", forged); err != nil {
			t.Fatal(err)
		}
		if _, _, err := from(w, "one", next).Plan(t.Context(), engine.Options{}); err != nil {
			t.Errorf("%s: plan = %v", what, err)
		}
	}
	apply(t, from(w, "one", next))
	if kept, err = w.Origin(t.Context(), "default"); err != nil || kept.ID != "one" {
		t.Errorf("after the next apply the origin is %+v, %v; want one", kept, err)
	}
}
