package gke

import (
	"context"
	"fmt"
	"slices"
	"strings"

	container "google.golang.org/api/container/v1"

	"hubcap/engine/resource"
)

// An Inventory is the node pools that a cluster has, whoever made them.
type Inventory struct {
	Locations []string // zones of the cluster, which a pool has unless it says otherwise
	Pools     []resource.Live
	Passing   []Passing // pools that no config can describe
}

// A Passing pool is GKE's own, or about to go.
type Passing struct{ Name, Reason string }

// Inventory reads all node pools of the cluster. It writes nothing.
func (p *Provider) Inventory(ctx context.Context) (Inventory, error) {
	what := "read cluster " + p.c.Name
	svc, err := p.service(ctx)
	if err != nil {
		return Inventory{}, fmt.Errorf("%s: %w", what, err)
	}
	c, err := read(ctx, p, func(ctx context.Context) (*container.Cluster, error) {
		return svc.Projects.Locations.Clusters.Get(p.cluster()).Context(ctx).Do()
	})
	if err != nil {
		return Inventory{}, fmt.Errorf("%s: %w", what, err)
	}
	list, err := read(ctx, p, func(ctx context.Context) (*container.ListNodePoolsResponse, error) {
		return svc.Projects.Locations.Clusters.NodePools.List(p.cluster()).Context(ctx).Do()
	})
	if err != nil {
		return Inventory{}, fmt.Errorf("read node pools of cluster %s: %w", p.c.Name, err)
	}
	found := Inventory{Locations: slices.Sorted(slices.Values(c.Locations))}
	for _, np := range list.NodePools {
		if reason := passing(np); reason != "" {
			found.Passing = append(found.Passing, Passing{Name: np.Name, Reason: reason})
			continue
		}
		l, err := p.live(np)
		if err != nil {
			return Inventory{}, fmt.Errorf("read node pool %s of cluster %s: %w", np.Name, p.c.Name, err)
		}
		found.Pools = append(found.Pools, *l)
	}
	slices.SortFunc(found.Pools, func(a, b resource.Live) int { return strings.Compare(a.ID.Name, b.ID.Name) })
	return found, nil
}

// passing says why a pool is none that a config can describe, "" when it is one.
func passing(np *container.NodePool) string {
	switch {
	case np.Status == "STOPPING":
		return "it is being deleted"
	case np.Autoscaling != nil && np.Autoscaling.Autoprovisioned:
		return "GKE made it by node auto-provisioning, and removes it by itself"
	case np.AutopilotConfig != nil && np.AutopilotConfig.Enabled:
		return "it belongs to Autopilot"
	}
	return ""
}
