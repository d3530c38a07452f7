package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"hubcap/cmd/internal/render"
	"hubcap/engine"
	"hubcap/engine/journal"
	"hubcap/engine/plan"
	"hubcap/engine/run"
)

func (s *session) applyCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "apply [PLANFILE]", GroupID: groupMain, Args: args(cobra.MaximumNArgs(1)),
		Short: "Carry out a plan, and undo the step that fails",
		Long: `Carries out a plan in small steps. Each step is written, waited for until it has
settled, and checked by its gates; a step that fails is undone, the steps before
it stay. Without PLANFILE a plan is made, shown, and carried out after a "yes".

With PLANFILE that plan is carried out, without asking. hubcap plans again with the
config at hand, only to compare: where the file says other than that, it is stale
(exit code 7, with the first difference). What needs a name on the command line, such
as --dangerous-delete or --retry, needs it again with the file.

Guards hold steps that may disturb people: such a step waits, then the run is held
(exit code 6) and can be resumed. --override and --during-incident go past them,
with a --reason that the journal keeps.

When an earlier run was cut off before what it made had passed its gates, and there
is nothing to do, or only what comes beside or after that in its rollout, apply ends
with exit code 6 and names that run: resume goes on with it, rollback takes it back.
When that run cannot be resumed the exit code is 5. --override rollout.NAME goes past.

The first Ctrl-C (or SIGTERM) begins no new step and lets what is being written come to its
end. A bake is cut: its step stays live and unverified until resume goes on with the bake,
or rollback takes it back. The second Ctrl-C stops at once. A terminal that hangs up is
like the first; a reader of the output that goes away stops nothing.`,
		Example: "  hubcap apply\n  hubcap apply plan.json\n  hubcap apply --auto-approve --only hub.staging",
	}
	s.clusterFlags(c)
	s.verboseFlag(c)
	s.outputFlag(c, asText, asJSON)
	s.upgradeFlag(c)
	sc, a := s.scopeFlags(c), approvalFlags(c)
	c.Flags().BoolVar(&a.retry, "retry", false, "try again what an earlier run tried and rolled back")
	a.leave, a.handing = leaveFlags(c), handingFlags(c)
	c.RunE = func(c *cobra.Command, given []string) error {
		if err := cmp.Or(a.leave.check(), a.handing.check(s)); err != nil {
			return err
		}
		if len(given) == 1 {
			for _, name := range []string{"only", "except", "upgrade-charts"} {
				if c.Flags().Changed(name) {
					return usage("apply %s: --%s belongs to plan; the plan file says what it is about", given[0], name)
				}
			}
			return s.applyFile(c.Context(), given[0], sc, a)
		}
		if s.output == asJSON && !a.auto {
			return usage("apply -o json: it needs a plan file or --auto-approve")
		}
		return s.applyNew(c.Context(), sc, a)
	}
	return c
}

// applyFile carries out what a saved plan and the config at hand agree on: the file is
// the approval. The config is read as it was at the file's time.
func (s *session) applyFile(ctx context.Context, file string, sc *scope, a *approval) error {
	document, p, err := readPlan(file)
	if err != nil {
		return err
	}
	s.planned = p.Created
	a.apply(p)
	if err := s.fit(p); err != nil {
		return err
	}
	asking, stop := s.interruptible(ctx)
	defer stop()
	e, err := s.open(asking)
	if err != nil {
		return err
	}
	if err := s.fetch(asking, e.Config); err != nil {
		return err
	}
	if err := s.settleOrigin(asking, e, sc); err != nil {
		return err
	}
	if p, err = e.Open(asking, document, sc.remove...); err != nil {
		return err
	}
	a.apply(p)
	if err := s.fit(p); err != nil {
		return err
	}
	if err := a.mayOverride(e, p); err != nil {
		return err
	}
	if p.Empty() {
		return s.settled(asking, e, &scope{}, s.claiming(ctx, stop, e, a, p))
	}
	if err := hasOrigin(e); err != nil {
		return err
	}
	left, err := s.mayPass(asking, e, p)
	if err != nil {
		return err
	}
	s.remind(left)
	stop()
	return s.carry(ctx, e, a, p)
}

// applyNew plans, shows, asks and carries out the same plan.
func (s *session) applyNew(ctx context.Context, sc *scope, a *approval) error {
	asking, stop := s.interruptible(ctx)
	defer stop()
	e, err := s.open(asking)
	if err != nil {
		return err
	}
	p, err := s.makePlan(asking, e, sc)
	if err != nil {
		return err
	}
	a.apply(p)
	if s.output == asText {
		if e.Foresee(asking, p); asking.Err() != nil {
			return asking.Err()
		}
		if err := s.showPlan(p); err != nil {
			return err
		}
	}
	if err := s.fit(p); err != nil {
		return err
	}
	if err := a.mayOverride(e, p); err != nil {
		return err
	}
	if p.Empty() {
		return s.settled(asking, e, sc, s.claiming(ctx, stop, e, a, p))
	}
	if err := hasOrigin(e); err != nil {
		return err
	}
	left, err := s.mayPass(asking, e, p)
	if err != nil {
		return err
	}
	if s.output == asJSON {
		s.remind(left)
	}
	if err := s.confirm(asking, a, "Carry out this plan? "+render.Footer(p), render.Impact(p)); err != nil {
		return err
	}
	stop()
	return s.carry(ctx, e, a, p)
}

// carry carries a plan out here, or has it carried out in the cluster.
func (s *session) carry(ctx context.Context, e *engine.Engine, a *approval, p *plan.Plan) error {
	if a.handing.detach {
		return s.carryOver(ctx, e, a, p)
	}
	return s.carryOut(ctx, e, a, func(ctx context.Context) (engine.Outcome, error) { return e.Apply(ctx, p) })
}

// fit refuses a plan that must not be carried out.
func (s *session) fit(p *plan.Plan) error {
	switch {
	case len(p.Refused) > 0:
		r := p.Refused[0]
		return &exit{code: exitDenied, err: fmt.Errorf("apply: %d objects may not be written, such as %s: %s; nothing was changed "+
			"(leave them out with --except, or mend the config)", len(p.Refused), r.Address, r.Reason)}
	case len(p.Denied()) > 0:
		v := p.Denied()[0]
		return &exit{code: exitDenied, err: fmt.Errorf("apply: %s denies this plan: %s: %s; nothing was changed", v.Name, v.About, v.Text)}
	case len(p.Unreadable) > 0:
		u := p.Unreadable[0]
		return &exit{code: exitIncomplete, err: fmt.Errorf("apply: the plan is incomplete, since %s could not be read: %s; nothing was changed",
			u.What, u.Reason)}
	}
	return nil
}

// nothing ends a command that had nothing to do.
func (s *session) nothing() error {
	if s.output == asJSON {
		return s.writeJSON(ending{FormatVersion: "1.0", Outcome: journal.Succeeded})
	}
	s.warn("Nothing to do.")
	return nil
}

// stops says what a run that is told to stop does: it can be half an hour until a bake has
// its time, and nobody who interrupts means to wait for that.
const stops = "no new step begins, and what is being written comes to its end. A bake is cut: its step stays live and " +
	"unverified until hubcap resume goes on with the bake, or hubcap rollback takes it back."

// carryOut runs act while showing how it goes, and words how it ended. Neither the end
// of whoever reads that, nor of the terminal, ends the run in the middle of a step.
func (s *session) carryOut(ctx context.Context, e *engine.Engine, a *approval, act func(context.Context) (engine.Outcome, error)) error {
	withstand()
	if a.leave != nil {
		e.Leave = a.leave.engine()
	}
	w := s.watch()
	others := s.crowd(e.Config, func(text string) { w.notify(run.Warned{Text: text}) })
	e.Notify = func(event run.Event) {
		others.hear(event)
		if began, isBegan := event.(run.RunBegan); isBegan {
			s.permitted.grant(began.Plan)
		}
		w.notify(event)
	}
	s.mu.Lock()
	s.notify = e.Notify
	s.mu.Unlock()
	i := s.interruption(ctx, func(how stopping) {
		switch how {
		case interrupted:
			w.say("interrupted: " + stops + " Again to stop at once. So far " + w.alive())
		case hungUp:
			w.say("the terminal is gone: " + stops + " So far " + w.alive())
		case atOnce:
			w.say("interrupted again: stopping at once. The journal has what was begun; hubcap resume or hubcap rollback go on from it")
		}
	})
	defer i.stop() // not sooner: a signal that comes late must not kill what is all but done
	start := s.now()
	outcome, err := s.locked(i, e, a, act)
	others.close()
	w.close()
	return s.conclude(e, w.plan, finished{Outcome: outcome, err: err, took: s.now().Sub(start)})
}

// locked runs act, and again while another run that is alive holds the lock and there is
// time. That of a run that may have died is waited for in any case: see engine.Locker.
func (s *session) locked(i *interruption, e *engine.Engine, a *approval, act func(context.Context) (engine.Outcome, error)) (engine.Outcome, error) {
	deadline := s.now().Add(a.lockTimeout)
	for tries := 1; ; tries++ {
		outcome, err := s.bounded(i, act)
		var locked *engine.LockedError
		if !errors.As(err, &locked) || s.now().Add(lockEvery).After(deadline) {
			return outcome, err
		}
		if tries == 1 {
			e.Notify(run.Noted{Text: locked.Error() + "; waiting for it"})
		}
		select {
		case <-i.edge.Done():
			return outcome, err
		case <-time.After(lockEvery):
		}
	}
}

// lockEvery is the pause between two attempts to get the lock.
const lockEvery = 2 * time.Second
