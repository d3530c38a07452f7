package engine_test

import (
	"testing"

	"hubcap/engine/journal"
	"hubcap/providers/memory"
)

// TestOwnHistory checks that a config reads its own runs of a journal that many share, and
// that a run which somebody lists under another config's name is still the last one to
// whoever takes one back: what a run is listed under is not sealed.
func TestOwnHistory(t *testing.T) {
	w := memory.New("prod", "default")
	apply(t, newEngine(w, first))
	other := newEngine(w, next)
	other.Config.Settings.Name = "other"
	other.Config.Settings.Origin = "elsewhere"
	own := func() []journal.Run {
		t.Helper()
		runs, err := newEngine(w, next).OwnHistory(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return runs
	}
	last := apply(t, newEngine(w, next)).Run
	if runs := own(); len(runs) != 2 || runs[1].ID != last {
		t.Fatalf("%d runs of its own, want 2", len(runs))
	}
	w.Tamper(func(s memory.Stored) {
		if s.Run.ID == last {
			*s.Config = "other"
		}
	})
	if runs := own(); len(runs) != 1 {
		t.Errorf("%d runs are listed under its name, want 1: the test proves nothing", len(runs))
	}
	if id, err := newEngine(w, next).Undoable(t.Context(), ""); err != nil || id != last {
		t.Errorf("the run to undo is %q, %v; want %s", id, err, last)
	}
	if all := history(t, newEngine(w, next)); len(all) != 2 {
		t.Errorf("%d runs in all, want 2", len(all))
	}
	w.Tamper(func(s memory.Stored) { *s.Config = "" }) // as older versions left them
	if runs := own(); len(runs) != 2 {
		t.Errorf("%d runs without a label, want 2", len(runs))
	}
	if runs, err := other.OwnHistory(t.Context()); err != nil || len(runs) != 0 {
		t.Errorf("the other config has %d runs, %v; want none", len(runs), err)
	}
}
