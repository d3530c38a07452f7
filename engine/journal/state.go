package journal

import (
	"slices"
	"time"

	"hubcap/engine/plan"
	"hubcap/engine/resource"
)

// Before returns the objects of p as they were before the run that wrote
// entries touched them, and all changes that it may have made. Wanting before
// within touched is what rolling back means. With steps, only changes made in
// these count. What was before a hook is nothing to want: it would run again.
func Before(p *plan.Plan, entries []Entry, steps ...plan.StepID) (before []resource.Desired, touched []resource.Change) {
	intended, made := make(map[resource.ID]bool), make(map[resource.ID]bool)
	states, images := States(entries), Images(entries)
	for _, e := range entries {
		if e.Mark == Intended && (len(steps) == 0 || slices.Contains(steps, e.Step)) {
			for _, id := range e.Objects() {
				intended[id] = true
			}
		}
	}
	for _, s := range p.Steps() {
		for _, c := range s.Changes {
			if !intended[c.ID] {
				continue
			}
			if c.Hook != nil {
				if c.Action != resource.Delete && states[s.ID].Intended[c.ID] && !made[c.ID] && (len(steps) == 0 || slices.Contains(steps, s.ID)) {
					made[c.ID], touched = true, append(touched, c)
				}
				continue
			}
			if image := images[c.ID]; image != nil {
				c.Image = image
			}
			touched = append(touched, c)
			if c.Action == resource.Create || c.Before == nil {
				continue
			}
			before = append(before, wasBefore(c))
		}
	}
	return before, touched
}

// wasBefore returns the object of c as it was: what was taken over goes back to
// whose it was, what was given back is taken over once more.
func wasBefore(c resource.Change) resource.Desired {
	d := resource.Desired{
		ID: c.ID, Address: c.Address, Component: c.Component, Object: c.Before,
		Presence: resource.Managed, Origin: c.Origin, Defaults: c.Defaults, Owners: c.Owners,
	}
	if t := c.TakesOver; t != nil && !t.Again {
		d.GivesBack = t
	}
	if t := c.GivesBack; t != nil {
		d.Release, d.Adopt = t.Release, t.Release == nil
	}
	return d
}

// StepState is how far one step got, as its last entries say.
type StepState struct {
	Mark     Mark                 // last one of the step; empty when it was not begun
	Reason   string               // of that mark
	Intended map[resource.ID]bool // changes that were announced: they may or may not have been made
	Written  map[resource.ID]bool
}

// States returns how far every step got. A step without entries has none.
func States(entries []Entry) map[plan.StepID]StepState {
	states := make(map[plan.StepID]StepState)
	for _, e := range entries {
		if e.Step == "" {
			continue
		}
		s, known := states[e.Step]
		if !known {
			s.Intended, s.Written = make(map[resource.ID]bool), make(map[resource.ID]bool)
		}
		switch {
		case e.Mark == Intended:
			note(s.Intended, e.Objects())
		case e.Mark == Written:
			note(s.Written, e.Objects())
		case e.Gate == "" && e.Mark != Overridden && e.Mark != Advised && e.Mark != Bisected && e.Mark != Beforehand && e.Mark != LeftOut:
			s.Mark, s.Reason = e.Mark, e.Reason
		}
		states[e.Step] = s
	}
	return states
}

func note(set map[resource.ID]bool, ids []resource.ID) {
	for _, id := range ids {
		set[id] = true
	}
}

// Ended returns how a run ended, and false while it has not: it runs, or it died.
func Ended(entries []Entry) (Outcome, bool) {
	for _, e := range slices.Backward(entries) {
		switch e.Mark {
		case RunFinished:
			return e.Outcome, true
		case RunStarted:
			return "", false
		}
	}
	return "", false
}

// Executions returns how many times a run was begun and gone on with.
func Executions(entries []Entry) int {
	n := 0
	for _, e := range entries {
		if e.Mark == RunStarted {
			n++
		}
	}
	return n
}

// Resumable reports whether a run can go on: it died, was interrupted, or was
// held.
func Resumable(entries []Entry) bool {
	outcome, ended := Ended(entries)
	return !ended || outcome == WasHeld || outcome == WasInterrupted
}

// Touched reports whether a run may have changed anything.
func Touched(entries []Entry) bool {
	return slices.ContainsFunc(entries, func(e Entry) bool { return e.Mark == Intended })
}

// LeavesOut reports whether a person left components out of a rollback.
func LeavesOut(entries []Entry) bool {
	return slices.ContainsFunc(entries, func(e Entry) bool { return e.Mark == LeftOut && e.Part != "" })
}

// Lasting reports whether a run may have left anything changed: steps that were
// rolled back leave nothing.
func Lasting(entries []Entry) bool {
	if outcome, _ := Ended(entries); outcome == Refused {
		return false
	}
	for _, s := range States(entries) {
		if len(s.Intended) > 0 && s.Mark != RolledBack {
			return true
		}
	}
	return false
}

// Unverified returns the steps that may have changed something and came to no good
// end, in the order in which they began to write: they are neither done, nor taken
// back. What they made is live, perhaps, and did not pass its checks.
func Unverified(entries []Entry) []plan.StepID {
	if outcome, _ := Ended(entries); outcome == Refused {
		return nil
	}
	var open []plan.StepID
	states := States(entries)
	for _, e := range entries {
		if mark := states[e.Step].Mark; e.Mark == Intended && mark != Done && mark != RolledBack && !slices.Contains(open, e.Step) {
			open = append(open, e.Step)
		}
	}
	return open
}

// Measured returns the mean launch gap of the steps of each class over all runs.
func Measured(runs []Run) map[resource.Class]plan.Measure {
	total := make(map[resource.Class]time.Duration)
	measured := make(map[resource.Class]plan.Measure)
	for _, r := range runs {
		for _, e := range r.Entries {
			if e.Mark != Done || e.Impact == nil || e.Class == 0 || e.Impact.LaunchGap <= 0 {
				continue
			}
			m := measured[e.Class]
			m.Runs++
			total[e.Class] += e.Impact.LaunchGap
			m.LaunchGap = (total[e.Class] / time.Duration(m.Runs)).Round(time.Second / 10)
			measured[e.Class] = m
		}
	}
	return measured
}

// Superseded returns the run, of the same config and after r in runs (oldest first),
// because of which r cannot or need not be gone on with: it has changed what r changed
// or, where r's plan is at hand, was about to change. Without a plan, a run that changed
// nothing is superseded by any that went well. One that carries out no plan supersedes
// none. It is empty when there is none.
func Superseded(r Run, runs []Run) string {
	mine := make(map[resource.ID]bool)
	for _, e := range r.Entries {
		if e.Mark == Intended {
			note(mine, e.Objects())
		}
	}
	if r.Plan != nil {
		for _, s := range r.Plan.Steps() {
			for _, c := range s.Changes {
				mine[c.ID] = true
			}
		}
	}
	since := slices.IndexFunc(runs, func(other Run) bool { return other.ID == r.ID })
	for _, later := range runs[since+1:] {
		if later.Config != r.Config || !later.IsOfPlan() {
			continue
		}
		if outcome, _ := Ended(later.Entries); len(mine) == 0 && outcome == Succeeded {
			return later.ID
		}
		for _, e := range later.Entries {
			if e.Mark == Intended && slices.ContainsFunc(e.Objects(), func(id resource.ID) bool { return mine[id] }) {
				return later.ID
			}
		}
	}
	return ""
}
