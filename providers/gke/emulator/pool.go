package emulator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"net/http"
	"regexp"
	"slices"

	container "google.golang.org/api/container/v1"
)

var (
	poolName      = regexp.MustCompile(`^[a-z]([-a-z0-9]{0,38}[a-z0-9])?$`)
	resourceLabel = regexp.MustCompile(`^[a-z][-_a-z0-9]{0,62}$`)
	resourceValue = regexp.MustCompile(`^[-_a-z0-9]{0,63}$`)
)

func (c *cluster) find(name string) (*pool, *refusal) {
	for _, p := range c.Pools {
		if p.Body.Name == name {
			return p, nil
		}
	}
	return nil, notFound(fmt.Sprintf("Not found: node pool \"%s\" not found.", name))
}

func (s *Server) findPool(rt *routed) (*cluster, *pool, *refusal) {
	c, refusal := s.find(rt.cluster)
	if refusal != nil {
		return nil, nil, refusal
	}
	p, refusal := c.find(rt.name)
	return c, p, refusal
}

// body returns the pool as the API shows it: the few zero values that GKE sends
// are sent.
func (p *pool) body() *container.NodePool {
	b := clone(p.Body)
	if k := b.Config.KubeletConfig; k != nil {
		k.ForceSendFields = []string{"InsecureKubeletReadonlyPortEnabled"}
	}
	if l := b.Config.LinuxNodeConfig; l != nil && l.SwapConfig != nil {
		l.SwapConfig.ForceSendFields = []string{"Enabled"}
	}
	return b
}

func (s *Server) listPools(rt *routed, _ *http.Request) (any, *refusal) {
	c, refusal := s.find(rt.cluster)
	if refusal != nil {
		return nil, refusal
	}
	list := &container.ListNodePoolsResponse{}
	for _, p := range c.Pools {
		list.NodePools = append(list.NodePools, p.body())
	}
	return list, nil
}

func (s *Server) readPool(rt *routed, _ *http.Request) (any, *refusal) {
	_, p, refusal := s.findPool(rt)
	if refusal != nil {
		return nil, refusal
	}
	return p.body(), nil
}

func (s *Server) createPool(rt *routed, r *http.Request) (any, *refusal) {
	c, refusal := s.find(rt.cluster)
	if refusal != nil {
		return nil, refusal
	}
	var req container.CreateNodePoolRequest
	raw, refusal := decode(r, &req)
	if refusal != nil {
		return nil, refusal
	}
	if req.NodePool == nil {
		return nil, invalid("NodePool must be set.")
	}
	if _, missing := c.find(req.NodePool.Name); missing == nil {
		return nil, alreadyExists(c.Ref.link() + "/nodePools/" + req.NodePool.Name)
	}
	if refusal := s.conflict(c.Ref, "CREATE_NODE_POOL"); refusal != nil {
		return nil, refusal
	}
	p, refusal := s.addPool(c, req.NodePool)
	if refusal != nil {
		return nil, refusal
	}
	nodes := int(p.Body.InitialNodeCount) * len(p.Body.Locations)
	if refusal := s.quota(c, p.Body, 0, nodes); refusal != nil {
		c.drop(p.Body.Name)
		return nil, refusal
	}
	return s.begin("CREATE_NODE_POOL", &operation{
		Cluster: c.Ref, Pool: p.Body.Name, Effect: effectCreate, Request: raw, Fault: rt.fault.shaping(),
	}), nil
}

func (c *cluster) drop(name string) {
	c.Pools = slices.DeleteFunc(c.Pools, func(p *pool) bool { return p.Body.Name == name })
}

// addPool adds a pool without nodes, with what the server fills in. The caller
// has seen that its name is free.
func (s *Server) addPool(c *cluster, asked *container.NodePool) (*pool, *refusal) {
	b := clone(asked)
	if refusal := check(b); refusal != nil {
		return nil, refusal
	}
	fillPool(c, b)
	if refusal := checkManagement(c, b.Management); refusal != nil {
		return nil, refusal
	}
	b.Status = "PROVISIONING"
	b.Etag = s.etag()
	p := &pool{Body: b}
	c.Pools = append(c.Pools, p)
	return p, nil
}

// check refuses what GKE refuses in a new pool.
func check(b *container.NodePool) *refusal {
	if !poolName.MatchString(b.Name) {
		return invalid("Invalid value for field \"node_pool.name\": \"%s\". Must be a match of regex '%s'.", b.Name, poolName)
	}
	if b.InitialNodeCount < 0 || b.InitialNodeCount > 1000 {
		return invalid("node_pool.initial_node_count must be between 0 and 1000.")
	}
	if refusal := checkAutoscaling(b.Autoscaling); refusal != nil {
		return refusal
	}
	if refusal := checkUpgrade(b.UpgradeSettings); refusal != nil {
		return refusal
	}
	if b.MaxPodsConstraint != nil && (b.MaxPodsConstraint.MaxPodsPerNode < 8 || b.MaxPodsConstraint.MaxPodsPerNode > 256) {
		return invalid("max_pods_per_node must be between 8 and 256.")
	}
	if b.Config == nil {
		return nil
	}
	return checkConfig(b.Config)
}

func checkConfig(n *container.NodeConfig) *refusal {
	if refusal := checkMachine(n.MachineType); refusal != nil {
		return refusal
	}
	if refusal := checkDisk(n.DiskSizeGb); refusal != nil {
		return refusal
	}
	if refusal := checkTaints(n.Taints); refusal != nil {
		return refusal
	}
	if refusal := checkResourceLabels(n.ResourceLabels); refusal != nil {
		return refusal
	}
	if n.Spot && n.Preemptible {
		return invalid("Spot and preemptible cannot both be set.")
	}
	return checkLocalSSD(n)
}

func checkMachine(machineType string) *refusal {
	if _, isKnown := MachineOf(machineType); machineType != "" && !isKnown {
		return invalid("Machine type with name '%s' does not exist.", machineType)
	}
	return nil
}

func checkDisk(size int64) *refusal {
	if size != 0 && size < 12 {
		return invalid("node_pool.node_config.disk_size_gb must be at least 12.")
	}
	return nil
}

func checkTaints(taints []*container.NodeTaint) *refusal {
	for _, t := range taints {
		switch t.Effect {
		case "NO_SCHEDULE", "PREFER_NO_SCHEDULE", "NO_EXECUTE":
		default:
			return invalid("Invalid value at 'taints.effect' (type.googleapis.com/google.container.v1.NodeTaint.Effect), \"%s\"", t.Effect)
		}
		if t.Key == "" {
			return invalid("Taint key must be set.")
		}
	}
	return nil
}

func checkResourceLabels(labels map[string]string) *refusal {
	for k, v := range labels {
		if !resourceLabel.MatchString(k) || !resourceValue.MatchString(v) {
			return invalid("Invalid resource label \"%s\": \"%s\". Only lowercase letters, digits, hyphens and underscores are allowed.", k, v)
		}
	}
	return nil
}

func checkLocalSSD(n *container.NodeConfig) *refusal {
	var counts []int64
	if n.LocalSsdCount > 0 {
		counts = append(counts, n.LocalSsdCount)
	}
	if c := n.LocalNvmeSsdBlockConfig; c != nil && c.LocalSsdCount > 0 {
		counts = append(counts, c.LocalSsdCount)
	}
	if c := n.EphemeralStorageLocalSsdConfig; c != nil && c.LocalSsdCount > 0 {
		counts = append(counts, c.LocalSsdCount)
	}
	if len(counts) > 1 {
		return invalid("Can not use local SSDs as volumes when using ephemeral storage backed by local SSDs.")
	}
	machine := n.MachineType
	fill(&machine, "e2-medium")
	if len(counts) == 1 && !takesLocalSSD(machine, counts[0]) {
		return invalid("Invalid local SSD count %d for machine type %s.", counts[0], machine)
	}
	return nil
}

func checkAutoscaling(a *container.NodePoolAutoscaling) *refusal {
	if a == nil || !a.Enabled {
		return nil
	}
	perZone, total := a.MinNodeCount != 0 || a.MaxNodeCount != 0, a.TotalMinNodeCount != 0 || a.TotalMaxNodeCount != 0
	switch {
	case perZone && total:
		return invalid("Per-zone and total autoscaling limits are mutually exclusive.")
	case !perZone && !total:
		return invalid("max_node_count must be at least 1 when autoscaling is enabled.")
	case a.MinNodeCount < 0 || a.TotalMinNodeCount < 0:
		return invalid("min_node_count must not be negative.")
	case a.MinNodeCount > a.MaxNodeCount || a.TotalMinNodeCount > a.TotalMaxNodeCount:
		return invalid("min_node_count must not be greater than max_node_count.")
	case a.LocationPolicy != "" && a.LocationPolicy != "BALANCED" && a.LocationPolicy != "ANY":
		return invalid("Invalid value at 'location_policy', \"%s\"", a.LocationPolicy)
	}
	return nil
}

func checkUpgrade(u *container.UpgradeSettings) *refusal {
	if u == nil || u.Strategy == "BLUE_GREEN" {
		return nil
	}
	if u.MaxSurge == 0 && u.MaxUnavailable == 0 {
		return invalid("max_surge and max_unavailable cannot both be 0.")
	}
	if u.MaxSurge < 0 || u.MaxUnavailable < 0 || u.MaxSurge+u.MaxUnavailable > 20 {
		return invalid("max_surge and max_unavailable must add up to at most 20.")
	}
	return nil
}

func checkManagement(c *cluster, m *container.NodeManagement) *refusal {
	channel := c.Body.ReleaseChannel.Channel
	if channel != "" && channel != "UNSPECIFIED" && (!m.AutoRepair || !m.AutoUpgrade) {
		return invalid("Auto_upgrade and auto_repair cannot be false when release_channel %s is set.", channel)
	}
	return nil
}

func (s *Server) deletePool(rt *routed, _ *http.Request) (any, *refusal) {
	c, p, refusal := s.findPool(rt)
	if refusal == nil {
		refusal = s.conflict(c.Ref, "DELETE_NODE_POOL")
	}
	if refusal != nil {
		return nil, refusal
	}
	p.Body.Status = "STOPPING"
	return s.begin("DELETE_NODE_POOL", &operation{
		Cluster: c.Ref, Pool: p.Body.Name, Effect: effectDelete, Fault: rt.fault.shaping(),
	}), nil
}

// instanceGroup returns the link of a pool's managed instance group in a zone.
func instanceGroup(ref ClusterRef, name, zone string) string {
	h := fnv.New32a()
	h.Write([]byte(ref.String() + name + zone)) // never fails
	group := fmt.Sprintf("gke-%.20s-%.20s-%08x-grp", ref.Name, name, h.Sum32())
	return fmt.Sprintf("https://www.googleapis.com/compute/v1/projects/%s/zones/%s/instanceGroupManagers/%s", ref.Project, zone, group)
}

// SetNodes gives a pool so many nodes in all, as an autoscaler does, and tells
// the sink. It errs when there is no such pool or the sink fails.
func (s *Server) SetNodes(ctx context.Context, ref ClusterRef, name string, nodes int) error {
	s.sink.Lock()
	defer s.sink.Unlock()
	s.mu.Lock()
	p, err := s.lookUp(ref, name)
	if err != nil {
		s.mu.Unlock()
		return fmt.Errorf("set nodes of %s: %w", name, err)
	}
	p.Nodes = nodes
	now := p.snapshot(ref)
	s.save()
	s.mu.Unlock()
	if s.o.Nodes == nil {
		return nil
	}
	return s.o.Nodes.Apply(ctx, now, nodes)
}

// SetStatus gives a pool a status and conditions, as troubles do that begin by
// themselves, or end.
func (s *Server) SetStatus(ref ClusterRef, name, status string, conditions ...*container.StatusCondition) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.lookUp(ref, name)
	if err != nil {
		return fmt.Errorf("set status of %s: %w", name, err)
	}
	p.Body.Status, p.Body.Conditions = status, conditions
	p.Body.Etag = s.etag()
	s.save()
	return nil
}

// Edit changes a pool behind everybody's back, as somebody in the console does.
func (s *Server) Edit(ref ClusterRef, name string, edit func(*container.NodePool)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.lookUp(ref, name)
	if err != nil {
		return fmt.Errorf("edit %s: %w", name, err)
	}
	edit(p.Body)
	p.Body.Etag = s.etag()
	s.save()
	return nil
}

func (s *Server) lookUp(ref ClusterRef, name string) (*pool, error) {
	c, missing := s.find(ref)
	if missing != nil {
		return nil, errors.New(missing.message)
	}
	p, missing := c.find(name)
	if missing != nil {
		return nil, errors.New(missing.message)
	}
	return p, nil
}

// request decodes again what was accepted once.
func request[T any](op *operation) *T {
	v := new(T)
	if err := json.Unmarshal(op.Request, v); err != nil {
		panic(fmt.Sprintf("emulator: operation %s: %v", op.Body.Name, err))
	}
	return v
}
