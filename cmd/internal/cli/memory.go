package cli

import (
	"context"
	"errors"
	"slices"
	"strings"

	"hubcap/engine"
	"hubcap/engine/plan"
	"hubcap/engine/resource"
	"hubcap/providers/memory"
	"hubcap/schema"
)

// For tests only: with memoryVariable set, every cluster is a world in memory that
// the named file keeps, so that plan, apply and plan can be separate processes.
// brokenVariable lists images whose pods never get ready, and faultVariable calls
// of the world that fail.
const (
	memoryVariable = "HUBCAP_MEMORY"
	brokenVariable = "HUBCAP_MEMORY_BROKEN"
	faultVariable  = "HUBCAP_MEMORY_FAULT"
)

func (s *session) memoryCluster(config *schema.Config, c schema.Cluster, path string) (*engine.Cluster, error) {
	name := c.Address.Name
	if len(config.Clusters) > 1 {
		path += "." + name
	}
	world, err := memory.Open(name, config.Settings.Name, path)
	if err != nil {
		return nil, err
	}
	if broken, _ := s.env(brokenVariable); broken != "" {
		world.Broken = strings.Split(broken, ",")
	}
	if faults, _ := s.env(faultVariable); faults != "" {
		failing := strings.Split(faults, ",")
		world.Fault = func(call memory.Call) error {
			if slices.Contains(failing, call.Name) {
				return errors.New("this call was made to fail")
			}
			return nil
		}
	}
	cluster := world.Cluster()
	if err := engine.CheckIdentity(c, cluster.Identity); err != nil {
		return nil, err
	}
	if c.GKE != nil {
		cluster.GKE = &plan.GKE{Project: c.GKE.Project, Location: c.GKE.Location, Name: c.GKE.Name}
	}
	s.monitoring.add(c, nil)
	cluster.Sampler = s.samplers(world, nil).people(config, nil)
	cluster.Store = s.mirror(world, name)
	cluster.Facts.Lookup = lookup(world, name)
	s.peekAt(name, func(ctx context.Context) (*engine.LockedError, error) { return peek(ctx, world) })
	return cluster, nil
}

// peek tells who holds a world's lock by trying to take it.
func peek(ctx context.Context, world *memory.World) (*engine.LockedError, error) {
	lock, err := world.Lock(ctx, engine.Holder{})
	var locked *engine.LockedError
	if errors.As(err, &locked) {
		return locked, nil
	}
	if err != nil {
		return nil, err
	}
	return nil, lock.Release(ctx)
}

// lookup is what charts see of a world: its objects, one by one.
func lookup(world *memory.World, cluster string) func(apiVersion, kind, namespace, name string) (map[string]any, error) {
	return func(apiVersion, kind, namespace, name string) (map[string]any, error) {
		group, _, grouped := strings.Cut(apiVersion, "/")
		if !grouped {
			group = ""
		}
		id := resource.ID{Cluster: cluster, Group: group, Kind: kind, Namespace: namespace, Name: name}
		objects := world.Objects()
		if o := objects[id]; o != nil {
			return o, nil
		}
		id.Namespace = "" // of a kind without
		return objects[id], nil
	}
}
