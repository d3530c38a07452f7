package emulator

import (
	"slices"
	"strings"

	container "google.golang.org/api/container/v1"
)

// serverLabel is the resource label that GKE puts on every pool.
const serverLabel = "goog-gke-node-pool-provisioning-model"

var defaultScopes = []string{
	"https://www.googleapis.com/auth/devstorage.read_only",
	"https://www.googleapis.com/auth/logging.write",
	"https://www.googleapis.com/auth/monitoring",
	"https://www.googleapis.com/auth/service.management.readonly",
	"https://www.googleapis.com/auth/servicecontrol",
	"https://www.googleapis.com/auth/trace.append",
}

// fillPool fills in what GKE fills in of a new pool.
func fillPool(c *cluster, b *container.NodePool) {
	if b.Config == nil {
		b.Config = &container.NodeConfig{}
	}
	fillConfig(b.Config)
	if len(b.Locations) == 0 {
		b.Locations = slices.Clone(c.Body.Locations)
	}
	if b.Management == nil {
		b.Management = &container.NodeManagement{AutoRepair: true, AutoUpgrade: true}
	}
	if b.MaxPodsConstraint == nil {
		b.MaxPodsConstraint = &container.MaxPodsConstraint{MaxPodsPerNode: 110}
	}
	if b.UpgradeSettings == nil {
		b.UpgradeSettings = &container.UpgradeSettings{MaxSurge: 1}
	}
	fill(&b.UpgradeSettings.Strategy, "SURGE")
	fillAutoscaling(b.Autoscaling)
	if b.NetworkConfig == nil {
		b.NetworkConfig = &container.NodeNetworkConfig{}
	}
	if b.NetworkConfig.NetworkTierConfig == nil {
		b.NetworkConfig.NetworkTierConfig = &container.NetworkTierConfig{NetworkTier: "NETWORK_TIER_DEFAULT"}
	}
	fill(&b.NetworkConfig.PodIpv4CidrBlock, "10.32.0.0/14")
	fill(&b.NetworkConfig.PodRange, "gke-"+c.Ref.Name+"-pods-efbfc955")
	fill(&b.NetworkConfig.Subnetwork, "projects/"+c.Ref.Project+"/regions/"+region(c.Ref.Location)+"/subnetworks/default")
	b.PodIpv4CidrSize = 24
	b.KubeletCertInfo = &container.KubeletCertInfo{TpmBootstrapCertExpireTime: "2031-08-08T00:12:35Z"}
	fill(&b.Version, c.Body.CurrentNodeVersion)
	b.SelfLink = apiRoot + c.Ref.link() + "/nodePools/" + b.Name
	b.InstanceGroupUrls = nil
	for _, zone := range b.Locations {
		b.InstanceGroupUrls = append(b.InstanceGroupUrls, instanceGroup(c.Ref, b.Name, zone))
	}
}

func fillAutoscaling(a *container.NodePoolAutoscaling) {
	if a != nil && a.Enabled {
		fill(&a.LocationPolicy, "BALANCED")
	}
}

func fillConfig(n *container.NodeConfig) {
	fill(&n.MachineType, "e2-medium")
	fill(&n.ImageType, "COS_CONTAINERD")
	n.ImageType = strings.ToUpper(n.ImageType)
	fill(&n.ServiceAccount, "default")
	fill(&n.EffectiveCgroupMode, "EFFECTIVE_CGROUP_MODE_V2")
	mirrorDisk(n)
	if len(n.OauthScopes) == 0 {
		n.OauthScopes = slices.Clone(defaultScopes)
	}
	n.OauthScopes = slices.Sorted(slices.Values(n.OauthScopes))
	if n.Metadata == nil {
		n.Metadata = map[string]string{}
	}
	if _, isSet := n.Metadata["disable-legacy-endpoints"]; !isSet {
		n.Metadata["disable-legacy-endpoints"] = "true"
	}
	n.ResourceLabels = withServerLabels(n, n.ResourceLabels)
	if n.ShieldedInstanceConfig == nil {
		n.ShieldedInstanceConfig = &container.ShieldedInstanceConfig{EnableIntegrityMonitoring: true}
	}
	if n.KubeletConfig == nil {
		n.KubeletConfig = &container.NodeKubeletConfig{}
	}
	if n.KubeletConfig.MaxParallelImagePulls == 0 {
		n.KubeletConfig.MaxParallelImagePulls = 3
	}
	if n.WindowsNodeConfig == nil {
		n.WindowsNodeConfig = &container.WindowsNodeConfig{}
	}
	if n.NodeImageConfig == nil {
		n.NodeImageConfig = &container.CustomImageConfig{
			Image: "gke-1356-gke1250000-cos-125-19216-395-109-c-pre", ImageProject: "gke-node-images",
		}
	}
	fillLocalSSD(n)
	n.Taints = withServerTaints(n, n.Taints)
}

// mirrorDisk keeps the two spellings of the boot disk the same.
func mirrorDisk(n *container.NodeConfig) {
	if n.BootDisk == nil {
		n.BootDisk = &container.BootDisk{}
	}
	fill(&n.DiskType, n.BootDisk.DiskType)
	fill(&n.DiskType, "pd-balanced")
	if n.DiskSizeGb == 0 {
		n.DiskSizeGb = n.BootDisk.SizeGb
	}
	if n.DiskSizeGb == 0 {
		n.DiskSizeGb = 100
	}
	n.BootDisk.DiskType, n.BootDisk.SizeGb = n.DiskType, n.DiskSizeGb
}

// fillLocalSSD tells the local SSDs that come with a machine type.
func fillLocalSSD(n *container.NodeConfig) {
	m, _ := MachineOf(n.MachineType)
	if m.LocalSSDs == 0 || n.LocalNvmeSsdBlockConfig != nil {
		return
	}
	if n.EphemeralStorageLocalSsdConfig == nil {
		n.EphemeralStorageLocalSsdConfig = &container.EphemeralStorageLocalSsdConfig{}
	}
	n.EphemeralStorageLocalSsdConfig.LocalSsdCount = int64(m.LocalSSDs)
}

// withServerLabels returns labels with GKE's own ones, which no update can take
// away.
func withServerLabels(n *container.NodeConfig, labels map[string]string) map[string]string {
	with := map[string]string{}
	for k, v := range labels {
		if !strings.HasPrefix(k, "goog-") {
			with[k] = v
		}
	}
	with[serverLabel] = "on-demand"
	if n.Spot || n.Preemptible {
		with[serverLabel] = "spot"
	}
	return with
}

// withServerTaints returns taints with the one that GKE puts on nodes with GPUs.
func withServerTaints(n *container.NodeConfig, taints []*container.NodeTaint) []*container.NodeTaint {
	if len(n.Accelerators) == 0 {
		return taints
	}
	for _, t := range taints {
		if t.Key == "nvidia.com/gpu" {
			return taints
		}
	}
	return append(taints, &container.NodeTaint{Key: "nvidia.com/gpu", Value: "present", Effect: "NO_SCHEDULE"})
}
