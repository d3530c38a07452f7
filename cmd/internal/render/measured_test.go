package render

import (
	"testing"
	"time"

	"hubcap/engine/journal"
	"hubcap/engine/plan"
	"hubcap/engine/resource"
)

// What was measured stands beside what was predicted of the same steps, and nothing
// is said where there is nothing to say.
func TestCompare(t *testing.T) {
	run := func(predicted resource.Impact, measured ...*resource.Impact) journal.Run {
		r := journal.Run{Started: noon, Plan: &plan.Plan{Waves: []plan.Wave{{}}}}
		for i, m := range measured {
			s := plan.Step{ID: plan.StepID([]string{"01-hub.a/hub", "02-hub.b/hub"}[i]), Impact: predicted}
			s.Component.Block = resource.Address{Kind: "hub", Name: []string{"a", "b"}[i]}
			r.Plan.Waves[0].Steps = append(r.Plan.Waves[0].Steps, s)
			mark := journal.Done
			if m == nil {
				mark = journal.Failed
			}
			r.Entries = append(r.Entries, journal.Entry{Time: noon, Mark: mark, Step: s.ID, Impact: m})
		}
		return r
	}
	predicted := resource.Impact{LaunchGap: 30 * time.Second, PodsRestarted: 1, SessionsInterrupted: 3}
	measured := resource.Impact{LaunchGap: 42 * time.Second, PodsRestarted: 1, SessionsInterrupted: 2}
	lacking := run(predicted, &measured)
	lacking.Plan = nil
	for _, test := range []struct {
		reason string
		run    journal.Run
		want   string
	}{
		{"one step", run(predicted, &measured), "Impact as measured (as predicted): interrupted 2 (3) · launches paused 42s (≈ 30s) · pods restarted 1 (1)\n"},
		{"one of two was not measured", run(predicted, &measured, nil), "Impact as measured (as predicted): interrupted 2 (3) · launches paused 42s (≈ 30s) · pods restarted 1 (1)\n"},
		{"two hubs beside one another", run(predicted, &measured, &measured), "Impact as measured (as predicted): interrupted 4 (6) · launches paused 42s on each of 2 hubs (≈ 30s on each of 2 hubs) · pods restarted 2 (2)\n"},
		{"more than was predicted", run(resource.Impact{}, &resource.Impact{SessionsLost: 4}), "Impact as measured (as predicted): sessions lost 4 (0)\n"},
		{"no impact", run(resource.Impact{}, &resource.Impact{}), ""},
		{"nothing was measured", run(predicted, nil), ""},
		{"the plan is not at hand", lacking, ""},
	} {
		if got := Compare(test.run).String(); got != test.want {
			t.Errorf("%s:\n got %q\nwant %q", test.reason, got, test.want)
		}
	}
}
