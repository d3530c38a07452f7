package cli

import (
	"runtime"

	"github.com/spf13/cobra"

	"hubcap/engine/plan"
)

func (s *session) versionCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "version", GroupID: groupOther, Args: args(cobra.NoArgs),
		Short: "Print the version",
	}
	s.outputFlag(c, asText, asJSON)
	c.RunE = func(*cobra.Command, []string) error {
		if s.output == asJSON {
			return s.writeJSON(map[string]string{
				"version": version, "plan_format": plan.FormatVersion,
				"go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH,
			})
		}
		return s.print("hubcap " + version + " (" + runtime.Version() + ", " + runtime.GOOS + "/" + runtime.GOARCH + ")\n")
	}
	return c
}
