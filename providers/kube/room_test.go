package kube

import (
	"encoding/json"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apiresource "k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	ours "hubcap/engine/resource"
)

func rolled(kind string, action ours.Action, spec map[string]any) ours.Change {
	template := map[string]any{"spec": map[string]any{
		"nodeSelector": map[string]any{"pool": "core"},
		"containers":   []any{map[string]any{"name": "x", "resources": map[string]any{"requests": map[string]any{"cpu": "500m", "memory": "1Gi"}}}},
		"initContainers": []any{
			map[string]any{"name": "i", "resources": map[string]any{"requests": map[string]any{"cpu": "1", "memory": "10Mi"}}},
		},
	}}
	spec["template"] = template
	return ours.Change{
		ID: ours.ID{Group: "apps", Kind: kind, Name: "hub"}, Action: action,
		After: ours.Object{"kind": kind, "spec": spec},
	}
}

// TestSeats checks how many pods a rollout starts beside the old ones.
func TestSeats(t *testing.T) {
	rolling := func(surge any) map[string]any {
		return map[string]any{"replicas": int64(4), "strategy": map[string]any{"type": "RollingUpdate", "rollingUpdate": map[string]any{"maxSurge": surge}}}
	}
	for _, test := range []struct {
		reason string
		change ours.Change
		want   int
	}{
		{"a quarter more, by default", rolled("Deployment", ours.Update, map[string]any{"replicas": int64(4)}), 1},
		{"one pod needs one more", rolled("Deployment", ours.Update, map[string]any{}), 1},
		{"as many as it says", rolled("Deployment", ours.Update, rolling(int64(3))), 3},
		{"in percent, rounded up", rolled("Deployment", ours.Update, rolling("30%")), 2},
		{"none before the old ones are gone", rolled("Deployment", ours.Update, map[string]any{"strategy": map[string]any{"type": "Recreate"}}), 0},
		{"one by one", rolled("StatefulSet", ours.Update, map[string]any{"replicas": int64(2)}), 0},
		{"a new one needs all", rolled("Deployment", ours.Create, map[string]any{"replicas": int64(2)}), 2},
		{"none at all", rolled("Deployment", ours.Update, map[string]any{"replicas": int64(0)}), 0},
		{"no workload", ours.Change{ID: ours.ID{Kind: "ConfigMap"}, Action: ours.Update, After: ours.Object{}}, 0},
	} {
		seats, err := seatsOf(test.change)
		if err != nil || len(seats) != test.want {
			t.Errorf("%s: %d seats, %v, want %d", test.reason, len(seats), err, test.want)
		}
		for _, s := range seats {
			if s.cpu != 1000 || s.memory != 1<<30 || s.pod.Spec.NodeSelector["pool"] != "core" {
				t.Errorf("%s: a pod needs %+v", test.reason, s)
			}
		}
	}
}

// aNode is a node of a pool.
func aNode(pool string, taints ...corev1.Taint) *corev1.Node {
	return &corev1.Node{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"pool": pool}}, Spec: corev1.NodeSpec{Taints: taints}}
}

// aSeat is a pod of one core and 1 GiB that is made otherwise by change.
func aSeat(change func(*corev1.PodSpec)) seat {
	p := &corev1.Pod{}
	if change != nil {
		change(&p.Spec)
	}
	return seat{of: "Deployment/hub", cpu: 1000, memory: 1 << 30, pod: p}
}

// required is the affinity to nodes with one of the values.
func required(key string, operator corev1.NodeSelectorOperator, values ...string) func(*corev1.PodSpec) {
	return func(p *corev1.PodSpec) {
		term := corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{{Key: key, Operator: operator, Values: values}}}
		p.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{
			RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{term}},
		}}
	}
}

// TestBeds checks on which nodes a pod finds room.
func TestBeds(t *testing.T) {
	user := corev1.Taint{Key: "dedicated", Value: "user", Effect: corev1.TaintEffectNoSchedule}
	cordoned := aNode("core")
	cordoned.Spec.Unschedulable = true
	s := aSeat(func(p *corev1.PodSpec) { p.NodeSelector = map[string]string{"pool": "core"} })
	tolerant := aSeat(func(p *corev1.PodSpec) {
		p.Tolerations = []corev1.Toleration{{Key: "dedicated", Operator: corev1.TolerationOpEqual, Value: "user"}}
	})
	both := aSeat(func(p *corev1.PodSpec) {
		p.NodeSelector = map[string]string{"pool": "core"}
		required("zone", corev1.NodeSelectorOpIn, "a")(p)
	})
	placeholder := []guest{{priority: -10, cpu: 1000, memory: 1 << 30}}
	low := aSeat(nil)
	low.priority = -10
	for _, test := range []struct {
		reason string
		seat   seat
		bed    bed
		want   bool
	}{
		{"it fits", s, bed{node: aNode("core"), cpu: 1000, memory: 1 << 30, pods: 1}, true},
		{"too little cpu", s, bed{node: aNode("core"), cpu: 999, memory: 1 << 40, pods: 9}, false},
		{"too little memory", s, bed{node: aNode("core"), cpu: 9000, memory: 1<<30 - 1, pods: 9}, false},
		{"too many pods", s, bed{node: aNode("core"), cpu: 9000, memory: 1 << 40}, false},
		{"another pool", s, bed{node: aNode("user"), cpu: 9000, memory: 1 << 40, pods: 9}, false},
		{"a node that takes no pods", s, bed{node: cordoned, cpu: 9000, memory: 1 << 40, pods: 9}, false},
		{"a taint", s, bed{node: aNode("core", user), cpu: 9000, memory: 1 << 40, pods: 9}, false},
		{"a taint that it tolerates", tolerant, bed{node: aNode("core", user), cpu: 9000, memory: 1 << 40, pods: 9}, true},
		{"a taint that only asks", s, bed{node: aNode("core", corev1.Taint{Key: "x", Effect: corev1.TaintEffectPreferNoSchedule}), cpu: 9000, memory: 1 << 40, pods: 9}, true},
		{"an affinity that it has to have", aSeat(required("pool", corev1.NodeSelectorOpIn, "core", "spare")), bed{node: aNode("core"), cpu: 9000, memory: 1 << 40, pods: 9}, true},
		{"an affinity to other nodes", aSeat(required("pool", corev1.NodeSelectorOpIn, "core", "spare")), bed{node: aNode("user"), cpu: 9000, memory: 1 << 40, pods: 9}, false},
		{"an affinity to nodes that are not such", aSeat(required("pool", corev1.NodeSelectorOpNotIn, "user")), bed{node: aNode("user"), cpu: 9000, memory: 1 << 40, pods: 9}, false},
		{"an affinity to nodes that have a label", aSeat(required("pool", corev1.NodeSelectorOpExists)), bed{node: aNode("user"), cpu: 9000, memory: 1 << 40, pods: 9}, true},
		{"an affinity that nobody can read", aSeat(required("pool", "Near", "x")), bed{node: aNode("user"), cpu: 9000, memory: 1 << 40, pods: 9}, false},
		{"a selector and an affinity, of which one fits", both, bed{node: aNode("core"), cpu: 9000, memory: 1 << 40, pods: 9}, false},
		{"a placeholder gives way", s, bed{node: aNode("core"), yielding: placeholder}, true},
		{"to nothing that is one itself", low, bed{node: aNode("core"), yielding: placeholder}, false},
	} {
		b := test.bed
		if got := test.seat.take([]*bed{&b}); got != test.want {
			t.Errorf("%s: room %v, want %v", test.reason, got, test.want)
		}
		if test.want && b.cpu != test.bed.cpu-1000 {
			t.Errorf("%s: the room is still free", test.reason)
		}
	}
	if got := apiresource.NewQuantity(s.memory, apiresource.BinarySI).String(); got != "1Gi" {
		t.Errorf("memory is worded %s", got)
	}
}

// TestGuests checks what is taken off a node for the pods on it.
func TestGuests(t *testing.T) {
	needs := func(cpu string) corev1.ResourceRequirements {
		return corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: apiresource.MustParse(cpu), corev1.ResourceMemory: apiresource.MustParse("1Gi")}}
	}
	always, low := corev1.ContainerRestartPolicyAlways, int32(-10)
	hub := &corev1.Pod{Spec: corev1.PodSpec{
		InitContainers: []corev1.Container{{Name: "sidecar", RestartPolicy: &always, Resources: needs("300m")}, {Name: "once", Resources: needs("100m")}},
		Containers:     []corev1.Container{{Name: "hub", Resources: needs("500m")}},
		Overhead:       corev1.ResourceList{corev1.ResourceCPU: apiresource.MustParse("50m")},
	}}
	daemon := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{OwnerReferences: []metav1.OwnerReference{{Kind: "DaemonSet"}}}, Spec: corev1.PodSpec{Containers: hub.Spec.Containers}}
	placeholder := &corev1.Pod{Spec: corev1.PodSpec{Priority: &low, Containers: hub.Spec.Containers}}
	n := aNode("core", corev1.Taint{Key: "node.kubernetes.io/unschedulable"}, corev1.Taint{Key: "dedicated"}, corev1.Taint{Key: "ToBeDeletedByClusterAutoscaler"})
	n.Status.Allocatable = corev1.ResourceList{corev1.ResourceCPU: apiresource.MustParse("4"), corev1.ResourceMemory: apiresource.MustParse("16Gi"), corev1.ResourcePods: apiresource.MustParse("110")}
	b := emptyBed(n)
	for _, p := range []*corev1.Pod{hub, daemon, placeholder} {
		b.host(p)
	}
	if b.cpu != 4000-850-500-500 || b.memory != 12<<30 || b.pods != 107 { // a sidecar counts beside the others
		t.Errorf("left are %dm cpu, %d bytes, %d pods", b.cpu, b.memory, b.pods)
	}
	if cpu, _, pods := b.left(0); cpu != b.cpu+500 || pods != 108 {
		t.Errorf("what gives way is not counted: %dm cpu, %d pods", cpu, pods)
	}
	if more := b.anew(); more.cpu != 3500 || more.memory != 15<<30 || more.pods != 109 || len(more.node.Spec.Taints) != 1 {
		t.Errorf("a node like it has %+v", more)
	}
}

// TestGrowingPools checks what is answered when pods need more nodes than there are.
func TestGrowingPools(t *testing.T) {
	node := func(name, pool string) *corev1.Node {
		n := aNode("core")
		n.Name, n.Labels[labelPool] = name, pool
		n.Status.Allocatable = corev1.ResourceList{corev1.ResourceCPU: apiresource.MustParse("2"), corev1.ResourceMemory: apiresource.MustParse("8Gi"), corev1.ResourcePods: apiresource.MustParse("110")}
		return n
	}
	pool := func(kind string, most int, config map[string]any, zones ...any) ours.Object {
		return ours.Object{"autoscaling": map[string]any{"enabled": true, kind: int64(most)}, "config": config, "locations": zones}
	}
	busy := node("core-1", "core")
	busyBed := emptyBed(busy)
	busyBed.cpu = 500
	user := map[string]any{"taints": []any{map[string]any{"key": "dedicated", "value": "user", "effect": "NO_SCHEDULE"}}}
	onlyCore := aSeat(required(labelPool, corev1.NodeSelectorOpIn, "core"))
	onlyFresh := aSeat(required("role", corev1.NodeSelectorOpIn, "fresh"))
	huge := onlyCore
	huge.cpu = 64000
	raised := ours.Change{ID: ours.ID{Kind: ours.KindNodePool, Name: "core"}, After: ours.Object{"autoscaling": map[string]any{"maxNodeCount": int64(2)}}}
	made := ours.Change{ID: ours.ID{Kind: ours.KindNodePool, Name: "fresh"}, After: pool("maxNodeCount", 1, map[string]any{"labels": map[string]any{"role": "fresh"}}, "a")}
	for _, test := range []struct {
		reason string
		pools  map[string]ours.Object
		zones  []string
		ahead  []ours.Change
		seats  []seat
		placed bool
		says   string
	}{
		{"a node more", map[string]ours.Object{"core": pool("maxNodeCount", 3, nil, "a")}, nil, nil, []seat{onlyCore, onlyCore}, true, "pool core grows from 1 to 2 nodes, of at most 3"},
		{"the bound is of each zone", map[string]ours.Object{"core": pool("maxNodeCount", 1, nil, "a", "b", "c")}, nil, nil, []seat{onlyCore, onlyCore, onlyCore}, true, "pool core grows from 1 to 3 nodes, of at most 3"},
		{"zones are the cluster's where the pool has none", map[string]ours.Object{"core": pool("maxNodeCount", 1, nil)}, []string{"a", "b"}, nil, []seat{onlyCore}, true, "of at most 2"},
		{"the bound is of all zones", map[string]ours.Object{"core": pool("totalMaxNodeCount", 1, nil, "a", "b", "c")}, nil, nil, []seat{onlyCore}, false, "fits on no node: pool core would have 2 nodes, and has at most 1"},
		{"more than it may be", map[string]ours.Object{"core": pool("maxNodeCount", 2, nil, "a")}, nil, nil, []seat{onlyCore, onlyCore, onlyCore}, false, "a pod of Deployment/hub with 1000m cpu and 1Gi memory fits on no node (2 of 3 pods have room): pool core would have 3 nodes, and has at most 2"},
		{"a pool that does not grow", map[string]ours.Object{"core": {"config": map[string]any{}}}, nil, nil, []seat{onlyCore}, false, "no pool has nodes that it may run on"},
		{"other pools only", map[string]ours.Object{"user": pool("maxNodeCount", 9, user, "a")}, nil, nil, []seat{onlyCore}, false, "no pool has nodes that it may run on"},
		{"its nodes are barred", map[string]ours.Object{"user": pool("maxNodeCount", 9, user, "a")}, nil, nil, []seat{aSeat(nil)}, false, "no pool has nodes that it may run on"},
		{"its nodes are too small", map[string]ours.Object{"core": pool("maxNodeCount", 9, nil, "a")}, nil, nil, []seat{huge}, false, "a node of pool core is too small for it"},
		{"the plan raises the bound before", map[string]ours.Object{"core": pool("maxNodeCount", 1, nil, "a")}, nil, []ours.Change{raised}, []seat{onlyCore}, true, "of at most 2"},
		{"the plan makes the pool before", map[string]ours.Object{}, nil, []ours.Change{made}, []seat{onlyFresh}, true, "pool fresh grows from 0 to 1 nodes, of at most 1, whose size is not known"},
	} {
		f := &furnished{nodes: []*corev1.Node{busy}, beds: []*bed{busyBed}, pools: Pools{Locations: test.zones, ByName: test.pools}}
		s := f.seating(test.ahead)
		for _, x := range test.seats {
			if !s.place(x) {
				break
			}
		}
		text := s.growth()
		if s.missing != nil {
			text = s.shortage(len(test.seats))
		}
		if (s.missing == nil) != test.placed || !strings.Contains(text, test.says) {
			t.Errorf("%s: placed %v, %q, want %v, %q", test.reason, s.missing == nil, text, test.placed, test.says)
		}
		if busyBed.cpu != 500 {
			t.Fatalf("%s: the next question finds less room", test.reason)
		}
	}
}

// TestHeadroom reads what autoscalers say, as older and newer ones word it.
func TestHeadroom(t *testing.T) {
	for _, test := range []struct {
		reason, status string
		want           int
	}{
		{"text", "  Name:  pool-a\n  Health:      Healthy (ready=3 unready=0 cloudProviderTarget=3 (minSize=1, maxSize=5))\n  Health: Healthy (cloudProviderTarget=2 (minSize=0, maxSize=2))", 2},
		{"YAML", "nodeGroups:\n- name: a\n  health:\n    cloudProviderTarget: 1\n    minSize: 0\n    maxSize: 4\n- name: b\n  health:\n    cloudProviderTarget: 5\n    minSize: 1\n    maxSize: 5\n", 3},
		{"nothing", "", 0},
	} {
		if got := headroom(test.status); got != test.want {
			t.Errorf("%s: %d nodes, want %d", test.reason, got, test.want)
		}
	}
}

// TestBoundsOfPools checks that a bound counts however GKE writes it, and that none
// is none.
func TestBoundsOfPools(t *testing.T) {
	for text, want := range map[string]int{`3`: 3, `"3"`: 3, `3.0`: 3, `null`: 0} {
		var n json.Number
		if err := json.Unmarshal([]byte(text), &n); err != nil || countOf(n) != want {
			t.Errorf("%s is %d, %v; want %d", text, countOf(n), err, want)
		}
	}
}
