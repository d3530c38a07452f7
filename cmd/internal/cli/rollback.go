package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"hubcap/cmd/internal/render"
	"hubcap/engine"
	"hubcap/engine/plan"
)

func (s *session) rollbackCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "rollback [RUN]", GroupID: groupRuns, Args: args(cobra.MaximumNArgs(1)),
		Short: "Want again what was before a run",
		Long: `Works out how to get back to what was before a run (the last apply of this
config, unless RUN names one), shows it as a plan, and carries it out like one. It
does all it can: what others changed since is not overwritten, what cannot go back (a
claim that grew) is left out, and the rest goes back; what was left out is told, and
the exit code is 5. A step that has no way back, such as to an older JupyterHub whose
database was upgraded since, is held (exit code 6) until --override says that the
backup was restored. A hub that the run made is left out while people are on it, unless
--dangerous-delete names it. The next apply of the same says that it was rolled back, and
wants --retry. When that apply left nothing, since
its steps were rolled back, there is nothing to do: what an apply before it did is taken
back only by name.`,
	}
	s.clusterFlags(c)
	s.verboseFlag(c)
	s.outputFlag(c, asText, asJSON)
	a := approvalFlags(c)
	a.leave = leaveFlags(c)
	var o engine.Options
	c.Flags().StringArrayVar(&o.Except, "except", nil, "leave this block or component (`address`; without a key all instances) as it is; repeatable")
	c.Flags().StringArrayVar(&o.Delete, "dangerous-delete", nil, "allow that this `address` is deleted although people's work is on it")
	c.RunE = func(c *cobra.Command, given []string) error {
		if err := a.leave.check(); err != nil {
			return err
		}
		if s.output == asJSON && !a.auto {
			return usage("rollback -o json: it needs --auto-approve")
		}
		return s.rollBack(c.Context(), a, given, o)
	}
	return c
}

// rollBack plans the way back from a run, shows it, asks, and carries it out.
func (s *session) rollBack(ctx context.Context, a *approval, given []string, o engine.Options) error {
	asking, stop := s.interruptible(ctx)
	defer stop()
	e, err := s.open(asking)
	if err != nil {
		return err
	}
	id, err := s.toUndo(asking, e, given)
	if err != nil {
		return err
	}
	p, err := e.Undo(asking, id, o)
	if err != nil {
		return err
	}
	if s.output == asText {
		if err := s.showPlan(p); err != nil {
			return err
		}
	}
	if len(p.Unreadable) > 0 {
		return s.fit(p)
	}
	if p.Empty() {
		return s.noWayBack(asking, e, p, id)
	}
	if err := a.mayOverride(e, p); err != nil {
		return err
	}
	if err := s.confirm(asking, a, "Go back? "+render.Footer(p), render.Impact(p)); err != nil {
		return err
	}
	stop()
	return s.carryOut(ctx, e, a, func(ctx context.Context) (engine.Outcome, error) { return e.ApplyUndo(ctx, p, id) })
}

// toUndo returns the run that a rollback is about, and says which it is when nobody
// named one.
func (s *session) toUndo(ctx context.Context, e *engine.Engine, given []string) (string, error) {
	id, err := s.runID(ctx, e, given)
	if err != nil {
		return "", err
	}
	if id, err = e.Undoable(ctx, id); err == nil && len(given) == 0 {
		s.hint("This is about run %s.", id)
	}
	return id, err
}

// noWayBack ends a rollback that has nothing to do. What a run that is under way has
// changed by now says nothing of how it will end. A run that somebody could go on with is
// recorded as rolled back all the same.
func (s *session) noWayBack(ctx context.Context, e *engine.Engine, p *plan.Plan, id string) error {
	if len(p.Refused) > 0 {
		return partly(p)
	}
	if err := s.underWayNow(ctx, "rollback", id); err != nil {
		return err
	}
	o, err := e.ApplyUndo(ctx, p, id)
	if err != nil {
		return err
	}
	if o.Run != "" {
		s.hint("Run %s is recorded as rolled back: resume does not go on with it.", id)
	}
	return s.nothing()
}

// partly ends a rollback that could not take everything back.
func partly(p *plan.Plan) error {
	r := p.Refused[0]
	return &exit{code: exitStuck, err: fmt.Errorf("rollback: %d objects stay as they are, such as %s: %s", len(p.Refused), r.Address, r.Reason)}
}

func (s *session) resumeCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "resume [RUN]", GroupID: groupRuns, Args: args(cobra.MaximumNArgs(1)),
		Short: "Go on with a run that was held, interrupted or killed",
		Long: `Goes on with a run (the last one of this config, unless RUN names one) where its
journal ends. What it may or may not have done is looked at again. It asks
nothing: its plan was approved. Of a run that has ended it says how, and exits as
that run did.`,
	}
	s.clusterFlags(c)
	s.outputFlag(c, asText, asJSON)
	a := approvalFlags(c)
	a.leave = leaveFlags(c)
	c.RunE = func(c *cobra.Command, given []string) error {
		if err := a.leave.check(); err != nil {
			return err
		}
		asking, stop := s.interruptible(c.Context())
		defer stop()
		e, err := s.open(asking)
		if err != nil {
			return err
		}
		id, err := s.runID(asking, e, given)
		if err != nil {
			return err
		}
		stop()
		return s.carryOut(c.Context(), e, a, func(ctx context.Context) (engine.Outcome, error) { return e.Resume(ctx, id) })
	}
	return c
}

// runID completes the run that was named; "" when none was.
func (s *session) runID(ctx context.Context, e *engine.Engine, given []string) (string, error) {
	if len(given) == 0 {
		return "", nil
	}
	runs, err := e.History(ctx)
	if err != nil {
		return "", fmt.Errorf("find run %s: %w", given[0], err)
	}
	r, err := find(runs, given[0])
	return r.ID, err
}
