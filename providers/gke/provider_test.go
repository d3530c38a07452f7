package gke

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	container "google.golang.org/api/container/v1"

	"hubcap/engine/resource"
	"hubcap/engine/run"
	"hubcap/providers/gke/emulator"
)

// wire returns the pool as the API shows it, without what changes by itself and
// without our notes.
func (w *world) wire(t *testing.T, name string) map[string]any {
	t.Helper()
	p := w.pool(name)
	if p == nil {
		return nil
	}
	text, err := json.Marshal(p.NodePool)
	if err != nil {
		t.Fatal(err)
	}
	var o map[string]any
	if err := json.Unmarshal(text, &o); err != nil {
		t.Fatal(err)
	}
	delete(o, "etag")
	if tags, isList := o["config"].(map[string]any)["tags"]; isList {
		o["config"].(map[string]any)["tags"] = sorted(tags)
	}
	labels := o["config"].(map[string]any)["resourceLabels"].(map[string]any)
	maps.DeleteFunc(labels, func(key string, _ any) bool { return isNote(key) })
	return o
}

type edit = func(resource.Object)

// Every change that can be made in place is made by the call that GKE has for
// it, reads back as wanted, and undone leaves the pool exactly as it was.
func TestInPlace(t *testing.T) {
	tests := []struct {
		reason string
		base   []edit
		edits  []edit
		calls  []string // in order, without those for our notes
	}{
		{"bounds", nil, []edit{setting(int64(9), "autoscaling", "maxNodeCount")}, []string{"setAutoscaling"}},
		{"min to zero", []edit{setting(int64(2), "autoscaling", "minNodeCount")}, nil, []string{"setAutoscaling"}},
		{
			"autoscaling off", nil,
			[]edit{setting(map[string]any{"enabled": false}, "autoscaling")},
			[]string{"setAutoscaling"},
		},
		{
			"per zone to total", nil,
			[]edit{setting(map[string]any{"enabled": true, "totalMinNodeCount": int64(1), "totalMaxNodeCount": int64(7)}, "autoscaling")},
			[]string{"setAutoscaling"},
		},
		{
			"management to false", []edit{setting(map[string]any{"autoRepair": true, "autoUpgrade": true}, "management")},
			[]edit{setting(map[string]any{"autoRepair": false, "autoUpgrade": false}, "management")},
			[]string{"setManagement"},
		},
		{
			"one of management keeps the other", nil,
			[]edit{setting(map[string]any{"autoUpgrade": false}, "management")},
			[]string{"setManagement"},
		},
		{
			"surge to zero", []edit{setting(map[string]any{"maxSurge": int64(1), "maxUnavailable": int64(0)}, "upgradeSettings")},
			[]edit{setting(map[string]any{"maxSurge": int64(0), "maxUnavailable": int64(1)}, "upgradeSettings")},
			[]string{"upgradeSettings"},
		},
		{"label changed", nil, []edit{setting(map[string]any{"hub.jupyter.org/node-purpose": "core"}, "config", "labels")}, []string{"labels"}},
		{"labels cleared", nil, []edit{setting(map[string]any{}, "config", "labels")}, []string{"labels"}},
		{"label with empty value", nil, []edit{setting("", "config", "labels", "marker")}, []string{"labels"}},
		{"taints cleared", nil, []edit{setting([]any{}, "config", "taints")}, []string{"taints"}},
		{
			"taint with two effects", nil,
			[]edit{setting([]any{
				map[string]any{"key": "hub.jupyter.org_dedicated", "value": "user", "effect": "NO_SCHEDULE"},
				map[string]any{"key": "hub.jupyter.org_dedicated", "value": "user", "effect": "NO_EXECUTE"},
			}, "config", "taints")},
			[]string{"taints"},
		},
		{"tags", []edit{setting([]any{"a", "b"}, "config", "tags")}, []edit{setting([]any{"b", "c"}, "config", "tags")}, []string{"tags"}},
		{"resource labels", nil, []edit{setting("a", "config", "resourceLabels", "team")}, nil},
		{"locations", nil, []edit{setting([]any{"us-central1-b", "us-central1-a"}, "locations")}, []string{"locations"}},
		{"image", nil, []edit{setting("UBUNTU_CONTAINERD", "config", "imageType")}, []string{"imageType"}},
		{"machine and disk together", nil, []edit{
			setting("n1-standard-16", "config", "machineType"), setting(int64(300), "config", "diskSizeGb"), setting("pd-ssd", "config", "diskType"),
		}, []string{"diskSizeGb+diskType+machineType"}},
		{
			"workload metadata", []edit{setting("GCE_METADATA", "config", "workloadMetadataConfig", "mode")},
			[]edit{setting("GKE_METADATA", "config", "workloadMetadataConfig", "mode")},
			[]string{"workloadMetadataConfig"},
		},
		{
			"what steers goes before what it steers", nil,
			[]edit{
				setting("n1-standard-4", "config", "machineType"), setting(int64(4), "autoscaling", "maxNodeCount"),
				setting(map[string]any{"maxSurge": int64(2), "maxUnavailable": int64(0)}, "upgradeSettings"),
				setting([]any{"us-central1-a", "us-central1-c"}, "locations"), setting("x", "config", "labels", "x"),
			},
			[]string{"upgradeSettings", "setAutoscaling", "labels", "locations", "machineType"},
		},
	}
	for _, test := range tests {
		t.Run(test.reason, func(t *testing.T) {
			channel := &container.Cluster{Location: home.Location, Name: home.Name, ReleaseChannel: &container.ReleaseChannel{Channel: "UNSPECIFIED"}}
			in(t, emulator.Options{Clusters: []*container.Cluster{channel}}, func(t *testing.T, w *world) {
				w.apply(t, desired("user", test.base...))
				w.settled(t, desired("user", test.base...))
				was := w.wire(t, "user")
				asked := w.record()
				wanted := desired("user", test.edits...)
				changed := w.apply(t, wanted)
				if len(changed) != 1 || changed[0].Action != resource.Update || len(changed[0].Fields) == 0 {
					t.Fatalf("changes: %+v; want one update with fields", changed)
				}
				w.settled(t, wanted)
				if d := cmp.Diff(test.calls, asked()); d != "" {
					t.Errorf("calls (-want +got):\n%s", d)
				}
				back := wanted
				back.Object = changed[0].Before
				w.apply(t, back)
				if d := cmp.Diff(was, w.wire(t, "user")); d != "" && !blank(test.reason, d) {
					t.Errorf("undone it is not as it was (-before +now):\n%s", d)
				}
			})
		})
	}
}

// blank reports a difference that means nothing: what was absent is empty now.
func blank(reason, d string) bool {
	return reason == "workload metadata" && !strings.Contains(d, "GKE_METADATA")
}

// record returns a function that tells which changes were asked for since.
func (w *world) record() func() []string {
	var asked []string
	inner := w.c.HTTPClient.Transport
	w.c.HTTPClient.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
		if r.Method == http.MethodPut {
			text, _ := r.GetBody()
			var o map[string]any
			if err := json.NewDecoder(text).Decode(&o); err != nil {
				return nil, err
			}
			delete(o, "etag")
			if _, isNotes := o["resourceLabels"]; !isNotes {
				asked = append(asked, strings.Join(slices.Sorted(maps.Keys(o)), "+"))
			}
		}
		if _, verb, found := strings.Cut(last(r.URL.Path), ":"); found {
			asked = append(asked, verb)
		}
		return inner.RoundTrip(r)
	})
	return func() []string {
		w.c.HTTPClient.Transport = inner
		return asked
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

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
				before := w.writes()
				c := w.changes(t, wanted)[0]
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
		err = w.Write(w.ctx, c, run.Sight{State: run.AtBefore})
		if err == nil || !strings.Contains(err.Error(), "not ours to delete") || w.pool("user") == nil {
			t.Errorf("deleting nobody's pool: %v", err)
		}
	})
}

func TestDrift(t *testing.T) {
	in(t, emulator.Options{}, func(t *testing.T, w *world) {
		w.apply(t, desired("user"))
		time.Sleep(time.Hour) // of the bubble's clock
		svc, err := w.service(w.ctx)
		if err != nil {
			t.Fatal(err)
		}
		when := time.Now()
		_, err = svc.Projects.Locations.Clusters.NodePools.SetAutoscaling(w.Provider.pool("user"), &container.SetNodePoolAutoscalingRequest{
			Autoscaling: &container.NodePoolAutoscaling{Enabled: true, MaxNodeCount: 3},
		}).Do()
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		want := []resource.Foreign{{
			Path: "autoscaling.maxNodeCount", Manager: "unknown (GKE UPDATE_CLUSTER)", Time: when.UTC(), Wanted: int64(5), Live: int64(3),
		}}
		r, err := w.Read(w.ctx, []resource.Desired{desired("user")})
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, r.Observations[0].Foreign); d != "" {
			t.Errorf("Foreign (-want +got):\n%s", d)
		}
		// When the config moved, too, it is pending rather than drift.
		r, err = w.Read(w.ctx, []resource.Desired{desired("user", setting(int64(8), "autoscaling", "maxNodeCount"))})
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Observations[0]; len(got.Foreign) > 0 || got.Same {
			t.Errorf("a changed config is told as drift: %+v", got.Foreign)
		}
	})
}

// One look at the cluster is one request, however many pools there are.
func TestReadAsksOnce(t *testing.T) {
	in(t, emulator.Options{}, func(t *testing.T, w *world) {
		var all []resource.Desired
		for i := range 5 {
			all = append(all, desired(fmt.Sprintf("user-%d", i)))
		}
		w.apply(t, all...)
		before := len(w.server.Requests())
		w.settled(t, all...)
		if n := len(w.server.Requests()) - before; n != 1 {
			t.Errorf("reading 5 pools took %d requests, want 1", n)
		}
	})
}

func TestReadErrors(t *testing.T) {
	tests := []struct {
		fault emulator.Fault
		want  string
	}{
		{emulator.Fault{Kind: emulator.Status, Status: 403, Message: `Required "container.clusters.get" permission(s).`}, `read node pools of cluster hubs: Required "container.clusters.get" permission(s).`},
		{emulator.Fault{Kind: emulator.Status, Status: 404, Message: "Not found: projects/demo/zones/z/clusters/hubs."}, "Not found"},
		{emulator.Fault{Kind: emulator.Cut, Times: -1}, "connection cut"},
	}
	for _, test := range tests {
		t.Run(test.want, func(t *testing.T) {
			in(t, emulator.Options{Faults: []emulator.Fault{test.fault}}, func(t *testing.T, w *world) {
				began := time.Now()
				_, err := w.Read(w.ctx, nil)
				if err == nil || !strings.Contains(err.Error(), test.want) {
					t.Errorf("Read: %v, want %q", err, test.want)
				}
				if took := time.Since(began); took > 15*time.Second {
					t.Errorf("it took %v to give up", took)
				}
			})
		})
	}
}

// Values of metadata are secrets more often than not.
func TestSecretsStayHidden(t *testing.T) {
	in(t, emulator.Options{}, func(t *testing.T, w *world) {
		secret := setting(resource.Secret("hunter2"), "config", "metadata", "startup-script")
		w.apply(t, desired("user", secret))
		w.settled(t, desired("user", secret))
		if got := w.pool("user").NodePool.Config.Metadata["startup-script"]; got != "hunter2" {
			t.Errorf("GKE got %q", got)
		}
		err := w.server.Edit(home, "user", func(np *container.NodePool) { np.Config.Metadata["startup-script"] = "hunter3" })
		if err != nil {
			t.Fatal(err)
		}
		r, err := w.Read(w.ctx, []resource.Desired{desired("user", secret)})
		if err != nil {
			t.Fatal(err)
		}
		r.Observations[0].Live = nil // whole on purpose
		if text := fmt.Sprintf("%v", r); strings.Contains(text, "hunter") {
			t.Errorf("the reading tells a secret: %s", text)
		}
		c := w.changes(t, desired("user", secret))[0]
		c.Before.Set(resource.Secret("hunter4"), "config", "metadata", "startup-script")
		s, err := w.Look(w.ctx, c)
		if err != nil || s.State != run.Elsewhere || strings.Contains(s.Moved, "hunter") {
			t.Errorf("Look: %+v, %v; want it elsewhere, without the value", s, err)
		}
	})
}

func TestManyKeysAreRemembered(t *testing.T) {
	in(t, emulator.Options{}, func(t *testing.T, w *world) {
		labels := map[string]any{}
		for i := range 40 {
			labels[fmt.Sprintf("label-%d", i)] = "x"
		}
		w.apply(t, desired("user", setting(labels, "config", "labels")))
		w.settled(t, desired("user", setting(labels, "config", "labels")))
		few := desired("user", setting(map[string]any{"label-7": "x"}, "config", "labels"))
		c := w.apply(t, few)
		if len(c[0].Fields) != 39 {
			t.Errorf("%d fields differ, want the 39 labels that go", len(c[0].Fields))
		}
		if got := w.pool("user").NodePool.Config; len(got.Labels) != 1 || got.ResourceLabels[noteKeys+"-1"] != "" {
			t.Errorf("labels %v and resource labels %v are left", got.Labels, got.ResourceLabels)
		}
	})
}

func TestProbe(t *testing.T) {
	tests := []struct {
		status, code    string
		ready, terminal bool
	}{
		{"RUNNING", "", true, false},
		{"RUNNING", "CA_EXPIRING", true, false},
		{"RUNNING", "GCE_STOCKOUT", false, true},
		{"PROVISIONING", "", false, false},
		{"RECONCILING", "GCE_STOCKOUT", false, false},
		{"RUNNING_WITH_ERROR", "GCE_QUOTA_EXCEEDED", false, true},
		{"RUNNING_WITH_ERROR", "", false, false},
		{"ERROR", "", false, true},
		{"STOPPING", "", false, true},
	}
	for _, test := range tests {
		t.Run(test.status+test.code, func(t *testing.T) {
			in(t, emulator.Options{}, func(t *testing.T, w *world) {
				c := w.apply(t, desired("user"))[0]
				var conditions []*container.StatusCondition
				if test.code != "" {
					conditions = append(conditions, &container.StatusCondition{Code: test.code, Message: "why"})
				}
				if err := w.server.SetStatus(home, "user", test.status, conditions...); err != nil {
					t.Fatal(err)
				}
				h, err := w.Probe(w.ctx, c)
				if err != nil {
					t.Fatal(err)
				}
				if h.Ready != test.ready || h.Terminal != test.terminal || !h.Ready && h.Reason == "" {
					t.Errorf("Probe: %+v", h)
				}
			})
		})
	}
}

func TestNewRefuses(t *testing.T) {
	whole := Config{Cluster: "prod", Project: "p", Location: "l", Name: "n", Owner: "o"}
	tests := []struct {
		reason string
		edit   func(*Config)
	}{
		{"no project", func(c *Config) { c.Project = "" }},
		{"no owner", func(c *Config) { c.Owner = "" }},
		{"no URL", func(c *Config) { c.Endpoint = "localhost:80" }},
		{"a file", func(c *Config) { c.Endpoint = "file:///etc/passwd" }},
	}
	for _, test := range tests {
		c := whole
		test.edit(&c)
		if _, err := New(c); err == nil {
			t.Errorf("%s: want an error", test.reason)
		}
	}
	if _, err := New(whole); err != nil {
		t.Errorf("a whole config: %v", err)
	}
}

// Without credentials nothing works, but making a provider does.
func TestNoCredentials(t *testing.T) {
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", t.TempDir()+"/none.json")
	p, err := New(Config{Cluster: "prod", Project: "p", Location: "l", Name: "n", Owner: "o"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Read(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "find Google credentials") {
		t.Errorf("Read: %v, want it to speak of credentials", err)
	}
}

func TestClusterAccess(t *testing.T) {
	in(t, emulator.Options{}, func(t *testing.T, w *world) {
		if err := w.server.SetEndpoint(home, "127.0.0.1:6443", "Q0E="); err != nil {
			t.Fatal(err)
		}
		a, err := w.Cluster(w.ctx)
		if err != nil || a.Host != "https://127.0.0.1:6443" || string(a.CAData) != "CA" {
			t.Errorf("Cluster: %+v, %v", a, err)
		}
		if a.Wrap(http.DefaultTransport) != http.DefaultTransport {
			t.Error("Wrap adds something without credentials")
		}
		if err := w.server.SetEndpoint(home, "127.0.0.1:6443", "no base64"); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Cluster(w.ctx); err == nil {
			t.Error("a broken certificate is taken")
		}
		if err := w.server.SetEndpoint(home, "", ""); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Cluster(w.ctx); err == nil || !strings.Contains(err.Error(), "no endpoint") {
			t.Errorf("Cluster without an endpoint: %v", err)
		}
	})
}

// A cluster that is gone has no pools to delete, and none can be made in it.
func TestClusterGone(t *testing.T) {
	in(t, emulator.Options{}, func(t *testing.T, w *world) {
		w.apply(t, desired("user"))
		gone := w.changes(t)[0]
		other := w.changes(t, desired("user"), desired("core"))[0]
		svc, err := w.service(w.ctx)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := svc.Projects.Locations.Clusters.Delete(w.cluster()).Do(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if err := w.write(t, gone); err != nil {
			t.Errorf("deleting: %v", err)
		}
		if h, err := w.Probe(w.ctx, gone); err != nil || !h.Ready {
			t.Errorf("Probe of the deletion: %+v, %v", h, err)
		}
		if err := w.write(t, other); !errors.Is(err, errNoCluster) {
			t.Errorf("creating: %v, want it to say that the cluster is gone", err)
		}
	})
}

// Two writes to one cluster follow one another.
func TestWritesTakeTurns(t *testing.T) {
	in(t, emulator.Options{}, func(t *testing.T, w *world) {
		done := make(chan error)
		for _, c := range w.changes(t, desired("a"), desired("b"), desired("c")) {
			go func() { done <- w.Write(context.Background(), c, run.Sight{State: run.AtBefore}) }()
		}
		for range 3 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		for _, r := range w.server.Requests() {
			if r.Status == http.StatusBadRequest {
				t.Errorf("%s %s met another operation of ours", r.Method, r.Path)
			}
		}
	})
}

// What the author left out of a new pool is what GKE would choose, although
// something beside it is said.
func TestCreationIsComplete(t *testing.T) {
	tests := []struct {
		reason string
		edits  []edit
		want   string // JSON of the part
		part   string
		nodes  int
	}{
		{"one flag of two", []edit{setting(true, "management", "autoUpgrade")}, `{"autoRepair":true,"autoUpgrade":true}`, "management", 2},
		{"one number of two", []edit{setting(int64(1), "upgradeSettings", "maxUnavailable")}, `{"maxSurge":1,"maxUnavailable":1,"strategy":"SURGE"}`, "upgradeSettings", 2},
		{"surge of zero", []edit{setting(int64(0), "upgradeSettings", "maxSurge"), setting(int64(1), "upgradeSettings", "maxUnavailable")}, `{"maxUnavailable":1,"strategy":"SURGE"}`, "upgradeSettings", 2},
		{"minimum of nodes", []edit{func(o resource.Object) { delete(o, "initialNodeCount") }, setting(int64(3), "autoscaling", "minNodeCount")}, `null`, "placementPolicy", 3},
		{"minimum of nodes in all", []edit{func(o resource.Object) {
			delete(o, "initialNodeCount")
			o["autoscaling"] = map[string]any{"enabled": true, "totalMinNodeCount": int64(3), "totalMaxNodeCount": int64(9)}
		}, setting([]any{"us-central1-a", "us-central1-b"}, "locations")}, `null`, "placementPolicy", 4},
		{"no nodes", []edit{setting(int64(0), "initialNodeCount")}, `null`, "placementPolicy", 0},
	}
	for _, test := range tests {
		t.Run(test.reason, func(t *testing.T) {
			in(t, emulator.Options{}, func(t *testing.T, w *world) {
				w.apply(t, desired("user", test.edits...))
				w.settled(t, desired("user", test.edits...))
				got, err := json.Marshal(w.wire(t, "user")[test.part])
				if err != nil || string(got) != test.want {
					t.Errorf("%s = %s (%v), want %s", test.part, got, err, test.want)
				}
				if n := w.pool("user").Nodes; n != test.nodes {
					t.Errorf("%d nodes, want %d", n, test.nodes)
				}
			})
		})
	}
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
