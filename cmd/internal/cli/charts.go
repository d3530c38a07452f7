package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/hashicorp/hcl/v2"
	"github.com/spf13/cobra"

	"hubcap/providers/charts"
	"hubcap/schema"
)

// chartFlags are how the command line wants charts to be fetched.
type chartFlags struct {
	locked  bool // the lock file must not move
	upgrade bool // versions move within their constraints
	writes  bool // the command may write the lock file
}

// lockedFlag is for the commands that fetch charts.
func (s *session) lockedFlag(c *cobra.Command) {
	c.Flags().BoolVar(&s.charts.locked, "locked", false, "fail when the lock file of the charts would have to move")
}

// upgradeFlag is for the commands that write the lock file too.
func (s *session) upgradeFlag(c *cobra.Command) {
	s.lockedFlag(c)
	c.Flags().BoolVar(&s.charts.upgrade, "upgrade-charts", false, "fetch the newest charts within chart_version, and move the lock file")
	run := c.PreRunE
	c.PreRunE = func(c *cobra.Command, args []string) error {
		s.charts.writes = true
		if run == nil {
			return nil
		}
		return run(c, args)
	}
}

// A chartUse is one block that renders a remote chart.
type chartUse struct {
	block  schema.Block
	source *schema.ChartSource
	ref    charts.Ref
}

// remote returns the blocks of a config whose charts have to be fetched.
func remote(config *schema.Config) []chartUse {
	var uses []chartUse
	add := func(b schema.Block, source *schema.ChartSource) {
		if repository, name, isRemote := source.Remote(); isRemote {
			uses = append(uses, chartUse{b, source, charts.Ref{Repository: repository, Name: name, Constraint: source.Version}})
		}
	}
	for i := range config.Hubs {
		add(config.Hubs[i].Block, &config.Hubs[i].Chart)
	}
	for i := range config.Charts {
		add(config.Charts[i].Block, &config.Charts[i].Chart)
	}
	return uses
}

// fetchCharts fetches the remote charts of a config into it, as the lock file
// says, and writes the lock file where it may.
func (s *session) fetchCharts(ctx context.Context, config *schema.Config) (hcl.Diagnostics, error) {
	if s.charts.locked && s.charts.upgrade {
		return nil, usage("--locked and --upgrade-charts: the lock file cannot both stay and move")
	}
	uses := remote(config)
	if len(uses) == 0 {
		return nil, nil
	}
	path := filepath.Join(s.chdir, charts.LockFile)
	lock, diags, err := readLock(path, config)
	if err != nil || diags.HasErrors() {
		return diags, err
	}
	mode := charts.Extend
	switch {
	case s.charts.locked:
		mode = charts.Frozen
	case s.charts.upgrade:
		mode = charts.Upgrade
	}
	refs := make([]charts.Ref, len(uses))
	for i, u := range uses {
		refs[i] = u.ref
	}
	resolver := &charts.Resolver{Cache: s.cacheDir("charts"), UserAgent: "hubcap/" + version, Repositories: s.helmRepositories()}
	found := resolver.Resolve(ctx, refs, lock, mode)
	for _, w := range found.Warnings {
		s.warn("hubcap: %s.", w)
	}
	diags = use(uses, found)
	if !diags.HasErrors() {
		s.writeLock(path, lock, found)
	}
	return diags, ctx.Err()
}

// fetch is fetchCharts for commands that say at once what is wrong.
func (s *session) fetch(ctx context.Context, config *schema.Config) error {
	diags, err := s.fetchCharts(ctx, config)
	if err != nil {
		return err
	}
	return s.diagnose(diags, config.Files)
}

// use gives every block its chart, or says why there is none.
func use(uses []chartUse, found charts.Resolution) hcl.Diagnostics {
	var diags hcl.Diagnostics
	type place struct {
		detail string
		at     hcl.Range
	}
	said := map[place]bool{}
	for _, u := range uses {
		problem := found.Problems[u.ref]
		if problem == nil {
			a := found.Charts[u.ref]
			u.source.Fetched = &schema.FetchedChart{Digest: a.Digest, Archive: a.Data}
			continue
		}
		at := u.block.At("chart")
		if own, isSet := u.block.Attrs[problem.Attr]; isSet {
			at = own
		}
		if p := (place{problem.Detail, at}); !said[p] {
			said[p] = true
			diags = append(diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: problem.Summary, Detail: problem.Detail, Subject: &at})
		}
	}
	return diags
}

// readLock reads the lock file; none is as good as an empty one.
func readLock(path string, config *schema.Config) (*charts.Lock, hcl.Diagnostics, error) {
	data, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &charts.Lock{}, nil, nil
	case err != nil:
		return nil, nil, fmt.Errorf("read the lock file: %w", err)
	}
	lock, file, diags := charts.ParseLock(data, path)
	config.Files[path] = file
	return lock, diags, nil
}

// writeLock says how the lock has moved, and writes it. A directory that cannot
// be written is no reason to stop.
func (s *session) writeLock(path string, was *charts.Lock, found charts.Resolution) {
	if !s.charts.writes || found.Lock.Equal(was) {
		return
	}
	for _, c := range found.Changes {
		switch {
		case c.Was.Version == "":
			s.warn("hubcap: locked %s at %s", c.Is.Ref, c.Is.Version)
		case c.Was.Version == c.Is.Version:
			s.warn("hubcap: locked %s at %s, whose archive has changed", c.Is.Ref, c.Is.Version)
		default:
			s.warn("hubcap: locked %s at %s (was %s)", c.Is.Ref, c.Is.Version, c.Was.Version)
		}
	}
	if err := charts.WriteLock(path, found.Lock); err != nil {
		s.warn("hubcap: the lock file is not written: %v", err)
		return
	}
	s.warn("hubcap: wrote %s; keep it under version control", path)
}

// helmRepositories is where Helm keeps the names and passwords of repositories.
func (s *session) helmRepositories() string {
	if file, _ := s.env("HELM_REPOSITORY_CONFIG"); file != "" {
		return file
	}
	dir, _ := s.env("HELM_CONFIG_HOME")
	if dir == "" {
		config, err := os.UserConfigDir()
		if err != nil {
			return ""
		}
		dir = filepath.Join(config, "helm")
	}
	return filepath.Join(dir, "repositories.yaml")
}

// cacheDir is where hubcap keeps what it can have again; empty when there is no
// such place.
func (s *session) cacheDir(name string) string {
	dir, _ := s.env("XDG_CACHE_HOME")
	if dir == "" {
		var err error
		if dir, err = os.UserCacheDir(); err != nil {
			return ""
		}
	}
	return filepath.Join(dir, "hubcap", name)
}
