package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"hubcap/cmd/internal/render"
	"hubcap/engine"
	"hubcap/engine/journal"
	"hubcap/providers/records"
)

func (s *session) statusCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "status [RUN]", GroupID: groupRuns, Args: args(cobra.MaximumNArgs(1)),
		Short: "Show the clusters, and how the last run ended",
		Long: `Shows who is on the clusters, who holds their locks, and how the last run of this config
ended. With --watch it follows a run from anywhere (RUN, or the last one) until it has
ended, and exits as the run did. Ctrl-C stops watching; the run goes on.`,
	}
	follows := c.Flags().Bool("watch", false, "follow a run until it has ended")
	s.clusterFlags(c)
	s.outputFlag(c, asText, asJSON)
	c.RunE = func(c *cobra.Command, given []string) error {
		ctx, stop := s.interruptible(c.Context())
		defer stop()
		if *follows {
			return s.watchRun(ctx, given)
		}
		if len(given) > 0 {
			return usage("status %s: a run is followed with --watch, and told by history", given[0])
		}
		config, err := s.load()
		if err != nil {
			return err
		}
		e, troubles := s.connect(ctx, config)
		st := s.status(ctx, e, troubles)
		if s.output == asJSON {
			err = s.writeJSON(struct {
				FormatVersion string `json:"format_version"`
				render.Status
			}{"1.0", st})
		} else {
			err = s.print(render.StatusText(st, s.now(), s.style(s.out)))
		}
		if err != nil {
			return err
		}
		for _, cluster := range st.Clusters {
			if cluster.Trouble != "" {
				return silently(exitIncomplete)
			}
		}
		return nil
	}
	return c
}

// watchRun follows the run that was named, or the last one of this config.
func (s *session) watchRun(ctx context.Context, given []string) error {
	e, err := s.open(ctx)
	if err != nil {
		return err
	}
	id, err := s.runID(ctx, e, given)
	if err != nil {
		return err
	}
	if id != "" {
		return s.follow(ctx, e, id)
	}
	runs, err := e.OwnHistory(ctx)
	if err != nil {
		return err
	}
	for _, r := range slices.Backward(runs) {
		if e.Owns(r) && r.IsOfPlan() {
			return s.follow(ctx, e, r.ID)
		}
	}
	return errors.New("status --watch: there is no run")
}

// status asks each cluster for what status shows; what cannot be asked is said
// beside it.
func (s *session) status(ctx context.Context, e *engine.Engine, troubles map[string]error) render.Status {
	st := render.Status{Open: []string{}}
	underWay := map[string]bool{}
	for _, block := range e.Config.Clusters {
		name := block.Address.Name
		cs := render.ClusterStatus{Name: name}
		cluster, reached := e.Clusters[name]
		if !reached {
			cs.Trouble = troubles[name].Error()
			st.Clusters = append(st.Clusters, cs)
			continue
		}
		cs.Where, cs.Identity = cluster.Where, cluster.Identity
		if census, err := cluster.Census.Count(ctx, e.Places(name)); err != nil {
			cs.Trouble = err.Error()
		} else {
			cs.Sessions = census.Sessions
		}
		if locked, err := s.locks[name](ctx); err != nil {
			cs.Trouble = err.Error()
		} else if locked != nil {
			dead := records.SeemsDead(locked.Renewed, s.now())
			underWay[locked.Holder.Run] = !dead
			cs.Locked = fmt.Sprintf("%s since %s, run %s", locked.Holder.Who, locked.Holder.When.UTC().Format(time.RFC3339), locked.Holder.Run)
			if dead {
				cs.Locked += fmt.Sprintf(" (not renewed for %s: its holder has probably died)", s.now().Sub(locked.Renewed).Round(time.Second))
			}
		}
		st.Clusters = append(st.Clusters, cs)
	}
	runs, err := e.OwnHistory(ctx)
	if err != nil {
		s.warn("hubcap: %v", err)
	}
	for i := range runs {
		if !e.Owns(runs[i]) {
			continue // another config's, on the same cluster
		}
		if runs[i].Untrusted == "" && !runs[i].IsOfPlan() {
			continue
		}
		switch {
		case underWay[runs[i].ID]:
			st.UnderWay = append(st.UnderWay, runs[i].ID)
		case runs[i].Untrusted == "" && journal.Resumable(runs[i].Entries) && journal.Superseded(runs[i], runs) == "":
			st.Open = append(st.Open, runs[i].ID)
		}
		st.Last = &runs[i]
	}
	return st
}
