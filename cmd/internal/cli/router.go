package cli

import (
	"context"
	"sync"

	"hubcap/engine"
	"hubcap/engine/observe"
	"hubcap/engine/resource"
	"hubcap/engine/run"
	"hubcap/engine/seal"
)

// A system is what the router asks of an outside system.
type system interface {
	observe.Reader
	run.Writer
	run.Prober
	engine.Sealer
}

// A router sends what is about node pools to the GKE API and all else to the
// API server.
type router struct {
	objects system
	pools   system // nil without GKE
}

func (r *router) isPool(id resource.ID) bool { return id.Group == resource.GroupGKE && r.pools != nil }

// Read asks both at once.
func (r *router) Read(ctx context.Context, desired []resource.Desired) (resource.Reading, error) {
	var pools, objects []resource.Desired
	for _, d := range desired {
		if r.isPool(d.ID) {
			pools = append(pools, d)
		} else {
			objects = append(objects, d)
		}
	}
	if r.pools == nil {
		return r.objects.Read(ctx, objects)
	}
	var poolReading resource.Reading
	var poolErr error
	var wait sync.WaitGroup
	wait.Go(func() { poolReading, poolErr = r.pools.Read(ctx, pools) })
	reading, err := r.objects.Read(ctx, objects)
	wait.Wait()
	if err != nil {
		return resource.Reading{}, err
	}
	if poolErr != nil {
		return resource.Reading{}, poolErr
	}
	reading.Observations = append(reading.Observations, poolReading.Observations...)
	reading.Orphans = append(reading.Orphans, poolReading.Orphans...)
	reading.Unsealed = append(reading.Unsealed, poolReading.Unsealed...)
	reading.Unreadable = append(reading.Unreadable, poolReading.Unreadable...)
	return reading, nil
}

// Look looks at one object.
func (r *router) Look(ctx context.Context, c resource.Change) (run.Sight, error) {
	if r.isPool(c.ID) {
		return r.pools.Look(ctx, c)
	}
	return r.objects.Look(ctx, c)
}

// Write makes one change.
func (r *router) Write(ctx context.Context, c resource.Change, sight run.Sight) (run.Sight, error) {
	if r.isPool(c.ID) {
		return r.pools.Write(ctx, c, sight)
	}
	return r.objects.Write(ctx, c, sight)
}

// Seal seals one object on a person's word.
func (r *router) Seal(ctx context.Context, key seal.Key, u resource.Unsealed) error {
	if r.isPool(u.ID) {
		return r.pools.Seal(ctx, key, u)
	}
	return r.objects.Seal(ctx, key, u)
}

// Probe tells whether one object has settled.
func (r *router) Probe(ctx context.Context, c resource.Change) (resource.Health, error) {
	if r.isPool(c.ID) {
		return r.pools.Probe(ctx, c)
	}
	return r.objects.Probe(ctx, c)
}
