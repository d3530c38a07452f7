package gke

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	container "google.golang.org/api/container/v1"

	"hubcap/engine/resource"
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
