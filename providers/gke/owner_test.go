package gke

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	container "google.golang.org/api/container/v1"

	"hubcap/engine/resource"
	"hubcap/engine/run"
	"hubcap/providers/gke/emulator"
)

// Foreign entries survive our writes to the same field.
func TestForeignEntriesStay(t *testing.T) {
	in(t, emulator.Options{}, func(t *testing.T, w *world) {
		w.apply(t, desired("user", setting([]any{"mine"}, "config", "tags")))
		err := w.server.Edit(home, "user", func(np *container.NodePool) {
			np.Config.Labels["theirs"] = "1"
			np.Config.ResourceLabels["theirs"] = "1"
			np.Config.Tags = append(np.Config.Tags, "theirs")
			np.Config.Taints = append(np.Config.Taints, &container.NodeTaint{Key: "theirs", Effect: "NO_EXECUTE"})
		})
		if err != nil {
			t.Fatal(err)
		}
		wanted := desired("user",
			setting(map[string]any{"a": "1"}, "config", "labels"), setting([]any{"new"}, "config", "tags"),
			setting([]any{map[string]any{"key": "k", "value": "v", "effect": "NO_SCHEDULE"}}, "config", "taints"),
			setting("b", "config", "resourceLabels", "team"))
		w.apply(t, wanted)
		got := w.pool("user").NodePool.Config
		if d := cmp.Diff(map[string]string{"a": "1", "theirs": "1"}, got.Labels); d != "" {
			t.Errorf("labels (-want +got):\n%s", d)
		}
		if d := cmp.Diff([]string{"theirs", "new"}, got.Tags); d != "" {
			t.Errorf("tags (-want +got):\n%s", d)
		}
		if len(got.Taints) != 2 || got.Taints[0].Key != "theirs" || got.Taints[1].Key != "k" {
			t.Errorf("taints: %+v", got.Taints)
		}
		if got.ResourceLabels["theirs"] != "1" || got.ResourceLabels["team"] != "b" || got.ResourceLabels["goog-gke-node-pool-provisioning-model"] == "" {
			t.Errorf("resource labels: %v", got.ResourceLabels)
		}
	})
}

func TestAdoption(t *testing.T) {
	existing := &container.Cluster{Location: home.Location, Name: home.Name, NodePools: []*container.NodePool{{
		Name: "user", InitialNodeCount: 3,
		Config: &container.NodeConfig{MachineType: "n1-standard-8", DiskSizeGb: 200, LocalSsdCount: 1, Labels: map[string]string{"old": "1"}},
	}}}
	in(t, emulator.Options{Clusters: []*container.Cluster{existing}}, func(t *testing.T, w *world) {
		if r, err := w.Read(w.ctx, nil); err != nil || len(r.Orphans) > 0 {
			t.Fatalf("a pool that is not ours: %+v, %v; want no orphan", r, err)
		}
		was := w.wire(t, "user")
		c := w.apply(t, desired("user"))
		if len(c) != 1 || c[0].Action != resource.Update || !slices.Contains(c[0].Notes, "adopts existing pool user") {
			t.Fatalf("changes: %+v; want one update that adopts", c)
		}
		w.settled(t, desired("user"))
		if w.pool("user").Nodes != 3 || w.pool("user").NodePool.Config.Labels["old"] != "1" {
			t.Errorf("adopting changed more than it should: %+v", w.pool("user"))
		}
		back := desired("user")
		back.Object = c[0].Before
		w.apply(t, back)
		for key := range labelsOf(resource.Object(w.wire(t, "user"))) {
			if strings.HasPrefix(key, "hubcap") {
				t.Errorf("given back it bears %s", key)
			}
		}
		for key := range w.pool("user").NodePool.Config.ResourceLabels {
			if isNote(key) {
				t.Errorf("given back it bears the note %s", key)
			}
		}
		if d := cmp.Diff(was["config"], w.wire(t, "user")["config"]); d != "" {
			t.Errorf("given back it is not as it was (-before +now):\n%s", d)
		}
	})
}

// P6: what is not ours is neither changed nor deleted.
func TestPoolsOfOthers(t *testing.T) {
	in(t, emulator.Options{}, func(t *testing.T, w *world) {
		w.apply(t, desired("user"))
		c := w.changes(t)[0] // its deletion
		err := w.server.Edit(home, "user", func(np *container.NodePool) { np.Config.ResourceLabels[LabelConfig] = "another" })
		if err != nil {
			t.Fatal(err)
		}
		r, err := w.Read(w.ctx, []resource.Desired{desired("user")})
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Observations[0].Refused; !strings.Contains(got, `"another"`) {
			t.Errorf("Refused = %q, want it to name the owner", got)
		}
		if err := w.write(t, c); err == nil || w.pool("user") == nil {
			t.Errorf("deleting another's pool: %v", err)
		}
		delete(c.Before["config"].(map[string]any)["resourceLabels"].(map[string]any), LabelConfig)
		err = w.server.Edit(home, "user", func(np *container.NodePool) { delete(np.Config.ResourceLabels, LabelConfig) })
		if err != nil {
			t.Fatal(err)
		}
		_, err = w.Write(w.ctx, c, run.Sight{State: run.AtBefore})
		if err == nil || !strings.Contains(err.Error(), "not ours to delete") || w.pool("user") == nil {
			t.Errorf("deleting nobody's pool: %v", err)
		}
	})
}

func TestAddressOfLabel(t *testing.T) {
	for label, want := range map[string]string{
		"node_pool-user":                     "node_pool.user",
		"node_pool-big-user":                 "node_pool.big-user",
		"module-pools-node_pool-user":        "module.pools.node_pool.user",
		"module-a-module-b-node_pool-user-0": "module.a.module.b.node_pool.user-0",
		"written-by-another-version":         "node_pool.written-by-another-version",
	} {
		if got := addressOf(label).String(); got != want {
			t.Errorf("addressOf(%q) = %s, want %s", label, got, want)
		}
	}
}

// A new shape is a new pool of the same block: the old one is an orphan with the
// block's own address, which its label cannot hold.
func TestOrphanOfALivingBlock(t *testing.T) {
	in(t, emulator.Options{}, func(t *testing.T, w *world) {
		of := func(name string) resource.Desired {
			d := desired(name, setting("node_pool-user-a", "config", "resourceLabels", LabelBlock))
			d.Address.Name = `user["a"]`
			d.Component.Block = d.Address
			return d
		}
		w.apply(t, of("user-1"))
		r, err := w.Read(w.ctx, []resource.Desired{of("user-2")})
		if err != nil || len(r.Orphans) != 1 || r.Orphans[0].Address != of("x").Address {
			t.Fatalf("Read: %+v, %v; want the old pool with its block's address", r.Orphans, err)
		}
		c := w.changes(t, of("user-2"))
		if len(c) != 2 || c[0].Action != resource.Delete || c[1].Action != resource.Replace {
			t.Fatalf("changes: %+v; want the new pool beside the old one", c)
		}
		if err := w.write(t, c[1]); err != nil || w.pool("user-1") == nil || w.pool("user-2") == nil {
			t.Errorf("Write: %v; want both pools", err)
		}
	})
}
