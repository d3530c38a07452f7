package gke

import (
	"slices"
	"strings"
	"testing"

	container "google.golang.org/api/container/v1"

	"hubcap/engine/resource"
	"hubcap/providers/gke/emulator"
)

// Fields that no call changes are told as such, and a write refuses them without
// touching the pool.
func TestReplace(t *testing.T) {
	tests := []struct {
		reason string
		base   []edit
		edit   edit
		want   string
	}{
		{"local SSD count", nil, setting(int64(2), "config", "localSsdCount"), "config.localSsdCount"},
		{"spot", nil, setting(true, "config", "spot"), "config.spot"},
		{"scopes", nil, setting([]any{"https://www.googleapis.com/auth/cloud-platform"}, "config", "oauthScopes"), "config.oauthScopes"},
		{"service account", nil, setting("a@b", "config", "serviceAccount"), "config.serviceAccount"},
		{"pods per node", nil, setting("32", "maxPodsConstraint", "maxPodsPerNode"), "maxPodsConstraint.maxPodsPerNode"},
		{"CPU platform", nil, setting("Intel Skylake", "config", "minCpuPlatform"), "config.minCpuPlatform"},
		{"metadata", nil, setting("v", "config", "metadata", "k"), "config.metadata[k]"},
		{"SSD mode", nil, func(o resource.Object) {
			delete(o["config"].(map[string]any), "localSsdCount")
			o.Set(int64(1), "config", "ephemeralStorageLocalSsdConfig", "localSsdCount")
		}, "config.ephemeralStorageLocalSsdConfig.localSsdCount"},
		{
			"machine type that brings SSDs", []edit{without("localSsdCount"), setting("c3-standard-8-lssd", "config", "machineType")},
			func(o resource.Object) {
				without("localSsdCount")(o)
				o.Set("c3-standard-22-lssd", "config", "machineType")
			}, "config.machineType",
		},
	}
	for _, test := range tests {
		t.Run(test.reason, func(t *testing.T) {
			in(t, emulator.Options{}, func(t *testing.T, w *world) {
				w.apply(t, desired("user", test.base...))
				wanted := desired("user", test.edit)
				r, err := w.Read(w.ctx, []resource.Desired{wanted})
				if err != nil {
					t.Fatal(err)
				}
				if got := r.Observations[0].Replace; !slices.Contains(got, test.want) {
					t.Fatalf("Replace = %v, want it to hold %s", got, test.want)
				}
				o := r.Observations[0]
				if !strings.Contains(o.Refused, test.want) {
					t.Errorf("Refused = %q, want it to name %s", o.Refused, test.want)
				}
				before := w.writes()
				c := resource.Change{ID: wanted.ID, Action: resource.Update, Before: o.Before, After: wanted.Object}
				if err := w.write(t, c); err == nil || !strings.Contains(err.Error(), "cannot be changed in place") {
					t.Errorf("Write: %v, want it refused", err)
				}
				if w.writes() != before {
					t.Error("the refused write wrote")
				}
			})
		})
	}
}

func without(field string) edit {
	return func(o resource.Object) { delete(o["config"].(map[string]any), field) }
}

// What GKE and others add, and what the author left to GKE, is no difference.
func TestNoDifference(t *testing.T) {
	tests := []struct {
		reason string
		want   []edit
		live   func(np *container.NodePool)
	}{
		{"node count", nil, func(np *container.NodePool) { np.InitialNodeCount = 40 }},
		{"upgraded version", nil, func(np *container.NodePool) { np.Version = "1.36.1-gke.1" }},
		{"a foreign label", nil, func(np *container.NodePool) { np.Config.Labels["cloud"] = "x" }},
		{"a foreign resource label", nil, func(np *container.NodePool) { np.Config.ResourceLabels["cost"] = "x" }},
		{"a foreign taint", nil, func(np *container.NodePool) {
			np.Config.Taints = append([]*container.NodeTaint{{Key: "nvidia.com/gpu", Value: "present", Effect: "NO_SCHEDULE"}}, np.Config.Taints...)
		}},
		{"a foreign tag", []edit{setting([]any{"mine"}, "config", "tags")}, func(np *container.NodePool) { np.Config.Tags = []string{"theirs", "mine"} }},
		{"an SSD count that the author did not set", nil, func(np *container.NodePool) {
			np.Config.EphemeralStorageLocalSsdConfig = &container.EphemeralStorageLocalSsdConfig{LocalSsdCount: 2}
		}},
		{"empty for absent", []edit{setting(int64(0), "config", "ephemeralStorageLocalSsdConfig", "localSsdCount"), setting(false, "config", "spot")}, nil},
		{"scopes in another order", []edit{setting([]any{"https://www.googleapis.com/auth/monitoring", "https://www.googleapis.com/auth/devstorage.read_only"}, "config", "oauthScopes")}, nil},
		{"a number as text and a text as number", []edit{setting(int64(110), "maxPodsConstraint", "maxPodsPerNode")}, nil},
		{"an image type in small letters", []edit{setting("ubuntu_containerd", "config", "imageType")}, nil},
		{"both spellings of the disk", []edit{setting("200", "config", "bootDisk", "sizeGb")}, nil},
	}
	for _, test := range tests {
		t.Run(test.reason, func(t *testing.T) {
			in(t, emulator.Options{}, func(t *testing.T, w *world) {
				d := desired("user", test.want...)
				w.apply(t, d)
				if test.live != nil {
					if err := w.server.Edit(home, "user", test.live); err != nil {
						t.Fatal(err)
					}
				}
				w.settled(t, d)
			})
		})
	}
}
