package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"hubcap/cmd/internal/render"
	"hubcap/engine"
	"hubcap/engine/journal"
	"hubcap/engine/resource"
	"hubcap/engine/run"
)

func (s *session) sealCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "seal", GroupID: groupOther, Args: args(cobra.NoArgs),
		Short: "Take for hubcap's own what has no valid seal, after the key was lost",
		Long: `Shows what bears this config's marks, is wanted no more, and has no valid seal of its
cluster: none, or one of another key. Plans keep it and name it, for anybody could
have labelled it. What you take for hubcap's own is sealed with the present key, and
the next apply deletes it. Nothing is sealed without an entry of hubcap's field
manager, nor what the present key sealed elsewhere. What the config wants needs no
word of yours: the next apply seals it. Exit 6 when some of it could not be sealed. The
journal has what was sealed, as a run of kind seal. With -o json it asks nothing: it lists,
and seals with --auto-approve.`,
	}
	s.clusterFlags(c)
	s.outputFlag(c, asText, asJSON)
	s.lockedFlag(c)
	a := approvalFlags(c)
	var only []string
	c.Flags().StringArrayVar(&only, "only", nil, "seal only what says to be of this block or component (`address`; without a key all instances); repeatable")
	c.RunE = func(c *cobra.Command, _ []string) error { return s.seal(c.Context(), a, only) }
	c.AddCommand(s.sealRotateCommand())
	return c
}

// seal shows what has no valid seal, asks, and seals what may be sealed.
func (s *session) seal(ctx context.Context, a *approval, only []string) error {
	ctx, stop := s.interruptible(ctx)
	defer stop()
	e, reading, err := s.seen(ctx)
	if err != nil {
		return err
	}
	var shown, taken []resource.Unsealed
	for _, u := range reading.Unsealed {
		if len(only) > 0 && !slices.ContainsFunc(only, u.Says.NamedBy) {
			continue
		}
		shown = append(shown, u)
		if u.Barred == "" {
			taken = append(taken, u)
		}
	}
	if len(only) > 0 && len(shown) == 0 && len(reading.Unsealed) > 0 {
		return usage("--only: nothing without a valid seal says to be of %s", only[0])
	}
	report := render.NewSealReport(shown, lacking(reading))
	if s.output == asJSON && (len(taken) == 0 || !a.auto) {
		return s.writeJSON(report)
	}
	if s.output != asJSON {
		if err := s.print(render.Unsealed(shown, report.Wanted, s.style(s.out))); err != nil {
			return err
		}
	}
	if len(taken) == 0 {
		return nil
	}
	if !a.auto && !isTerminal(s.in) {
		s.hint("To take what is to be sealed for hubcap's own: %s", s.again("seal", "--auto-approve"))
		return nil
	}
	if err := s.confirm(ctx, a, fmt.Sprintf("Take %d for hubcap's own?", len(taken)), "The next apply deletes what is sealed, and runs hooks that are recorded in it."); err != nil {
		return err
	}
	return s.sealedNow(ctx, e, a, report, func(ctx context.Context) (engine.Sealed, error) { return e.Seal(ctx, taken) })
}

// lacking counts what the config wants and the next apply seals.
func lacking(r resource.Reading) int {
	n := 0
	for _, o := range r.Observations {
		if o.Seals {
			n++
		}
	}
	return n
}

func (s *session) sealRotateCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "rotate", Args: args(cobra.NoArgs),
		Short: "Draw a new key pair for the seals of this config's clusters",
		Long: `Draws a new key pair in each cluster of this config, and seals again what the former
key had sealed and this config wants no more. The next apply seals the rest, which
restarts nothing. A cluster has one key: what other configs have there is sealed by
their next apply, and what they want no more by "hubcap seal". Runs that the former
key sealed are shown, and neither resumed nor rolled back any more: what one of them
left undone a new plan does, and to go back behind it the config is applied as it was. So
resume or roll back first what is not at its end. The journal has the rotation, as a run
of kind seal.`,
	}
	s.clusterFlags(c)
	s.outputFlag(c, asText, asJSON)
	s.lockedFlag(c)
	a := approvalFlags(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		ctx, stop := s.interruptible(c.Context())
		defer stop()
		e, reading, err := s.seen(ctx)
		if err != nil {
			return err
		}
		if s.output == asJSON && !a.auto {
			return usage("seal rotate -o json: it needs --auto-approve")
		}
		if err := s.warnUnfinished(ctx, e); err != nil {
			return err
		}
		if err := s.confirm(ctx, a, "Draw a new key pair?", "Earlier runs can not be resumed or rolled back any more."); err != nil {
			return err
		}
		return s.sealedNow(ctx, e, a, render.NewSealReport(nil, lacking(reading)), func(ctx context.Context) (engine.Sealed, error) { return e.Rotate(ctx, reading.Orphans) })
	}
	return c
}

// seen opens the config and reads what lives. What could not be read is said, and ends
// the command: what is not seen cannot be sealed.
func (s *session) seen(ctx context.Context) (*engine.Engine, resource.Reading, error) {
	none := resource.Reading{}
	e, err := s.open(ctx)
	if err != nil {
		return nil, none, err
	}
	if err := s.fetch(ctx, e.Config); err != nil {
		return nil, none, err
	}
	if err := s.settleOrigin(ctx, e, &scope{}); err != nil {
		return nil, none, err
	}
	reading, diags, err := e.Seen(ctx)
	if said := s.diagnose(diags, e.Config.Files); said != nil {
		return nil, none, said
	}
	if err != nil {
		return nil, none, err
	}
	if len(reading.Unreadable) > 0 {
		u := reading.Unreadable[0]
		return nil, none, fmt.Errorf("%w: %s: %s", engine.ErrIncomplete, u.What, u.Reason)
	}
	return e, reading, nil
}

// warnUnfinished names the runs that could be gone on with, and cannot once the key is
// another one.
func (s *session) warnUnfinished(ctx context.Context, e *engine.Engine) error {
	runs, err := e.OwnHistory(ctx)
	if err != nil {
		return err
	}
	for _, r := range runs {
		if e.Owns(r) && r.IsOfPlan() && r.Untrusted == "" && journal.Resumable(r.Entries) && journal.Superseded(r, runs) == "" {
			s.warn("hubcap: run %s is not at its end, and can not go on with another key: %s, or %s, first", r.ID, s.again("resume", r.ID), s.again("rollback", r.ID))
		}
	}
	return nil
}

// sealedNow seals under the locks, for which it waits as long as it may, and says how
// much.
func (s *session) sealedNow(ctx context.Context, e *engine.Engine, a *approval, report render.SealReport, act func(context.Context) (engine.Sealed, error)) error {
	e.Notify = func(event run.Event) {
		switch event := event.(type) {
		case run.Noted:
			s.warn("hubcap: %s", event.Text)
		case run.Warned:
			s.warn("hubcap: %s", event.Text)
		}
	}
	deadline := s.now().Add(a.lockTimeout)
	for {
		done, err := act(ctx)
		var locked *engine.LockedError
		if errors.As(err, &locked) && len(done.Runs)+len(done.Rotated) == 0 && s.now().Add(lockEvery).Before(deadline) {
			select {
			case <-ctx.Done():
			case <-time.After(lockEvery):
				continue
			}
		}
		return s.tellSealed(report, done, err)
	}
}

// tellSealed says what sealing came to, and what follows from a new key.
func (s *session) tellSealed(report render.SealReport, done engine.Sealed, err error) error {
	if s.output == asJSON && len(done.Runs)+len(done.Rotated) > 0 {
		report.Sealed, report.Runs, report.Rotated = done.Objects, done.Runs, done.Rotated
		return cmp.Or(err, s.writeJSON(report))
	}
	if len(done.Runs) > 0 || err == nil {
		s.warn("Sealed: %d.", done.Objects)
	}
	for _, r := range done.Rotated {
		s.warn("Cluster %s has the key %s instead of %s.", r.Cluster, r.Key, r.Former)
		if n := len(r.Lost); n > 0 {
			s.warn("Runs of this config that the former key sealed (%d, the last is %s) are shown, and neither resumed nor rolled back any more. What one of them left undone %s does; "+
				"to go back behind them, apply the config as it was.", n, r.Lost[n-1], s.again("apply"))
		}
	}
	return err
}
