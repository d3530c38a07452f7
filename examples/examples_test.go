// Package examples holds configurations that people start from. Its test plans
// each of them, so that none goes stale.
package examples

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"hubcap/engine"
	"hubcap/engine/plan"
	"hubcap/engine/resource"
	"hubcap/modules"
	"hubcap/providers/memory"
	"hubcap/schema"
)

// TestExamplesPlan loads every example, renders its charts and plans it against
// an empty cluster.
func TestExamplesPlan(t *testing.T) {
	want := map[string]struct{ pools, hubs int }{
		"quickstart":      {2, 1},
		"mybinder":        {3, 2},
		"kubeconfig-only": {0, 1},
	}
	for _, dir := range folders(t) {
		t.Run(dir, func(t *testing.T) {
			expected, listed := want[dir]
			if !listed {
				t.Fatalf("examples/%s is not in this test's table", dir)
			}
			cfg, diags := schema.Load(dir, schema.Options{Builtin: builtin})
			if len(diags) > 0 {
				t.Fatalf("load: %v", diags)
			}
			if len(cfg.NodePools) != expected.pools || len(cfg.Hubs) != expected.hubs {
				t.Errorf("got %d pools and %d hubs, want %d and %d", len(cfg.NodePools), len(cfg.Hubs), expected.pools, expected.hubs)
			}
			p := planned(t, cfg)
			if p.Empty() || len(p.Refused) > 0 || len(p.Unreadable) > 0 || len(p.Warnings) > 0 {
				t.Errorf("plan: empty %v, refused %v, unreadable %v, warnings %v", p.Empty(), p.Refused, p.Unreadable, p.Warnings)
			}
			for _, s := range p.Steps() {
				for _, c := range s.Changes {
					if c.Action != resource.Create || c.Origin.File == "" {
						t.Errorf("%s: %s with origin %v, want a create with the place that asked for it", c.Address, c.Action, c.Origin)
					}
				}
			}
		})
	}
}

// TestExamplesAreFormatted checks that the examples look as fmt would have them.
func TestExamplesAreFormatted(t *testing.T) {
	for _, dir := range folders(t) {
		files, err := filepath.Glob(filepath.Join(dir, "*.hcl"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			source, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			formatted, diags := schema.Format(source, name)
			if diags.HasErrors() || string(formatted) != string(source) {
				t.Errorf("%s is not formatted (%v): run hubcap fmt", name, diags)
			}
		}
	}
}

func builtin(name string) (fs.FS, error) { return modules.Module(name) }

func planned(t *testing.T, cfg *schema.Config) *plan.Plan {
	t.Helper()
	e := engine.Engine{Version: "test", Config: cfg, Clusters: map[string]*engine.Cluster{}}
	for _, c := range cfg.Clusters {
		e.Clusters[c.Address.Name] = memory.New(c.Address.Name, cfg.Settings.Name).Cluster()
	}
	p, diags, err := e.Plan(t.Context(), engine.Options{})
	if err != nil || diags.HasErrors() {
		t.Fatalf("plan: %v %v", err, diags)
	}
	return p
}

func folders(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	var dirs []string
	for _, e := range entries {
		if files, _ := filepath.Glob(filepath.Join(e.Name(), "*.hcl")); e.IsDir() && len(files) > 0 {
			dirs = append(dirs, e.Name())
		}
	}
	if len(dirs) < 3 {
		t.Fatalf("found the examples %v", dirs)
	}
	return dirs
}
