package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"hubcap/engine"
	"hubcap/engine/journal"
	"hubcap/engine/plan"
	"hubcap/providers/records"
)

// settled ends an apply of a plan that has nothing to do. That is no success while a
// run before it has left something live that never passed its checks: it is no
// difference any more, and yet nobody has seen that it works. end ends it otherwise.
func (s *session) settled(ctx context.Context, e *engine.Engine, sc *scope, end func(asking context.Context) error) error {
	all, err := e.Unverified(ctx)
	if err != nil {
		return &exit{code: exitIncomplete, err: fmt.Errorf("apply: there is nothing to do, but whether the runs before came to their end cannot be told: %w", err)}
	}
	left := within(all, sc)
	s.remind(slices.DeleteFunc(slices.Clone(left), func(u engine.Unverified) bool { return u.Untrusted == "" }))
	left = slices.DeleteFunc(left, func(u engine.Unverified) bool { return u.Untrusted != "" })
	if len(left) == 0 {
		return end(ctx)
	}
	for _, u := range left {
		if err := s.underWayNow(ctx, "apply", u.Run); err != nil {
			return err
		}
	}
	return s.unsettled("there is nothing to do, but", left)
}

// mayPass ends an apply that would go on with a rollout past what was never checked,
// whether that was selected or not. An incident has no time for that. It returns what
// runs have left that the plan does not go past, to be told where the plan is not shown.
func (s *session) mayPass(ctx context.Context, e *engine.Engine, p *plan.Plan) ([]engine.Unverified, error) {
	all, err := e.Unverified(ctx)
	if err != nil || e.Leave.Incident != "" {
		return all, nil // whoever writes the journal finds out what is wrong with it
	}
	past := e.GoesPast(p, all)
	for _, u := range past {
		if err := s.underWayNow(ctx, "apply", u.Run); err != nil {
			return nil, err
		}
	}
	if len(past) == 0 {
		return all, nil
	}
	return nil, s.unsettled("nothing was changed, since this plan would go on past what was never checked:", past)
}

// within returns what of the runs a selection lets through. What cannot be told
// counts.
func within(all []engine.Unverified, sc *scope) []engine.Unverified {
	var left []engine.Unverified
	for _, u := range all {
		u.Steps = slices.DeleteFunc(slices.Clone(u.Steps), func(step engine.UnverifiedStep) bool {
			return !step.Component.Block.IsZero() && !plan.Selects(sc.only, sc.except, step.Component)
		})
		if len(u.Steps) > 0 {
			left = append(left, u)
		}
	}
	return left
}

// underWayNow returns an error when a run is being carried out: it has the say then.
func (s *session) underWayNow(ctx context.Context, verb, id string) error {
	for _, peek := range s.locks {
		locked, err := peek(ctx)
		switch {
		case err != nil:
			return err
		case locked != nil && locked.Holder.Run == id && !records.SeemsDead(locked.Renewed, s.now()):
			return fmt.Errorf("%s: nothing was changed: run %s is under way: %w; %s follows it", verb, id, locked, s.again("status", "--watch", id))
		}
	}
	return nil
}

// unsettled ends an apply because of runs that have left something that is not
// verified. but leads to what they have left.
func (s *session) unsettled(but string, left []engine.Unverified) error {
	c, outcome := exitHeld, journal.WasHeld
	var said []error
	for _, u := range left {
		todo := s.again("rollback", u.Back) + " goes back"
		switch {
		case u.Untrusted != "":
			todo = "the run is not acted on: " + u.Untrusted + "; make sure that it works, then --override of its rollout goes past it"
		case u.CanGoOn:
			todo = s.again("resume", u.Run) + " goes on with it, " + todo
		default:
			c, outcome = exitStuck, journal.Incomplete
		}
		said = append(said, fmt.Errorf("apply: %s %s; %s", but, u.Left(), todo))
	}
	why, last := errors.Join(said...), left[len(left)-1]
	if s.output != asJSON {
		return &exit{code: c, err: why}
	}
	s.complain(why)
	return cmp.Or(s.writeJSON(ending{
		FormatVersion: "1.0", Run: last.Run, Outcome: outcome, Failed: last.Steps[0].ID, Reason: why.Error(), Exit: c,
	}), silently(c))
}

// remind tells, beside an apply whose plan is not shown, what runs have left that is
// not verified.
func (s *session) remind(left []engine.Unverified) {
	for _, u := range left {
		s.warn("hubcap: %s", u)
	}
}
