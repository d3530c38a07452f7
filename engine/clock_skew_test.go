package engine_test

import (
	"testing"
	"testing/synctest"
	"time"

	"hubcap/engine"
	"hubcap/engine/journal"
	"hubcap/engine/resource"
	"hubcap/providers/memory"
)

// A run dies on a machine whose clock is ten minutes ahead. Somebody takes it back from
// another one. What was taken back must not be gone on with, and the last run is the
// rollback: in which order runs began is not for the clocks of laptops to say.
func TestResumeAfterRollbackWithSkew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for n := 1; n < 60; n++ {
			resumeAfterRollback(t, n)
		}
	})
}

func resumeAfterRollback(t *testing.T, n int) {
	w := settled(t)
	ahead := newEngine(w, next)
	ahead.Now = func() time.Time { return clock().Add(10 * time.Minute) }
	p := mustPlan(t, ahead)
	w.DieAt(n, memory.AfterEffect)
	_, _ = ahead.Apply(t.Context(), p)
	if !w.Revive() {
		return
	}
	right := newEngine(w, next)
	runs, err := right.History(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	died := runs[len(runs)-1]
	if !journal.Touched(died.Entries) || !journal.Resumable(died.Entries) {
		return
	}
	back, err := right.Undo(t.Context(), died.ID, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if o, err := right.ApplyUndo(t.Context(), back, died.ID); err != nil || o.Outcome != journal.Succeeded {
		t.Fatalf("rollback = %+v, %v", o, err)
	}
	before := w.Objects()
	o, err := ahead.Resume(t.Context(), "")
	if err == nil {
		t.Errorf("run %s was taken back, and then gone on with: %+v", died.ID, o)
	}
	for id, was := range before {
		if is := w.Objects()[id]; !resource.Equal(map[string]any(was), map[string]any(is)) {
			t.Errorf("died at call %d: %s is changed again", n, id)
		}
	}
}
