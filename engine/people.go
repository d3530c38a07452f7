package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"hubcap/engine/plan"
	"hubcap/engine/resource"
	"hubcap/engine/run"
)

// Places returns where people are counted on a cluster whatever changes: in the
// namespaces of its hubs, and on its node pools.
func (e *Engine) Places(cluster string) resource.Places {
	at := resource.Places{Pools: true}
	for _, h := range e.Config.Hubs {
		if h.Cluster.Name == cluster && !slices.Contains(at.Namespaces, h.Namespace) {
			at.Namespaces = append(at.Namespaces, h.Namespace)
		}
	}
	return at
}

// count counts the people on every cluster. Where that fails the plan is
// incomplete, not impossible.
func (e *Engine) count(ctx context.Context) (map[string]resource.Census, []resource.Unreadable) {
	at := make(map[string]resource.Places, len(e.Clusters))
	for name := range e.Clusters {
		at[name] = e.Places(name)
	}
	return e.countAt(ctx, at)
}

// countTouched adds to a census the people in the namespaces that changes are in and
// that are none of the config's hubs': those of hubs that left the config are among
// them. Where something is only made nobody is disturbed. Where node pools change it
// adds what runs on them.
func (e *Engine) countTouched(ctx context.Context, census map[string]resource.Census, changes []resource.Change) []resource.Unreadable {
	at := make(map[string]resource.Places)
	for _, c := range changes {
		namespace := c.ID.Within()
		_, isCounted := census[c.ID.Cluster].PerNamespace[namespace]
		places := at[c.ID.Cluster]
		if c.Action != resource.Create && c.ID.Kind == resource.KindNodePool {
			places.Carriers = true
			at[c.ID.Cluster] = places
		}
		if c.Action != resource.Create && namespace != "" && !isCounted && !slices.Contains(places.Namespaces, namespace) {
			places.Namespaces = append(places.Namespaces, namespace)
			at[c.ID.Cluster] = places
		}
	}
	more, blind := e.countAt(ctx, at)
	for name, c := range more {
		all := census[name]
		all.PerNamespace = maps.Clone(all.PerNamespace)
		if all.PerNamespace == nil {
			all.PerNamespace = make(map[string]int)
		}
		maps.Copy(all.PerNamespace, c.PerNamespace)
		all.Unknown = cmp.Or(all.Unknown, c.Unknown)
		all.Sessions += c.Sessions
		all.Carriers = c.Carriers
		census[name] = all
	}
	return blind
}

// countAt counts the people at the places of each cluster, all at once. Of a count that
// failed nothing is taken for a number.
func (e *Engine) countAt(ctx context.Context, at map[string]resource.Places) (map[string]resource.Census, []resource.Unreadable) {
	names := slices.Sorted(maps.Keys(at))
	counts, errs := make([]resource.Census, len(names)), make([]error, len(names))
	var wait sync.WaitGroup
	for i, name := range names {
		if c := e.Clusters[name]; c != nil && c.Census != nil {
			wait.Go(func() { counts[i], errs[i] = c.Census.Count(ctx, at[name]) })
		}
	}
	wait.Wait()
	census := make(map[string]resource.Census, len(names))
	var blind []resource.Unreadable
	for i, name := range names {
		census[name] = counts[i]
		if errs[i] != nil {
			blind = append(blind, resource.Unreadable{What: "user servers of cluster " + name, Reason: errs[i].Error()})
			census[name] = resource.Census{Unknown: errs[i].Error()}
			if at[name].Pools {
				census[name] = resource.Census{Unknown: errs[i].Error(), PoolsUnknown: errs[i].Error()}
			}
		}
	}
	return census, blind
}

// uncrowded refuses a plan of which any step relies on fewer people than there are by
// now. Who cannot be counted here holds the step that they matter to.
func (s *session) uncrowded(ctx context.Context) error {
	at := make(map[string]resource.Places)
	var bound []plan.Step
	for _, step := range s.plan.Steps() {
		if step.Relies == nil {
			continue
		}
		places := at[step.Cluster]
		for _, n := range step.Relies.Namespaces {
			if !slices.Contains(places.Namespaces, n) {
				places.Namespaces = append(places.Namespaces, n)
			}
		}
		places.Pools = places.Pools || len(step.Relies.Pools) > 0
		at[step.Cluster], bound = places, append(bound, step)
	}
	census, blind := s.countAt(ctx, at)
	if len(blind) > 0 {
		return nil
	}
	for _, step := range bound {
		t := run.Target{People: func(context.Context, resource.Places) (resource.Census, error) { return census[step.Cluster], nil }}
		if err := t.CheckPeople(ctx, step); errors.Is(err, run.ErrMoved) {
			return fmt.Errorf("%w: %s: %w; make a new plan", ErrStale, step.Component, err)
		}
	}
	return nil
}
