package emulator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	container "google.golang.org/api/container/v1"
)

var home = ClusterRef{Project: "demo", Location: "us-central1-a", Name: "hubs"}

const (
	clusterPath = "/v1/projects/demo/locations/us-central1-a/clusters/hubs"
	poolsPath   = clusterPath + "/nodePools"
)

// A client talks to the server without a network.
type client struct {
	*Server
	t *testing.T
}

// in runs f with a server under a fake clock.
func in(t *testing.T, o Options, f func(t *testing.T, c *client)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		o.Project = home.Project
		if o.Clusters == nil {
			o.Clusters = []*container.Cluster{{Location: home.Location, Name: home.Name}}
		}
		s, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		f(t, &client{Server: s, t: t})
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
}

// do asks and returns status and body; body may be a string of JSON.
func (c *client) do(method, path, body string) (int, map[string]any) {
	c.t.Helper()
	r, err := http.NewRequest(method, "http://gke"+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	a, err := c.Transport().RoundTrip(r)
	if err != nil {
		return 0, map[string]any{"cut": err.Error()}
	}
	defer a.Body.Close()
	var got map[string]any
	if err := json.NewDecoder(a.Body).Decode(&got); err != nil {
		c.t.Fatalf("%s %s: %v", method, path, err)
	}
	return a.StatusCode, got
}

// ok asks, requires success, and waits until the operation is done.
func (c *client) ok(method, path, body string) map[string]any {
	c.t.Helper()
	status, got := c.do(method, path, body)
	if status != http.StatusOK {
		c.t.Fatalf("%s %s: %d %v", method, path, status, got)
	}
	if name, isOperation := got["name"].(string); isOperation && strings.HasPrefix(name, "operation-") {
		time.Sleep(time.Minute)
		return c.operation(name)
	}
	return got
}

func (c *client) operation(name string) map[string]any {
	c.t.Helper()
	_, got := c.do("GET", "/v1/projects/demo/locations/us-central1-a/operations/"+name, "")
	return got
}

const poolBody = `{"nodePool":{"name":"user","initialNodeCount":2,"config":{"machineType":"n1-standard-8","localSsdCount":1}}}`

func message(body map[string]any) string {
	e, _ := body["error"].(map[string]any)
	return fmt.Sprint(e["status"], " ", e["message"])
}

func TestRefusals(t *testing.T) {
	create := func(pool string) string { return `{"nodePool":` + pool + `}` }
	tests := []struct {
		reason, method, path, body string
		status                     int
		want                       string
	}{
		{"no such cluster", "GET", strings.Replace(clusterPath, "hubs", "x", 1), "", 404, "NOT_FOUND Not found: projects/demo/zones/us-central1-a/clusters/x."},
		{"no such pool", "GET", poolsPath + "/x", "", 404, `NOT_FOUND Not found: node pool "x" not found.`},
		{"no such method", "PATCH", poolsPath + "/user", "", 404, "NOT_FOUND"},
		{"no such verb", "POST", poolsPath + "/user:setColour", "{}", 404, "NOT_FOUND"},
		{"no such operation", "GET", "/v1/projects/demo/locations/us-central1-a/operations/operation-0", "", 404, "NOT_FOUND"},
		{"name in use", "POST", poolsPath, poolBody, 409, "ALREADY_EXISTS Already exists: projects/demo/zones/us-central1-a/clusters/hubs/nodePools/user."},
		{"no JSON", "POST", poolsPath, "{", 400, "INVALID_ARGUMENT Invalid JSON"},
		{"no pool", "POST", poolsPath, "{}", 400, "INVALID_ARGUMENT NodePool must be set."},
		{"unknown field", "POST", poolsPath, create(`{"name":"a","colour":"red"}`), 400, `Unknown name "colour"`},
		{"bad name", "POST", poolsPath, create(`{"name":"User"}`), 400, "INVALID_ARGUMENT"},
		{"long name", "POST", poolsPath, create(`{"name":"` + strings.Repeat("a", 41) + `"}`), 400, "INVALID_ARGUMENT"},
		{"unknown machine", "POST", poolsPath, create(`{"name":"a","config":{"machineType":"n1-standrad-8"}}`), 400, "does not exist"},
		{"local SSD on e2", "POST", poolsPath, create(`{"name":"a","config":{"machineType":"e2-standard-8","localSsdCount":1}}`), 400, "local SSD"},
		{"local SSD of two modes", "POST", poolsPath, create(`{"name":"a","config":{"machineType":"n1-standard-8","localSsdCount":1,"ephemeralStorageLocalSsdConfig":{"localSsdCount":1}}}`), 400, "Can not use local SSDs as volumes"},
		{"a count that the type cannot have", "POST", poolsPath, create(`{"name":"a","config":{"machineType":"n2-standard-32","localSsdCount":2}}`), 400, "local SSD count 2"},
		{"small disk", "POST", poolsPath, create(`{"name":"a","config":{"diskSizeGb":10}}`), 400, "disk_size_gb"},
		{"Kubernetes' spelling of an effect", "POST", poolsPath, create(`{"name":"a","config":{"taints":[{"key":"k","effect":"NoSchedule"}]}}`), 400, "NoSchedule"},
		{"upper case resource label", "POST", poolsPath, create(`{"name":"a","config":{"resourceLabels":{"Team":"a"}}}`), 400, "resource label"},
		{"min above max", "POST", poolsPath, create(`{"name":"a","autoscaling":{"enabled":true,"minNodeCount":5,"maxNodeCount":2}}`), 400, "min_node_count"},
		{"both kinds of bounds", "POST", poolsPath, create(`{"name":"a","autoscaling":{"enabled":true,"maxNodeCount":2,"totalMaxNodeCount":2}}`), 400, "mutually exclusive"},
		{"release channel", "POST", poolsPath, create(`{"name":"a","management":{}}`), 400, "release_channel REGULAR"},
		{"release channel later", "POST", poolsPath + "/user:setManagement", `{"management":{"autoRepair":true}}`, 400, "release_channel REGULAR"},
		{"nothing to update", "PUT", poolsPath + "/user", `{"nodePoolId":"user"}`, 400, "Must specify a field to update."},
		{"what cannot be updated", "PUT", poolsPath + "/user", `{"localSsdCount":2}`, 400, `Unknown name "localSsdCount"`},
		{"two groups", "PUT", poolsPath + "/user", `{"labels":{},"machineType":"n1-standard-4"}`, 400, "Only one of"},
		{"no surge at all", "PUT", poolsPath + "/user", `{"upgradeSettings":{}}`, 400, "cannot both be 0"},
		{"another etag", "PUT", poolsPath + "/user", `{"labels":{},"etag":"old"}`, 409, "ABORTED"},
		{"negative size", "POST", poolsPath + "/user:setSize", `{"nodeCount":-1}`, 400, "node_count"},
		{"an operation that cannot be cancelled", "POST", "/v1/projects/demo/locations/us-central1-a/operations/OP:cancel", "", 400, "FAILED_PRECONDITION"},
		{"quota", "POST", poolsPath + "/user:setSize", `{"nodeCount":9}`, 403, "PERMISSION_DENIED Insufficient regional quota to satisfy request: resource \"CPUS\": request requires '56.0' and is short '32.0'. project has a quota of '40.0' with '24.0' available."},
	}
	for _, test := range tests {
		t.Run(test.reason, func(t *testing.T) {
			in(t, Options{Limits: map[string]float64{"CPUS": 40}}, func(t *testing.T, c *client) {
				created := c.ok("POST", poolsPath, poolBody)
				path := strings.Replace(test.path, "OP", fmt.Sprint(created["name"]), 1)
				status, got := c.do(test.method, path, test.body)
				if status != test.status || !strings.Contains(message(got), test.want) {
					t.Errorf("%d %s, want %d %s", status, message(got), test.status, test.want)
				}
				if pools := c.Pools(); len(pools) != 1 || pools[0].Nodes != 2 || pools[0].NodePool.Status != "RUNNING" {
					t.Errorf("the refused request left a trace: %+v", pools)
				}
			})
		})
	}
}

func TestOneOperationAtATime(t *testing.T) {
	in(t, Options{}, func(t *testing.T, c *client) {
		_, first := c.do("POST", poolsPath, poolBody)
		status, got := c.do("POST", poolsPath, strings.Replace(poolBody, "user", "core", 1))
		want := fmt.Sprintf("FAILED_PRECONDITION Operation %s is currently creating a node pool for cluster hubs.", first["name"])
		if status != 400 || !strings.HasPrefix(message(got), want) {
			t.Errorf("%d %s, want %s", status, message(got), want)
		}
		if status, got := c.do("POST", poolsPath+"/user:setManagement", `{"management":{"autoRepair":true,"autoUpgrade":true}}`); status != 200 {
			t.Errorf("management: %d %v, want it beside the other", status, got)
		}
		time.Sleep(time.Minute)
		c.ok("POST", poolsPath, strings.Replace(poolBody, "user", "core", 1))
	})
}

func TestStates(t *testing.T) {
	in(t, Options{Pending: time.Second, Work: 10 * time.Second}, func(t *testing.T, c *client) {
		_, op := c.do("POST", poolsPath, poolBody)
		name := op["name"].(string)
		at := func(after time.Duration, operation, pool string) {
			t.Helper()
			time.Sleep(after)
			_, p := c.do("GET", poolsPath+"/user", "")
			if got := c.operation(name); got["status"] != operation || p["status"] != pool {
				t.Errorf("operation %v and pool %v, want %s and %s", got["status"], p["status"], operation, pool)
			}
		}
		at(0, "PENDING", "PROVISIONING")
		at(2*time.Second, "RUNNING", "PROVISIONING")
		at(10*time.Second, "DONE", "RUNNING")
		_, op = c.do("PUT", poolsPath+"/user", `{"machineType":"n1-standard-16"}`)
		name = op["name"].(string)
		at(12*time.Second, "RUNNING", "RECONCILING")
		progress := fmt.Sprint(c.operation(name)["progress"])
		if !strings.Contains(progress, "intValue:1 name:NODES_DONE") || !strings.Contains(progress, "intValue:2 name:NODES_TOTAL") {
			t.Errorf("progress with one of two nodes made: %s", progress)
		}
		if status, got := c.do("POST", "/v1/projects/demo/locations/us-central1-a/operations/"+name+":cancel", ""); status != 200 {
			t.Errorf("cancel: %d %v", status, got)
		}
		at(time.Millisecond, "ABORTING", "RECONCILING")
		at(2*time.Second, "DONE", "RUNNING")
		if got := c.operation(name); got["error"] == nil || got["statusMessage"] == nil {
			t.Errorf("a cancelled operation has no error: %v", got)
		}
		if got := c.Pools()[0].NodePool.Config.MachineType; got != "n1-standard-8" {
			t.Errorf("the cancelled update made the machine type %s", got)
		}
	})
}

func TestUpdates(t *testing.T) {
	tests := []struct {
		reason, method, path, body string
		check                      func(p Pool) any
		want                       any
	}{
		{"size in each zone", "POST", ":setSize", `{"nodeCount":3}`, func(p Pool) any { return p.Nodes }, 3},
		{"size of zero", "POST", ":setSize", `{}`, func(p Pool) any { return p.Nodes }, 0},
		{"another zone", "PUT", "", `{"locations":["us-central1-a","us-central1-b"]}`, func(p Pool) any { return []any{p.Nodes, len(p.NodePool.InstanceGroupUrls)} }, []any{4, 2}},
		{"labels are replaced", "PUT", "", `{"labels":{"labels":{"b":"2"}}}`, func(p Pool) any { return p.NodePool.Config.Labels }, map[string]string{"b": "2"}},
		{"labels are cleared", "PUT", "", `{"labels":{}}`, func(p Pool) any { return len(p.NodePool.Config.Labels) }, 0},
		{"GKE's own resource labels stay", "PUT", "", `{"resourceLabels":{"labels":{"b":"2"}}}`, func(p Pool) any { return p.NodePool.Config.ResourceLabels }, map[string]string{"b": "2", serverLabel: "on-demand"}},
		{"the disk has two spellings", "PUT", "", `{"diskSizeGb":"250"}`, func(p Pool) any { return p.NodePool.Config.BootDisk.SizeGb }, int64(250)},
		{"a number left out is not kept", "PUT", "", `{"upgradeSettings":{"maxUnavailable":2}}`, func(p Pool) any { return p.NodePool.UpgradeSettings.MaxSurge }, int64(0)},
		{"to a type with local SSDs nothing happens", "PUT", "", `{"machineType":"c3-standard-8-lssd"}`, func(p Pool) any { return p.NodePool.Config.MachineType }, "n1-standard-8"},
		{"bounds do not size", "POST", ":setAutoscaling", `{"autoscaling":{"enabled":true,"minNodeCount":5,"maxNodeCount":9}}`, func(p Pool) any { return p.Nodes }, 2},
	}
	for _, test := range tests {
		t.Run(test.reason, func(t *testing.T) {
			in(t, Options{}, func(t *testing.T, c *client) {
				c.ok("POST", poolsPath, strings.Replace(poolBody, `"localSsdCount"`, `"labels":{"a":"1"},"localSsdCount"`, 1))
				before := c.Pools()[0].NodePool.Etag
				op := c.ok(test.method, poolsPath+"/user"+test.path, test.body)
				if op["status"] != "DONE" || op["error"] != nil {
					t.Fatalf("operation: %v", op)
				}
				if d := cmp.Diff(test.want, test.check(c.Pools()[0])); d != "" {
					t.Errorf("(-want +got):\n%s", d)
				}
				if c.Pools()[0].NodePool.Etag == before {
					t.Error("the etag is as before")
				}
			})
		})
	}
}

func TestRegionalCluster(t *testing.T) {
	cluster := &container.Cluster{Location: "us-central1", Name: "hubs"}
	in(t, Options{Clusters: []*container.Cluster{cluster}}, func(t *testing.T, c *client) {
		path := strings.Replace(poolsPath, "us-central1-a", "us-central1", 1)
		status, op := c.do("POST", path, poolBody)
		if status != 200 || op["location"] != "us-central1" || !strings.Contains(fmt.Sprint(op["selfLink"]), "/locations/us-central1/") {
			t.Errorf("operation: %d %v", status, op)
		}
		time.Sleep(time.Minute)
		if p := c.Pools()[0]; p.Nodes != 6 || len(p.NodePool.Locations) != 3 {
			t.Errorf("%d nodes in %v, want 2 in each of 3 zones", p.Nodes, p.NodePool.Locations)
		}
		_, all := c.do("GET", "/v1/projects/demo/locations/-/clusters", "")
		if len(all["clusters"].([]any)) != 1 {
			t.Errorf("clusters everywhere: %v", all)
		}
	})
}

func TestClusters(t *testing.T) {
	in(t, Options{Clusters: []*container.Cluster{}}, func(t *testing.T, c *client) {
		parent := strings.TrimSuffix(clusterPath, "/hubs")
		op := c.ok("POST", parent, `{"cluster":{"name":"hubs","initialNodeCount":1}}`)
		if op["operationType"] != "CREATE_CLUSTER" || op["status"] != "DONE" {
			t.Errorf("operation: %v", op)
		}
		got := c.ok("GET", clusterPath, "")
		if got["status"] != "RUNNING" || got["currentNodeCount"] != float64(1) {
			t.Errorf("cluster: status %v with %v nodes", got["status"], got["currentNodeCount"])
		}
		if status, _ := c.do("POST", parent, `{"cluster":{"name":"hubs"}}`); status != 409 {
			t.Errorf("creating it again: %d", status)
		}
		c.ok("PUT", clusterPath, `{"update":{"desiredNodePoolId":"default-pool","desiredNodePoolAutoscaling":{"enabled":true,"maxNodeCount":4}}}`)
		if got := c.Pools()[0].NodePool.Autoscaling; got == nil || got.MaxNodeCount != 4 {
			t.Errorf("autoscaling: %+v", got)
		}
		c.ok("DELETE", clusterPath, "")
		if status, _ := c.do("GET", clusterPath, ""); status != 404 || len(c.Pools()) != 0 {
			t.Errorf("after deletion: %d, %v", status, c.Pools())
		}
	})
}

// Faults can be armed over HTTP, for those who play in a shell.
func TestControl(t *testing.T) {
	s, err := New(Options{Project: "demo", Clusters: []*container.Cluster{{Location: home.Location, Name: home.Name}}})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(s)
	defer func() {
		web.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	ask := func(method, path, body string) (int, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, web.URL+path, bytes.NewReader([]byte(body)))
		if err != nil {
			t.Fatal(err)
		}
		a, err := web.Client().Do(r)
		if err != nil {
			return 0, err.Error()
		}
		defer a.Body.Close()
		text, err := io.ReadAll(a.Body)
		if err != nil {
			t.Fatal(err)
		}
		return a.StatusCode, string(text)
	}
	tests := []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"POST", "/_emulator/faults", `{"method":"GET","path":"nodePools$","kind":"status","status":418,"message":"tea","nth":2}`, 200, `"tea"`},
		{"GET", poolsPath, "", 200, "{}"},
		{"GET", poolsPath, "", 418, "tea"},
		{"GET", poolsPath, "", 200, "{}"},
		{"POST", "/_emulator/faults", `{"kind":"cut","delay":"1ms","times":-1}`, 200, `"delay": "1ms"`},
		{"GET", poolsPath, "", 0, "EOF"},
		{"POST", "/_emulator/faults", `{"kind":"unheard of"}`, 400, "unknown kind"},
		{"POST", "/_emulator/faults", `{"kind":"cut","path":"("}`, 400, "regexp"},
		{"POST", "/_emulator/faults", `{"kind":"cut","delay":"soon"}`, 400, "duration"},
		{"DELETE", "/_emulator/faults", "", 200, `"faults": []`},
		{"POST", "/_emulator/nodes", `{"cluster":{"project":"demo","location":"us-central1-a","name":"hubs"},"pool":"x","nodes":1}`, 400, "not found"},
		{"POST", "/_emulator/operations", `{"cluster":{"project":"demo","location":"us-central1-a","name":"hubs"},"type":"UPGRADE_MASTER","rounds":3}`, 200, "operation-"},
		{"GET", "/_emulator/state", "", 200, "UPGRADE_MASTER"},
		{"GET", "/_emulator/requests", "", 200, `"status": 418`},
		{"POST", "/_emulator/release", "", 200, "{}"},
		{"GET", "/_emulator/else", "", 404, "Not found"},
		{"GET", "/elsewhere", "", 404, "Not found"},
	}
	for _, test := range tests {
		status, text := ask(test.method, test.path, test.body)
		if status != test.status || !strings.Contains(text, test.want) {
			t.Errorf("%s %s %s: %d %s, want %d %s", test.method, test.path, test.body, status, text, test.status, test.want)
		}
	}
}

func TestMachines(t *testing.T) {
	tests := []struct {
		name  string
		want  Machine
		known bool
	}{
		{"n1-standard-8", Machine{CPUs: 8, MemoryMiB: 30720}, true},
		{"n1-highmem-8", Machine{CPUs: 8, MemoryMiB: 53248}, true},
		{"n2-highmem-64", Machine{CPUs: 64, MemoryMiB: 524288}, true},
		{"e2-medium", Machine{CPUs: 2, MemoryMiB: 4096}, true},
		{"n2-custom-6-20480", Machine{CPUs: 6, MemoryMiB: 20480}, true},
		{"c3-standard-22-lssd", Machine{CPUs: 22, MemoryMiB: 90112, LocalSSDs: 4}, true},
		{"c3-standard-22-lsd", Machine{}, false},
		{"n2-standard-22-lssd", Machine{}, false},
		{"n1-standard", Machine{}, false},
		{"n1-standard--8", Machine{}, false},
		{"z9-standard-8", Machine{}, false},
		{"", Machine{}, false},
	}
	for _, test := range tests {
		got, known := MachineOf(test.name)
		if known != test.known || known && got != test.want {
			t.Errorf("MachineOf(%q) = %+v, %v; want %+v, %v", test.name, got, known, test.want, test.known)
		}
	}
}
