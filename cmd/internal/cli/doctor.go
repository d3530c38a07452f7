package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"hubcap/cmd/internal/render"
	"hubcap/engine"
	"hubcap/engine/expand"
	"hubcap/engine/journal"
)

// finding is what one check of the doctor found.
type finding struct {
	Check  string `json:"check"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
}

func (s *session) doctorCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "doctor", GroupID: groupOther, Args: args(cobra.NoArgs),
		Short: "Check that plan and apply can work here",
		Long: `Checks the config, and for each cluster that it is reached, that it is the one
meant, that the permissions suffice, that nobody holds the lock, and that no run is
unfinished. Nothing is changed. Exit 1 when a check fails.`,
	}
	c.AddCommand(s.doctorMetricsCommand())
	s.clusterFlags(c)
	s.lockedFlag(c)
	s.outputFlag(c, asText, asJSON)
	c.RunE = func(c *cobra.Command, _ []string) error {
		ctx, stop := s.interruptible(c.Context())
		defer stop()
		findings, err := s.examine(ctx)
		if err != nil {
			return err
		}
		if s.output == asJSON {
			err = s.writeJSON(map[string]any{"format_version": "1.0", "checks": findings})
		} else {
			var rows [][]string
			for _, f := range findings {
				mark := "ok"
				if !f.OK {
					mark = "FAILED"
				}
				rows = append(rows, []string{mark, f.Check, f.Detail})
			}
			err = s.print(render.Table(nil, rows, "", s.style(s.out)))
		}
		if err != nil {
			return err
		}
		if slices.ContainsFunc(findings, func(f finding) bool { return !f.OK }) {
			return silently(exitError)
		}
		return nil
	}
	return c
}

func (s *session) examine(ctx context.Context) ([]finding, error) {
	l, err := s.read()
	if err != nil {
		return nil, err
	}
	diags := l.diags
	if !diags.HasErrors() {
		more, err := s.fetchCharts(ctx, l.config)
		if err != nil {
			return nil, err
		}
		diags = append(diags, more...)
	}
	if !diags.HasErrors() {
		_, more := expand.Config(l.config, nil)
		diags = append(diags, more...)
	}
	if diags.HasErrors() {
		_ = s.diagnose(diags, l.config.Files)
		return []finding{{"config", false, fmt.Sprintf("%d errors, see above", len(diags.Errs()))}}, nil
	}
	findings := []finding{{"config", true, inventory(l.config)}}
	e, troubles := s.connect(ctx, l.config)
	for _, block := range l.config.Clusters {
		name := block.Address.Name
		if err := troubles[name]; err != nil {
			findings = append(findings, finding{"cluster " + name, false, err.Error()})
			continue
		}
		findings = append(findings, s.examineCluster(ctx, e, e.Clusters[name])...)
	}
	return findings, nil
}

// examineCluster examines one cluster of e. Runs of other configs on it are theirs to
// finish.
func (s *session) examineCluster(ctx context.Context, e *engine.Engine, c *engine.Cluster) []finding {
	reached := "identity " + c.Identity
	if c.Where != "" {
		reached = c.Where + ", " + reached
	}
	findings := []finding{{"cluster " + c.Name, true, reached}}
	note := func(check, good string, err error) {
		f := finding{check + " of " + c.Name, err == nil, good}
		if err != nil {
			f.Detail = err.Error()
		}
		findings = append(findings, f)
	}
	denied, err := c.Checker.Denied(ctx, nil)
	if err == nil && len(denied) > 0 {
		err = fmt.Errorf("missing: %s", strings.Join(denied, "; "))
	}
	note("permissions", "journal and lock may be written", err)
	locked, err := s.locks[c.Name](ctx)
	if locked != nil {
		err = locked
	}
	note("lock", "free", err)
	census, err := c.Census.Count(ctx, e.Places(c.Name))
	note("census", fmt.Sprintf("%d sessions counted", census.Sessions), err)
	runs, err := e.Runs(ctx, c)
	finished := "all finished"
	if err == nil {
		for _, r := range runs {
			if locked != nil && locked.Holder.Run == r.ID {
				finished = r.ID + " is under way"
				continue
			}
			if r.Untrusted == "" && journal.Resumable(r.Entries) && journal.Superseded(r, runs) == "" {
				err = fmt.Errorf("run %s is not at its end: hubcap resume, or hubcap rollback", r.ID)
			}
		}
	}
	untrusted := ""
	if n := len(slices.DeleteFunc(slices.Clone(runs), func(r journal.Run) bool { return r.Untrusted == "" })); n > 0 {
		untrusted = fmt.Sprintf("; %d of them untrusted, see hubcap history", n)
	}
	note("journal", fmt.Sprintf("%d runs, %s%s", len(runs), finished, untrusted), err)
	return findings
}
