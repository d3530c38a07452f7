package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"hubcap/engine"
	"hubcap/engine/journal"
	"hubcap/providers/records"
)

// orderCommands are those that tell a run which is under way what to do.
func (s *session) orderCommands() []*cobra.Command {
	return []*cobra.Command{
		s.orderCommand(journal.Pause, "Let a run begin no further step", `Tells a run that is under way, here or on another machine, to begin no further step. The
steps that it has begun come to their end. "hubcap promote" lets it go on.`),
		s.orderCommand(journal.Promote, "Let a run go on: end a pause or a bake, answer a manual gate", `Tells a run that is under way to go on: it ends a pause. Without one it answers a manual
gate and ends the bake of the steps under way, except of gates that have just seen
something bad. Guards are not passed over: see --override of apply and resume.`),
		s.orderCommand(journal.Abort, "Stop a run, and take back the step that is under way", `Tells a run that is under way to stop. The steps that are under way are rolled back; those
that are done stay. "hubcap rollback" takes these back, too.`),
	}
}

func (s *session) orderCommand(kind journal.OrderKind, short, long string) *cobra.Command {
	c := &cobra.Command{
		Use: string(kind) + " [RUN]", GroupID: groupRuns, Args: args(cobra.MaximumNArgs(1)), Short: short,
		Long: long + "\nRUN is the run that holds the lock, unless it is named. It takes a few seconds to reach it.",
	}
	s.clusterFlags(c)
	reason := c.Flags().String("reason", "", "why, for the journal (`text`)")
	c.RunE = func(c *cobra.Command, given []string) error {
		ctx, stop := s.interruptible(c.Context())
		defer stop()
		e, err := s.open(ctx)
		if err != nil {
			return err
		}
		id, err := s.underWay(ctx, e, kind, given)
		if err != nil {
			return err
		}
		if err := e.Order(ctx, id, journal.Order{Kind: kind, Reason: *reason}); err != nil {
			return err
		}
		s.warn("%s: told run %s.", kind, id)
		return nil
	}
	return c
}

// underWay returns the run that was named, or the one that holds the lock.
func (s *session) underWay(ctx context.Context, e *engine.Engine, kind journal.OrderKind, given []string) (string, error) {
	if len(given) > 0 {
		return s.runID(ctx, e, given)
	}
	for name := range e.Clusters {
		locked, err := s.locks[name](ctx)
		if err != nil {
			return "", err
		}
		if locked != nil {
			if records.SeemsDead(locked.Renewed, s.now()) {
				s.warn("hubcap: run %s has not renewed its lock since %s: it has probably died, and will not hear of it", locked.Holder.Run, locked.Renewed.UTC().Format(time.RFC3339))
			}
			return locked.Holder.Run, nil
		}
	}
	return "", fmt.Errorf("%s: no run is under way", kind)
}
