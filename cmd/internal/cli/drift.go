package cli

import (
	"github.com/spf13/cobra"

	"hubcap/cmd/internal/render"
)

func (s *session) driftCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "drift", GroupID: groupMain, Args: args(cobra.NoArgs),
		Short: "Show what others changed behind hubcap's back",
		Long: `Compares what lives with what hubcap last applied: names each field that someone
else wrote, who, and when. "Drift" is live changed and the config not, "conflict"
both, "pending" the config only. Nothing is changed. Exit 2 when there is drift or
a conflict; 3 when it cannot be told of everything: something could not be read, or
the server refuses what the config wants.`,
	}
	s.clusterFlags(c)
	s.outputFlag(c, asText, asJSON)
	s.lockedFlag(c)
	sc := s.scopeFlags(c)
	c.Flags().Lookup("dangerous-delete").Hidden = true
	c.Flags().Lookup("take-over-config").Hidden = true
	c.RunE = func(c *cobra.Command, _ []string) error {
		ctx, stop := s.interruptible(c.Context())
		defer stop()
		e, err := s.open(ctx)
		if err != nil {
			return err
		}
		p, err := s.makePlan(ctx, e, sc)
		if err != nil {
			return err
		}
		if s.output == asJSON {
			err = s.showPlan(p)
		} else {
			err = s.print(render.Drift(p, s.style(s.out)))
		}
		switch {
		case err != nil:
			return err
		case len(p.Unreadable) > 0:
			return silently(exitIncomplete)
		case len(p.Drift) > 0:
			return silently(exitDiffers)
		case len(p.Refused) > 0: // what is missing there may have been deleted
			return silently(exitIncomplete)
		}
		return nil
	}
	return c
}
