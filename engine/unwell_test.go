package engine_test

import (
	"fmt"
	"sync"
	"testing"
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

// unwell returns a world whose hub answers nobody, whatever runs there, and an engine
// that wants another image of it.
func unwell(t *testing.T) (*memory.World, func() *engine.Engine) {
	w := settled(t)
	w.Gate = func(plan.Gate, resource.Component) run.Sample {
		return run.Sample{Verdict: run.Fail, Reason: "status 503"}
	}
	return w, func() *engine.Engine {
		return checked(newEngine(w, onlyHub), schema.Gate{HTTP: &schema.HTTPCheck{URL: "http://127.0.0.1/"}, Failures: 2, Interval: time.Second})
	}
}

// TestCrashUnwell lets a run die at every call of a step that is taken back, on a hub
// that was bad before: whoever resumes it ends in before, and is told that it is ill still.
func TestCrashUnwell(t *testing.T) {
	t.Parallel()
	matrix(t, 40, resumes(), crashUnwell)
}

func crashUnwell(t *testing.T, r crash, n int) bool {
	t.Helper()
	w, anew := unwell(t)
	e := anew()
	d := r.death(n)
	last, died := d.dies(t, w, e, mustPlan(t, e))
	if !died {
		return false
	}
	if last != nil && journal.Resumable(last.Entries) {
		o, err := anew().Resume(t.Context(), "")
		if err != nil || o.Outcome != journal.Incomplete {
			t.Fatalf("%s: resume = %+v, %v; want it incomplete", d, o, err)
		}
	}
	if diff := cmp.Diff(wanted(first()), w.Objects()); diff != "" {
		t.Fatalf("%s (-want +got):\n%s", d, diff)
	}
	return true
}

// TestFaultsUnwell injects every fault at every call of the same: one that is taken
// back is as before, and one that is not can be.
func TestFaultsUnwell(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	points, met := 0, map[journal.Outcome]int{}
	t.Cleanup(func() { // after all of the matrix
		if t.Logf("%v", met); met[journal.Incomplete] < points/3 {
			t.Errorf("%v of %d: most of it shows nothing", met, points)
		}
	})
	matrix(t, 80, allFaults, func(t *testing.T, kind fault, n int) bool {
		w, anew := unwell(t)
		e := anew()
		p := mustPlan(t, e)
		c, f := decorated(e.Clusters["prod"], map[int]fault{n: kind})
		e.Clusters["prod"] = c
		o, err := e.Apply(t.Context(), p)
		if f.calls < n {
			return false
		}
		mu.Lock()
		points++
		met[o.Outcome]++
		mu.Unlock()
		where := fmt.Sprintf("%s at call %d: %+v, %v", kind, n, o, err)
		switch o.Outcome {
		case journal.Refused, "":
		case journal.WasHeld, journal.WasInterrupted:
			if r, err := anew().Resume(t.Context(), o.Run); err != nil || r.Outcome != journal.Incomplete {
				t.Fatalf("%s; resume = %+v, %v", where, r, err)
			}
		case journal.WasRolledBack: // the verification met the fault, and told nothing
		case journal.Incomplete: // it is ill still; or the way back met the fault
			undo(t, anew())
		default:
			t.Fatal(where)
		}
		if diff := cmp.Diff(wanted(first()), w.Objects()); diff != "" {
			t.Fatalf("%s (-want +got):\n%s", where, diff)
		}
		return true
	})
}
