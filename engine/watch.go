package engine

import (
	"context"
	"errors"
	"fmt"

	"hubcap/engine/plan"
	"hubcap/engine/run"
)

// A watcher answers guards: about people by counting them, about all else as the
// cluster's own watcher does.
type watcher struct {
	census Census
	rest   run.Watcher
}

// Watch counts the user servers that a guard is about.
func (w watcher) Watch(ctx context.Context, asked run.Watching) (run.Sample, error) {
	check := asked.Guard.Sessions
	switch {
	case check == nil && w.rest != nil:
		return w.rest.Watch(ctx, asked)
	case check == nil:
		return run.Sample{}, fmt.Errorf("a guard on %s cannot be answered here", asked.Guard.Check())
	case w.census == nil:
		return run.Sample{}, errors.New("user servers cannot be counted")
	}
	var at plan.SessionBound
	if check.Pool != "" {
		at.Pools = []string{check.Pool}
	} else {
		at.Namespaces = []string{check.Namespace}
	}
	census, err := w.census.Count(ctx, at.Places())
	if err != nil {
		return run.Sample{}, err
	}
	n, err := at.Count(census)
	if err != nil {
		return run.Sample{}, err
	}
	value, bound := float64(n), float64(check.Max)
	s := run.Sample{Verdict: run.Pass, Value: &value, Bound: &bound, Reason: fmt.Sprintf("%d sessions, at most %d are allowed", n, check.Max)}
	if n > check.Max {
		s.Verdict = run.Fail
	}
	return s, nil
}
