package cli

import (
	"github.com/spf13/cobra"
)

func (s *session) showCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "show PLANFILE", GroupID: groupConfig, Args: args(cobra.ExactArgs(1)),
		Short: "Show a saved plan, offline",
		Long: `Shows a plan that "hubcap plan --out" wrote, in any format of plan. It asks
nobody, so it cannot tell whether the plan is stale; apply does.`,
	}
	s.verboseFlag(c)
	s.outputFlag(c, asText, asJSON, asMarkdown)
	c.RunE = func(_ *cobra.Command, given []string) error {
		_, p, err := readPlan(given[0])
		if err != nil {
			return err
		}
		return s.showPlan(p)
	}
	return c
}
