package emulator

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"net/http"
	"regexp"
	"time"

	container "google.golang.org/api/container/v1"
)

const (
	apiRoot = "https://container.googleapis.com/v1/"

	// version is what control planes and nodes run unless told otherwise.
	version = "1.35.6-gke.1250000"
)

var zonePattern = regexp.MustCompile(`-[a-z]$`)

func zonal(location string) bool { return zonePattern.MatchString(location) }

func region(location string) string { return zonePattern.ReplaceAllString(location, "") }

// place returns "zones/Z" or "locations/R", as GKE's links have it.
func place(location string) string {
	if zonal(location) {
		return "zones/" + location
	}
	return "locations/" + location
}

// numbered returns the parent of a cluster with the project's number.
func numbered(c ClusterRef) string {
	h := fnv.New32a()
	h.Write([]byte(c.Project)) // never fails
	return fmt.Sprintf("projects/%d/%s", 100_000_000_000+int64(h.Sum32()), place(c.Location))
}

func (c ClusterRef) link() string {
	return fmt.Sprintf("projects/%s/%s/clusters/%s", c.Project, place(c.Location), c.Name)
}

func (s *Server) etag() string {
	s.serial++
	h := fnv.New64a()
	fmt.Fprint(h, s.serial) // never fails
	return fmt.Sprintf("%011x=", h.Sum64()&(1<<44-1))
}

func (s *Server) find(ref ClusterRef) (*cluster, *refusal) {
	for _, c := range s.clusters {
		if c.Ref == ref {
			return c, nil
		}
	}
	return nil, notFound(fmt.Sprintf("Not found: %s.", ref.link()))
}

// addCluster adds a running cluster with GKE's defaults and without node pools.
func (s *Server) addCluster(ref ClusterRef, body *container.Cluster) *cluster {
	b := clone(body)
	b.NodePools = nil
	b.Name, b.Location, b.Zone = ref.Name, ref.Location, ref.Location
	b.Status = "RUNNING"
	b.SelfLink = apiRoot + ref.link()
	b.Etag = s.etag()
	b.CreateTime = s.o.Now().UTC().Format(time.RFC3339Nano)
	if len(b.Locations) == 0 {
		b.Locations = zones(ref.Location)
	}
	fill(&b.CurrentMasterVersion, version)
	fill(&b.InitialClusterVersion, version)
	fill(&b.CurrentNodeVersion, version)
	fill(&b.ClusterIpv4Cidr, "10.112.0.0/14")
	fill(&b.ServicesIpv4Cidr, "34.118.224.0/20")
	fill(&b.Network, "default")
	fill(&b.Subnetwork, "default")
	fill(&b.LoggingService, "logging.googleapis.com/kubernetes")
	fill(&b.MonitoringService, "monitoring.googleapis.com/kubernetes")
	if b.ReleaseChannel == nil {
		b.ReleaseChannel = &container.ReleaseChannel{Channel: "REGULAR"}
	}
	if b.DefaultMaxPodsConstraint == nil {
		b.DefaultMaxPodsConstraint = &container.MaxPodsConstraint{MaxPodsPerNode: 110}
	}
	if b.MasterAuth == nil {
		b.MasterAuth = &container.MasterAuth{}
	}
	c := &cluster{Ref: ref, Body: b}
	s.clusters = append(s.clusters, c)
	return c
}

func fill(field *string, value string) {
	if *field == "" {
		*field = value
	}
}

func zones(location string) []string {
	if zonal(location) {
		return []string{location}
	}
	return []string{location + "-a", location + "-b", location + "-c"}
}

// body returns the cluster as the API shows it, pools included.
func (c *cluster) body() *container.Cluster {
	b := clone(c.Body)
	for _, p := range c.Pools {
		b.NodePools = append(b.NodePools, p.body())
		b.CurrentNodeCount += int64(p.Nodes)
		b.InstanceGroupUrls = append(b.InstanceGroupUrls, p.Body.InstanceGroupUrls...)
	}
	return b
}

func (s *Server) listClusters(rt *routed, _ *http.Request) (any, *refusal) {
	list := &container.ListClustersResponse{}
	for _, c := range s.clusters {
		if c.Ref.Project == rt.cluster.Project && (rt.cluster.Location == "-" || rt.cluster.Location == c.Ref.Location) {
			list.Clusters = append(list.Clusters, c.body())
		}
	}
	return list, nil
}

func (s *Server) readCluster(rt *routed, _ *http.Request) (any, *refusal) {
	c, refusal := s.find(rt.cluster)
	if refusal != nil {
		return nil, refusal
	}
	return c.body(), nil
}

func (s *Server) createCluster(rt *routed, r *http.Request) (any, *refusal) {
	var req container.CreateClusterRequest
	raw, refusal := decode(r, &req)
	if refusal != nil {
		return nil, refusal
	}
	if req.Cluster == nil || req.Cluster.Name == "" {
		return nil, invalid("Cluster.name must be set.")
	}
	ref := rt.cluster
	ref.Name = req.Cluster.Name
	if _, missing := s.find(ref); missing == nil {
		return nil, alreadyExists(ref.link())
	}
	c := s.addCluster(ref, req.Cluster)
	c.Body.Status = "PROVISIONING"
	pools := req.Cluster.NodePools
	if len(pools) == 0 && req.Cluster.InitialNodeCount > 0 {
		pools = []*container.NodePool{{Name: "default-pool", InitialNodeCount: req.Cluster.InitialNodeCount, Config: req.Cluster.NodeConfig}}
	}
	for _, p := range pools {
		if _, refusal := s.addPool(c, p); refusal != nil {
			s.dropCluster(ref)
			return nil, refusal
		}
	}
	return s.begin("CREATE_CLUSTER", &operation{Cluster: ref, Effect: effectCluster, Request: raw, Fault: rt.fault.shaping()}), nil
}

func (s *Server) dropCluster(ref ClusterRef) {
	for i, c := range s.clusters {
		if c.Ref == ref {
			s.clusters = append(s.clusters[:i], s.clusters[i+1:]...)
			return
		}
	}
}

func (s *Server) deleteCluster(rt *routed, _ *http.Request) (any, *refusal) {
	c, refusal := s.find(rt.cluster)
	if refusal == nil {
		refusal = s.conflict(c.Ref, "DELETE_CLUSTER")
	}
	if refusal != nil {
		return nil, refusal
	}
	c.Body.Status = "STOPPING"
	return s.begin("DELETE_CLUSTER", &operation{Cluster: c.Ref, Effect: effectGone, Fault: rt.fault.shaping()}), nil
}

// updateCluster knows the parts of an update that concern node pools; others are
// refused rather than forgotten.
func (s *Server) updateCluster(rt *routed, r *http.Request) (any, *refusal) {
	c, refusal := s.find(rt.cluster)
	if refusal != nil {
		return nil, refusal
	}
	var req container.UpdateClusterRequest
	raw, refusal := decode(r, &req)
	if refusal != nil {
		return nil, refusal
	}
	u := req.Update
	if u == nil || u.DesiredNodePoolAutoscaling == nil && u.DesiredReleaseChannel == nil {
		return nil, invalid("Must specify a field to update.")
	}
	if u.Etag != "" && u.Etag != c.Body.Etag {
		return nil, refusalOf(http.StatusConflict, "", "Cluster etag mismatch: the cluster was changed meanwhile.")
	}
	if refusal := s.conflict(c.Ref, "UPDATE_CLUSTER"); refusal != nil {
		return nil, refusal
	}
	op := &operation{Cluster: c.Ref, Effect: effectClusterPool, Request: raw, Fault: rt.fault.shaping()}
	if u.DesiredNodePoolAutoscaling != nil {
		if _, refusal := c.find(u.DesiredNodePoolId); refusal != nil {
			return nil, refusal
		}
		if refusal := checkAutoscaling(u.DesiredNodePoolAutoscaling); refusal != nil {
			return nil, refusal
		}
		op.Pool = u.DesiredNodePoolId
	}
	c.Body.Status = "RECONCILING"
	return s.begin("UPDATE_CLUSTER", op), nil
}

func (s *Server) effectOnCluster(op *operation, c *cluster) {
	var req container.UpdateClusterRequest
	if err := json.Unmarshal(op.Request, &req); err != nil {
		panic(fmt.Sprintf("emulator: operation %s: %v", op.Body.Name, err))
	}
	if channel := req.Update.DesiredReleaseChannel; channel != nil {
		c.Body.ReleaseChannel = channel
	}
	if p, missing := c.find(op.Pool); missing == nil && req.Update.DesiredNodePoolAutoscaling != nil {
		p.Body.Autoscaling = req.Update.DesiredNodePoolAutoscaling
		p.Body.Etag = s.etag()
	}
	c.Body.Etag = s.etag()
}
