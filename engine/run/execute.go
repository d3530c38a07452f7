package run

import (
	"context"
	"errors"
	"fmt"
	"sync"
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
	Watcher Watcher // may be nil: then guards that ask it hold
	People  People  // may be nil: then nobody is counted
}

// A Runner carries out plans.
type Runner struct {
	Targets  map[string]Target // by name of the cluster
	Recorder Recorder
	Notify   func(Event)     // may be nil; must not block; is called by one goroutine at a time
	Lost     <-chan struct{} // closed when the lock was lost; may be nil
	// Deadline is when the lock has to be renewed at the latest; in the past once it
	// is lost. May be nil.
	Deadline func() time.Time
	Now      func() time.Time // stamps entries; nil: time.Now
	// Sights are what was seen of objects right before the run began: they save
	// a second look.
	Sights map[resource.ID]Sight
	// Undo takes back a step that failed, while other lanes still come to the edge
	// of their steps. May be nil: then the caller does.
	Undo func(ctx context.Context, f Failure) Undone
	// Verifies returns the gates that show that a step's taking back has worked. They
	// are looked at once before the step's first write, too: what fails then is none of
	// its doing. May be nil.
	Verifies func(plan.Step) []plan.Gate
	// Persist is for a way back, which does all it can: a change that cannot be made, or
	// does not settle, is left out, and everything else goes ahead. A step with
	// something left out is stuck, and what follows it is done all the same.
	Persist bool
	// MayBegin is asked before a step begins, or is gone on with; an error that Hold
	// made holds it. May be nil.
	MayBegin func(plan.Step) error
	// Orders are what people tell the run while it is under way. May be nil.
	Orders *Desk
	Guarding
}

// A Failure is a step that failed, and why.
type Failure struct {
	Step plan.Step
	Err  error
}

// Undone is how taking back a step ended.
type Undone struct {
	Outcome journal.Outcome // WasRolledBack, Incomplete, WasInterrupted; empty when the journal failed
	Err     error           // nil when it was taken back
}

// A Result is how an execution went.
type Result struct {
	Outcome journal.Outcome // empty when the journal failed: nothing more was done
	Failed  *plan.Step      // the first step that failed or is held
	Err     error           // why; nil when the outcome is Succeeded
	Done    int             // steps that are done, earlier executions included
	Wrote   bool            // something may have been changed
	Barred  bool            // it is held by a guard that must not be overridden, and nobody waits
}

// Outcomes that are not the end of a run: the caller decides how it ends.
const outcomeFailed journal.Outcome = "failed"

// HasFailed reports whether a step failed and must be undone.
func (r Result) HasFailed() bool { return r.Outcome == outcomeFailed }

// Why an execution stops before its end.
var (
	errInterrupted = errors.New("interrupted")
	errJournal     = errors.New("write journal")
)

// A heldError stops a run so that it can be resumed.
type heldError struct{ reason string }

func (e *heldError) Error() string { return e.reason }

// Hold returns an error with which a Guard holds a step instead of failing it.
func Hold(reason string) error { return &heldError{reason: reason} }

// Execute runs the waves of p in order, the steps of a wave in lanes: one for each
// block, as many at once as the wave says. A wave begins when all steps of the one
// before have passed. When a step fails no other begins; those under way come to
// their end.
//
// entries are those of an earlier execution that this one goes on with: what they
// show as done is skipped, what they leave open is looked at again, and when they
// show that a step failed then nothing new begins. Cancelling ctx finishes the
// writes of the current steps, waits a little for them to converge, and stops at
// their edge.
func (r *Runner) Execute(ctx context.Context, p *plan.Plan, entries []journal.Entry) Result {
	c := newCourse(r, p, entries)
	draining := c.failing // then what an earlier execution left open is in any wave
	for _, w := range p.Waves {
		if !c.wave(ctx, w) && !draining {
			break
		}
	}
	return c.conclude(ctx)
}

// A course is what the steps of one Execute share.
type course struct {
	*Runner
	plan    *plan.Plan
	states  map[plan.StepID]journal.StepState
	index   map[plan.StepID]int // from 1
	entries []journal.Entry     // of an earlier execution
	images  map[resource.ID]resource.Object

	// Of the loop that starts steps, and of nobody else.
	tasks   map[plan.StepID]*task
	failing bool // no step begins any more
	held    bool // a step is held: only what is harmless begins
	begun   bool // what was seen before the run is too old for the steps that follow
	// widening says that more is undone than the step that failed: then nothing
	// that is under way needs to come to its end.
	widening bool

	mu       sync.Mutex // for what the steps under way share
	deferred []journal.Entry
	broken   error // the journal failed
	touched  bool  // something may have been changed
	telling  sync.Mutex
}

func newCourse(r *Runner, p *plan.Plan, entries []journal.Entry) *course {
	c := &course{
		Runner: r, plan: p, entries: entries, states: journal.States(entries), images: journal.Images(entries), touched: journal.Touched(entries),
		index: make(map[plan.StepID]int), tasks: make(map[plan.StepID]*task),
	}
	for i, s := range p.Steps() {
		c.index[s.ID] = i + 1
		t := newTask(c, s)
		c.tasks[s.ID] = t
		c.failing = c.failing || t.phase == failed || t.phase == undone && !r.Persist
		c.widening = c.widening || c.failing && s.Extent != "" && (t.phase == failed || t.phase == undone)
	}
	return c
}

// record appends entries of one step. What announces nothing that could not be
// seen by looking again waits for the next entry that does, so that a step costs
// the journal one call.
func (c *course) record(ctx context.Context, e journal.Entry) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	e.Time = c.clock()
	c.deferred = append(c.deferred, e)
	switch e.Mark {
	case journal.Applying, journal.Beforehand, journal.Written, journal.Converging, journal.Done:
		return c.broken
	}
	return c.flushLocked(ctx)
}

// flush makes durable what still waits.
func (c *course) flush(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.flushLocked(ctx)
}

// flushLocked records what waits, of all lanes, in its order. Once that has failed
// nothing is recorded any more, and so nothing is begun.
func (c *course) flushLocked(ctx context.Context) error {
	if c.broken != nil || len(c.deferred) == 0 {
		return c.broken
	}
	if err := c.Recorder.Record(context.WithoutCancel(ctx), c.deferred...); err != nil {
		c.broken = fmt.Errorf("%w: %w", errJournal, err)
		return c.broken
	}
	c.deferred = nil
	return nil
}

// breakOff notes that the journal failed.
func (c *course) breakOff(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.broken == nil {
		c.broken = fmt.Errorf("%w: %w", errJournal, err)
	}
}

// clock reads the runner's clock.
func (c *course) clock() time.Time {
	if c.Now == nil {
		return time.Now().UTC()
	}
	return c.Now().UTC()
}

func (c *course) tell(e Event) {
	if c.Notify == nil {
		return
	}
	c.telling.Lock()
	defer c.telling.Unlock()
	c.Notify(e)
}

// wroteAny notes that something may have been changed.
func (c *course) wroteAny() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.touched = true
}

func (c *course) hasWritten() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.touched
}

// conclude sums up what became of the steps. What has to be gone on with outranks
// what failed and was undone; that outranks what is held.
func (c *course) conclude(ctx context.Context) Result {
	result := Result{Outcome: journal.Succeeded, Wrote: c.hasWritten()}
	if err := c.flush(ctx); err != nil {
		result.Outcome, result.Err = "", err
	}
	rank := 0
	for _, s := range c.plan.Steps() {
		t := c.tasks[s.ID]
		if t.phase == done {
			result.Done++
		}
		outcome := t.outcome()
		if c.Persist && outcome == journal.Incomplete && result.Outcome == outcome {
			result.Err = fmt.Errorf("%w; %w", result.Err, &StepError{Step: s, Err: t.err})
		}
		if r := ranks[outcome]; r > rank {
			rank = r
			result.Outcome, result.Failed, result.Err = outcome, &s, &StepError{Step: s, Err: t.err}
			result.Barred = t.watch != nil && t.watch.barred
		}
	}
	switch {
	case c.broken != nil && (errors.Is(c.broken, ErrLost) || c.mayWrite() != nil): // whoever has the lock now has the journal
		step := c.firstOpen()
		result.Outcome, result.Failed, result.Err = journal.WasInterrupted, &step, &StepError{Step: step, Err: ErrLost}
	case c.broken != nil:
		result.Outcome = ""
		if result.Err == nil || !errors.Is(result.Err, errJournal) {
			result.Err = c.broken
		}
	case rank == 0 && result.Done < len(c.plan.Steps()):
		step := c.firstOpen()
		err := c.mayWrite()
		result.Outcome = journal.WasInterrupted
		if aborted := c.Orders.Aborted(); err == nil && aborted != nil {
			result.Outcome, err = journal.WasHeld, aborted
		} else if err == nil {
			err = errInterrupted
		}
		result.Failed, result.Err = &step, &StepError{Step: step, Err: err}
	}
	return result
}

// firstOpen returns the first step that is not done.
func (c *course) firstOpen() plan.Step {
	for _, s := range c.plan.Steps() {
		if c.tasks[s.ID].phase != done {
			return s
		}
	}
	panic("run: every step is done")
}

// ranks say which outcome of a step is that of the run.
var ranks = map[journal.Outcome]int{
	journal.WasInterrupted: 5, journal.Incomplete: 4, outcomeFailed: 3, journal.WasRolledBack: 3, journal.WasHeld: 2, journal.Refused: 1,
}

// mayWrite returns an error when the lock is lost: then not even the current
// step may be finished.
func (c *course) mayWrite() error {
	select {
	case <-c.Lost:
		return ErrLost
	default:
	}
	// A process that was stopped for a while may come here before whoever closes Lost.
	if c.Deadline != nil && !time.Now().Before(c.Deadline()) {
		return ErrLost
	}
	return nil
}
