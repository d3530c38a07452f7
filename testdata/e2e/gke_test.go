//go:build e2e

package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	container "google.golang.org/api/container/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// onePool is a config of one node pool named after the config; %[3]s goes into
// the block.
const onePool = `
hubcap {
  name              = "%[1]s"
  journal_namespace = "%[1]s"
}

cluster "c" {
  project  = "hubcap-demo"
  location = "us-central1-a"
  name     = "binder"
  endpoint = "%[2]s"
}

node_pool "%[1]s" {
  %[3]s
}
`

// A shape is the content of a pool's block.
type shape map[string]string

func (s shape) String() string {
	keys := []string{}
	for key := range s {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	var b strings.Builder
	for _, key := range keys {
		if block, is := strings.CutPrefix(s[key], "BLOCK"); is {
			fmt.Fprintf(&b, "%s %s\n", key, block)
			continue
		}
		fmt.Fprintf(&b, "%s = %s\n", key, s[key])
	}
	return b.String()
}

func (s shape) with(key, value string) shape {
	other := shape{}
	for k, v := range s {
		other[k] = v
	}
	other[key] = value
	return other
}

var usual = shape{
	"machine_type": `"n2-standard-8"`,
	"autoscaling":  "BLOCK{\n min = 1\n max = 3\n}",
	"labels":       `{ "hub.jupyter.org/node-purpose" = "user" }`,
}

func newPool(t *testing.T, name string) *world {
	t.Helper()
	setUp(t)
	return newWorld(t, name, name, map[string]string{"main.hcl": ""}).shaped(usual)
}

func (w *world) shaped(s shape) *world {
	w.t.Helper()
	w.write("main.hcl", fmt.Sprintf(onePool, w.name, site.sandbox.GKEEndpoint, s))
	return w
}

// poolsOf returns the pools of this world's block: their names begin with it.
func (w *world) poolsOf() (own []*container.NodePool) {
	w.t.Helper()
	for _, p := range pools(w.t) {
		if strings.HasPrefix(p.Name, w.name+"-") {
			own = append(own, p)
		}
	}
	return own
}

func (w *world) pool() *container.NodePool {
	w.t.Helper()
	own := w.poolsOf()
	if len(own) != 1 {
		w.t.Fatalf("there are %d pools of block %s, want one", len(own), w.name)
	}
	return own[0]
}

// applied applies, and checks that the next plan is empty.
func (w *world) applied(args ...string) result {
	w.t.Helper()
	r := w.hubcap(applier, 0, append([]string{"apply", "--auto-approve"}, args...)...)
	w.hubcap(reader, 0, "plan", "--detailed-exitcode")
	return r
}

// TestPoolChangesInPlace makes every change that GKE makes in place: the pool
// stays the same one, has the new value, and the next plan is empty.
func TestPoolChangesInPlace(t *testing.T) {
	w := newPool(t, "inplace")
	w.applied()
	first := w.pool()
	s := usual
	for _, c := range []struct {
		key, value string
		got        func(p *container.NodePool) string
		want       string
	}{
		{"autoscaling", "BLOCK{\n min = 0\n max = 7\n}", func(p *container.NodePool) string {
			return fmt.Sprint(p.Autoscaling.MinNodeCount, p.Autoscaling.MaxNodeCount)
		}, "0 7"},
		{"labels", `{ "hub.jupyter.org/node-purpose" = "core", extra = "yes" }`, func(p *container.NodePool) string {
			return p.Config.Labels["hub.jupyter.org/node-purpose"] + p.Config.Labels["extra"]
		}, "coreyes"},
		{"taint", "BLOCK{\n key = \"dedicated\"\n value = \"user\"\n effect = \"NoSchedule\"\n}", func(p *container.NodePool) string {
			return fmt.Sprint(len(p.Config.Taints), p.Config.Taints[0].Key, p.Config.Taints[0].Effect)
		}, "1dedicatedNO_SCHEDULE"},
		{"disk", "BLOCK{\n type = \"pd-ssd\"\n size_gb = 200\n}", func(p *container.NodePool) string {
			return fmt.Sprint(p.Config.DiskType, p.Config.DiskSizeGb)
		}, "pd-ssd200"},
		{"tags", `["hub", "e2e"]`, func(p *container.NodePool) string { return fmt.Sprint(p.Config.Tags) }, "[hub e2e]"},
		{"resource_labels", `{ team = "hubs" }`, func(p *container.NodePool) string { return p.Config.ResourceLabels["team"] }, "hubs"},
		{"upgrade", "BLOCK{\n max_surge = 2\n max_unavailable = 1\n}", func(p *container.NodePool) string {
			return fmt.Sprint(p.UpgradeSettings.MaxSurge, p.UpgradeSettings.MaxUnavailable)
		}, "2 1"},
	} {
		w.run(c.key, func(t *testing.T) {
			s = s.with(c.key, c.value)
			w.shaped(s)
			w.hubcap(reader, 2, "plan", "--detailed-exitcode")
			w.applied()
			p := w.pool()
			if p.Name != first.Name || p.SelfLink != first.SelfLink {
				t.Errorf("pool %s became %s", first.Name, p.Name)
			}
			if got := c.got(p); got != c.want {
				t.Errorf("the pool has %q, want %q", got, c.want)
			}
			w.hubcap(applier, 0, "rollback", "--auto-approve")
			w.hubcap(reader, 2, "plan", "--detailed-exitcode")
			w.applied("--retry")
		})
	}
	w.run("none of it any more", func(t *testing.T) {
		w.shaped(usual)
		w.applied()
		if p := w.pool(); len(p.Config.Taints) > 0 || len(p.Config.Tags) > 0 || p.Config.Labels["extra"] != "" {
			t.Errorf("what the config no longer says is still there: %v, %v, %v", p.Config.Taints, p.Config.Tags, p.Config.Labels)
		}
	})
}

// userOn starts a user's server on a node of the pool, and returns its UID.
func (w *world) userOn(pool string) string {
	w.t.Helper()
	return session(w.t, w.name+"-hub", pool)
}

// user returns the UID of the user's server; "" when it is gone or going.
func (w *world) user() string {
	w.t.Helper()
	return sessionNow(w.t, w.name+"-hub")
}

// session starts a user's server on a node of the pool, and returns its UID.
func session(t *testing.T, namespace, pool string) string {
	t.Helper()
	site.sandbox.Apply(t, fmt.Sprintf(`
apiVersion: v1
kind: Namespace
metadata: {name: %[1]s}
---
apiVersion: v1
kind: Pod
metadata:
  name: jupyter-ada
  namespace: %[1]s
  labels: {app: jupyterhub, component: singleuser-server, hub.jupyter.org/username: ada}
spec:
  nodeSelector: {cloud.google.com/gke-nodepool: %[2]s}
  tolerations: [{operator: Exists}]
  containers: [{name: notebook, image: "example.org/notebook:1"}]
`, namespace, pool))
	kubectl(t, "-n", namespace, "wait", "pod/jupyter-ada", "--for=condition=Ready", "--timeout=60s")
	return sessionNow(t, namespace)
}

// sessionNow returns the UID of the user's server; "" when it is gone or going.
func sessionNow(t *testing.T, namespace string) string {
	t.Helper()
	pod, err := site.admin.CoreV1().Pods(namespace).Get(t.Context(), "jupyter-ada", metav1.GetOptions{})
	if err != nil || pod.DeletionTimestamp != nil || pod.Status.Phase != corev1.PodRunning {
		return ""
	}
	return string(pod.UID)
}

// TestPoolOfAnotherShape changes what GKE cannot change in place: the plan shows
// a new pool first, the old one stays as long as a user's server is on it, and
// goes when it is empty. No user's server is ever deleted.
func TestPoolOfAnotherShape(t *testing.T) {
	w := newPool(t, "shape")
	w.applied()
	old := w.pool()
	ada := w.userOn(old.Name)

	w.shaped(usual.with("machine_type", `"n2-highmem-8"`).with("local_ssd", "BLOCK{\n count = 1\n mode = \"ephemeral\"\n}"))
	plan := w.hubcap(reader, 2, "plan", "--detailed-exitcode", "-v")
	plan.has(t, "node_pool.shape", "n2-standard-8", "n2-highmem-8")
	w.begin(applier, "apply", "--auto-approve").wait() // new pool; whether it then holds or is done, see below
	own := w.poolsOf()
	if len(own) != 2 {
		t.Fatalf("there are %d pools, want the new one beside the old one, on which a user is", len(own))
	}
	if now := w.user(); now != ada {
		t.Fatalf("the user's server %s became %q", ada, now)
	}
	fresh := own[slices.IndexFunc(own, func(p *container.NodePool) bool { return p.Name != old.Name })]
	if fresh.Config.MachineType != "n2-highmem-8" || fresh.Config.EphemeralStorageLocalSsdConfig == nil {
		t.Errorf("the new pool has machine type %s and SSDs %v", fresh.Config.MachineType, fresh.Config.EphemeralStorageLocalSsdConfig)
	}
	await(t, soon, "a node of the new pool with its SSD", func() string {
		nodes, err := site.admin.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{
			LabelSelector: "cloud.google.com/gke-nodepool=" + fresh.Name + ",cloud.google.com/gke-ephemeral-storage-local-ssd=true"})
		if err != nil || len(nodes.Items) == 0 {
			return fmt.Sprint("none; ", err)
		}
		return ""
	})
	w.run("the old pool is kept again", func(t *testing.T) {
		w.begin(applier, "apply", "--auto-approve").wait()
		if now := w.user(); now != ada || len(w.poolsOf()) != 2 {
			t.Fatalf("user's server %s became %q; %d pools", ada, now, len(w.poolsOf()))
		}
	})
	w.run("and goes when it is empty", func(t *testing.T) {
		kubectl(t, "-n", "shape-hub", "delete", "pod", "jupyter-ada", "--wait")
		w.applied()
		if p := w.pool(); p.Name != fresh.Name {
			t.Errorf("left is %s, want %s", p.Name, fresh.Name)
		}
	})
}

// TestPoolRolledUnderUsers changes a disk, for which GKE makes every node anew,
// while a user's server is on one: it must not come to harm.
func TestPoolRolledUnderUsers(t *testing.T) {
	w := newPool(t, "rolled")
	w.applied()
	ada := w.userOn(w.pool().Name)
	w.shaped(usual.with("disk", "BLOCK{\n size_gb = 300\n}"))
	plan := w.hubcap(reader, 9, "plan")
	r := w.hubcap(applier, 9, "apply", "--auto-approve")
	if now := w.user(); now != ada {
		t.Errorf("the user's server %s became %q\n%s\n%s", ada, now, plan, r)
	}
}

// TestPoolDeleted takes a pool's block out of the config: with a user on it the
// pool stays, unless its deletion is asked for by name.
func TestPoolDeleted(t *testing.T) {
	w := newPool(t, "deleted")
	w.applied()
	old := w.pool()
	ada := w.userOn(old.Name)
	w.write("main.hcl", fmt.Sprintf(onePool, w.name, site.sandbox.GKEEndpoint, usual))
	without := fmt.Sprintf(onePool, w.name, site.sandbox.GKEEndpoint, "")
	without = without[:strings.Index(without, "node_pool")] + `
manifest "m" {
  object = { apiVersion = "v1", kind = "ConfigMap", metadata = { name = "m", namespace = "deleted-hub" }, data = {} }
}
`
	w.write("main.hcl", without)
	w.hubcap(reader, 0, "plan").has(t, "node_pool.deleted: 1 user server still on it")
	w.begin(applier, "apply", "--auto-approve").wait()
	if now := w.user(); now != ada || len(w.poolsOf()) != 1 {
		t.Fatalf("user's server %s became %q; %d pools", ada, now, len(w.poolsOf()))
	}
	w.hubcap(applier, 0, "apply", "--auto-approve", "--dangerous-delete=node_pool.deleted")
	if own := w.poolsOf(); len(own) > 0 {
		t.Errorf("%d pools are left", len(own))
	}
	w.hubcap(reader, 0, "plan", "--detailed-exitcode")
}

// TestPoolFaults makes a pool while GKE misbehaves.
func TestPoolFaults(t *testing.T) {
	creation := fault{Method: "POST", Path: "nodePools$"}
	as := func(kind string, change func(*fault)) fault {
		f := creation
		f.Kind = kind
		if change != nil {
			change(&f)
		}
		return f
	}
	for _, c := range []struct {
		name   string
		faults []fault
		want   int    // exit code
		says   string // in the output
		made   bool   // the pool is there afterwards
	}{
		{"quota", []fault{as("status", func(f *fault) {
			f.Status, f.Times = 403, -1
			f.Message = "Insufficient regional quota to satisfy request: resource \"SSD_TOTAL_GB\": request requires '500.0' and is short '100.0'."
		})}, 4, "quota", false},
		{"too many requests", []fault{as("status", func(f *fault) { f.Status, f.Times = 429, 3 })}, 0, "", true},
		{"lost answer", []fault{as("lose_response", nil)}, 0, "", true},
		{"cut connection", []fault{as("cut", nil)}, 0, "", true},
		{"unavailable for a moment", []fault{{Path: "nodePools", Kind: "status", Status: 503, Times: 4}}, 0, "", true},
		{"operation fails", []fault{as("op_error", func(f *fault) { f.Message = "internal error 42" })}, 4, "internal error 42", false},
		{"pool left behind in error", []fault{as("partial", nil)}, 4, "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newPool(t, "fault-"+strings.ReplaceAll(strings.ToLower(c.name[:3]), " ", ""))
			inject(t, c.faults...)
			r := w.hubcap(applier, c.want, "apply", "--auto-approve")
			r.has(t, c.says)
			if made := len(w.poolsOf()); made != map[bool]int{true: 1}[c.made] {
				t.Errorf("%d pools after: %s", made, r)
			}
			emulator(t, "DELETE", "/_emulator/faults", nil)
			w.applied() // once all is well it gets there
			w.pool()
		})
	}
}

// TestStockout makes a pool when there are no machines: the apply fails with the
// reason, and the pool does not stay.
func TestStockout(t *testing.T) {
	w := newPool(t, "stockout")
	inject(t, fault{Method: "POST", Path: "nodePools$", Kind: "stockout"})
	began := time.Now()
	r := w.hubcap(applier, 4, "apply", "--auto-approve")
	r.has(t, "STOCKOUT")
	if took := time.Since(began); took > time.Minute {
		t.Errorf("it took %v", took)
	}
	if own := w.poolsOf(); len(own) > 0 {
		t.Errorf("%d pools are left", len(own))
	}
	emulator(t, "DELETE", "/_emulator/faults", nil)
	w.applied()
}

// TestConflictingOperation applies while GKE is at work on the cluster: it waits.
func TestConflictingOperation(t *testing.T) {
	w := newPool(t, "conflict")
	place := strings.Split(site.sandbox.GKECluster, "/")
	emulator(t, "POST", "/_emulator/operations", map[string]any{
		"cluster": map[string]string{"project": place[1], "location": place[3], "name": place[5]}, "pool": "base", "type": "AUTO_REPAIR_NODES", "rounds": 5,
	})
	w.hubcap(applier, 0, "apply", "--auto-approve").has(t, "AUTO_REPAIR_NODES) is running")
	w.pool()
	w.hubcap(reader, 0, "plan", "--detailed-exitcode")
}
