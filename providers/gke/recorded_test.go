package gke

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	container "google.golang.org/api/container/v1"

	"hubcap/engine/resource"
	"hubcap/providers/gke/emulator"
)

// varying is what no two recordings have alike; only its presence counts.
var varying = regexp.MustCompile(`(^|\.)(name|etag|selfLink|targetLink|startTime|endTime|image|podRange|tpmBootstrapCertExpireTime|instanceGroupUrls)$`)

// neutral replaces what varies by its shape: digits by 0 and letters by x would
// hide too much, so links keep their words and lose their numbers and hashes.
func neutral(path string, v any) any {
	switch v := v.(type) {
	case map[string]any:
		m := map[string]any{}
		for key, e := range v {
			m[key] = neutral(join(path, key), e)
		}
		return m
	case []any:
		list := make([]any, len(v))
		for i, e := range v {
			list[i] = neutral(path, e)
		}
		return list
	case string:
		if !varying.MatchString(path) {
			return v
		}
		for _, r := range []struct{ from, to string }{
			{`operation-[-0-9a-z]+`, "operation-N"}, {`projects/[0-9]+/`, "projects/N/"}, {`-[0-9a-f]{8}-grp$`, "-H-grp"},
			{`^[-0-9]+T[:.0-9]+Z$`, "time"}, {`^[0-9a-f]{11}=$|^abcdef0123A=$`, "etag"},
		} {
			v = regexp.MustCompile(r.from).ReplaceAllString(v, r.to)
		}
		return v
	}
	return v
}

func recorded(t *testing.T, name string) map[string]any {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	var v map[string]any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return v
}

// The emulator answers what GKE answered: the same fields are there, the same
// are not, with the same values. What the provider relies on it shows.
func TestRecordedBodies(t *testing.T) {
	const pools = "/v1/projects/demo/locations/us-central1-a/clusters/hubs/nodePools"
	in(t, emulator.Options{}, func(t *testing.T, w *world) {
		ask := func(method, path, request string, code int, answer string) map[string]any {
			t.Helper()
			var body io.Reader = http.NoBody
			if request != "" {
				text, err := json.Marshal(recorded(t, request))
				if err != nil {
					t.Fatal(err)
				}
				body = bytes.NewReader(text)
			}
			r, err := http.NewRequestWithContext(w.ctx, method, "http://gke"+path, body)
			if err != nil {
				t.Fatal(err)
			}
			a, err := w.c.HTTPClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer a.Body.Close()
			var got map[string]any
			if err := json.NewDecoder(a.Body).Decode(&got); err != nil {
				t.Fatal(err)
			}
			if a.StatusCode != code {
				t.Fatalf("%s %s: %d, want %d: %v", method, path, a.StatusCode, code, got)
			}
			if d := cmp.Diff(neutral("", recorded(t, answer)), neutral("", got)); d != "" {
				t.Errorf("%s %s (-%s +emulator):\n%s", method, path, answer, d)
			}
			return got
		}
		operation := func(answer map[string]any) string {
			time.Sleep(time.Minute) // of the bubble's clock
			return "/v1/projects/demo/locations/us-central1-a/operations/" + answer["name"].(string)
		}
		ask("GET", strings.Replace(strings.TrimSuffix(pools, "/nodePools"), "hubs", "none", 1), "", 404, "no_cluster.json")
		ask("GET", pools+"/user", "", 404, "no_pool.json")
		ask("GET", operation(ask("POST", pools, "create_request.json", 200, "create_answer.json")), "", 200, "create_done.json")
		ask("GET", pools+"/user", "", 200, "created.json")
		ask("GET", operation(ask("PUT", pools+"/user", "update_request.json", 200, "update_answer.json")), "", 200, "update_done.json")
		ask("GET", pools+"/user", "", 200, "updated.json")
		ask("GET", operation(ask("DELETE", pools+"/user", "", 200, "delete_answer.json")), "", 200, "delete_done.json")
		ask("GET", pools+"/user", "", 404, "no_pool.json")
	})
}

// The provider understands what GKE answers: a pool as recorded is as its author
// wants it, and what can be written of it is what a creation takes.
func TestReadsRecordedPool(t *testing.T) {
	text, err := json.Marshal(recorded(t, "created.json"))
	if err != nil {
		t.Fatal(err)
	}
	var np container.NodePool
	if err := json.Unmarshal(text, &np); err != nil {
		t.Fatal(err)
	}
	p, err := New(Config{Cluster: "prod", Project: "demo", Location: "us-central1-a", Name: "hubs", Owner: "default"})
	if err != nil {
		t.Fatal(err)
	}
	live, err := p.live(&np)
	if err != nil {
		t.Fatal(err)
	}
	want := resource.Object{
		"name":              "user",
		"initialNodeCount":  int64(7),
		"management":        map[string]any{"autoRepair": true},
		"upgradeSettings":   map[string]any{"maxSurge": int64(1), "maxUnavailable": int64(0)},
		"maxPodsConstraint": map[string]any{"maxPodsPerNode": "110"},
		"autoscaling":       map[string]any{"enabled": false},
		"config": map[string]any{
			"machineType": "n2-standard-4", "diskSizeGb": int64(100), "spot": false, "localSsdCount": int64(0),
			"ephemeralStorageLocalSsdConfig": map[string]any{"localSsdCount": int64(1)},
			"labels":                         map[string]any{},
			"bootDisk":                       map[string]any{"sizeGb": int64(100)},
		},
	}
	d := resource.Desired{ID: live.ID, Object: want}
	if o := p.observe(d, live, &seals{p: p}); !o.Same {
		t.Errorf("the recorded pool differs: %v", differing(leaves(want), leaves(live.Object)))
	}
	request, err := body[container.CreateNodePoolRequest](resource.Object{"nodePool": map[string]any(live.Object)})
	if err != nil {
		t.Fatalf("what is writable of it: %v", err)
	}
	if np := request.NodePool; np.Etag != "" || np.Status != "" || np.SelfLink != "" || len(np.InstanceGroupUrls) > 0 {
		t.Errorf("what is writable of it has what GKE alone writes: %+v", np)
	}
}

// Requests say exactly what the tree says, zero values included.
func TestBody(t *testing.T) {
	tests := []struct {
		reason string
		tree   resource.Object
		want   string
	}{
		{"zeros are sent", resource.Object{"autoscaling": map[string]any{"enabled": false, "minNodeCount": int64(0)}}, `{"autoscaling":{"enabled":false,"minNodeCount":0}}`},
		{"an empty list is sent", resource.Object{"taints": map[string]any{"taints": []any{}}}, `{"taints":{"taints":[]}}`},
		{"an empty map is sent", resource.Object{"labels": map[string]any{"labels": map[string]any{}}}, `{"labels":{"labels":{}}}`},
		{"a number that is spelt as text", resource.Object{"diskSizeGb": int64(200)}, `{"diskSizeGb":"200"}`},
		{"a null is nothing", resource.Object{"labels": map[string]any{"labels": map[string]any{"a": nil, "b": "1"}}}, `{"labels":{"labels":{"b":"1"}}}`},
		{"a list of structs", resource.Object{"taints": map[string]any{"taints": []any{map[string]any{"key": "k", "value": "", "effect": "NO_SCHEDULE"}}}}, `{"taints":{"taints":[{"effect":"NO_SCHEDULE","key":"k","value":""}]}}`},
		{"a sensitive value", resource.Object{"labels": map[string]any{"labels": map[string]any{"a": resource.Secret("s")}}}, `{"labels":{"labels":{"a":"s"}}}`},
	}
	for _, test := range tests {
		t.Run(test.reason, func(t *testing.T) {
			if _, isScaling := test.tree["autoscaling"]; isScaling {
				same[container.SetNodePoolAutoscalingRequest](t, test.tree, test.want)
				return
			}
			same[container.UpdateNodePoolRequest](t, test.tree, test.want)
		})
	}
	if _, err := body[container.UpdateNodePoolRequest](resource.Object{"localSsdCount": int64(1)}); err == nil {
		t.Error("a field that an update does not have is taken")
	}
}

func same[T any](t *testing.T, o resource.Object, want string) {
	t.Helper()
	request, err := body[T](o)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	var got, wanted any
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(want), &wanted); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(wanted, got); d != "" {
		t.Errorf("sent (-want +got):\n%s", d)
	}
}

// Whatever GKE learns to change in place, or to refuse, the table of groups is
// held against the types of its API: what an update cannot carry is a new pool.
func TestGroupsMatchTheAPI(t *testing.T) {
	updatable := jsonFields(reflect.TypeFor[container.UpdateNodePoolRequest]())
	for _, field := range jsonFields(reflect.TypeFor[container.NodeConfig]()) {
		g := leaf{field: "config." + field}.groupOf()
		carried := slices.Contains(updatable, field)
		if carried == (g == groupReplace) && !slices.Contains(unsure, field) {
			t.Errorf("config.%s: an update carries it: %v; it is a new pool: %v", field, carried, g == groupReplace)
		}
	}
}

// unsure are fields that an update carries and that GKE is not known to change
// in place: a new pool is the safe way.
var unsure = []string{"accelerators", "consolidationDelay", "flexStart", "maxRunDuration"}

func jsonFields(t reflect.Type) []string {
	var names []string
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		if name != "" && name != "-" {
			names = append(names, name)
		}
	}
	return names
}
