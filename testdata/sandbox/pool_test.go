package main

import (
	"testing"

	container "google.golang.org/api/container/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"hubcap/providers/gke/emulator"
)

func poolOf(config *container.NodeConfig) emulator.Pool {
	return emulator.Pool{
		Cluster:  emulator.ClusterRef{Project: "p", Location: "us-central1", Name: "a-cluster-with-a-very-long-name"},
		NodePool: &container.NodePool{Name: "a-pool-with-a-very-long-name", Locations: []string{"us-central1-a", "us-central1-b"}, Config: config},
	}
}

func TestNodesSpreadOverZones(t *testing.T) {
	p := poolOf(&container.NodeConfig{MachineType: "n2-standard-4"})
	names := map[string]bool{}
	for number, zone := range []string{"us-central1-a", "us-central1-b", "us-central1-a"} {
		n, err := node(p, number)
		if err != nil {
			t.Fatal(err)
		}
		if got := n.Labels["topology.kubernetes.io/zone"]; got != zone {
			t.Errorf("node %d is in %s, want %s", number, got, zone)
		}
		if len(n.Name) > 63 || names[n.Name] {
			t.Errorf("node %d is called %s: too long for a label, or not its own", number, n.Name)
		}
		names[n.Name] = true
	}
}

func TestNodeShowsLocalSSD(t *testing.T) {
	const mounted, block, ephemeral = "cloud.google.com/gke-local-ssd", "cloud.google.com/gke-local-nvme-ssd", "cloud.google.com/gke-ephemeral-storage-local-ssd"
	for _, tt := range []struct {
		reason string
		config *container.NodeConfig
		label  string
	}{
		{"none", &container.NodeConfig{}, ""},
		{"mounted", &container.NodeConfig{LocalSsdCount: 1}, mounted},
		{"block", &container.NodeConfig{LocalNvmeSsdBlockConfig: &container.LocalNvmeSsdBlockConfig{LocalSsdCount: 1}}, block},
		{"ephemeral", &container.NodeConfig{EphemeralStorageLocalSsdConfig: &container.EphemeralStorageLocalSsdConfig{LocalSsdCount: 1}}, ephemeral},
		{"a count of zero is none", &container.NodeConfig{EphemeralStorageLocalSsdConfig: &container.EphemeralStorageLocalSsdConfig{}}, ""},
	} {
		tt.config.MachineType = "n2-standard-4"
		n, err := node(poolOf(tt.config), 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, label := range []string{mounted, block, ephemeral} {
			if has := n.Labels[label] == "true"; has != (label == tt.label) {
				t.Errorf("%s: label %s is %t", tt.reason, label, has)
			}
		}
	}
}

func TestShapeChangesOnlyWithTheMachine(t *testing.T) {
	base := shape(poolOf(&container.NodeConfig{MachineType: "n2-standard-4", DiskSizeGb: 100}))
	same := shape(poolOf(&container.NodeConfig{MachineType: "n2-standard-4", DiskSizeGb: 100, Labels: map[string]string{"a": "b"}}))
	if same != base {
		t.Errorf("labels change the shape from %q to %q", base, same)
	}
	for _, c := range []*container.NodeConfig{
		{MachineType: "n2-standard-8", DiskSizeGb: 100},
		{MachineType: "n2-standard-4", DiskSizeGb: 200},
		{MachineType: "n2-standard-4", DiskSizeGb: 100, DiskType: "pd-ssd"},
		{MachineType: "n2-standard-4", DiskSizeGb: 100, ImageType: "UBUNTU_CONTAINERD"},
	} {
		if shape(poolOf(c)) == base {
			t.Errorf("%+v has the shape of another machine", c)
		}
	}
}

func TestAutoscalerAccepts(t *testing.T) {
	n, err := node(poolOf(&container.NodeConfig{
		MachineType: "n2-standard-4",
		Labels:      map[string]string{"purpose": "user"},
		Taints:      []*container.NodeTaint{{Key: "dedicated", Value: "user", Effect: "NO_SCHEDULE"}},
	}), 0)
	if err != nil {
		t.Fatal(err)
	}
	tolerates := []corev1.Toleration{{Key: "dedicated", Operator: corev1.TolerationOpExists}}
	for _, tt := range []struct {
		reason string
		spec   corev1.PodSpec
		want   bool
	}{
		{"neither toleration nor selector", corev1.PodSpec{}, false},
		{"tolerates the taint", corev1.PodSpec{Tolerations: tolerates}, true},
		{"selects the node", corev1.PodSpec{Tolerations: tolerates, NodeSelector: map[string]string{"purpose": "user"}}, true},
		{"selects another", corev1.PodSpec{Tolerations: tolerates, NodeSelector: map[string]string{"purpose": "core"}}, false},
	} {
		if got := accepts(n, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p"}, Spec: tt.spec}); got != tt.want {
			t.Errorf("%s: %t", tt.reason, got)
		}
	}
}

func TestTakeIsAllOrNothing(t *testing.T) {
	list := func(cpu, memory string) corev1.ResourceList {
		return corev1.ResourceList{"cpu": resource.MustParse(cpu), "memory": resource.MustParse(memory)}
	}
	room := list("2", "4Gi")
	if take(room, list("1", "5Gi")) || room.Cpu().String() != "2" {
		t.Errorf("took what is not there: %v left", room)
	}
	if !take(room, list("1500m", "4Gi")) || room.Cpu().String() != "500m" || !room.Memory().IsZero() {
		t.Errorf("%v left", room)
	}
	if take(room, corev1.ResourceList{"nvidia.com/gpu": resource.MustParse("1")}) {
		t.Error("took a GPU from a node without one")
	}
}
