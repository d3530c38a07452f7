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
	return x.result
}

// An execution is one call of Execute, at one step.
type execution struct {
	*Runner
	states map[plan.StepID]journal.StepState
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

func (x *execution) record(ctx context.Context, e journal.Entry) error {
	e.Step = x.step.ID
	if err := x.Recorder.Record(context.WithoutCancel(ctx), e); err != nil {
		return fmt.Errorf("%w: %w", errJournal, err)
	}
	if e.Change == nil && e.Gate == "" {
		x.tell(StepMoved{Step: x.step, Index: x.index, Total: x.total, Mark: e.Mark, Reason: e.Reason, Time: time.Now()})
	}
	return nil
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
		return x.result
	case errors.Is(err, ErrMoved) && !x.result.Wrote:
		x.result.Outcome = journal.Refused
		return x.result
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

// write makes the changes of the step, one after the other: each is announced
// before it is made, and one that is made already is skipped.
func (x *execution) write(ctx context.Context) error {
	calls := context.WithoutCancel(ctx) // an interrupt lets the calls of a step finish
	for _, c := range x.step.Changes {
		if err := x.mayWrite(); err != nil {
			return err
		}
		target, connected := x.Targets[c.ID.Cluster]
		if !connected {
			return fmt.Errorf("write %s: cluster %s is not connected", c.ID, c.ID.Cluster)
		}
		if err := x.writeOne(calls, target, c); err != nil {
			return err
		}
	}
	x.Sights = nil // what was seen before this step is too old for the next
	return nil
}

// conflicts is how many times a write is tried when the object was written
// meanwhile without being moved: somebody else's fields of it change all the time.
const conflicts = 5

// writeOne looks at one object and makes its change, if it is not made yet.
func (x *execution) writeOne(ctx context.Context, t Target, c resource.Change) error {
	for try := 1; ; try++ {
		sight, err := x.look(ctx, t, c)
		if err != nil {
			return fmt.Errorf("look at %s: %w", c.ID, err)
		}
		switch sight.State {
		case AtAfter:
			state := x.states[x.step.ID]
			if try > 1 || state.Intended[c.ID] && !state.Written[c.ID] {
				return x.wrote(ctx, c)
			}
			return nil
		case Elsewhere:
			return fmt.Errorf("%s: %w: %s", c.Address, ErrMoved, sight.Moved)
		case AtBefore:
		default:
			panic(fmt.Sprintf("run: look at %s returned the state %d", c.ID, sight.State))
		}
		if try == 1 {
			if err := x.announce(ctx, c); err != nil {
				return err
			}
		}
		x.began = time.Now() // of the last write: pods come last
		err = t.Writer.Write(ctx, c, sight)
		if errors.Is(err, ErrMoved) && try < conflicts {
			continue
		}
		if !errors.Is(err, ErrMoved) {
			x.result.Wrote = true
		}
		if err != nil {
			return fmt.Errorf("write %s: %w", c.ID, err)
		}
		return x.wrote(ctx, c)
	}
}

// announce records that a change is about to be made, if it may be.
func (x *execution) announce(ctx context.Context, c resource.Change) error {
	if x.Guard != nil {
		if err := x.Guard(ctx, c); err != nil {
			return fmt.Errorf("%s: %w", c.Address, err)
		}
	}
	return x.record(ctx, journal.Entry{Mark: journal.Intended, Change: &c.ID})
}

// look returns what was seen right before the run, once, or looks.
func (x *execution) look(ctx context.Context, t Target, c resource.Change) (Sight, error) {
	if sight, has := x.Sights[c.ID]; has {
		delete(x.Sights, c.ID)
		return sight, nil
	}
	return t.Writer.Look(ctx, c)
}

func (x *execution) wrote(ctx context.Context, c resource.Change) error {
	if err := x.record(ctx, journal.Entry{Mark: journal.Written, Change: &c.ID}); err != nil {
		return err
	}
	x.tell(ChangeMade{Step: x.step.ID, Change: c})
	return nil
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
