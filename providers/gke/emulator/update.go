package emulator

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	container "google.golang.org/api/container/v1"
)

// groups are the fields of an update that may come together. One that is not
// named is a group by itself.
var groups = map[string]string{
	"machineType": "machine", "diskType": "machine", "diskSizeGb": "machine", "bootDisk": "machine", "storagePools": "machine",
	"nodeVersion": "image", "imageType": "image", "image": "image", "imageProject": "image",
}

// recreating are the groups whose change makes every node anew.
var recreating = []string{
	"machine", "image", "kubeletConfig", "linuxNodeConfig", "containerdConfig", "loggingConfig",
	"workloadMetadataConfig", "gcfsConfig", "gvnic", "confidentialNodes", "fastSocket", "accelerators",
}

// addressing are the fields of an update that name the pool and change nothing.
var addressing = []string{"clusterId", "name", "nodePoolId", "projectId", "zone", "etag"}

func (s *Server) updatePool(rt *routed, r *http.Request) (any, *refusal) {
	c, p, refusal := s.findPool(rt)
	if refusal != nil {
		return nil, refusal
	}
	var req container.UpdateNodePoolRequest
	raw, refusal := decode(r, &req)
	if refusal != nil {
		return nil, refusal
	}
	group, refusal := groupOf(raw)
	if refusal != nil {
		return nil, refusal
	}
	if req.Etag != "" && req.Etag != p.Body.Etag {
		return nil, refusalOf(http.StatusConflict, "", "Node pool etag mismatch: the node pool was changed meanwhile.")
	}
	if refusal := checkUpdate(&req); refusal != nil {
		return nil, refusal
	}
	if refusal := s.conflict(c.Ref, "UPGRADE_NODES"); refusal != nil {
		return nil, refusal
	}
	if len(req.Locations) > 0 {
		perZone := p.Nodes / max(len(p.Body.Locations), 1)
		if refusal := s.quota(c, p.Body, p.Nodes, perZone*len(req.Locations)); refusal != nil {
			return nil, refusal
		}
	}
	rounds := 1
	if slices.Contains(recreating, group) && !bundledSSD(p.Body, &req) {
		rounds = p.Nodes
	}
	p.Body.Status = "RECONCILING"
	return s.begin("UPGRADE_NODES", &operation{
		Cluster: c.Ref, Pool: p.Body.Name, Effect: effectUpdate, Request: raw, Rounds: rounds, Fault: rt.fault.shaping(),
	}), nil
}

// groupOf returns the one group of fields that an update changes.
func groupOf(raw json.RawMessage) (string, *refusal) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil {
		return "", invalid("Invalid JSON payload received. %v", err)
	}
	group := ""
	for field := range fields {
		if slices.Contains(addressing, field) {
			continue
		}
		g := groups[field]
		if g == "" {
			g = field
		}
		if group != "" && g != group {
			return "", invalid("Only one of %s and %s can be updated at a time.", min(group, g), max(group, g))
		}
		group = g
	}
	if group == "" {
		return "", invalid("Must specify a field to update.")
	}
	return group, nil
}

func checkUpdate(req *container.UpdateNodePoolRequest) *refusal {
	if refusal := checkMachine(req.MachineType); refusal != nil {
		return refusal
	}
	if refusal := checkDisk(req.DiskSizeGb); refusal != nil {
		return refusal
	}
	if req.Taints != nil {
		if refusal := checkTaints(req.Taints.Taints); refusal != nil {
			return refusal
		}
	}
	if req.ResourceLabels != nil {
		if refusal := checkResourceLabels(req.ResourceLabels.Labels); refusal != nil {
			return refusal
		}
	}
	return checkUpgrade(req.UpgradeSettings)
}

// bundledSSD reports whether an update goes from or to a machine type that
// brings its local SSDs along: GKE takes such an update and does nothing.
func bundledSSD(b *container.NodePool, req *container.UpdateNodePoolRequest) bool {
	return req.MachineType != "" && (strings.HasSuffix(req.MachineType, "-lssd") || strings.HasSuffix(b.Config.MachineType, "-lssd"))
}

// update changes a pool as an update asks.
func update(c *cluster, p *pool, req *container.UpdateNodePoolRequest) {
	b, n := p.Body, p.Body.Config
	if bundledSSD(b, req) {
		return
	}
	updateMachine(n, req)
	if req.NodeVersion != "" {
		b.Version = req.NodeVersion
	}
	if req.Labels != nil {
		n.Labels = req.Labels.Labels
	}
	if req.ResourceLabels != nil {
		n.ResourceLabels = withServerLabels(n, req.ResourceLabels.Labels)
	}
	if req.Taints != nil {
		n.Taints = withServerTaints(n, req.Taints.Taints)
	}
	if req.Tags != nil {
		n.Tags = req.Tags.Tags
	}
	if req.UpgradeSettings != nil {
		b.UpgradeSettings = req.UpgradeSettings
		fill(&b.UpgradeSettings.Strategy, "SURGE")
	}
	if len(req.Locations) > 0 {
		perZone := p.Nodes / max(len(b.Locations), 1)
		b.Locations, b.InstanceGroupUrls = req.Locations, nil
		for _, zone := range b.Locations {
			b.InstanceGroupUrls = append(b.InstanceGroupUrls, instanceGroup(c.Ref, b.Name, zone))
		}
		p.Nodes = perZone * len(b.Locations)
	}
	set(&b.NodeDrainConfig, req.NodeDrainConfig)
	set(&b.MaintenancePolicy, req.MaintenancePolicy)
	set(&b.QueuedProvisioning, req.QueuedProvisioning)
	updateNode(n, req)
}

func updateMachine(n *container.NodeConfig, req *container.UpdateNodePoolRequest) {
	if req.MachineType != "" {
		n.MachineType = req.MachineType
	}
	if req.ImageType != "" {
		n.ImageType = strings.ToUpper(req.ImageType)
	}
	if req.BootDisk != nil {
		n.DiskType, n.DiskSizeGb = req.BootDisk.DiskType, req.BootDisk.SizeGb
		n.BootDisk = req.BootDisk
	}
	if req.DiskType != "" {
		n.DiskType = req.DiskType
	}
	if req.DiskSizeGb != 0 {
		n.DiskSizeGb = req.DiskSizeGb
	}
	if len(req.StoragePools) > 0 {
		n.StoragePools = req.StoragePools
	}
	mirrorDisk(n)
}

func updateNode(n *container.NodeConfig, req *container.UpdateNodePoolRequest) {
	set(&n.WorkloadMetadataConfig, req.WorkloadMetadataConfig)
	set(&n.KubeletConfig, req.KubeletConfig)
	set(&n.LinuxNodeConfig, req.LinuxNodeConfig)
	set(&n.ContainerdConfig, req.ContainerdConfig)
	set(&n.LoggingConfig, req.LoggingConfig)
	set(&n.GcfsConfig, req.GcfsConfig)
	set(&n.Gvnic, req.Gvnic)
	set(&n.ConfidentialNodes, req.ConfidentialNodes)
	set(&n.FastSocket, req.FastSocket)
	set(&n.ResourceManagerTags, req.ResourceManagerTags)
	set(&n.WindowsNodeConfig, req.WindowsNodeConfig)
	set(&n.TaintConfig, req.TaintConfig)
	if len(req.Accelerators) > 0 {
		n.Accelerators = req.Accelerators
	}
	if n.KubeletConfig.MaxParallelImagePulls == 0 {
		n.KubeletConfig.MaxParallelImagePulls = 3
	}
}

func set[T any](field **T, value *T) {
	if value != nil {
		*field = value
	}
}

func (s *Server) setAutoscaling(rt *routed, r *http.Request) (any, *refusal) {
	c, p, refusal := s.findPool(rt)
	if refusal != nil {
		return nil, refusal
	}
	var req container.SetNodePoolAutoscalingRequest
	raw, refusal := decode(r, &req)
	if refusal == nil && req.Autoscaling == nil {
		refusal = invalid("Autoscaling must be set.")
	}
	if refusal == nil {
		refusal = checkAutoscaling(req.Autoscaling)
	}
	if refusal == nil {
		refusal = s.conflict(c.Ref, "UPDATE_CLUSTER")
	}
	if refusal != nil {
		return nil, refusal
	}
	p.Body.Status = "RECONCILING"
	return s.begin("UPDATE_CLUSTER", &operation{
		Cluster: c.Ref, Pool: p.Body.Name, Effect: effectAutoscaling, Request: raw, Fault: rt.fault.shaping(),
	}), nil
}

func (s *Server) setManagement(rt *routed, r *http.Request) (any, *refusal) {
	c, p, refusal := s.findPool(rt)
	if refusal != nil {
		return nil, refusal
	}
	var req container.SetNodePoolManagementRequest
	raw, refusal := decode(r, &req)
	if refusal == nil && req.Management == nil {
		refusal = invalid("Management must be set.")
	}
	if refusal == nil {
		refusal = checkManagement(c, req.Management)
	}
	if refusal != nil {
		return nil, refusal
	}
	return s.begin("SET_NODE_POOL_MANAGEMENT", &operation{
		Cluster: c.Ref, Pool: p.Body.Name, Effect: effectManagement, Request: raw, Fault: rt.fault.shaping(),
	}), nil
}

func (s *Server) setSize(rt *routed, r *http.Request) (any, *refusal) {
	c, p, refusal := s.findPool(rt)
	if refusal != nil {
		return nil, refusal
	}
	var req container.SetNodePoolSizeRequest
	raw, refusal := decode(r, &req)
	if refusal == nil && (req.NodeCount < 0 || req.NodeCount > 1000) {
		refusal = invalid("node_count must be between 0 and 1000.")
	}
	if refusal == nil {
		refusal = s.conflict(c.Ref, "SET_NODE_POOL_SIZE")
	}
	if refusal == nil {
		refusal = s.quota(c, p.Body, p.Nodes, int(req.NodeCount)*len(p.Body.Locations))
	}
	if refusal != nil {
		return nil, refusal
	}
	p.Body.Status = "RECONCILING"
	return s.begin("SET_NODE_POOL_SIZE", &operation{
		Cluster: c.Ref, Pool: p.Body.Name, Effect: effectSize, Request: raw, Fault: rt.fault.shaping(),
	}), nil
}
