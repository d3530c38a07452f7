package modules_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hubcap/schema"
)

const catalogue = `
cluster "c" {
  prometheus = "http://prometheus.example.org"
}
module "hub" {
  source = "builtin:gates-jupyterhub"
}
module "binder" {
  source = "builtin:gates-binderhub"
}
hub "prod" {
  chart     = "builtin:binderhub"
  namespace = "prod"
}
rollout "all" {
  gates = concat(module.binder.default, module.hub.default)
}
`

// TestGatesModules holds what the catalogue has, that at most six are the default
// of either module, and that a rollout can take them.
func TestGatesModules(t *testing.T) {
	config := loadHCL(t, catalogue)
	var names []string
	for _, g := range config.Gates {
		names = append(names, g.Address.Name)
		if g.Pods == nil && (g.Failures < 3 || g.Of <= g.Failures) {
			t.Errorf("%s flaps: %d of %d", g.Address, g.Failures, g.Of)
		}
	}
	slices.Sort(names)
	want := []string{
		"binder-answers", "build-slots", "build-success", "errors", "event-loop", "first-try", "hub-answers", "hub-cpu", "hub-files", "hub-memory", "hub-threads",
		"launch-success", "restarts", "spawn-success", "users-stuck",
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("gates (-want +got):\n%s", diff)
	}
	var used []string
	for _, a := range config.Rollouts[0].Gates {
		used = append(used, a.Name)
	}
	if diff := cmp.Diff([]string{"launch-success", "build-slots", "spawn-success", "hub-cpu", "hub-memory", "errors", "restarts", "users-stuck"}, used); diff != "" {
		t.Errorf("defaults (-want +got):\n%s", diff)
	}
}

// TestGatesAsk holds the queries of the catalogue: the wording that counts, and
// that what only one hub is about names its namespace everywhere.
func TestGatesAsk(t *testing.T) {
	config := loadHCL(t, catalogue)
	for _, g := range config.Gates {
		for _, query := range queries(g) {
			selectors, places := strings.Count(query, "{"), strings.Count(query, `namespace="$namespace"`)
			if selectors != places || places == 0 {
				t.Errorf("%s: %d selectors, %d of them of the namespace: %s", g.Address, selectors, places, query)
			}
		}
	}
	limited := loadHCL(t, strings.Replace(catalogue, `"builtin:gates-jupyterhub"`, "\"builtin:gates-jupyterhub\"\n  hub_memory_limit = \"2Gi\"\n  prometheus = cluster.c", 1))
	for _, g := range limited.Gates {
		if g.Address.Name == "hub-memory" {
			if p := g.Prometheus; *p.Slope.Limit != 2<<30 || strings.Contains(p.Query, "limits") || p.Cluster.Name != "c" {
				t.Errorf("hub-memory with a limit: %+v", p)
			}
		}
	}
}

// TestSharesRestOnTheirEvidence holds that a share is taken over what its evidence
// was counted over: over less, one failure in the last minutes of a quiet hub would
// outweigh all that went well.
func TestSharesRestOnTheirEvidence(t *testing.T) {
	shares := 0
	for _, g := range loadHCL(t, catalogue).Gates {
		p := g.Prometheus
		if p == nil || p.Evidence == nil {
			continue
		}
		shares++
		if strings.Contains(p.Query, "$window") || !strings.Contains(p.Query, strings.TrimPrefix(p.Evidence.Query, "sum(")) {
			t.Errorf("%s: %s, on the evidence of %s", g.Address, p.Query, p.Evidence.Query)
		}
	}
	if shares != 4 {
		t.Errorf("%d gates have evidence, want 4", shares)
	}
}

func queries(g schema.Gate) []string {
	var all []string
	if p := g.Prometheus; p != nil {
		all = append(all, p.Query)
		if p.Slope != nil && p.Slope.Per != "" {
			all = append(all, p.Slope.Per)
		}
		if p.Slope != nil {
			all = append(all, p.Slope.Load)
		}
		if p.Evidence != nil {
			all = append(all, p.Evidence.Query)
		}
	}
	if b := g.Builds; b != nil {
		all = append(all, b.InProgress)
	}
	return all
}

// TestModulesAreFormatted holds that what ships is written as "hubcap fmt" writes.
func TestModulesAreFormatted(t *testing.T) {
	files, err := filepath.Glob("hcl/*/*.hcl")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		formatted, diags := schema.Format(data, file)
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		if diff := cmp.Diff(string(formatted), string(data)); diff != "" {
			t.Errorf("%s (-fmt +got):\n%s", file, diff)
		}
	}
}
