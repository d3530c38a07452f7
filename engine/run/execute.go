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

// A Target is what a run needs of one cluster.
type Target struct {
	Writer  Writer
	Prober  Prober
	Sampler Sampler // may be nil when no step has gates
}

// A Runner carries out plans.
type Runner struct {
	Targets  map[string]Target // by name of the cluster
	Recorder Recorder
	Notify   func(Event)     // may be nil; must not block
	Lost     <-chan struct{} // closed when the lock was lost; may be nil

	// Guard is asked right before a change is written; an error means that it
	// must not be. May be nil.
	Guard func(ctx context.Context, c resource.Change) error

	Now func() time.Time // stamps entries; nil: time.Now

	// Sights are what was seen of objects right before the run began: they save
	// a second look.
	Sights map[resource.ID]Sight
}

// A Result is how an execution went.
type Result struct {
	Outcome journal.Outcome // empty when the journal failed: nothing more was done
	Failed  *plan.Step      // the step that failed or is held
	Err     error           // why; nil when the outcome is Succeeded
	Done    int             // steps that are done, earlier executions included
	Wrote   bool            // something may have been changed
}

// Outcomes that are not the end of a run: the caller decides how it ends.
const outcomeFailed journal.Outcome = "failed"

// HasFailed reports whether a step failed and must be undone.
func (r Result) HasFailed() bool { return r.Outcome == outcomeFailed }

// Why an execution stops before its end.
var (
	errInterrupted = errors.New("interrupted")
	errLost        = errors.New("the lock was lost")
	errJournal     = errors.New("write journal")
)

// A heldError stops a run so that it can be resumed.
type heldError struct{ reason string }

func (e *heldError) Error() string { return e.reason }

// Hold returns an error with which a Guard holds a step instead of failing it.
func Hold(reason string) error { return &heldError{reason: reason} }

// Execute runs the steps of p in order and stops at the first that fails. entries
// are those of an earlier execution that this one goes on with: what they show
// as done is skipped, what they leave open is looked at again. Cancelling ctx
// finishes the writes of the current step, waits a little for it to converge, and
// stops at its edge.
func (r *Runner) Execute(ctx context.Context, p *plan.Plan, entries []journal.Entry) Result {
	states := journal.States(entries)
	x := &execution{Runner: r, total: len(p.Steps()), states: states, result: Result{Wrote: journal.Touched(entries)}}
	for i, s := range p.Steps() {
		if states[s.ID].Mark == journal.Done {
			x.result.Done++
			continue
		}
		x.step, x.index = s, i+1
		if err := x.run(ctx); err != nil {
			return x.stopped(ctx, err)
		}
		x.result.Done++
	}
	x.result.Outcome = journal.Succeeded
	if err := x.flush(ctx); err != nil {
		x.result.Outcome, x.result.Err = "", err
	}
	return x.result
}

// An execution is one call of Execute, at one step.
type execution struct {
	*Runner
	states map[plan.StepID]journal.StepState

	deferred []journal.Entry // that the journal does not have yet

	step   plan.Step
	index  int
	total  int
	began  time.Time // of the step's last write
	result Result
}

func (x *execution) run(ctx context.Context) error {
	if err := x.mayGoOn(ctx); err != nil {
		return err
	}
	x.began = time.Time{}
	if err := x.move(ctx, journal.Applying, ""); err != nil {
		return err
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
	measured := x.measure()
	if len(x.step.Gates) > 0 {
		if err := x.move(ctx, journal.Baking, ""); err != nil {
			return err
		}
		if err := x.bake(ctx); err != nil {
			return err
		}
	}
	return x.record(ctx, journal.Entry{Mark: journal.Done, Impact: measured, Class: x.step.Class})
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

// mayWrite returns an error when the lock is lost: then not even the current
// step may be finished.
func (x *execution) mayWrite() error {
	select {
	case <-x.Lost:
		return errLost
	default:
		return nil
	}
}

// move records that the step comes to a new state, then tells.
func (x *execution) move(ctx context.Context, m journal.Mark, reason string) error {
	return x.record(ctx, journal.Entry{Mark: m, Reason: reason})
}

// record records an entry of the step. What announces nothing that could not be
// seen by looking again waits for the next entry that does, so that a step costs
// the journal one call.
func (x *execution) record(ctx context.Context, e journal.Entry) error {
	e.Step, e.Time = x.step.ID, x.clock()
	x.deferred = append(x.deferred, e)
	switch e.Mark {
	case journal.Applying, journal.Written, journal.Converging, journal.Done:
	default:
		if err := x.flush(ctx); err != nil {
			return err
		}
	}
	if len(e.Objects()) == 0 && e.Gate == "" {
		x.tell(StepMoved{Step: x.step, Index: x.index, Total: x.total, Mark: e.Mark, Reason: e.Reason, Time: time.Now()})
	}
	return nil
}

// flush makes durable what still waits.
func (x *execution) flush(ctx context.Context) error {
	if len(x.deferred) == 0 {
		return nil
	}
	if err := x.Recorder.Record(context.WithoutCancel(ctx), x.deferred...); err != nil {
		return fmt.Errorf("%w: %w", errJournal, err)
	}
	x.deferred = nil
	return nil
}

// clock reads the runner's clock.
func (x *execution) clock() time.Time {
	if x.Now == nil {
		return time.Now().UTC()
	}
	return x.Now().UTC()
}

func (x *execution) tell(e Event) {
	if x.Notify != nil {
		x.Notify(e)
	}
}

// stopped turns the error that stopped a step into a result, and records what
// became of the step.
func (x *execution) stopped(ctx context.Context, err error) Result {
	step := x.step
	x.result.Failed, x.result.Err = &step, &StepError{Step: step, Err: err}
	var held *heldError
	switch {
	case errors.Is(err, errJournal):
		return x.result
	case errors.Is(err, errInterrupted), errors.Is(err, errLost):
		x.result.Outcome = journal.WasInterrupted
		err = x.flush(ctx)
	case errors.Is(err, ErrMoved) && !x.result.Wrote:
		x.result.Outcome = journal.Refused
		err = x.flush(ctx)
	case errors.As(err, &held), step.OnFailure == plan.Stop:
		x.result.Outcome = journal.WasHeld
		err = x.move(ctx, journal.Held, err.Error())
	default:
		x.result.Outcome = outcomeFailed
		err = x.move(ctx, journal.Failed, err.Error())
	}
	if err != nil {
		x.result.Outcome, x.result.Err = "", &StepError{Step: step, Err: err}
	}
	return x.result
}

// measure returns the impact of the step as it came out: what could be observed
// is how long its pods were away.
func (x *execution) measure() *resource.Impact {
	if x.began.IsZero() {
		return nil
	}
	measured := x.step.Impact
	measured.Basis = "measured"
	if measured.LaunchGap > 0 {
		measured.LaunchGap = time.Since(x.began)
	}
	return &measured
}
