package engine_test

import (
	"errors"
	"strings"
	"testing"

	"hubcap/engine"
	"hubcap/engine/journal"
)

// TestSealRuns checks that the journal tells of sealing and of a new key, in sealed runs
// that nobody resumes, rolls back or takes for the last apply, and that runs which the
// former key sealed are named.
func TestSealRuns(t *testing.T) {
	w := settled(t)
	before := apply(t, newEngine(w, next)).Run
	applied := apply(t, newEngine(w, first)).Run
	for _, id := range w.IDs() {
		w.Unseal(id)
	}
	e := newEngine(w, without)
	reading, diags, err := e.Seen(t.Context())
	if err != nil || diags.HasErrors() || len(reading.Unsealed) == 0 {
		t.Fatalf("seen: %v %v, %d without a seal", diags, err, len(reading.Unsealed))
	}
	done, err := e.Seal(t.Context(), reading.Unsealed)
	if err != nil || done.Objects != len(reading.Unsealed) || len(done.Runs) != 1 {
		t.Fatalf("seal = %+v, %v", done, err)
	}
	last := func(want string) journal.Run {
		t.Helper()
		runs := history(t, newEngine(w, without))
		r := runs[len(runs)-1]
		outcome, _ := journal.Ended(r.Entries)
		if r.ID != want || r.Kind != journal.SealRun || r.Untrusted != "" || outcome != journal.Succeeded || journal.Touched(r.Entries) {
			t.Errorf("the last run is %s of kind %s, %s (untrusted: %q)", r.ID, r.Kind, outcome, r.Untrusted)
		}
		return r
	}
	sealed := last(done.Runs[0])
	if e := sealed.Entries[1]; e.Mark != journal.Sealing || len(e.Changes) != done.Objects {
		t.Errorf("before it began the journal says %s of %d objects", e.Mark, len(e.Changes))
	}
	if id, err := e.Undoable(t.Context(), ""); err != nil || id != applied {
		t.Errorf("the run to undo is %q, %v; want %s", id, err, applied)
	}
	if _, err := e.Resume(t.Context(), ""); !errors.Is(err, engine.ErrNothing) {
		t.Errorf("resume = %v, want ErrNothing", err)
	}

	done, err = e.Rotate(t.Context(), nil)
	if err != nil || len(done.Rotated) != 1 || len(done.Runs) != 1 {
		t.Fatalf("rotate = %+v, %v", done, err)
	}
	if r := done.Rotated[0]; r.Former == r.Key || len(r.Lost) != 3 || r.Lost[1] != before || r.Lost[2] != applied {
		t.Errorf("rotated: %+v; want the three runs that count no more", r)
	}
	rotated := last(done.Runs[0])
	if e := rotated.Entries[1]; e.Mark != journal.Rotated || !strings.Contains(e.Reason, "3 runs of this config before it are shown and not acted on any more") {
		t.Errorf("the journal says %s: %s", e.Mark, e.Reason)
	}
	if _, err := newEngine(w, without).Undoable(t.Context(), ""); !errors.Is(err, engine.ErrUntrusted) && !errors.Is(err, engine.ErrNothing) {
		t.Errorf("a run of the former key may be undone: %v", err)
	}
	apply(t, newEngine(w, without))
}
