package engine_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"hubcap/engine"
	"hubcap/engine/journal"
	"hubcap/engine/plan"
	"hubcap/engine/resource"
	"hubcap/engine/run"
	"hubcap/providers/memory"
	"hubcap/schema"
)

// unverified returns what an engine over w says that nobody has verified.
func unverified(t *testing.T, w *memory.World) []engine.Unverified {
	t.Helper()
	left, err := newEngine(w, next).Unverified(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return left
}

// checked adds a gate that all steps of e have.
func checked(e *engine.Engine, g schema.Gate) *engine.Engine {
	g.Address = resource.Address{Kind: "gate", Name: "alive"}
	e.Config.Gates = []schema.Gate{g}
	e.Config.Rollouts = []schema.Rollout{{Gates: []resource.Address{g.Address}}}
	return e
}

// onlyHub wants what was first, but for the hub.
func onlyHub() []resource.Desired {
	d := first()
	d[4] = deployment("hub", "hub:2", "hub", "a")
	return d
}

// TestUnverified checks what is said of runs that ended in each way, once there is
// nothing left to plan.
func TestUnverified(t *testing.T) {
	for _, test := range []struct {
		reason  string
		verdict run.Verdict // of the gate on what is new
		faults  bool        // nothing can be written back
		dies    bool        // at the first sample
		after   func(*testing.T, *memory.World)
		mark    journal.Mark // of the step that is left; empty: none is
		canGoOn bool
	}{
		{reason: "well", verdict: run.Pass},
		{reason: "killed in the bake", dies: true, mark: journal.Baking, canGoOn: true},
		{reason: "held by its gate", verdict: run.Inconclusive, mark: journal.Held, canGoOn: true},
		{reason: "failed, and taken back", verdict: run.Fail},
		{reason: "failed, and not to be taken back", verdict: run.Fail, faults: true, mark: journal.Stuck},
		{reason: "killed, and then changed by another run", dies: true, after: func(t *testing.T, w *memory.World) {
			apply(t, newEngine(w, next))
		}},
		{reason: "killed, and then put back by hand", dies: true, after: func(_ *testing.T, w *memory.World) {
			w.Edit(id("Deployment", "hub"), "kubectl", []any{map[string]any{"name": "hub", "image": "hub:1", "env": []any{
				map[string]any{"name": "TOKEN", "valueFrom": map[string]any{"secretKeyRef": map[string]any{"name": "hub", "key": "token"}}},
			}}}, "spec", "template", "spec", "containers")
		}},
		{reason: "killed, and its plan cannot be read", dies: true, after: func(_ *testing.T, w *memory.World) {
			w.Fault = func(c memory.Call) error {
				if c.Name == "load" {
					return errFault
				}
				return nil
			}
		}, mark: journal.Baking, canGoOn: true},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := settled(t)
			e := checked(newEngine(w, onlyHub), schema.Gate{HTTP: &schema.HTTPCheck{URL: "http://127.0.0.1/"}, Failures: 2})
			writes, dead := 0, false // of the hub: it is new after the first, and as before after the second
			w.Gate = func(plan.Gate, resource.Component) run.Sample {
				verdict := run.Pass
				if writes == 1 {
					verdict = test.verdict
				}
				return run.Sample{Verdict: verdict, Reason: "says the test"}
			}
			w.Fault = func(c memory.Call) error {
				if dead = dead || test.dies && c.Name == "sample" && writes == 1; dead {
					return memory.ErrDead
				}
				if c.Name != "write" {
					return nil
				}
				if writes++; writes > 1 && test.faults {
					return errFault
				}
				return nil
			}
			o, err := e.Apply(t.Context(), mustPlan(t, e))
			w.Revive()
			w.Fault = nil
			if test.after != nil {
				test.after(t, w)
			}
			left := unverified(t, w)
			if test.mark == "" {
				if len(left) != 0 {
					t.Errorf("%s: %v is left (%+v, %v)", test.reason, left, o, err)
				}
				return
			}
			if len(left) != 1 || len(left[0].Steps) != 1 || left[0].Steps[0].Mark != test.mark || left[0].CanGoOn != test.canGoOn {
				t.Fatalf("%s: left is %+v (%+v, %v)", test.reason, left, o, err)
			}
			w.Fault = nil
			p := mustPlan(t, newEngine(w, onlyHub))
			if cut := test.dies; strings.Contains(left[0].String(), "unless it is under way") != cut {
				t.Errorf("%s: %s", test.reason, left[0])
			}
			if !p.Empty() || !strings.Contains(strings.Join(p.Warnings, "\n"), left[0].Run+" has not come to a good end") {
				t.Errorf("%s: the plan says %v", test.reason, p.Warnings)
			}
		})
	}
}
