package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"path"
	"strconv"
	"strings"

	container "google.golang.org/api/container/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"hubcap/providers/gke/emulator"
)

const (
	poolLabel = "cloud.google.com/gke-nodepool"

	// On every node of a pool: which cluster it is of, since several of the emulator's clusters may have nodes
	// in the one API server; what a change of would need a new machine; and which labels the pool gave it.
	clusterAnnotation = "sandbox.hubcap.dev/cluster"
	shapeAnnotation   = "sandbox.hubcap.dev/shape"
	labelsAnnotation  = "sandbox.hubcap.dev/pool-labels"
)

// taintEffects are Kubernetes' words for GKE's.
var taintEffects = map[string]corev1.TaintEffect{
	"NO_SCHEDULE":        corev1.TaintEffectNoSchedule,
	"PREFER_NO_SCHEDULE": corev1.TaintEffectPreferNoSchedule,
	"NO_EXECUTE":         corev1.TaintEffectNoExecute,
}

// nodeConfig is the pool's, never nil.
func nodeConfig(p emulator.Pool) *container.NodeConfig {
	if p.NodePool.Config == nil {
		return &container.NodeConfig{}
	}
	return p.NodePool.Config
}

// zones are where the pool's nodes stand, never none.
func zones(p emulator.Pool) []string {
	if len(p.NodePool.Locations) == 0 {
		return []string{p.Cluster.Location}
	}
	return p.NodePool.Locations
}

// node is the pool's node with that number, from 0, as GKE would have it registered.
func node(p emulator.Pool, number int) (*corev1.Node, error) {
	config, where := nodeConfig(p), zones(p)
	m, err := machineOf(config.MachineType)
	if err != nil {
		return nil, err
	}
	zone := where[number%len(where)]
	name := nodeName(p, zone, number)
	labels := poolLabels(p, m)
	keys := labelKeys(labels)
	maps.Copy(labels, placeLabels(name, zone))
	total, allocatable := m.capacity(config, maxPods(p))
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{
			Name:   name,
			Labels: labels,
			Annotations: map[string]string{
				"kwok.x-k8s.io/node": "fake",
				clusterAnnotation:    p.Cluster.String(),
				shapeAnnotation:      shape(p),
				labelsAnnotation:     keys,
			},
		},
		Spec: corev1.NodeSpec{
			ProviderID: fmt.Sprintf("gce://%s/%s/%s", p.Cluster.Project, zone, name),
			Taints:     poolTaints(p),
		},
		Status: corev1.NodeStatus{
			Capacity:    total,
			Allocatable: allocatable,
			Addresses: []corev1.NodeAddress{
				{Type: corev1.NodeInternalIP, Address: nodeIP(name)},
				{Type: corev1.NodeHostName, Address: name},
			},
			NodeInfo: corev1.NodeSystemInfo{
				Architecture:    "amd64",
				OperatingSystem: "linux",
				KubeletVersion:  "v" + strings.TrimPrefix(p.NodePool.Version, "v"),
			},
		},
	}, nil
}

// nodeName is gke-<cluster>-<pool>-<hash>-<nnnn>: the name of the zone's instance group and the node's number.
func nodeName(p emulator.Pool, zone string, number int) string {
	for _, url := range p.NodePool.InstanceGroupUrls {
		if group, ok := strings.CutSuffix(path.Base(url), "-grp"); ok && strings.Contains(url, "/zones/"+zone+"/") {
			return fmt.Sprintf("%s-%04d", group, number)
		}
	}
	sum := sha256.Sum256([]byte(p.Cluster.String() + "/" + p.NodePool.Name + "/" + zone))
	return fmt.Sprintf("gke-%.20s-%.20s-%s-%04d", p.Cluster.Name, p.NodePool.Name, hex.EncodeToString(sum[:4]), number)
}

// nodeIP is an address of 10.128.0.0/9 that stays with the name.
func nodeIP(name string) string {
	sum := sha256.Sum256([]byte(name))
	return fmt.Sprintf("10.%d.%d.%d", 128+int(sum[0])%128, sum[1], 1+int(sum[2])%254)
}

// balancerIP is an address of 198.18.0.0/15, which is routed nowhere, for a load balancer's identity.
func balancerIP(identity string) string {
	sum := sha256.Sum256([]byte(identity))
	return fmt.Sprintf("198.%d.%d.%d", 18+int(sum[0])%2, sum[1], 1+int(sum[2])%254)
}

// poolLabels are those that come from the pool's settings, the same on all its nodes.
func poolLabels(p emulator.Pool, m machine) map[string]string {
	config := nodeConfig(p)
	labels := map[string]string{
		poolLabel:                                p.NodePool.Name,
		"cloud.google.com/machine-family":        m.family,
		"cloud.google.com/gke-boot-disk":         bootDisk(config),
		"cloud.google.com/gke-os-distribution":   distribution(config.ImageType),
		"cloud.google.com/gke-container-runtime": "containerd",
		"cloud.google.com/gke-max-pods-per-node": strconv.FormatInt(maxPods(p), 10),
		"cloud.google.com/gke-provisioning":      "standard",
		"node.kubernetes.io/instance-type":       config.MachineType,
		"beta.kubernetes.io/instance-type":       config.MachineType,
		"kubernetes.io/os":                       "linux",
		"kubernetes.io/arch":                     "amd64",
		"beta.kubernetes.io/os":                  "linux",
		"beta.kubernetes.io/arch":                "amd64",
	}
	if config.Spot {
		labels["cloud.google.com/gke-spot"] = "true"
		labels["cloud.google.com/gke-provisioning"] = "spot"
	}
	if config.Preemptible {
		labels["cloud.google.com/gke-preemptible"] = "true"
		labels["cloud.google.com/gke-provisioning"] = "preemptible"
	}
	if config.LocalSsdCount > 0 {
		labels["cloud.google.com/gke-local-ssd"] = "true"
	}
	if c := config.LocalNvmeSsdBlockConfig; c != nil && c.LocalSsdCount > 0 {
		labels["cloud.google.com/gke-local-nvme-ssd"] = "true"
	}
	if c := config.EphemeralStorageLocalSsdConfig; c != nil && c.LocalSsdCount > 0 {
		labels["cloud.google.com/gke-ephemeral-storage-local-ssd"] = "true"
	}
	maps.Copy(labels, config.Labels)
	return labels
}

// placeLabels differ from node to node.
func placeLabels(name, zone string) map[string]string {
	region := zone
	if i := strings.LastIndexByte(zone, '-'); i > 0 && len(zone)-i == 2 {
		region = zone[:i]
	}
	return map[string]string{
		"kubernetes.io/hostname":                   name,
		"topology.kubernetes.io/zone":              zone,
		"topology.kubernetes.io/region":            region,
		"topology.gke.io/zone":                     zone,
		"failure-domain.beta.kubernetes.io/zone":   zone,
		"failure-domain.beta.kubernetes.io/region": region,
	}
}

func poolTaints(p emulator.Pool) []corev1.Taint {
	var taints []corev1.Taint
	for _, t := range nodeConfig(p).Taints {
		taints = append(taints, corev1.Taint{Key: t.Key, Value: t.Value, Effect: taintEffects[t.Effect]})
	}
	return taints
}

// shape is everything of the pool that a running machine cannot change.
func shape(p emulator.Pool) string {
	c := nodeConfig(p)
	var nvme, ephemeral int64
	if c.LocalNvmeSsdBlockConfig != nil {
		nvme = c.LocalNvmeSsdBlockConfig.LocalSsdCount
	}
	if c.EphemeralStorageLocalSsdConfig != nil {
		ephemeral = c.EphemeralStorageLocalSsdConfig.LocalSsdCount
	}
	disk, _ := ephemeralStorage(c)
	return fmt.Sprintf("machine=%s disk=%s/%d image=%s ssd=%d/%d/%d spot=%t version=%s",
		c.MachineType, bootDisk(c), disk/gib, c.ImageType, c.LocalSsdCount, nvme, ephemeral, c.Spot || c.Preemptible, p.NodePool.Version)
}

func bootDisk(c *container.NodeConfig) string {
	switch {
	case c.BootDisk != nil && c.BootDisk.DiskType != "":
		return c.BootDisk.DiskType
	case c.DiskType != "":
		return c.DiskType
	}
	return "pd-balanced"
}

func distribution(imageType string) string {
	if strings.HasPrefix(imageType, "UBUNTU") {
		return "ubuntu"
	}
	return "cos"
}

func maxPods(p emulator.Pool) int64 {
	if c := p.NodePool.MaxPodsConstraint; c != nil && c.MaxPodsPerNode > 0 {
		return c.MaxPodsPerNode
	}
	return 110
}
