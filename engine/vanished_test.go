package engine_test

import (
	"errors"
	"testing"

	"hubcap/engine/plan"
	"hubcap/engine/resource"
	"hubcap/providers/memory"
)

// TestDeletedBehindItsBack checks that an object that was applied and that
// somebody deleted is drift, and that what is new, was taken back or was deleted
// by hubcap itself is not.
func TestDeletedBehindItsBack(t *testing.T) {
	target := first()[len(first())-1].ID
	without := func() []resource.Desired { return first()[:len(first())-1] }
	tests := []struct {
		reason string
		world  func(*testing.T) *memory.World
		want   bool
	}{
		{"nothing was ever applied", func(*testing.T) *memory.World { return memory.New("prod", "default") }, false},
		{"somebody deleted it", func(t *testing.T) *memory.World {
			w := settled(t)
			w.Remove(target)
			return w
		}, true},
		{"hubcap deleted it when its block went", func(t *testing.T) *memory.World {
			w := settled(t)
			apply(t, newEngine(w, without))
			return w
		}, false},
		{"the journal was lost", func(t *testing.T) *memory.World {
			w := settled(t)
			w.Remove(target)
			w.Forget()
			return w
		}, false},
		{"the run that made it was undone", func(t *testing.T) *memory.World {
			w := settled(t)
			apply(t, newEngine(w, without))
			e := newEngine(w, first)
			apply(t, e)
			undo(t, e)
			return w
		}, false},
	}
	for _, tt := range tests {
		t.Run(tt.reason, func(t *testing.T) {
			p := mustPlan(t, newEngine(tt.world(t), first))
			got := false
			for _, d := range p.Drift {
				got = got || d.ID == target && d.Kind == plan.Drifted
			}
			if got != tt.want {
				t.Errorf("drift of %s = %v, want %v (%+v)", target, got, tt.want, p.Drift)
			}
		})
	}
}

// TestRefusedIsMissing holds that what the server refuses to make is told as missing,
// and as drift when hubcap had applied it: no refusal hides that it is gone.
func TestRefusedIsMissing(t *testing.T) {
	target := first()[len(first())-1].ID
	w := settled(t)
	w.Rejects = func(id resource.ID) string {
		if id != target {
			return ""
		}
		return "its namespace is being deleted"
	}
	told := func() (refused []plan.Refused, drift bool) {
		p := mustPlan(t, newEngine(w, first))
		for _, d := range p.Drift {
			drift = drift || d.ID == target
		}
		return p.Refused, drift
	}
	if refused, drift := told(); len(refused) != 1 || refused[0].Missing || drift {
		t.Errorf("while it lives: %+v, drift %v", refused, drift)
	}
	w.Remove(target)
	if refused, drift := told(); len(refused) != 1 || !refused[0].Missing || !drift {
		t.Errorf("once it is gone: %+v, drift %v; want it missing, and drift", refused, drift)
	}
}

// TestUntoldIsIncomplete holds that missing objects are not called new where the
// journal, which knows whether they were applied, cannot be read.
func TestUntoldIsIncomplete(t *testing.T) {
	w := settled(t)
	e := newEngine(w, first)
	w.Fault = func(c memory.Call) error {
		if c.Name == "runs" {
			return errors.New("forbidden")
		}
		return nil
	}
	if p := mustPlan(t, e); len(p.Unreadable) > 0 {
		t.Errorf("with nothing missing: %+v", p.Unreadable)
	}
	w.Remove(first()[len(first())-1].ID)
	p := mustPlan(t, e)
	if len(p.Unreadable) != 1 || p.Unreadable[0].What != "whether missing objects are new or were deleted (1)" {
		t.Errorf("with one missing: %+v", p.Unreadable)
	}
}
