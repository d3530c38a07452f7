package render

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hubcap/engine/plan"
	"hubcap/engine/resource"
)

// pausing is a plan whose steps pause launches, each of a block.
func pausing(steps ...any) *plan.Plan {
	p := &plan.Plan{FormatVersion: "1.0", Waves: []plan.Wave{{}}}
	for i := 0; i < len(steps); i += 2 {
		impact := resource.Impact{LaunchGap: steps[i+1].(time.Duration)}
		p.Waves[0].Steps = append(p.Waves[0].Steps, plan.Step{
			Component: resource.Component{Block: resource.ParseAddress(steps[i].(string)), Name: "hub"}, Class: resource.ClassHub, Impact: impact, Back: &impact,
			Changes: []resource.Change{{ID: resource.ID{Kind: "Deployment", Name: "hub"}, Action: resource.Update}},
		})
	}
	return p
}

// TestPausesOfSeveralHubs checks that hubs which pause beside one another are not
// told as one long pause.
func TestPausesOfSeveralHubs(t *testing.T) {
	const s = time.Second
	for _, test := range []struct {
		reason     string
		plan       *plan.Plan
		want, back string
		longest    time.Duration
		pauses     []Pause
	}{
		{"none", pausing("hub.a", 0*s), "launches go on", "", 0, []Pause{}},
		{"one hub, once", pausing("hub.a", 40*s), "new launches pause ≈ 40s once", "launches pause ≈ 40s", 40 * s, []Pause{{"hub.a", 40 * s, 1}}},
		{"one hub, twice", pausing("hub.a", 40*s, "hub.a", 25*s), "new launches pause ≈ 1m5s in 2 pauses", "all of it: launches pause ≈ 1m5s", 65 * s, []Pause{{"hub.a", 65 * s, 2}}},
		{
			"hubs alike", pausing("hub.a", 40*s, "hub.b", 40*s, "hub.c", 40*s), "new launches pause ≈ 40s on each of 3 hubs", "all of it: launches pause ≈ 40s on each of 3 hubs",
			40 * s, []Pause{{"hub.a", 40 * s, 1}, {"hub.b", 40 * s, 1}, {"hub.c", 40 * s, 1}},
		},
		{
			"one longer than the other", pausing("hub.a", 40*s, "hub.b", 40*s, "hub.a", 25*s), "new launches pause ≈ 1m5s at most on one of 2 hubs, ≈ 1m45s on all together", "",
			65 * s, []Pause{{"hub.a", 65 * s, 2}, {"hub.b", 40 * s, 1}},
		},
		{"what pauses nothing is no hub that pauses", pausing("hub.a", 40*s, "hub.b", 0*s), "new launches pause ≈ 40s once", "", 40 * s, []Pause{{"hub.a", 40 * s, 1}}},
	} {
		if got := Impact(test.plan); !strings.HasSuffix(got, test.want) {
			t.Errorf("%s: %q, want %q", test.reason, got, test.want)
		}
		if got := backLine(test.plan); !strings.HasSuffix(got, test.back) {
			t.Errorf("%s: the way back is told %q, want %q", test.reason, got, test.back)
		}
		summary := summarize(test.plan)
		if diff := cmp.Diff(test.pauses, summary.Pauses); diff != "" || summary.Impact.LaunchGap != test.longest {
			t.Errorf("%s: the longest is %s; pauses (-want +got):\n%s", test.reason, summary.Impact.LaunchGap, diff)
		}
	}
	for id, want := range map[plan.StepID]string{"01-hub.prod/hub": "hub.prod", `02-hub.each["a/b"]/hub`: `hub.each["a/b"]`, "03-node_pool.user": "node_pool.user"} {
		if got := blockOf(id); got != want {
			t.Errorf("%s is a step of %s, want %s", id, got, want)
		}
	}
}
