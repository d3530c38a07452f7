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

// TestLostOrigin checks that whoever deletes the record of where a config is applied from,
// or hides a run, lets nobody else apply it: sealed runs and objects tell that it was
// applied. The directory that it is applied from goes on, and its next apply writes the record anew,
// also when it has nothing else to do.
func TestLostOrigin(t *testing.T) {
	lose := func(t *testing.T, w *memory.World) {
		t.Helper()
		w.ForgetOrigin("default")
	}
	newest := func(change func(memory.Stored)) func(*testing.T, *memory.World) {
		return func(t *testing.T, w *memory.World) {
			lose(t, w)
			n, i := 0, 0
			w.Tamper(func(memory.Stored) { n++ })
			w.Tamper(func(s memory.Stored) {
				if i++; i == n {
					change(s)
				}
			})
		}
	}
	claims := func(id string) func(*testing.T, *memory.World) {
		return func(t *testing.T, w *memory.World) {
			if err := w.SetOrigin(t.Context(), "default", engine.Origin{ID: id}); err != nil {
				t.Fatal(err)
			}
		}
	}
	tests := map[string]struct {
		lost     func(*testing.T, *memory.World)
		one, two bool // may plan
	}{
		"nothing":                         {func(*testing.T, *memory.World) {}, true, false},
		"record":                          {lose, true, false},
		"record and runs":                 {func(t *testing.T, w *memory.World) { lose(t, w); w.Forget() }, false, false},
		"record, and the last run hidden": {newest(func(s memory.Stored) { s.Run.Config = "other" }), false, false},
		"record, and the plan of the last run changed":   {newest(func(s memory.Stored) { *s.Document = append(*s.Document, ' ') }), false, false},
		"replaced by one that names the other":           {claims("two"), true, false},
		"runs, and replaced by one that names the other": {func(t *testing.T, w *memory.World) { w.Forget(); claims("two")(t, w) }, false, false},
		"the key, and runs":                              {func(_ *testing.T, w *memory.World) { w.Forget(); w.LoseKey() }, true, false},
		"record, key and runs":                           {func(t *testing.T, w *memory.World) { lose(t, w); w.Forget(); w.LoseKey() }, false, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := memory.New("prod", "default")
			apply(t, from(w, "two", func() []resource.Desired { return first()[:1] })) // had it before, and is no longer
			one := from(w, "one", first)
			one.TakeOver = true
			apply(t, one)
			test.lost(t, w)
			for _, d := range []struct {
				origin string
				may    bool
			}{{"one", test.one}, {"two", test.two}, {"", false}} {
				e := from(w, d.origin, first)
				if d.origin != "one" {
					e = from(w, d.origin, func() []resource.Desired { return first()[:1] }) // and would delete the rest
				}
				if _, _, err := e.Plan(t.Context(), engine.Options{}); errors.Is(err, engine.ErrOrigin) == d.may || !d.may && !strings.Contains(err.Error(), "--take-over-config default") {
					t.Errorf("plan from %q = %v, want it to be let through: %v", d.origin, err, d.may)
				}
			}
			one = from(w, "one", first)
			one.TakeOver = !test.one
			apply(t, one)
			kept, err := w.Origin(t.Context(), "default")
			if err != nil || kept == nil || kept.ID != "one" || kept.Seal == "" {
				t.Errorf("after an apply the origin is %+v, %v; want one", kept, err)
			}
			if _, _, err := from(w, "one", next).Plan(t.Context(), engine.Options{}); err != nil {
				t.Errorf("plan after it = %v", err)
			}
			if _, _, err := from(w, "two", next).Plan(t.Context(), engine.Options{}); !errors.Is(err, engine.ErrOrigin) {
				t.Errorf("plan from the other after it = %v, want ErrOrigin", err)
			}
		})
	}
}

// TestOriginRuns checks that a run which only records whose the config's name is, is none
// that could be gone on with, taken back, or stand for the last apply.
func TestOriginRuns(t *testing.T) {
	w := memory.New("prod", "default")
	one := from(w, "one", first)
	applied := apply(t, one)
	two := from(w, "two", first)
	two.TakeOver = true
	o := apply(t, two)
	runs := history(t, two)
	last := runs[len(runs)-1]
	if o.Run == "" || last.ID != o.Run || last.Kind != journal.OriginRun || last.Untrusted != "" {
		t.Fatalf("the name was taken over by %+v of kind %s", o, last.Kind)
	}
	if again := apply(t, two); again.Run != "" {
		t.Errorf("an apply with nothing to do made run %s", again.Run)
	}
	if id, err := two.Undoable(t.Context(), ""); err != nil || id != applied.Run {
		t.Errorf("the run to undo is %q, %v; want %s", id, err, applied.Run)
	}
	if _, err := two.Resume(t.Context(), ""); !errors.Is(err, engine.ErrNothing) || !strings.Contains(err.Error(), applied.Run) {
		t.Errorf("resume = %v, want ErrNothing about %s", err, applied.Run)
	}
	if _, _, err := one.Plan(t.Context(), engine.Options{}); !errors.Is(err, engine.ErrOrigin) {
		t.Errorf("plan of the directory that lost the name = %v, want ErrOrigin", err)
	}
}

// TestOriginOfOlderVersions checks that what versions before origins wrote, sealed or not,
// keeps nobody out, and that the first apply records whose it is.
func TestOriginOfOlderVersions(t *testing.T) {
	for name, unsealed := range map[string]bool{"with seals": false, "without seals": true} {
		t.Run(name, func(t *testing.T) {
			w := memory.New("prod", "default")
			apply(t, from(w, "", first))
			if unsealed {
				for _, id := range w.IDs() {
					w.Unseal(id)
				}
				w.Tamper(func(s memory.Stored) { s.Run.FormatVersion, s.Run.Seal = "", "" })
			}
			apply(t, from(w, "one", first))
			if kept, err := w.Origin(t.Context(), "default"); err != nil || kept == nil || kept.ID != "one" {
				t.Errorf("after the first apply the origin is %+v, %v; want one", kept, err)
			}
		})
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
