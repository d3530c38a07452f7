package engine_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hubcap/engine"
	"hubcap/engine/journal"
	"hubcap/engine/plan"
	"hubcap/engine/resource"
	"hubcap/engine/run"
	"hubcap/providers/memory"
	"hubcap/schema"
)

// withClaim is a hub with the claim of its database, of so many gigabytes.
func withClaim(desired func() []resource.Desired, gigabytes int64) func() []resource.Desired {
	return func() []resource.Desired {
		return append(desired(), object("PersistentVolumeClaim", "hub-db", "hub", map[string]any{"spec": map[string]any{"gigabytes": gigabytes}}))
	}
}

// leftOutOf returns the objects that a run's journal says were left out.
func leftOutOf(r journal.Run) []resource.ID {
	var ids []resource.ID
	for _, e := range r.Entries {
		if e.Mark == journal.LeftOut && e.Change != nil && !slices.Contains(ids, *e.Change) {
			ids = append(ids, *e.Change)
		}
	}
	return ids
}

// TestLeftOut holds that a way back does all it can, whichever it is and whatever
// keeps one object from going back: that object is left out and named, in the outcome
// and in the journal; the rest goes back, and the run ends incomplete.
func TestLeftOut(t *testing.T) {
	claim, config := id("PersistentVolumeClaim", "hub-db"), id("Secret", "hub")
	for _, test := range []struct {
		name    string
		left    resource.ID
		prevent func(*memory.World) // called when the step's gate is asked first, or before the rollback
	}{
		{"a claim that grew", claim, func(*memory.World) {}},
		{"somebody else changed it", config, func(w *memory.World) { w.Edit(config, "kubectl-edit", "theirs", "data", "token") }},
		{"the server refuses it", config, func(w *memory.World) {
			w.Fault = func(c memory.Call) error {
				if c.Name == "write" && c.ID == config {
					return errors.New("admission webhook says no")
				}
				return nil
			}
		}},
		{"it cannot be looked at", config, func(w *memory.World) {
			w.Fault = func(c memory.Call) error {
				if c.Name == "look" && c.ID == config {
					return errors.New("its kind is gone")
				}
				return nil
			}
		}},
	} {
		grown := int64(1)
		if test.left == claim {
			grown = 9
		}
		before, after := withClaim(first, 1), withClaim(broken, grown)
		check := func(t *testing.T, w *memory.World, o engine.Outcome, err error, step string) {
			t.Helper()
			w.Fault = nil
			if err != nil || o.Outcome != journal.Incomplete || !strings.Contains(o.Reason, "left out: hub.prod/"+test.left.Kind) {
				t.Fatalf("outcome = %+v, %v; want it incomplete, and %s named", o, err, test.left)
			}
			got, want := w.Objects(), wanted(before())
			for _, d := range before() {
				isBack := cmp.Equal(got[d.ID], want[d.ID])
				mustBe := step == "" || d.Component.Name == step
				if mustBe && isBack == (d.ID == test.left) {
					t.Errorf("%s is %v, before it was %v", d.ID, got[d.ID], want[d.ID])
				}
			}
			runs := history(t, newEngine(w, before))
			if ids := leftOutOf(runs[len(runs)-1]); !slices.Equal(ids, []resource.ID{test.left}) {
				t.Errorf("left out as the journal says: %v, want %s", ids, test.left)
			}
		}
		settle := func(t *testing.T) *memory.World {
			w := memory.New("prod", "default")
			apply(t, newEngine(w, before))
			return w
		}
		t.Run("step: "+test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, asked := settle(t), false
				w.Gate = func(plan.Gate, resource.Component) run.Sample {
					if hub := w.Object(id("Deployment", "hub")); !strings.Contains(fmt.Sprint(hub), "hub:broken") {
						return run.Sample{Verdict: run.Pass}
					}
					if !asked {
						asked = true
						test.prevent(w)
					}
					return run.Sample{Verdict: run.Fail, Reason: "status 503"}
				}
				e := checked(newEngine(w, after), schema.Gate{HTTP: &schema.HTTPCheck{URL: "http://127.0.0.1/"}, Failures: 1, Interval: time.Second})
				o, err := e.Apply(t.Context(), mustPlan(t, e))
				check(t, w, o, err, "hub")
				if p := mustPlan(t, e); len(p.Forbidden()) > 0 || len(p.Denied()) == 0 {
					t.Errorf("what was rolled back as far as it could be is not remembered: %+v", p.Verdicts)
				}
			})
		})
		t.Run("rollback: "+test.name, func(t *testing.T) {
			w := settle(t)
			e := newEngine(w, after)
			apply(t, e)
			test.prevent(w)
			p, err := e.Undo(t.Context(), "", engine.Options{})
			if err != nil {
				t.Fatal(err)
			}
			o, err := e.ApplyUndo(t.Context(), p, "")
			check(t, w, o, err, "")
		})
	}
}

// TestLeftOutLater holds that an object that somebody moves between the plan of a
// rollback and its run is left out, too.
func TestLeftOutLater(t *testing.T) {
	w := settled(t)
	e := newEngine(w, next)
	apply(t, e)
	p, err := e.Undo(t.Context(), "", engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w.Edit(id("Secret", "hub"), "kubectl-edit", "theirs", "data", "token")
	o, err := e.ApplyUndo(t.Context(), p, "")
	if err != nil || o.Outcome != journal.Incomplete || !strings.Contains(o.Reason, "hub.prod/Secret/hub") {
		t.Fatalf("outcome = %+v, %v; want it incomplete, and the Secret named", o, err)
	}
	want := wanted(first())
	want[id("Secret", "hub")] = w.Object(id("Secret", "hub"))
	if diff := cmp.Diff(want, w.Objects()); diff != "" {
		t.Errorf("world (-want +got):\n%s", diff)
	}
}

// TestCrashLeftOut lets a run die at every call of a step that is taken back but for a
// claim that grew: whoever resumes it leaves the claim, and the rest is as before.
func TestCrashLeftOut(t *testing.T) {
	t.Parallel()
	before, after := withClaim(first, 1), withClaim(onlyHub, 9)
	want := wanted(before())
	want[id("PersistentVolumeClaim", "hub-db")] = wanted(after())[id("PersistentVolumeClaim", "hub-db")]
	matrix(t, 15, resumes(), func(t *testing.T, r crash, n int) bool {
		w := made(t, "claim", func() *memory.World {
			w := memory.New("prod", "default")
			apply(t, newEngine(w, before))
			return w
		})
		w.Broken = []string{"hub:2"}
		e := newEngine(w, after)
		d := r.death(n)
		last, died := d.dies(t, w, e, mustPlan(t, e))
		if !died || last == nil {
			return died
		}
		if journal.Resumable(last.Entries) {
			o, err := newEngine(w, after).Resume(t.Context(), "")
			if err != nil || o.Outcome != journal.Incomplete && o.Outcome != journal.WasRolledBack {
				t.Fatalf("%s: resume = %+v, %v", d, o, err)
			}
			if o.Outcome == journal.WasRolledBack && !cmp.Equal(w.Objects(), wanted(before())) {
				t.Fatalf("%s: said to be rolled back, and is not: %+v", d, o)
			}
		}
		if got := w.Objects(); !cmp.Equal(got, want) && !cmp.Equal(got, wanted(before())) {
			t.Fatalf("%s (-want +got):\n%s", d, cmp.Diff(want, got))
		}
		return true
	})
}
