package cli

import (
	"context"

	"github.com/spf13/cobra"

	"hubcap/cmd/internal/render"
	"hubcap/engine"
	"hubcap/engine/plan"
)

func (s *session) planCommand() *cobra.Command {
	var out string
	var detailed bool
	c := &cobra.Command{
		Use: "plan", GroupID: groupMain, Args: args(cobra.NoArgs),
		Short: "Show what apply would do, and to whom",
		Long: `Shows what apply would do, step by step, and what it does to the people using
the hubs. Nothing is changed but the lock file. With --out the plan
is written to a file for apply, which carries out what the file and the config at hand
agree on; it holds no secrets. A file that is there already is replaced only if it is a plan.`,
		Example: "  hubcap plan\n  hubcap plan --out plan.json && hubcap apply plan.json\n  hubcap plan -o markdown >comment.md",
	}
	s.clusterFlags(c)
	s.verboseFlag(c)
	s.outputFlag(c, asText, asJSON, asMarkdown)
	s.upgradeFlag(c)
	sc, l := s.scopeFlags(c), incidentFlags(c)
	c.Flags().StringVar(&out, "out", "", "write the plan to this `file`")
	c.Flags().BoolVar(&detailed, "detailed-exitcode", false, "exit 2 when there are changes")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := replaceable(out); err != nil {
			return err
		}
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
		if e.Foresee(ctx, p); ctx.Err() != nil {
			return ctx.Err()
		}
		if err := s.showPlan(p); err != nil {
			return err
		}
		if out != "" {
			if err := s.save(ctx, e, p, out); err != nil {
				return err
			}
		}
		s.explain(p, out)
		if l.incident {
			if err := e.DuringIncident(ctx, p); err != nil {
				return err
			}
		}
		differs := exitOK
		if detailed {
			differs = exitDiffers
		}
		return silently(codeOfPlan(p, differs))
	}
	return c
}

// makePlan plans and says what the config did wrong.
func (s *session) makePlan(ctx context.Context, e *engine.Engine, sc *scope) (*plan.Plan, error) {
	if err := s.fetch(ctx, e.Config); err != nil {
		return nil, err
	}
	if err := s.settleOrigin(ctx, e, sc); err != nil {
		return nil, err
	}
	p, diags, err := e.Plan(ctx, engine.Options{Only: sc.only, Except: sc.except, Delete: sc.remove})
	if said := s.diagnose(diags, e.Config.Files); said != nil {
		return nil, said
	}
	if err != nil {
		return nil, err
	}
	return p, nil
}

// showPlan prints a plan in the format that was asked for.
func (s *session) showPlan(p *plan.Plan) error {
	switch s.output {
	case asJSON:
		text, err := render.JSON(p)
		if err != nil {
			return err
		}
		return s.print(string(text))
	case asMarkdown:
		return s.print(render.Markdown(p))
	}
	return s.print(render.Plan(p, s.style(s.out)))
}

// explain says beside the plan what follows from it.
func (s *session) explain(p *plan.Plan, out string) {
	switch {
	case len(p.Refused) > 0:
		s.warn("hubcap: apply would refuse this plan: %d of its objects may not be written.", len(p.Refused))
	case len(p.Denied()) > len(p.Forbidden()):
		s.warn("hubcap: this was rolled back before, see above. To try it again: %s", s.again("apply", "--retry"))
	case len(p.Denied()) > 0:
		s.warn("hubcap: apply would refuse this plan: %s denies it, see above.", p.Denied()[0].Name)
	case len(p.Unreadable) > 0:
		s.warn("hubcap: the plan is incomplete; not to be read: %d, named above.", len(p.Unreadable))
	case p.Empty():
	case out != "":
		s.hint("Saved to %s. To carry it out: %s", out, s.again("apply", out))
	default:
		s.hint("To carry it out: %s. To keep exactly this plan: %s", s.again("apply"), s.again("plan", "--out", "FILE"))
	}
}
