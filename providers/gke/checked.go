package gke

import (
	"context"
	"fmt"
	"slices"
	"strings"

	container "google.golang.org/api/container/v1"

	"hubcap/engine/resource"
)

// What the cluster and its pools say of a pool beforehand, and GKE would refuse or do
// in silence when it is made.

// checkChannel refuses pools that GKE does not take on a cluster with a release
// channel. It reads the cluster only when there is a pool for which that counts.
func (p *Provider) checkChannel(ctx context.Context, observations []resource.Observation) error {
	channel, isRead := "", false
	for i := range observations {
		o := &observations[i]
		off := switchedOff(o.Desired.Object)
		if o.Same || o.Refused != "" || len(off) == 0 {
			continue
		}
		if !isRead {
			var err error
			if channel, err = p.channel(ctx); err != nil {
				return err
			}
			isRead = true
		}
		if channel != "" {
			o.Refused = fmt.Sprintf("cluster %s is on the release channel %s, where GKE takes no pool with %s: leave it out of management, or write true; a maintenance exclusion of the cluster keeps upgrades away for a time",
				p.c.Name, channel, strings.Join(off, " and "))
		}
	}
	return nil
}

// switchedOff returns which parts of GKE's management a pool switches off, as the
// config words it.
func switchedOff(pool resource.Object) []string {
	var off []string
	for _, part := range []struct{ key, word string }{{"autoRepair", "auto_repair"}, {"autoUpgrade", "auto_upgrade"}} {
		if value, _ := pool.Value("management", part.key); value == false {
			off = append(off, part.word+" = false")
		}
	}
	return off
}

// channel returns the release channel of the cluster, "" when it is on none.
func (p *Provider) channel(ctx context.Context) (string, error) {
	what := "read the release channel of cluster " + p.c.Name
	svc, err := p.service(ctx)
	if err != nil {
		return "", fmt.Errorf("%s: %w", what, err)
	}
	c, err := read(ctx, p, func(ctx context.Context) (*container.Cluster, error) {
		return svc.Projects.Locations.Clusters.Get(p.cluster()).Context(ctx).Do()
	})
	if err != nil {
		return "", fmt.Errorf("%s: %w", what, err)
	}
	if c.ReleaseChannel == nil || c.ReleaseChannel.Channel == "UNSPECIFIED" {
		return "", nil
	}
	return c.ReleaseChannel.Channel, nil
}

// emptied says which new pools would have no node and never get one: one in the place
// of a pool of the same block is refused, for what runs there would stay pending.
func emptied(reading *resource.Reading) {
	for i := range reading.Observations {
		o := &reading.Observations[i]
		if o.Live != nil || o.Refused != "" || mayHaveNodes(o.Desired.Object) {
			continue
		}
		block := o.Desired.Object.Text("config", "resourceLabels", LabelBlock)
		j := slices.IndexFunc(reading.Orphans, func(l resource.Live) bool { return block != "" && labelsOf(l.Object)[LabelBlock] == block })
		if j < 0 {
			o.Notes = append(o.Notes, "has 0 nodes and cannot grow: write initial_nodes or autoscaling")
			continue
		}
		o.Refused = fmt.Sprintf("node pool %s would take the place of %s with 0 nodes and cannot grow: what runs there would find no place; write initial_nodes or autoscaling",
			o.Desired.ID.Name, reading.Orphans[j].ID.Name)
	}
}

// mayHaveNodes reports whether a pool begins with nodes, or can get some.
func mayHaveNodes(pool resource.Object) bool {
	if nodes, _ := pool.Value("initialNodeCount"); nodes != nil && nodes != int64(0) {
		return true
	}
	enabled, _ := pool.Value("autoscaling", "enabled")
	return enabled == true // its maximum is at least 1
}
