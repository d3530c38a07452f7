package run

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"hubcap/engine/journal"
	"hubcap/engine/plan"
	"hubcap/engine/resource"
)

// A phase is how far a step got in this execution.
type phase int

const (
	waiting  phase = iota + 1 // for the steps before it
	watching                  // its guards are asked for the first time
	kept                      // its guards hold it for now
	open                      // it may begin
	running
	done
	guarded // its guards held it for too long
	stopped // held by what happened in it
	refused // somebody else moved its objects, and nothing was written yet
	failed  // and not undone yet
	undoing
	undone // or stuck: see task.undone
	cut    // stopped on its way
	given  // given up on its way: it will be undone with the one that failed
	lost   // what it cannot do without was not made
)

// A task is one step of an execution. The loop of its wave has it, except that
// its execution belongs to the goroutine that carries it out.
type task struct {
	execution
	phase  phase
	err    error
	undone Undone
	watch  *vigil

	cancel    context.CancelFunc // ends what is under way in it
	abandoned bool               // and that was ended because another step failed
}

// newTask returns the task of a step as an earlier execution left it.
func newTask(c *course, s plan.Step) *task {
	state := c.states[s.ID]
	s.Changes = slices.Clone(s.Changes)
	for i := range s.Changes {
		if image := c.images[s.Changes[i].ID]; image != nil {
			s.Changes[i].Image = image
		}
	}
	t := &task{phase: waiting, execution: execution{course: c, step: s, index: c.index[s.ID], total: len(c.plan.Steps()), state: state}}
	why := errors.New(cmp.Or(state.Reason, "failed before"))
	switch state.Mark {
	case journal.Done:
		t.phase = done
	case journal.Failed, journal.RollingBack:
		t.phase, t.err = failed, why
	case journal.RolledBack:
		t.phase, t.err, t.undone = undone, why, Undone{Outcome: journal.WasRolledBack}
	case journal.Stuck:
		t.phase, t.err, t.undone = undone, why, Undone{Outcome: journal.Incomplete, Err: why}
	}
	return t
}

// midway reports whether an earlier execution left the step with writes and
// without an end, and this one has not begun it.
func (t *task) midway() bool {
	return (t.phase == waiting || t.phase == open) && len(t.state.Intended) > 0
}

// harmless reports whether a step may go ahead of one that is held: nobody is
// disturbed by it, and nothing is taken away.
func (t *task) harmless() bool {
	takes := slices.ContainsFunc(t.step.Changes, func(c resource.Change) bool { return c.Action == resource.Delete })
	return len(t.step.Guards) == 0 && t.step.Class < resource.ClassRestart && !takes
}

// outcome is how the step's end shows in that of the run; empty when it has none
// of its own.
func (t *task) outcome() journal.Outcome {
	switch t.phase {
	case failed:
		return outcomeFailed
	case undone:
		return t.undone.Outcome
	case guarded, stopped:
		return journal.WasHeld
	case refused:
		return journal.Refused
	case cut:
		return journal.WasInterrupted
	}
	return ""
}

// A report is what a goroutine tells the loop of its wave.
type report struct {
	*task
	phase phase
	err   error
}

// wave runs the steps of one wave and reports whether the next one may begin. Once
// a step is held, waves of a rollout do not begin at all; of other blocks, which
// nobody put behind it, the harmless steps go ahead.
func (c *course) wave(ctx context.Context, w plan.Wave) bool {
	l := &lanes{course: c, places: max(w.MaxParallel, 1), reports: make(chan report)}
	for _, s := range w.Steps {
		l.tasks = append(l.tasks, c.tasks[s.ID])
	}
	if !c.held || w.Rollout == "" {
		l.loop(ctx)
	}
	return l.passed()
}

// lanes are the blocks of one wave while their steps are carried out.
type lanes struct {
	*course
	tasks   []*task // in the order of the plan
	places  int     // blocks at once
	busy    int     // goroutines that will report
	reports chan report
}

// passed reports whether steps of the next wave may begin, if only harmless ones.
func (l *lanes) passed() bool {
	isOver := false
	for _, t := range l.tasks {
		switch t.phase {
		case done:
		case undone:
			isOver = isOver || !l.Persist
		case guarded, lost:
			l.held = true
		case waiting:
			isOver = isOver || !l.held
		default:
			isOver = true
		}
	}
	return !isOver && !l.failing
}

// loop starts what may start and takes in what is reported, until nothing is
// under way and nothing can start.
func (l *lanes) loop(ctx context.Context) {
	for {
		news := l.Orders.news()
		l.start(ctx)
		if l.busy == 0 && l.hasOpen() && l.pausing(ctx) {
			continue
		}
		if l.busy == 0 {
			return
		}
		select {
		case r := <-l.reports:
			l.take(ctx, r)
		case <-news:
		}
	}
}

// callOff ends the waits for guards: what they are waited for with will not begin.
func (l *lanes) callOff() {
	for _, t := range l.tasks {
		if t.phase == kept || t.phase == watching {
			t.cancel()
		}
	}
}

// hasOpen reports whether a step of the wave could still begin.
func (l *lanes) hasOpen() bool {
	return !l.failing && slices.ContainsFunc(l.tasks, func(t *task) bool { return t.phase == waiting || t.phase == open })
}

// beside does what takes time in a goroutine of its own, which ends with one
// report.
func (l *lanes) beside(ctx context.Context, t *task, what func(ctx context.Context) report) {
	ctx, t.cancel = context.WithCancel(ctx)
	l.busy++
	go func() { l.reports <- what(ctx) }()
}

// start begins, in the order of the plan, what may begin.
func (l *lanes) start(ctx context.Context) {
	l.startUndoing(ctx)
	if l.Orders.Aborted() != nil {
		l.callOff()
	}
	_, isPaused := l.Orders.paused()
	if ctx.Err() != nil || l.mayWrite() != nil || l.widening || isPaused || l.Orders.Aborted() != nil {
		return
	}
	for _, t := range l.tasks {
		if l.failing && !t.midway() {
			continue
		}
		if t.phase == waiting && l.isNext(t) {
			l.approach(ctx, t)
		}
		if t.phase == open && t.watch != nil && !t.watch.fresh() {
			l.approach(ctx, t)
		}
		if t.phase == watching {
			return // what its guards say decides who comes next
		}
		if t.phase == open && l.running() < l.places {
			l.begin(ctx, t)
		}
	}
}

// startUndoing takes back what failed. What met somebody else's writes before
// there were any of this run has nothing to take back, but counts as failed once
// there are some.
func (l *lanes) startUndoing(ctx context.Context) {
	for _, t := range l.tasks {
		if t.phase == refused && l.busy == 0 && l.hasWritten() {
			t.phase = failed
			if err := t.move(ctx, journal.Failed, t.err.Error()); err != nil {
				t.phase, t.err = cut, err
			}
		}
		if t.phase == failed && l.Undo != nil {
			t.phase = undoing
			l.beside(ctx, t, func(ctx context.Context) report {
				return l.takeBack(ctx, t)
			})
		}
	}
}

func (l *lanes) takeBack(ctx context.Context, t *task) report {
	err := t.err
	t.undone = l.Undo(ctx, Failure{Step: t.step, Err: err})
	switch {
	case t.undone.Outcome == "":
		l.breakOff(t.undone.Err)
		err = fmt.Errorf("%w: %w", t.undone.Err, err)
	case t.undone.Err != nil:
		err = fmt.Errorf("%w; rolling back: %w", err, t.undone.Err)
	}
	return report{t, undone, err}
}

// isNext reports whether it is a step's turn: everything before it in its lane is
// done, and so is whatever makes what it cannot do without. A step that will
// never have its turn is lost.
func (l *lanes) isNext(t *task) bool {
	if l.held && !t.harmless() {
		t.phase = lost
		return false
	}
	for _, id := range t.step.After {
		switch before := l.course.tasks[id]; {
		case before == nil || l.isPast(before):
		case before.phase == guarded || before.phase == lost:
			t.phase = lost
			return false
		default:
			return false
		}
	}
	for _, before := range l.tasks {
		switch {
		case before == t:
			return true
		case l.isPast(before) || before.step.Component.Block != t.step.Component.Block:
		case before.phase != guarded && before.phase != lost:
			return false
		case !t.harmless():
			t.phase = lost
			return false
		}
	}
	panic("run: a step is not in its wave")
}

// isPast reports whether what follows a step may begin, as far as that step goes.
func (l *lanes) isPast(t *task) bool { return t.phase == done || l.Persist && t.phase == undone }

// approach asks the guards of a step whose turn it is, if it has any. What an
// earlier execution has begun is past them.
func (l *lanes) approach(ctx context.Context, t *task) {
	if len(t.step.Guards) == 0 || len(t.state.Intended) > 0 {
		t.phase = open
		return
	}
	t.phase = watching
	if t.watch == nil {
		t.watch = &vigil{execution: &t.execution}
	}
	t.watch.committed = l.committed(t)
	l.beside(ctx, t, func(ctx context.Context) report { return t.asked(t.watch.look(ctx)) })
}

// committed returns the steps that are under way on t's cluster.
func (l *lanes) committed(t *task) []plan.Step {
	var steps []plan.Step
	for _, other := range l.tasks {
		if (other.phase == running || other.phase == open) && other != t && other.step.Cluster == t.step.Cluster {
			steps = append(steps, other.step)
		}
	}
	return steps
}

// asked turns what guards said into a report.
func (t *task) asked(next phase, err error) report { return report{t, next, err} }

func (l *lanes) running() int {
	n := 0
	for _, t := range l.tasks {
		if t.phase == running {
			n++
		}
	}
	return n
}

// begin carries a step out.
func (l *lanes) begin(ctx context.Context, t *task) {
	t.phase = running
	if !l.begun {
		t.sights = maps.Clone(l.Sights)
	}
	l.beside(ctx, t, func(ctx context.Context) report {
		if err := t.run(ctx); err != nil {
			next, err := t.stopped(ctx, err)
			if next == undone {
				t.undone = Undone{Outcome: journal.Incomplete, Err: err}
			}
			return report{t, next, err}
		}
		return report{t, done, nil}
	})
}

// take takes in one report.
func (l *lanes) take(ctx context.Context, r report) {
	t := r.task
	t.cancel()
	l.busy--
	l.begun = true
	t.phase, t.err = r.phase, r.err
	switch r.phase {
	case done, open, waiting, guarded:
	case undone:
		l.failing = l.failing || !l.Persist
	case kept:
		l.beside(ctx, t, func(ctx context.Context) report { return t.asked(t.watch.wait(ctx)) })
	default:
		l.failing = true
		l.widening = l.widening || r.phase == failed && t.step.Extent != ""
	}
	for _, other := range l.tasks {
		abandoned := l.widening && other.phase == running
		if l.failing && other.phase == kept || abandoned {
			other.abandoned = abandoned
			other.cancel()
		}
	}
	if t.phase == cut && t.abandoned {
		t.phase = given
	}
}
