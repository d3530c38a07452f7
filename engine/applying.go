package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"hubcap/engine/journal"
	"hubcap/engine/plan"
	"hubcap/engine/resource"
	"hubcap/engine/run"
)

// Apply carries out p: it locks, checks that nothing p relies on has moved
// ([ErrStale]), then runs the steps, and undoes the one that fails. Of a plan with nothing
// to do there is a run only when it has to record whose the config's name is, see
// [Engine.Unclaimed].
//
// As long as the returned Outcome has no Run, nothing was changed and the error
// says why. Once there is one, how it ended is in the Outcome; an error beside it
// says more about that end ([ErrInterrupted], [ErrStale], or that the journal
// could not be written).
func (e *Engine) Apply(ctx context.Context, p *plan.Plan) (Outcome, error) {
	return e.start(ctx, p, journal.Run{Kind: journal.ApplyRun})
}

// start begins the run r of p and sees it to its end.
func (e *Engine) start(ctx context.Context, p *plan.Plan, r journal.Run) (Outcome, error) {
	if err := runnable(p, r.Kind); err != nil {
		return Outcome{}, err
	}
	if p.Empty() {
		kind, err := e.kindOfEmpty(ctx, r)
		if err != nil || kind == "" {
			return Outcome{Outcome: journal.Succeeded}, err
		}
		r.Kind = kind
	}
	s, sights, err := e.begin(ctx, p, r)
	if err != nil {
		return Outcome{}, err
	}
	ctx = s.bind(ctx)
	defer s.close(ctx)
	s.tell(run.RunBegan{Run: s.run.ID, Kind: s.run.Kind, Plan: p})
	runner := s.runner(s)
	runner.Sights = sights
	return s.conclude(ctx, runner.Execute(ctx, p, nil))
}

// kindOfEmpty returns as what a run that changes nothing is recorded: as one that claims
// the config's name, or as the rollback of a run that somebody could go on with. Empty: it
// is not recorded.
func (e *Engine) kindOfEmpty(ctx context.Context, r journal.Run) (journal.Kind, error) {
	switch r.Kind {
	case journal.ApplyRun:
		if unclaimed, err := e.Unclaimed(ctx); err != nil || !unclaimed {
			return "", err
		}
		return journal.OriginRun, nil
	case journal.RollbackRun:
		undone, err := e.Run(ctx, r.Undoes)
		if err != nil || !journal.Resumable(undone.Entries) {
			return "", err
		}
		return r.Kind, nil
	}
	return "", nil
}

// Prepare begins a run of p and does nothing of it: it checks what [Engine.Apply]
// checks, makes the run durable, and lets go of the locks. Whoever resumes the run
// carries it out, on this machine or on another; handover is what that one is given with
// it, see [Engine.Handover]. It returns the run's ID.
func (e *Engine) Prepare(ctx context.Context, p *plan.Plan, handover []byte) (string, error) {
	if err := runnable(p, journal.ApplyRun); err != nil {
		return "", err
	}
	if p.Empty() {
		return "", fmt.Errorf("prepare: %w", ErrNothing)
	}
	e.Handover = handover
	s, _, err := e.begin(ctx, p, journal.Run{Kind: journal.ApplyRun})
	if err != nil {
		return "", err
	}
	s.close(run.WithID(ctx, s.run.ID))
	return s.run.ID, nil
}

// begin asks for permissions, locks, makes sure that p can be carried out, and
// makes its run durable. Unless it fails, the session has to be closed.
func (e *Engine) begin(ctx context.Context, p *plan.Plan, r journal.Run) (*session, map[resource.ID]run.Sight, error) {
	r.ID, r.Holder, r.Started = e.runID(), e.Holder, e.now().UTC()
	r.PlanID, r.PlanCreated, r.Plan, r.Config, r.Steps = p.ID, p.Created, p, p.Config, len(p.Steps())
	ctx = run.WithID(ctx, r.ID)
	if err := e.CheckOverrides(p); err != nil {
		return nil, nil, err
	}
	// Before the lock, which may be denied, too: who lacks rights hears of all.
	if err := e.allowed(ctx, p); err != nil {
		return nil, nil, err
	}
	home, err := e.home(ctx)
	if err != nil {
		return nil, nil, err
	}
	s, err := e.open(ctx, home, r)
	if err != nil {
		return nil, nil, err
	}
	sights, err := s.ready(s.bind(ctx))
	if err != nil {
		s.close(ctx)
		return nil, nil, err
	}
	return s, sights, nil
}

// ready checks everything that can be checked before the first write, and then
// makes the run durable.
func (s *session) ready(ctx context.Context) (map[resource.ID]run.Sight, error) {
	for _, check := range []func(context.Context) error{s.keyed, s.owner, s.unused, s.permits} {
		if err := check(ctx); err != nil {
			return nil, err
		}
	}
	sights, err := s.sights(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.uncrowded(ctx); err != nil {
		return nil, err
	}
	if err := s.create(ctx); err != nil {
		return nil, err
	}
	if err := s.claim(ctx); err != nil {
		return nil, err
	}
	if err := s.confess(ctx); err != nil {
		return nil, err
	}
	return sights, s.recordLeftOut(ctx)
}

// runnable refuses a plan with holes. The way back takes what it can.
func runnable(p *plan.Plan, kind journal.Kind) error {
	if len(p.Unreadable) > 0 {
		u := p.Unreadable[0]
		return fmt.Errorf("%w: %s: %s", ErrIncomplete, u.What, u.Reason)
	}
	if len(p.Refused) > 0 && kind == journal.ApplyRun {
		r := p.Refused[0]
		return fmt.Errorf("%w: %s: %s", ErrRefused, r.Address, r.Reason)
	}
	if kind == journal.ApplyRun {
		return denied(p)
	}
	return nil
}

// unused refuses a plan that a run was made of before.
func (s *session) unused(ctx context.Context) error {
	runs, err := s.store.Runs(ctx, s.plan.Config)
	if err != nil {
		return fmt.Errorf("read journal: %w", err)
	}
	s.earlier = runs
	return used(runs, s.plan)
}

// used returns an [ErrUsed] when one of the runs is of this very plan.
func used(runs []journal.Run, p *plan.Plan) error {
	for _, r := range runs {
		if r.PlanID == p.ID && r.PlanCreated.Equal(p.Created) {
			return fmt.Errorf("%w by run %s", ErrUsed, r.ID)
		}
	}
	return nil
}

// allowed asks for every permission that the plan needs.
func (e *Engine) allowed(ctx context.Context, p *plan.Plan) error {
	byCluster := make(map[string][]resource.Change)
	for _, step := range p.Steps() {
		for _, c := range step.Changes {
			byCluster[c.ID.Cluster] = append(byCluster[c.ID.Cluster], c)
		}
	}
	var lines []string
	for _, name := range e.names() {
		checker := e.Clusters[name].Checker
		if checker == nil || len(byCluster[name]) == 0 {
			continue
		}
		denied, err := checker.Denied(ctx, byCluster[name])
		if err != nil {
			return fmt.Errorf("check permissions on cluster %s: %w", name, err)
		}
		lines = append(lines, denied...)
	}
	if len(lines) > 0 {
		return fmt.Errorf("%w: %s", ErrDenied, strings.Join(lines, "; "))
	}
	return nil
}

// lookers is how many objects are looked at at once.
const lookers = 16

// sights looks at everything that the plan touches and refuses it when anything
// has moved.
func (s *session) sights(ctx context.Context) (map[resource.ID]run.Sight, error) {
	var changes []resource.Change
	for _, step := range s.plan.Steps() {
		changes = append(changes, step.Changes...)
	}
	if s.run.Kind == journal.RollbackRun { // what moved since, or cannot be looked at, is left out in its turn
		return nil, nil
	}
	seen, err := s.lookAt(ctx, changes)
	if err != nil {
		return nil, err
	}
	for _, c := range changes {
		if sight := seen[c.ID]; sight.State == run.Elsewhere {
			return nil, fmt.Errorf("%w: %s: %s", ErrStale, c.Address, sight.Moved)
		}
	}
	return withoutHooks(seen, changes), nil
}

// lookAt looks at the objects of the changes, several at once.
func (e *Engine) lookAt(ctx context.Context, changes []resource.Change) (map[resource.ID]run.Sight, error) {
	seen, errs := e.lookEach(ctx, changes)
	var all []error
	for _, c := range changes {
		all = append(all, errs[c.ID])
	}
	return seen, errors.Join(all...)
}

// lookEach is lookAt with an error for each object that could not be looked at.
func (e *Engine) lookEach(ctx context.Context, changes []resource.Change) (map[resource.ID]run.Sight, map[resource.ID]error) {
	sights, errs := make([]run.Sight, len(changes)), make([]error, len(changes))
	places := make(chan struct{}, lookers)
	var wait sync.WaitGroup
	for i, c := range changes {
		cluster := e.Clusters[c.ID.Cluster]
		if cluster == nil {
			errs[i] = fmt.Errorf("look at %s: cluster %s is not connected", c.ID, c.ID.Cluster)
			continue
		}
		places <- struct{}{}
		wait.Go(func() {
			defer func() { <-places }()
			if sights[i], errs[i] = cluster.Writer.Look(ctx, c); errs[i] != nil {
				errs[i] = fmt.Errorf("look at %s: %w", c.ID, errs[i])
			}
		})
	}
	wait.Wait()
	seen, failed := make(map[resource.ID]run.Sight, len(changes)), make(map[resource.ID]error)
	for i, c := range changes {
		if seen[c.ID] = sights[i]; errs[i] != nil {
			failed[c.ID] = errs[i]
		}
	}
	return seen, failed
}

// conclude ends the run, after undoing what more a failed step takes with it.
func (s *session) conclude(ctx context.Context, r run.Result) (Outcome, error) {
	switch {
	case s.run.Kind == journal.ApplyRun && (r.Outcome == journal.WasRolledBack || r.Outcome == journal.Incomplete):
		r = s.widen(ctx, r)
	case s.run.Kind == journal.RollbackRun && r.Outcome == journal.Succeeded && len(s.plan.Refused) > 0:
		r.Outcome, r.Err = journal.Incomplete, leftOut(s.plan.Refused)
	}
	return s.finish(ctx, r)
}

// rollBack undoes a step by wanting what was before it.
func (s *session) rollBack(ctx context.Context, f run.Failure) run.Undone {
	step, edge := f.Step, ctx
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*step.Timeout+cleanupTime)
	defer cancel()
	b := &backRecorder{session: s, step: step.ID, relies: step.Relies}
	if err := s.mark(ctx, step, journal.RollingBack, ""); err != nil {
		return run.Undone{Err: err}
	}
	back := s.goBack(ctx, step, b)
	switch {
	case b.broken != nil:
		return run.Undone{Err: b.broken}
	case errors.Is(back, ErrInterrupted): // the lock is lost: whoever resumes goes on
		return run.Undone{Outcome: journal.WasInterrupted, Err: back}
	}
	if back == nil {
		back = s.bisect(edge, step, b)
	}
	switch {
	case b.broken != nil:
		return run.Undone{Err: b.broken}
	case errors.Is(back, ErrInterrupted):
		return run.Undone{Outcome: journal.WasInterrupted, Err: back}
	}
	mark, reason := journal.RolledBack, ""
	undone := run.Undone{Outcome: journal.WasRolledBack}
	if back != nil {
		mark, reason = journal.Stuck, back.Error()
		undone = run.Undone{Outcome: journal.Incomplete, Err: back}
	}
	if err := s.mark(ctx, step, mark, reason); err != nil {
		return run.Undone{Err: err}
	}
	return undone
}

// widen undoes what else of its wave, or of the run, a failed step takes with it,
// last things first. What cannot be undone stays, and is told.
func (s *session) widen(ctx context.Context, r run.Result) run.Result {
	for _, step := range s.widened() {
		if step.Class == resource.ClassOneWay {
			s.tell(run.Warned{Text: fmt.Sprintf("%s stays: there is no way back from it", step.ID)})
			continue
		}
		undone := s.rollBack(ctx, run.Failure{Step: step})
		if undone.Err == nil {
			continue
		}
		r.Err = fmt.Errorf("%w; rolling back %s: %w", r.Err, step.ID, undone.Err)
		r.Outcome = undone.Outcome
		if undone.Outcome != journal.Incomplete {
			return r
		}
	}
	return r
}

// widened returns the steps that are to be undone because another one was, in the
// order in which to do it.
func (s *session) widened() []plan.Step {
	states := journal.States(s.entries())
	whole := false
	for _, step := range s.plan.Steps() {
		whole = whole || step.Extent == plan.WholeRun && isUndone(states[step.ID])
	}
	var all []plan.Step
	for _, w := range slices.Backward(s.plan.Waves) {
		takes := whole || slices.ContainsFunc(w.Steps, func(step plan.Step) bool {
			return step.Extent == plan.WholeWave && isUndone(states[step.ID])
		})
		for _, step := range slices.Backward(w.Steps) {
			if state := states[step.ID]; takes && len(state.Intended) > 0 && !isUndone(state) {
				all = append(all, step)
			}
		}
	}
	return all
}

func isUndone(state journal.StepState) bool {
	return state.Mark == journal.RolledBack || state.Mark == journal.Stuck
}

// mark records that a step came to a new state, then tells.
func (s *session) mark(ctx context.Context, step plan.Step, m journal.Mark, reason string) error {
	if err := s.Record(ctx, journal.Entry{Mark: m, Step: step.ID, Reason: reason}); err != nil {
		return fmt.Errorf("write journal: %w", err)
	}
	steps := s.plan.Steps()
	for i := range steps {
		if steps[i].ID == step.ID {
			s.tell(run.StepMoved{Step: step, Index: i + 1, Total: len(steps), Mark: m, Reason: reason, Time: s.now()})
		}
	}
	return nil
}

// goBack plans and carries out the way back from step. It does all it can: what cannot
// go back is left out, and named in the error.
func (s *session) goBack(ctx context.Context, step plan.Step, b *backRecorder) error {
	before, touched := s.beforeStep(step)
	if len(touched) == 0 {
		return nil
	}
	back, err := s.way(ctx, past{before: before, touched: touched})
	if err != nil {
		return err
	}
	for _, u := range back.Unreadable { // of people: what was begun goes back whoever is there
		s.tell(run.Warned{Text: fmt.Sprintf("%s could not be read: %s", u.What, u.Reason)})
	}
	for _, r := range back.Refused {
		s.tell(run.Warned{Text: fmt.Sprintf("%s stays as it is: %s", r.Address, r.Reason)})
	}
	if b.broken = s.Record(ctx, leftOutEntries(step.ID, back.Refused)...); b.broken != nil {
		return b.broken
	}
	for _, k := range back.Kept {
		s.tell(run.Warned{Text: fmt.Sprintf("%s stays: %s", k.Address, k.Reason)})
	}
	for w := range back.Waves {
		for i := range back.Waves[w].Steps {
			s := &back.Waves[w].Steps[i]
			s.Timeout = step.Timeout
			if s.Relies != nil && len(s.Relies.Pools) == 0 {
				s.Relies = nil // what is ill already goes back, whoever came meanwhile
			}
		}
	}
	verify(back, step, s.ownPrograms(step, verifying(step)))
	runner := s.runner(b)
	runner.Persist = true
	runner.Undo, runner.Verifies, runner.Orders = nil, nil, nil // whoever aborts wants the way back to be gone
	runner.Notify = func(e run.Event) { s.tellBack(step.ID, e) }
	result := runner.Execute(ctx, back, nil)
	if result.Outcome == journal.WasInterrupted {
		return fmt.Errorf("%w: %w", ErrInterrupted, result.Err)
	}
	return both(leftOut(back.Refused), s.verdict(step, result.Err))
}

// tellBack passes on what happens on the way back as the failed step's.
func (s *session) tellBack(id plan.StepID, e run.Event) {
	switch e := e.(type) {
	case run.ChangeMade:
		e.Step = id
		s.tell(e)
	case run.Waited:
		e.Step = id
		s.tell(e)
	case run.Warned, run.Noted:
		s.tell(e)
	}
}

// A backRecorder records the way back from one step as that step's: of its own
// steps only what is written or left out counts.
type backRecorder struct {
	*session
	step   plan.StepID
	relies *plan.SessionBound // of the step: whom its way back interrupts, where that relies on nobody
	broken error              // the first failure to record
}

// Record makes those of the entries durable that announce, end or leave out a write.
func (b *backRecorder) Record(ctx context.Context, entries ...journal.Entry) error {
	var writes []journal.Entry
	for _, e := range entries {
		if e.Mark == journal.Intended || e.Mark == journal.Written || e.Mark == journal.LeftOut {
			e.Step, e.Images = b.step, nil // the after-images of the way back are not those of the step
			if e.Impact != nil && e.Relies == nil {
				e.Relies = b.relies
			}
			writes = append(writes, e)
		}
	}
	if len(writes) == 0 {
		return nil
	}
	err := b.session.Record(ctx, writes...)
	if b.broken == nil {
		b.broken = err
	}
	return err
}
