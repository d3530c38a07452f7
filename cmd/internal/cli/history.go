package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"hubcap/cmd/internal/render"
	"hubcap/engine"
	"hubcap/engine/journal"
)

func (s *session) historyCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "history [RUN]", GroupID: groupRuns, Args: args(cobra.MaximumNArgs(1)),
		Short: "List the runs, or tell one step by step",
		Long: "Lists the runs, newest first, or tells one: its steps, its gates with their numbers, predicted\n" +
			"against measured impact, and what was rolled back and why. With -o markdown one run becomes\n" +
			"the timeline of an incident report, in UTC and local time; with -o html a page that needs\n" +
			"nothing beside itself, with what the gates measured plotted.",
	}
	s.clusterFlags(c)
	s.verboseFlag(c)
	s.outputFlag(c, asText, asJSON, asMarkdown, asHTML)
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
		if len(given) == 0 && (s.output == asMarkdown || s.output == asHTML) {
			return usage("history -o %s: name the run that it shall tell", s.output)
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
		return s.tellRun(ctx, e, r)
	}
	return c
}

// tellRun prints one run in the format that was asked for.
func (s *session) tellRun(ctx context.Context, e *engine.Engine, r journal.Run) error {
	if s.output == asJSON {
		return s.writeJSON(map[string]any{"format_version": "1.0", "run": r})
	}
	// Who may not read what the plan hides learns the rest.
	if whole, err := e.Load(ctx, r.ID); err == nil {
		r = whole
	} else {
		s.warn("hubcap: the predicted impact is left out: %v", err)
	}
	switch s.output {
	case asMarkdown:
		return s.print(render.Timeline(r, time.Local))
	case asHTML:
		page, err := render.Page(r, time.Local)
		if err != nil {
			return err
		}
		return s.print(page)
	}
	return s.print(render.Run(r, s.style(s.out)))
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
