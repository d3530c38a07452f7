package engine_test

import (
	"errors"
	"strings"
	"testing"

	"hubcap/engine"
	"hubcap/engine/journal"
	"hubcap/engine/plan"
	"hubcap/engine/resource"
	"hubcap/schema"
)

// TestCheckOverrides checks that only what exists can be overridden, in the plan or in
// the config, and that what is meant is named first.
func TestCheckOverrides(t *testing.T) {
	e := newEngine(settled(t), next)
	e.Config.Guards = []schema.Guard{{Block: schema.Block{Address: resource.Address{Kind: "guard", Name: "nights"}}, Drift: true}}
	e.Config.Policies = []schema.Policy{{Block: schema.Block{Address: resource.Address{Kind: "policy", Name: "charts"}}}}
	e.Config.Hubs = []schema.Hub{{Block: schema.Block{Address: resource.Address{Kind: "hub", Name: "prod"}}}}
	planned := &plan.Plan{
		Waves:    []plan.Wave{{Steps: []plan.Step{{Guards: []plan.Guard{{Name: "quiet"}, {Name: "exams"}}}}}},
		Verdicts: []plan.Verdict{{Name: "rejected"}},
	}
	for _, test := range []struct {
		name string
		plan *plan.Plan
		want string // of the error; empty: none
	}{
		{"guard.quiet", planned, ""},
		{"rejected", planned, ""},
		{"guard.nights", planned, ""}, // of the config, and not of the plan
		{"policy.charts", planned, ""},
		{"one_way.hub.prod", planned, ""},
		{"guard.quite", planned, "override guard.quite: no such guard, policy or rollout; possible are guard.quiet, guard.exams, rejected"},
		{"one_way.hub.prd", &plan.Plan{}, "no such guard, policy or rollout; there is none"},
	} {
		e.Leave = engine.Leave{Overrides: map[string]string{test.name: "because"}}
		err := e.CheckOverrides(test.plan)
		if test.want == "" && err != nil || test.want != "" && (!errors.Is(err, engine.ErrNoGuard) || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("override %s: %v, want %q", test.name, err, test.want)
		}
	}
}

// TestOverrideOfWhatIsNot checks that nothing begins with a leave that means nothing,
// and that a run goes on with what it was given leave for when it began, although the
// config that is at hand knows nothing of it: that of a run which was handed over.
func TestOverrideOfWhatIsNot(t *testing.T) {
	w := settled(t)
	e := newEngine(w, next)
	e.Leave = engine.Leave{Overrides: map[string]string{"guard.nights": "because"}}
	p := mustPlan(t, e)
	if o, err := e.Apply(t.Context(), p); !errors.Is(err, engine.ErrNoGuard) || o.Run != "" {
		t.Fatalf("apply = %+v, %v; want ErrNoGuard and no run", o, err)
	}
	e.Config.Guards = []schema.Guard{{Block: schema.Block{Address: resource.Address{Kind: "guard", Name: "nights"}}, Drift: true}}
	id, err := e.Prepare(t.Context(), p, nil)
	if err != nil {
		t.Fatal(err)
	}
	there := newEngine(w, next)
	there.Leave = engine.Leave{Overrides: map[string]string{"guard.typo": "because"}}
	if o, err := there.Resume(t.Context(), id); !errors.Is(err, engine.ErrNoGuard) {
		t.Errorf("resume = %+v, %v; want ErrNoGuard", o, err)
	}
	there.Leave = e.Leave
	if o, err := there.Resume(t.Context(), id); err != nil || o.Outcome != journal.Succeeded {
		t.Errorf("resume = %+v, %v; want it to go on", o, err)
	}
}
