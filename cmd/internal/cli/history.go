package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"hubcap/cmd/internal/render"
	"hubcap/engine/journal"
)

func (s *session) historyCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "history [RUN]", GroupID: groupRuns, Args: args(cobra.MaximumNArgs(1)),
		Short: "List the runs, or tell one step by step",
	}
	s.clusterFlags(c)
	s.verboseFlag(c)
	s.outputFlag(c, asText, asJSON)
	c.RunE = func(c *cobra.Command, given []string) error {
		ctx, stop := s.interruptible(c.Context())
		defer stop()
		e, err := s.open(ctx)
		if err != nil {
			return err
		}
		runs, err := e.History(ctx)
		if err != nil {
			return err
		}
		if len(given) == 0 {
			if s.output == asJSON {
				return s.writeJSON(map[string]any{"format_version": "1.0", "runs": slices.Concat([]journal.Run{}, runs)})
			}
			return s.print(render.History(runs, s.style(s.out)))
		}
		r, err := find(runs, given[0])
		if err != nil {
			return err
		}
		if s.output == asJSON {
			return s.writeJSON(map[string]any{"format_version": "1.0", "run": r})
		}
		return s.print(render.Run(r, s.style(s.out)))
	}
	return c
}

// find returns the run with this ID, or the only one whose ID begins so.
func find(runs []journal.Run, id string) (journal.Run, error) {
	var found []journal.Run
	for _, r := range runs {
		if r.ID == id {
			return r, nil
		}
		if strings.HasPrefix(r.ID, id) {
			found = append(found, r)
		}
	}
	switch len(found) {
	case 0:
		return journal.Run{}, fmt.Errorf("find run %s: no such run (hubcap history lists them)", id)
	case 1:
		return found[0], nil
	}
	return journal.Run{}, fmt.Errorf("find run %s: %d runs begin so", id, len(found))
}
