package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"hubcap/engine/journal"
	"hubcap/engine/plan"
	"hubcap/engine/resource"
	"hubcap/engine/run"
)

// Apply carries out p: it locks, checks that nothing p relies on has moved
// ([ErrStale]), then runs the steps, and undoes the one that fails.
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
		return Outcome{Outcome: journal.Succeeded}, nil
	}
	r.ID, r.Holder, r.Started = e.runID(), e.Holder, e.now().UTC()
	r.PlanID, r.PlanCreated, r.Plan, r.Config = p.ID, p.Created, p, p.Config
	ctx = run.WithID(ctx, r.ID)
	s, err := e.open(ctx, p, r)
	if err != nil {
		return Outcome{}, err
	}
	defer s.close(ctx)
	if err := s.unused(ctx); err != nil {
		return Outcome{}, err
	}
	if err := s.allowed(ctx); err != nil {
		return Outcome{}, err
	}
	sights, err := s.sights(ctx)
	if err != nil {
		return Outcome{}, err
	}
	if err := s.create(ctx); err != nil {
		return Outcome{}, err
	}
	s.tell(run.RunBegan{Run: s.run.ID, Kind: s.run.Kind, Plan: p})
	runner := s.runner(s)
	runner.Sights = sights
	return s.conclude(ctx, runner.Execute(ctx, p, nil))
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
	runs, err := s.store.Runs(ctx)
	if err != nil {
		return fmt.Errorf("read journal: %w", err)
	}
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
func (s *session) allowed(ctx context.Context) error {
	byCluster := make(map[string][]resource.Change)
	for _, step := range s.plan.Steps() {
		for _, c := range step.Changes {
			byCluster[c.ID.Cluster] = append(byCluster[c.ID.Cluster], c)
		}
	}
	var lines []string
	for _, name := range s.names() {
		checker := s.Clusters[name].Checker
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
	sights, errs := make([]run.Sight, len(changes)), make([]error, len(changes))
	places := make(chan struct{}, lookers)
	var wait sync.WaitGroup
	for i, c := range changes {
		cluster := e.Clusters[c.ID.Cluster]
		if cluster == nil {
			return nil, fmt.Errorf("look at %s: cluster %s is not connected", c.ID, c.ID.Cluster)
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
	seen := make(map[resource.ID]run.Sight, len(changes))
	for i, c := range changes {
		seen[c.ID] = sights[i]
	}
	return seen, errors.Join(errs...)
}

// conclude ends the run, after undoing the step that failed, if one did.
func (s *session) conclude(ctx context.Context, r run.Result) (Outcome, error) {
	switch {
	case r.HasFailed():
		return s.finish(ctx, s.rollBack(ctx, r))
	case s.run.Kind == journal.RollbackRun && r.Outcome == journal.WasHeld:
		r.Outcome = journal.Incomplete
	}
	return s.finish(ctx, r)
}

// rollBack undoes the step that failed by wanting what was before it.
func (s *session) rollBack(ctx context.Context, r run.Result) run.Result {
	step := *r.Failed
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*step.Timeout+cleanupTime)
	defer cancel()
	b := &backRecorder{session: s, step: step.ID}
	if err := s.mark(ctx, step, journal.RollingBack, ""); err != nil {
		r.Outcome, r.Err = "", errors.Join(err, r.Err)
		return r
	}
	back := s.goBack(ctx, step, b)
	switch {
	case b.broken != nil:
		r.Outcome, r.Err = "", errors.Join(b.broken, r.Err)
		return r
	case errors.Is(back, ErrInterrupted): // the lock is lost: whoever resumes goes on
		r.Outcome, r.Err = journal.WasInterrupted, errors.Join(r.Err, back)
		return r
	}
	mark, reason := journal.RolledBack, ""
	r.Outcome = journal.WasRolledBack
	if back != nil {
		mark, reason, r.Outcome = journal.Stuck, back.Error(), journal.Incomplete
		r.Err = fmt.Errorf("%w; rolling back: %w", r.Err, back)
	}
	if err := s.mark(ctx, step, mark, reason); err != nil {
		r.Outcome, r.Err = "", errors.Join(err, r.Err)
	}
	return r
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

// goBack plans and carries out the way back from step.
func (s *session) goBack(ctx context.Context, step plan.Step, b *backRecorder) error {
	before, touched := s.beforeStep(step)
	if len(touched) == 0 {
		return nil
	}
	back, err := s.way(ctx, before, touched)
	if err != nil {
		return err
	}
	if len(back.Refused) > 0 {
		return fmt.Errorf("%w: %s: %s", ErrRefused, back.Refused[0].Address, back.Refused[0].Reason)
	}
	if err := runnable(back, journal.RollbackRun); err != nil {
		return err
	}
	for _, k := range back.Kept {
		s.tell(run.Warned{Text: fmt.Sprintf("%s stays: %s", k.Address, k.Reason)})
	}
	for w := range back.Waves {
		for i := range back.Waves[w].Steps {
			back.Waves[w].Steps[i].Timeout = step.Timeout
		}
	}
	runner := s.runner(b)
	runner.Notify = func(e run.Event) { s.tellBack(step.ID, e) }
	result := runner.Execute(ctx, back, nil)
	if result.Outcome == journal.WasInterrupted {
		return fmt.Errorf("%w: %w", ErrInterrupted, result.Err)
	}
	return result.Err
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
// steps only what is written counts.
type backRecorder struct {
	*session
	step   plan.StepID
	broken error // the first failure to record
}

// Record makes those of the entries durable that announce or end a write.
func (b *backRecorder) Record(ctx context.Context, entries ...journal.Entry) error {
	var writes []journal.Entry
	for _, e := range entries {
		if e.Mark == journal.Intended || e.Mark == journal.Written {
			e.Step = b.step
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
