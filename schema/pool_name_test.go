package schema

import (
	"os"
	"path/filepath"
	"testing"
)

// TestPoolNameOfReference holds that a reference gives the live name of a pool, also
// where hubcap makes it, in modules and for each key.
func TestPoolNameOfReference(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"main.hcl": `
hubcap { name = "field" }
cluster "c" {
  project  = "field-project"
  location = "us-central1-a"
  name     = "c"
}
node_pool "team" {
  for_each     = toset(["Physics_101", "b"])
  machine_type = "n2-standard-4"
}
node_pool "written" {
  name         = "core-1"
  machine_type = "n2-standard-4"
}
node_pool "lssd" { machine_type = "c3-standard-8-lssd" }
module "m" {
  source  = "./m"
  cluster = cluster.c
}
output "names" { value = concat([for p in node_pool.team : p.pool_name], [node_pool.written.pool_name, node_pool.lssd.pool_name, module.m.name]) }
`,
		"m/m.hcl": `
variable "cluster" {}
node_pool "a" {
  cluster           = var.cluster
  machine_type      = "n2-standard-4"
  max_pods_per_node = 64
}
output "name" { value = node_pool.a.pool_name }
`,
	} {
		at := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cfg, diags := Load(dir, Options{})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	live := map[string]bool{}
	for i := range cfg.NodePools {
		live[cfg.NodePools[i].LiveName()] = true
	}
	for _, output := range cfg.Outputs {
		if output.Address.Name != "names" {
			continue
		}
		names := output.Value.([]any)
		if len(names) != 5 || len(live) != 5 {
			t.Errorf("%d names of %d pools", len(names), len(live))
		}
		for _, name := range names {
			if text, _ := name.(string); !live[text] || len(text) > maxPoolName {
				t.Errorf("%v is the name of no pool: %v", name, live)
			}
		}
	}
}
