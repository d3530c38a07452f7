package modules_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hubcap/modules"
	"hubcap/schema"
)

// loadHCL loads one file of configuration, with the built-in modules there.
func loadHCL(t *testing.T, text string) *schema.Config {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "main.hcl"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "name.hcl"), []byte("hubcap { name = \"default\" }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	config, diags := schema.Load(dir, schema.Options{Builtin: modules.Module})
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	return config
}

func TestQoSModule(t *testing.T) {
	config := loadHCL(t, `
cluster "c" {}
module "qos" {
  source         = "builtin:qos"
  memory         = "2Gi"
  priority_class = "binderhub-core"
}
hub "h" {
  cluster   = cluster.c
  namespace = "h"
  chart     = "builtin:jupyterhub"
  qos       = { hub = module.qos.guaranteed, proxy = module.qos.memory_guaranteed, user = module.qos.burstable }
}
`)
	type sizes struct{ Mode, CPURequest, CPULimit, MemoryRequest, MemoryLimit, Priority string }
	got := map[string]sizes{}
	for component, ref := range config.Hubs[0].QoS {
		c := ref.Class
		got[component] = sizes{string(c.Mode), c.CPURequest, c.CPULimit, c.MemoryRequest, c.MemoryLimit, c.PriorityClass}
	}
	want := map[string]sizes{
		"hub":   {"guaranteed", "250m", "250m", "2Gi", "2Gi", "binderhub-core"},
		"proxy": {"memory-guaranteed", "250m", "2", "2Gi", "2Gi", "binderhub-core"},
		"user":  {"burstable", "250m", "2", "256Mi", "2Gi", "binderhub-core"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("classes (-want +got):\n%s", diff)
	}
}

func TestPoolsModule(t *testing.T) {
	config := loadHCL(t, `
cluster "c" {
  project  = "demo-project"
  location = "us-central1"
  name     = "prod"
}
module "pools" {
  source          = "builtin:gke-pools"
  cluster         = cluster.c
  locations       = ["us-central1-a"]
  user_max        = 40
  user_local_ssds = 1
}
hub "h" {
  cluster    = cluster.c
  namespace  = "h"
  chart      = "builtin:binderhub"
  node_pools = { core = module.pools.core, user = module.pools.user }
}
`)
	if n := len(config.NodePools); n != 2 {
		t.Fatalf("%d pools, want core and user", n)
	}
	core, user := config.NodePools[0], config.NodePools[1]
	if core.Labels["hub.jupyter.org/node-purpose"] != "core" || core.Autoscaling.Max != 4 || len(core.Taints) != 0 {
		t.Errorf("core: %+v", core)
	}
	if diff := cmp.Diff(&schema.LocalSSD{Count: 1, Mode: schema.SSDMounted}, user.LocalSSD); diff != "" {
		t.Errorf("local SSD (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]schema.Taint{{Key: "hub.jupyter.org_dedicated", Value: "user", Effect: "NoSchedule"}}, user.Taints); diff != "" {
		t.Errorf("taints (-want +got):\n%s", diff)
	}
	if user.Autoscaling.Max != 40 || user.Cluster.Name != "c" || config.Hubs[0].NodePools["user"] != user.Address {
		t.Errorf("user: %+v, hub: %v", user, config.Hubs[0].NodePools)
	}
}

func TestPoolsModuleWithoutLocalSSD(t *testing.T) {
	config := loadHCL(t, `
cluster "c" {
  project  = "demo-project"
  location = "us-central1-a"
  name     = "prod"
}
module "pools" {
  source            = "builtin:gke-pools"
  cluster           = cluster.c
  user_machine_type = "e2-standard-8"
}
`)
	if ssd := config.NodePools[1].LocalSSD; ssd != nil && ssd.Count != 0 {
		t.Errorf("local SSD %+v, want none: this machine type cannot have any", ssd)
	}
}
