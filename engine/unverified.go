package engine

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"hubcap/engine/journal"
	"hubcap/engine/plan"
	"hubcap/engine/resource"
	"hubcap/engine/run"
)

// An Unverified is a run of this config that wrote and came to no good end, and what
// it wrote is live still. No plan has that as a difference any more, and yet nobody
// has seen that it works: its gates did not all pass.
type Unverified struct {
	Run     string
	Steps   []UnverifiedStep
	Ended   bool   // otherwise it was cut off, or somebody carries it out right now
	CanGoOn bool   // it can be resumed; otherwise there is only the way back
	Back    string // the run to roll back: itself, or what it was to undo

	Untrusted string // why the run is not acted on, if so: then there is neither
}

// An UnverifiedStep is one step of an [Unverified] run.
type UnverifiedStep struct {
	ID        plan.StepID
	Component resource.Component // zero when the plan cannot be read
	Mark      journal.Mark       // how far it came
	Gates     []string           // that have not passed, as far as the plan can be read

	parts []resource.Component // that it changed
}

// String says how far the step came: "02-hub.prod/hub is baking, gate leak has not
// passed".
func (u UnverifiedStep) String() string {
	text := string(u.ID) + " is " + string(u.Mark)
	switch len(u.Gates) {
	case 0:
		return text
	case 1:
		return text + ", gate " + u.Gates[0] + " has not passed"
	}
	return text + ", gates " + strings.Join(u.Gates, ", ") + " have not passed"
}

// Left says what the run has left, in words.
func (u Unverified) Left() string {
	var steps []string
	for _, s := range u.Steps {
		steps = append(steps, s.String())
	}
	return fmt.Sprintf("run %s has not come to a good end, and what it made is live without having passed its checks: %s", u.Run, strings.Join(steps, "; "))
}

// String says what the run has left, and what can be done about it.
func (u Unverified) String() string {
	text := u.Left()
	switch {
	case u.Untrusted != "":
		return text + "; it is not acted on: " + u.Untrusted
	case !u.Ended:
		text += "; unless it is under way, hubcap resume " + u.Run + " goes on with it"
	case u.CanGoOn:
		text += "; hubcap resume " + u.Run + " goes on with it"
	}
	return text + "; hubcap rollback " + u.Back + " goes back"
}

// Unverified returns the runs of this config that left something live without having
// verified it, oldest first. Of what a later run has changed since, that one has the
// say.
func (e *Engine) Unverified(ctx context.Context) ([]Unverified, error) {
	runs, err := e.OwnHistory(ctx)
	if err != nil {
		return nil, err
	}
	return e.unverified(ctx, runs), nil
}

// unverified is Unverified among runs. What cannot be read or looked at counts as
// live: nobody has seen the contrary.
func (e *Engine) unverified(ctx context.Context, runs []journal.Run) []Unverified {
	var all []Unverified
	for _, r := range runs {
		if !e.Owns(r) {
			continue
		}
		open := journal.Unverified(r.Entries)
		if len(open) == 0 || journal.Superseded(r, runs) != "" {
			continue
		}
		if whole, err := e.Load(ctx, r.ID); err == nil {
			r.Plan, r.Untrusted = whole.Plan, whole.Untrusted
			if journal.Superseded(r, runs) != "" {
				continue
			}
			open = e.alive(ctx, r.Plan, open)
		}
		if len(open) > 0 {
			_, ended := journal.Ended(r.Entries)
			all = append(all, Unverified{
				Run: r.ID, Steps: unverifiedSteps(r, open), Ended: ended, CanGoOn: journal.Resumable(r.Entries) && r.Untrusted == "",
				Back: cmp.Or(r.Undoes, r.ID), Untrusted: r.Untrusted,
			})
		}
	}
	return all
}

// alive returns those of the steps whose writes are live. Hooks leave nothing that
// could be.
func (e *Engine) alive(ctx context.Context, p *plan.Plan, open []plan.StepID) []plan.StepID {
	var left []plan.StepID
	for _, s := range p.Steps() {
		changes := slices.DeleteFunc(slices.Clone(s.Changes), func(c resource.Change) bool { return c.Hook != nil })
		if !slices.Contains(open, s.ID) || len(changes) == 0 {
			continue
		}
		sights, err := e.lookAt(ctx, changes)
		isLive := slices.ContainsFunc(changes, func(c resource.Change) bool { return sights[c.ID].State == run.AtAfter })
		if err != nil || isLive {
			left = append(left, s.ID)
		}
	}
	return left
}

// unverifiedSteps says how far the steps came.
func unverifiedSteps(r journal.Run, open []plan.StepID) []UnverifiedStep {
	var all []UnverifiedStep
	states := journal.States(r.Entries)
	for _, id := range open {
		one := UnverifiedStep{ID: id, Mark: states[id].Mark}
		if r.Plan == nil {
			all = append(all, one)
			continue
		}
		verdicts := journal.BakeOf(r.Entries, id).Verdicts
		for _, s := range r.Plan.Steps() {
			if s.ID != id {
				continue
			}
			one.Component = s.Component
			for _, c := range s.Changes {
				one.parts = append(one.parts, c.Component)
			}
			for _, g := range s.Gates {
				if !g.Advisory && run.Verdict(verdicts[g.Name]) != run.Pass {
					one.Gates = append(one.Gates, g.Name)
				}
			}
		}
		all = append(all, one)
	}
	return all
}

// GoesPast returns what of left p would go past: it changes something else of a
// rollout in which that has not passed its gates. A wave begins when the one before
// has passed, whichever run that was. What p makes anew with gates it checks itself,
// and rollouts that the leave overrides do not count.
func (e *Engine) GoesPast(p *plan.Plan, left []Unverified) []Unverified {
	var past []Unverified
	for _, u := range left {
		u.Steps = slices.DeleteFunc(slices.Clone(u.Steps), func(s UnverifiedStep) bool { return !e.goesPast(p, s) })
		if len(u.Steps) > 0 {
			past = append(past, u)
		}
	}
	return past
}

func (e *Engine) goesPast(p *plan.Plan, left UnverifiedStep) bool {
	rollout := e.rolloutOf(left.Component.Block)
	_, isOverridden := e.Leave.Overrides[rollout.String()]
	if len(left.Gates) == 0 || rollout.IsZero() || isOverridden {
		return false
	}
	isPast := false
	for _, step := range p.Steps() {
		isSame := slices.ContainsFunc(step.Changes, func(c resource.Change) bool { return slices.Contains(left.parts, c.Component) })
		if isSame && len(step.Gates) > 0 {
			return false
		}
		isPast = isPast || !isSame && e.rolloutOf(step.Component.Block) == rollout
	}
	return isPast
}

// rolloutOf returns the rollout that orders a block; zero when none does.
func (e *Engine) rolloutOf(block resource.Address) resource.Address {
	for _, r := range e.Config.Rollouts {
		if len(r.Order) == 0 && !block.IsZero() || slices.Contains(slices.Concat(r.Order...), block) {
			return r.Address
		}
	}
	return resource.Address{}
}
