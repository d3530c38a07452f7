package run

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"hubcap/engine/resource"
)

// How often a step is looked at while it converges: soon at first, then at least
// once a second.
const (
	firstPoll = 20 * time.Millisecond
	lastPoll  = time.Second
	tellEvery = time.Second
)

// interruptGrace is how long an interrupted run still waits for its step.
const interruptGrace = 20 * time.Second

// probeFailures is how many times in a row probing may fail before the step does.
const probeFailures = 10

// ErrNotReady says that a step did not converge.
var ErrNotReady = errors.New("not ready")

// converge waits until every change of the step is observed to have settled. A
// cause that waiting cannot mend fails it at once.
func (x *execution) converge(ctx context.Context) error {
	w := &wait{execution: x, began: time.Now(), pending: x.step.Changes}
	if len(w.pending) == 0 {
		return nil
	}
	deadline := w.began.Add(x.step.Timeout)
	interrupted := ctx.Done()
	probes := context.WithoutCancel(ctx)
	for poll := firstPoll; ; poll = min(poll*3/2, lastPoll) {
		done, err := w.look(probes)
		if done || err != nil {
			return err
		}
		if err := x.flush(ctx); err != nil { // others may want to know while this lasts
			return err
		}
		now := time.Now()
		if !now.Before(deadline) {
			if ctx.Err() != nil {
				return errInterrupted
			}
			if x.Persist {
				return x.leave(ctx, w.pending, w.overdue())
			}
			return fmt.Errorf("%w after %s: %s", ErrNotReady, x.step.Timeout, strings.Join(w.unready, "; "))
		}
		if err := x.Orders.Aborted(); err != nil {
			return err
		}
		select {
		case <-x.Lost:
			return ErrLost
		case <-x.Orders.news():
		case <-interrupted:
			interrupted = nil
			if until := now.Add(interruptGrace); until.Before(deadline) {
				deadline = until
			}
		case <-time.After(min(poll, deadline.Sub(now))):
		}
	}
}

// A wait is one wait for a step to converge.
type wait struct {
	*execution
	began   time.Time
	told    time.Time
	pending []resource.Change // not ready when last looked at
	unready []string
	failed  int // probes in a row
	rounds  int
}

// look probes what is not ready yet; when all of it is, everything once more,
// because one object's settling can unsettle another.
func (w *wait) look(ctx context.Context) (bool, error) {
	pending, unready, err := w.probe(ctx, w.pending)
	if err == nil && len(pending) == 0 && w.rounds > 0 {
		pending, unready, err = w.probe(ctx, w.step.Changes)
	}
	w.rounds++
	if err != nil {
		return false, err
	}
	w.pending, w.unready = pending, unready
	if len(pending) == 0 {
		return true, nil
	}
	if now := time.Now(); now.Sub(w.told) >= tellEvery {
		w.told = now
		w.tell(Waited{Step: w.step.ID, For: now.Sub(w.began), Unready: unready})
	}
	return false, nil
}

// probe probes the changes, several at once, and returns those that are not ready.
func (w *wait) probe(ctx context.Context, changes []resource.Change) (pending []resource.Change, unready []string, err error) {
	healths, errs := make([]resource.Health, len(changes)), make([]error, len(changes))
	each(len(changes), func(i int) {
		healths[i], errs[i] = w.Targets[changes[i].ID.Cluster].Prober.Probe(ctx, changes[i])
	})
	if first(errs) == nil {
		w.failed = 0
	} else {
		w.failed++
	}
	var left []resource.Change
	var whys []error
	for i, c := range changes {
		health := healths[i]
		switch {
		case w.Persist && errs[i] != nil && w.failed >= probeFailures:
			left, whys = append(left, c), append(whys, fmt.Errorf("probe it: %w", errs[i]))
			continue
		case w.Persist && health.Terminal:
			left, whys = append(left, c), append(whys, fmt.Errorf("%w: %s", ErrNotReady, strings.Join(append([]string{health.Reason}, health.Details...), "\n")))
			continue
		case errs[i] != nil && w.failed >= probeFailures:
			return nil, nil, fmt.Errorf("probe %s: %w", c.ID, errs[i])
		case errs[i] != nil:
			health = resource.Health{Reason: errs[i].Error()}
		case health.Terminal:
			return nil, nil, fmt.Errorf("%w: %s: %s", ErrNotReady, name(c), strings.Join(append([]string{health.Reason}, health.Details...), "\n"))
		}
		if !health.Ready {
			pending = append(pending, c)
			unready = append(unready, name(c)+": "+health.Reason)
		}
	}
	return pending, unready, w.leave(ctx, left, whys)
}

// overdue says of each pending change that it took too long.
func (w *wait) overdue() []error {
	whys := make([]error, len(w.unready))
	for i, text := range w.unready {
		whys[i] = fmt.Errorf("%w after %s: %s", ErrNotReady, w.step.Timeout, text)
	}
	return whys
}

// name is how a change is called within its step: "Deployment/hub".
func name(c resource.Change) string {
	if c.Address.Object != "" {
		return c.Address.Object
	}
	return c.Address.String()
}
