package render

import (
	"fmt"
	"time"

	"hubcap/engine/plan"
	"hubcap/engine/resource"
)

// A Pause is for how long launches fail or wait on one block, in all.
type Pause struct {
	Block     string        `json:"block"`
	LaunchGap time.Duration `json:"launch_gap_ns"`
	Pauses    int           `json:"pauses"`
}

// A toll is impacts added up. Hubs pause beside one another, and people wait for one
// of them: so the launch gap of the sum is the longest that one block has. Sessions
// are people, see [plan.Toll].
type toll struct {
	resource.Impact
	pauses []Pause // of the blocks that have any, in the order of the steps
	people plan.Toll
}

func (t *toll) add(c plan.Crowd, i resource.Impact) {
	block := c.Block
	t.people = t.people.With(c, i)
	t.SessionsLost, t.SessionsInterrupted = t.people.Lost(), t.people.Interrupted()
	t.PodsRestarted += i.PodsRestarted
	t.OneWay = t.OneWay || i.OneWay
	t.LaunchesStop, t.Unknown = t.LaunchesStop || i.LaunchesStop, t.Unknown || i.Unknown
	if i.LaunchGap == 0 {
		return
	}
	at := -1
	for j, p := range t.pauses {
		if p.Block == block {
			at = j
		}
	}
	if at < 0 {
		at = len(t.pauses)
		t.pauses = append(t.pauses, Pause{Block: block})
	}
	t.pauses[at].LaunchGap += i.LaunchGap
	t.pauses[at].Pauses++
	t.LaunchGap = max(t.LaunchGap, t.pauses[at].LaunchGap)
}

// total adds up the impacts of a plan's steps.
func total(p *plan.Plan) toll {
	var t toll
	for _, step := range p.Steps() {
		t.add(step.Crowd(), step.Impact)
		t.OneWay = t.OneWay || step.Class == resource.ClassOneWay
	}
	return t
}

// paused says for how long launches pause: on the one hub, or on the one that pauses
// longest and on all together.
func (t toll) paused() string {
	if len(t.pauses) < 2 {
		return "≈ " + span(t.LaunchGap)
	}
	var sum time.Duration
	areAlike := true
	for _, p := range t.pauses {
		sum += p.LaunchGap
		areAlike = areAlike && p.LaunchGap == t.LaunchGap
	}
	if areAlike {
		return fmt.Sprintf("≈ %s on each of %d hubs", span(t.LaunchGap), len(t.pauses))
	}
	return fmt.Sprintf("≈ %s at most on one of %d hubs, ≈ %s on all together", span(t.LaunchGap), len(t.pauses), span(sum))
}

// times says in how many pauses, where one hub has them all.
func (t toll) times() string {
	switch {
	case len(t.pauses) != 1:
		return ""
	case t.pauses[0].Pauses == 1:
		return " once"
	}
	return fmt.Sprintf(" in %d pauses", t.pauses[0].Pauses)
}
