package run

import (
	"context"
	"fmt"
	"slices"

	"hubcap/engine/plan"
	"hubcap/engine/resource"
)

// A crowdedError says that more people are there than a step relies on. Before the
// run's first write it makes the plan stale; later it holds the step.
type crowdedError struct{ text string }

func (e *crowdedError) Error() string { return e.text }

// Unwrap returns what it means for the plan, and for the step.
func (e *crowdedError) Unwrap() []error { return []error{ErrMoved, &heldError{reason: e.text}} }

// CheckPeople counts the people that a step relies on. More of them is an error that
// wraps [ErrMoved] and holds the step; a count that fails holds it.
func (t Target) CheckPeople(ctx context.Context, s plan.Step) error {
	bound := s.Relies
	if bound == nil {
		return nil
	}
	if t.People == nil {
		return Hold("user servers cannot be counted")
	}
	ctx, cancel := context.WithTimeout(ctx, countTimeout)
	defer cancel()
	census, err := t.People(ctx, bound.Places())
	if err != nil {
		return Hold("user servers cannot be counted: " + err.Error())
	}
	n, err := bound.Count(census)
	if err != nil {
		return Hold(err.Error())
	}
	if n > bound.Max {
		return &crowdedError{fmt.Sprintf("%s by now (%s), and the plan relies on at most %d", servers(n), bound, bound.Max)}
	}
	return nil
}

func servers(n int) string {
	if n == 1 {
		return "1 user server"
	}
	return fmt.Sprintf("%d user servers", n)
}

// recount counts the people again before the step's first write, and before each that
// may end or interrupt sessions.
func (x *execution) recount(ctx context.Context, open []resource.Change) error {
	if x.step.Relies == nil || x.recounted && !slices.ContainsFunc(open, plan.Disturbs) {
		return nil
	}
	x.recounted = true
	return x.Targets[x.step.Cluster].CheckPeople(ctx, x.step)
}

type lastCheckKey struct{}

// WithLastCheck returns a context under which [LastCheck] asks check.
func WithLastCheck(ctx context.Context, check func(context.Context) error) context.Context {
	return context.WithValue(ctx, lastCheckKey{}, check)
}

// lastCheck returns a context under which a provider that waits has the people
// counted once more.
func (x *execution) lastCheck(ctx context.Context, c resource.Change) context.Context {
	if x.step.Relies == nil || !plan.Disturbs(c) {
		return ctx
	}
	return WithLastCheck(ctx, func(ctx context.Context) error {
		if err := x.Targets[x.step.Cluster].CheckPeople(ctx, x.step); err != nil {
			return Hold(err.Error()) // an intent is on record: the run is not as if it had never begun
		}
		return nil
	})
}

// LastCheck is for a provider whose write has waited: called right before the request
// that carries out the change, it returns why the request must not be made any more.
func LastCheck(ctx context.Context) error {
	if check, has := ctx.Value(lastCheckKey{}).(func(context.Context) error); has {
		return check(ctx)
	}
	return nil
}
