package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"hubcap/engine/expand"
	"hubcap/schema"
)

func (s *session) validateCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "validate", GroupID: groupConfig, Args: args(cobra.NoArgs),
		Short: "Check the config and render its charts, without a cluster",
		Long: `Reads the config, evaluates it and renders every chart without asking any
cluster. All that is wrong is told at once, each with its file and line. Charts of
repositories are fetched, unless the cache has what the lock file names.`,
	}
	s.configFlags(c)
	s.outputFlag(c, asText, asJSON)
	s.upgradeFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		ctx, stop := s.interruptible(c.Context())
		defer stop()
		l, err := s.read()
		if err != nil {
			return err
		}
		diags := l.diags
		objects := 0
		if !diags.HasErrors() {
			more, err := s.fetchCharts(ctx, l.config)
			if err != nil {
				return err
			}
			diags = append(diags, more...)
		}
		if !diags.HasErrors() {
			all, more := expand.All(l.config, nil)
			diags, objects = append(diags, more...), len(all.Desired)
			diags = append(diags, expand.Warnings(l.config, expand.Faults(l.config, all.Charts))...)
		}
		if s.output == asJSON {
			if err := s.writeJSON(s.validationOf(diags)); err != nil {
				return err
			}
			if diags.HasErrors() {
				return silently(exitError)
			}
			return nil
		}
		if err := s.diagnose(diags, l.config.Files); err != nil {
			return err
		}
		return s.print("Valid: " + inventory(l.config) + fmt.Sprintf(", %d objects.\n", objects))
	}
	return c
}

// inventory counts the blocks of a config.
func inventory(c *schema.Config) string {
	var parts []string
	for _, k := range []struct {
		n    int
		noun string
	}{
		{len(c.Clusters), "cluster"}, {len(c.NodePools), "node pool"}, {len(c.Hubs), "hub"},
		{len(c.RepoLimits), "limit"}, {len(c.RepoBans), "ban"}, {len(c.Charts), "chart"}, {len(c.Manifests), "manifest"},
	} {
		switch k.n {
		case 0:
		case 1:
			parts = append(parts, "1 "+k.noun)
		default:
			parts = append(parts, fmt.Sprintf("%d %ss", k.n, k.noun))
		}
	}
	if len(parts) == 0 {
		return "no blocks"
	}
	return strings.Join(parts, ", ")
}
