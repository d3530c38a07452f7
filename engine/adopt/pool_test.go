package adopt_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hubcap/engine/adopt"
	"hubcap/engine/expand"
	"hubcap/engine/resource"
	"hubcap/schema"
)

// livePools is the pools of a config as if they lived, with what GKE fills in.
func livePools(t *testing.T, cfg *schema.Config) []resource.Live {
	t.Helper()
	pools := *cfg
	pools.Hubs, pools.Manifests = nil, nil
	desired, diags := expand.Config(&pools, nil)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	var live []resource.Live
	for _, d := range desired {
		o := d.Object.Copy()
		o.Set(map[string]any{"goog-gke-node-pool-provisioning-model": "on-demand"}, "config", "resourceLabels")
		o.Set("default", "config", "serviceAccount")
		o.Set(map[string]any{"diskType": "pd-balanced", "sizeGb": "100"}, "config", "bootDisk")
		o.Set(map[string]any{"maxPodsPerNode": "110"}, "maxPodsConstraint")
		o.Set(map[string]any{"maxSurge": int64(1), "strategy": "SURGE"}, "upgradeSettings")
		live = append(live, resource.Live{ID: d.ID, Object: o})
	}
	return live
}

// TestPoolsRoundTrip writes the pools of the mybinder example and expands them
// again: every field that was written is the same, and the hubs find theirs.
func TestPoolsRoundTrip(t *testing.T) {
	cfg := example(t, "mybinder")
	live := livePools(t, cfg)
	facts := adopt.Facts{
		Cluster: adopt.Cluster{Name: "prod", Known: adopt.NotKnown, Project: "binder-prod", Location: "us-central1", GKEName: "prod"}, Pools: live,
	}
	// Two pools of one shape cannot be told apart by labels, so that hubs name none.
	for _, l := range live {
		if strings.HasPrefix(l.ID.Name, "burst") {
			l.Object.Set(map[string]any{"burst": "yes"}, "config", "labels")
		}
	}
	for i := range cfg.Hubs {
		facts.Releases = append(facts.Releases, released(t, cfg, &cfg.Hubs[i]))
	}
	d, err := adopt.Write(facts)
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Unsaid) > 0 {
		t.Errorf("not expressed: %v", d.Unsaid)
	}
	again := load(t, d)
	written := map[string]resource.Object{}
	for _, l := range livePools(t, again) {
		written[l.ID.Name] = l.Object
	}
	for _, l := range live {
		for _, path := range [][]string{
			{"locations"}, {"autoscaling"}, {"config", "machineType"}, {"config", "localSsdCount"}, {"config", "labels"}, {"config", "oauthScopes"}, {"config", "diskSizeGb"},
		} {
			want, _ := l.Object.Value(path...)
			got, _ := written[l.ID.Name].Value(path...)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s of %s (-want +got):\n%s", path, l.ID.Name, diff)
			}
		}
	}
	for i, h := range again.Hubs {
		if len(h.NodePools) != 2 || h.BuildSlots == nil || h.BuildSlots.NodePool.IsZero() {
			t.Errorf("%s names %v, and builds on %v", h.Address, h.NodePools, h.BuildSlots)
		}
		want, _ := expand.Complete(cfg, cfg.Hubs[i].Address, nil)
		got, diags := expand.Complete(again, h.Address, nil)
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", h.Address, diff)
		}
	}
}

// TestPools holds what is written of single pools.
func TestPools(t *testing.T) {
	for _, row := range []struct {
		reason, body, want string
		unsaid             []string
	}{
		{"what GKE fills in is left out", `{"config":{"machineType":"e2-medium","diskType":"pd-balanced","diskSizeGb":100,"imageType":"COS_CONTAINERD","serviceAccount":"default",
			"metadata":{"disable-legacy-endpoints":"true"},"shieldedInstanceConfig":{"enableIntegrityMonitoring":true},"windowsNodeConfig":{},"kubeletConfig":{"maxParallelImagePulls":3,"insecureKubeletReadonlyPortEnabled":false}},
			"management":{"autoRepair":true,"autoUpgrade":true},"maxPodsConstraint":{"maxPodsPerNode":"110"},"locations":["us-central1-a"],"networkConfig":{"podRange":"x","subnetwork":"y"},
			"upgradeSettings":{"maxSurge":1,"strategy":"SURGE"}}`, `
node_pool "p" {
  name         = "p"
  machine_type = "e2-medium"
}
`, nil},
		{"a machine that brings its disks", `{"config":{"machineType":"c3-standard-8-lssd","ephemeralStorageLocalSsdConfig":{"localSsdCount":2}},"management":{"autoRepair":true,"autoUpgrade":true}}`, `
node_pool "p" {
  name         = "p"
  machine_type = "c3-standard-8-lssd"
}
`, nil},
		{"spot, in all zones, with its own limits", `{"config":{"machineType":"n2-standard-8","spot":true,"workloadMetadataConfig":{"mode":"GKE_METADATA"},"minCpuPlatform":"Intel Ice Lake"},
			"autoscaling":{"enabled":true,"totalMinNodeCount":1,"totalMaxNodeCount":9,"locationPolicy":"ANY"},"maxPodsConstraint":{"maxPodsPerNode":"64"},"management":{"autoUpgrade":true}}`, `
node_pool "p" {
  name              = "p"
  machine_type      = "n2-standard-8"
  min_cpu_platform  = "Intel Ice Lake"
  spot              = true
  max_pods_per_node = 64
  workload_metadata = "GKE_METADATA"

  autoscaling {
    min   = 1
    max   = 9
    total = true
  }

  management {
    auto_repair = false
  }
}
`, nil},
		{"what there is no word for", `{"config":{"machineType":"n1-standard-8","accelerators":[{"acceleratorCount":"1","acceleratorType":"nvidia-tesla-t4"}],"preemptible":true,
			"taints":[{"key":"nvidia.com/gpu","value":"present","effect":"NO_SCHEDULE"}],"labels":{"cloud.google.com/gke-x":"1"}},
			"upgradeSettings":{"strategy":"BLUE_GREEN","blueGreenSettings":{"nodePoolSoakDuration":"3600s"}},"management":{"autoRepair":true,"autoUpgrade":true}}`, `
node_pool "p" {
  name         = "p"
  machine_type = "n1-standard-8"
}
`, []string{"config.accelerators", "config.preemptible", "upgradeSettings.blueGreenSettings.nodePoolSoakDuration", "upgradeSettings.strategy"}},
	} {
		var body map[string]any
		if err := json.Unmarshal([]byte(row.body), &body); err != nil {
			t.Fatal(err)
		}
		d, err := adopt.Write(adopt.Facts{
			Cluster: adopt.Cluster{Name: "c", Known: adopt.NotKnown, Project: "project", Location: "us-central1", GKEName: "c"}, Zones: []string{"us-central1-a"},
			Pools: []resource.Live{{ID: resource.ID{Name: "p"}, Object: integers(body).(map[string]any)}},
		})
		if err != nil {
			t.Fatal(err)
		}
		load(t, d)
		if diff := cmp.Diff(strings.TrimPrefix(row.want, "\n"), string(d.Files[1].Text)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", row.reason, diff)
		}
		var unsaid []string
		for _, u := range d.Unsaid {
			unsaid = append(unsaid, u.Field)
		}
		if diff := cmp.Diff(row.unsaid, unsaid); diff != "" {
			t.Errorf("%s: not expressed (-want +got):\n%s", row.reason, diff)
		}
	}
}

// integers turns whole floats into integers, as the reader of GKE does.
func integers(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			v[k] = integers(e)
		}
	case []any:
		for i, e := range v {
			v[i] = integers(e)
		}
	case float64:
		return int64(v)
	}
	return v
}

// TestRecordedPool reads a body that GKE really sent.
func TestRecordedPool(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "..", "providers", "gke", "testdata", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	pools := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var body map[string]any
		if json.Unmarshal(text, &body) != nil || body["config"] == nil {
			continue
		}
		pools++
		d, err := adopt.Write(adopt.Facts{
			Cluster: adopt.Cluster{Name: "c", Known: adopt.NotKnown, Project: "project", Location: "us-central1", GKEName: "c"},
			Pools:   []resource.Live{{ID: resource.ID{Name: "p"}, Object: integers(body).(map[string]any)}},
		})
		if err != nil {
			t.Fatal(err)
		}
		load(t, d)
	}
	if pools == 0 {
		t.Error("no recorded node pool was found")
	}
}

// TestPoolOfFixedSize holds that the size of a pool without an autoscaler is written,
// and that of one with an autoscaler is not.
func TestPoolOfFixedSize(t *testing.T) {
	pool := func(name string, edits ...func(resource.Object)) resource.Live {
		o := resource.Object{"name": name, "initialNodeCount": int64(3), "config": map[string]any{"machineType": "e2-standard-4"}}
		for _, edit := range edits {
			edit(o)
		}
		return resource.Live{ID: resource.ID{Group: resource.GroupGKE, Kind: resource.KindNodePool, Name: name}, Object: o}
	}
	scaled := func(o resource.Object) { o["autoscaling"] = map[string]any{"enabled": true, "maxNodeCount": int64(5)} }
	off := func(o resource.Object) { o["autoscaling"] = map[string]any{} }
	d, err := adopt.Write(adopt.Facts{
		Cluster: adopt.Cluster{Name: "c", Known: adopt.NotKnown, Project: "some-project", Location: "us-central1", GKEName: "c"},
		Pools:   []resource.Live{pool("fixed"), pool("off", off), pool("scaled", scaled)},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range d.Files {
		if f.Name == adopt.PoolFile && strings.Count(string(f.Text), "initial_nodes = 3") != 2 || strings.Contains(string(f.Text), "no word") {
			t.Errorf("%s:\n%s", f.Name, f.Text)
		}
	}
	for _, u := range d.Unsaid {
		t.Errorf("not expressed: %+v", u)
	}
}
