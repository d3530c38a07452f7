package gke

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	container "google.golang.org/api/container/v1"

	"hubcap/engine/resource"
	"hubcap/engine/run"
)

// errNoCluster says that not the pool but the whole cluster is not there.
var errNoCluster = errors.New("the cluster does not exist")

// get returns a node pool, or nil when there is none.
func (p *Provider) get(ctx context.Context, name string) (*resource.Live, *container.NodePool, error) {
	svc, err := p.service(ctx)
	if err != nil {
		return nil, nil, err
	}
	np, err := try(ctx, p, p.c.Patience, func(ctx context.Context) (*container.NodePool, error) {
		return svc.Projects.Locations.Clusters.NodePools.Get(p.pool(name)).Context(ctx).Do()
	})
	if err != nil && judge(err) == absent { // of the pool, or of the whole cluster
		_, err = try(ctx, p, p.c.Patience, func(ctx context.Context) (*container.Cluster, error) {
			return svc.Projects.Locations.Clusters.Get(p.cluster()).Fields("name").Context(ctx).Do()
		})
		if err != nil && judge(err) == absent {
			err = fmt.Errorf("%w: %w", errNoCluster, err)
		}
		return nil, nil, err
	}
	if err != nil {
		return nil, nil, err
	}
	l, err := p.live(np)
	return l, np, err
}

// Look returns where the pool stands between change.Before and change.After. It
// first waits for the operation that runs on the pool, if one does: where the
// pool stands meanwhile says nothing. A pool of which some fields are still as
// before and the others already as wanted is at before: a write that was cut off
// left it so, and writing goes on there.
func (p *Provider) Look(ctx context.Context, change resource.Change) (run.Sight, error) {
	var l *resource.Live
	err := p.idle(ctx, func(op *container.Operation) bool {
		_, pool, _ := strings.Cut(op.TargetLink, "/nodePools/")
		return pool == change.ID.Name || pool == ""
	})
	if err == nil {
		l, _, err = p.get(ctx, change.ID.Name)
	}
	if errors.Is(err, errNoCluster) && change.After == nil {
		return run.Sight{State: run.AtAfter}, nil
	}
	if err != nil {
		return run.Sight{}, fmt.Errorf("look at node pool %s: %w", change.ID.Name, err)
	}
	s := p.sight(change, l)
	if s.State == run.AtAfter && change.Seals && change.After != nil {
		sealed, err := p.readSeals(ctx)
		if err != nil || len(sealed.unread) > 0 {
			return run.Sight{}, fmt.Errorf("look at node pool %s: its seal cannot be checked: %w", change.ID.Name, errors.Join(err, sealed.why()))
		}
		if sealed.lack(l) {
			s.State = run.AtBefore
		}
	}
	return s, nil
}

func (p *Provider) sight(change resource.Change, l *resource.Live) run.Sight {
	if l == nil {
		return sightOfNothing(change)
	}
	s := run.Sight{Version: l.Version}
	if l.Owner != "" && l.Owner != p.c.Owner {
		s.State, s.Moved = run.Elsewhere, fmt.Sprintf("it belongs to the hubcap config %q", l.Owner)
		return s
	}
	if change.Before == nil && change.After != nil {
		s.State = run.AtAfter
		if differ := differing(leaves(change.After), leaves(l.Object)); len(differ) > 0 {
			s.State, s.Moved = run.Elsewhere, "it exists already, and differs in "+differ[0].String()
		}
		return s
	}
	s.State, s.Moved = between(change, l)
	return s
}

func sightOfNothing(change resource.Change) run.Sight {
	switch {
	case change.After == nil:
		return run.Sight{State: run.AtAfter}
	case change.Before == nil:
		return run.Sight{State: run.AtBefore}
	}
	return run.Sight{State: run.Elsewhere, Moved: "it is gone"}
}

// between finds out where a pool that exists stands. A pool that is to go stands
// at before as long as nobody changed it.
func between(change resource.Change, l *resource.Live) (run.State, string) {
	before, live := leaves(change.Before), leaves(l.Object)
	after := before
	if change.After != nil {
		after = leaves(change.After)
	}
	all := maps.Clone(before)
	maps.Copy(all, after)
	state := run.AtAfter
	if change.After == nil {
		state = run.AtBefore
	}
	var moved []string
	for at := range all {
		if _, isWanted := after[at]; !isWanted && at.entry == "" {
			continue // GKE's to choose once more
		}
		switch v := live[at]; {
		case resource.Equal(v, after[at]):
		case resource.Equal(v, before[at]):
			state = run.AtBefore
		default:
			moved = append(moved, fmt.Sprintf("%s is %s, neither %s nor %s", at, show(at, v), show(at, before[at]), show(at, after[at])))
			if change.After == nil {
				moved[len(moved)-1] = fmt.Sprintf("%s is %s and was %s", at, show(at, v), show(at, before[at]))
			}
		}
	}
	if len(moved) == 0 {
		return state, ""
	}
	slices.Sort(moved)
	return run.Elsewhere, strings.Join(moved, "; ") + " (GKE does not tell who changed it)"
}

// show returns a value for people. What stands in metadata is not shown: scripts
// with passwords do.
func show(l leaf, v any) string {
	switch v := v.(type) {
	case nil:
		return "not set"
	case string:
		if l.field == "config.metadata" {
			return "(not shown)"
		}
		return fmt.Sprintf("%q", v)
	}
	return fmt.Sprint(v)
}
