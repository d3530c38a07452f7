package kube

import (
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
			if s.cpu != 1000 || s.memory != 1<<30 || s.selector["pool"] != "core" {
				t.Errorf("%s: a pod needs %+v", test.reason, s)
			}
		}
	}
}

// TestBeds checks on which nodes a pod finds room.
func TestBeds(t *testing.T) {
	node := func(pool string, taints ...corev1.Taint) *corev1.Node {
		return &corev1.Node{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"pool": pool}}, Spec: corev1.NodeSpec{Taints: taints}}
	}
	user := corev1.Taint{Key: "dedicated", Value: "user", Effect: corev1.TaintEffectNoSchedule}
	cordoned := node("core")
	cordoned.Spec.Unschedulable = true
	s := seat{cpu: 1000, memory: 1 << 30, selector: map[string]string{"pool": "core"}}
	tolerant := s
	tolerant.tolerations = []corev1.Toleration{{Key: "dedicated", Operator: corev1.TolerationOpEqual, Value: "user"}}
	for _, test := range []struct {
		reason string
		seat   seat
		bed    bed
		want   bool
	}{
		{"it fits", s, bed{node("core"), 1000, 1 << 30, 1}, true},
		{"too little cpu", s, bed{node("core"), 999, 1 << 40, 9}, false},
		{"too little memory", s, bed{node("core"), 9000, 1<<30 - 1, 9}, false},
		{"too many pods", s, bed{node("core"), 9000, 1 << 40, 0}, false},
		{"another pool", s, bed{node("user"), 9000, 1 << 40, 9}, false},
		{"a node that takes no pods", s, bed{cordoned, 9000, 1 << 40, 9}, false},
		{"a taint", s, bed{node("core", user), 9000, 1 << 40, 9}, false},
		{"a taint that it tolerates", tolerant, bed{node("core", user), 9000, 1 << 40, 9}, true},
		{"a taint that only asks", s, bed{node("core", corev1.Taint{Key: "x", Effect: corev1.TaintEffectPreferNoSchedule}), 9000, 1 << 40, 9}, true},
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
