package run

import (
	"context"
	"errors"
	"fmt"
	"time"

	"hubcap/engine/journal"
	"hubcap/engine/plan"
	"hubcap/engine/resource"
)

// An execution is one step while it is under way. Only one goroutine has it.
type execution struct {
	*course
	step   plan.Step
	index  int // from 1
	total  int
	state  journal.StepState // as an earlier execution left it
	sights map[resource.ID]Sight
	began  time.Time // of the step's last write
	first  time.Time // right before its first, in whichever execution

	left []string // what was left out, and why

	people  int // user servers before the first write; see disturbs
	counted bool

	recounted bool // see recount
}

func (x *execution) run(ctx context.Context) error {
	if err := x.mayGoOn(ctx); err != nil {
		return err
	}
	if x.MayBegin != nil {
		if err := x.MayBegin(x.step); err != nil {
			return err
		}
	}
	x.began = time.Time{}
	if err := x.move(ctx, journal.Applying, ""); err != nil {
		return err
	}
	if err := x.lookBeforehand(ctx); err != nil {
		return err
	}
	if x.first = journal.Begun(x.entries, x.step.ID); x.first.IsZero() {
		x.first = time.Now()
	}
	if x.disturbs() {
		x.people, x.counted = x.count(ctx)
	}
	if err := x.write(ctx); err != nil {
		return err
	}
	if err := x.move(ctx, journal.Converging, ""); err != nil {
		return err
	}
	if err := x.converge(ctx); err != nil {
		return err
	}
	measured := x.measure(ctx)
	if len(x.step.Gates) > 0 {
		if err := x.record(ctx, x.withImpact(journal.Entry{Mark: journal.Baking}, measured)); err != nil {
			return err
		}
		if err := x.bake(ctx); err != nil {
			return x.withLeft(err)
		}
	}
	if len(x.left) > 0 {
		return x.withLeft(nil)
	}
	return x.record(ctx, x.withImpact(journal.Entry{Mark: journal.Done}, measured))
}

// mayGoOn returns why the run must not go on, if it must not.
func (x *execution) mayGoOn(ctx context.Context) error {
	if err := x.mayWrite(); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return errInterrupted
	}
	return nil
}

// move records that the step comes to a new state, then tells.
func (x *execution) move(ctx context.Context, m journal.Mark, reason string) error {
	return x.record(ctx, journal.Entry{Mark: m, Reason: reason})
}

// record records an entry of the step, and tells when the step comes to a new
// state.
func (x *execution) record(ctx context.Context, e journal.Entry) error {
	e.Step = x.step.ID
	if err := x.course.record(ctx, e); err != nil {
		return err
	}
	if len(e.Objects()) == 0 && e.Gate == "" && len(e.Samples) == 0 && e.Mark != journal.Overridden && e.Mark != journal.Advised {
		x.tell(StepMoved{Step: x.step, Index: x.index, Total: x.total, Mark: e.Mark, Reason: e.Reason, Time: time.Now()})
	}
	return nil
}

// stopped says what becomes of the step that err stopped, and records it.
func (x *execution) stopped(ctx context.Context, err error) (phase, error) {
	var held *heldError
	next, mark := failed, journal.Failed
	if lost := x.mayWrite(); lost != nil && !errors.Is(err, ErrLost) { // a write that was cut off has not failed for its own sake
		err = fmt.Errorf("%w: %w", lost, err)
	}
	switch {
	case errors.Is(err, errJournal):
		return cut, err
	case errors.Is(err, errInterrupted), errors.Is(err, ErrLost):
		return cut, errors.Join(err, x.flush(ctx))
	case errors.Is(err, ErrMoved) && !x.hasWritten():
		return refused, errors.Join(err, x.flush(ctx))
	case x.Persist && (len(x.left) > 0 || !errors.As(err, &held)):
		next, mark = undone, journal.Stuck
	case errors.As(err, &held), x.step.OnFailure == plan.Stop:
		next, mark = stopped, journal.Held
	}
	if broken := x.move(ctx, mark, err.Error()); broken != nil {
		return cut, broken
	}
	return next, err
}
