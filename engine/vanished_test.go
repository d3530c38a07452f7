package engine_test

import (
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
