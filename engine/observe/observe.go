// Package observe reads what exists: it asks every provider once, in parallel,
// and joins the answers.
//
// Place in the pipeline: after expand, before diff.
package observe

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"hubcap/engine/resource"
)

// A Reader holds desired objects of one cluster beside the live ones. What could
// not be read is told in the Reading, not as an error; an error means that
// nothing could.
type Reader interface {
	Read(ctx context.Context, desired []resource.Desired) (resource.Reading, error)
}

// Read reads all clusters at once and joins what they answer, in an order that
// depends only on the objects. Every cluster is read, also one for which nothing
// is desired: what is wanted no more may live there. readers are by the name of
// the cluster; a desired object of a cluster without a reader is an error.
func Read(ctx context.Context, readers map[string]Reader, desired []resource.Desired) (resource.Reading, error) {
	byCluster := make(map[string][]resource.Desired)
	for _, d := range desired {
		if readers[d.ID.Cluster] == nil {
			return resource.Reading{}, fmt.Errorf("read %s: cluster %q is not connected", d.Address, d.ID.Cluster)
		}
		byCluster[d.ID.Cluster] = append(byCluster[d.ID.Cluster], d)
	}
	names := slices.Sorted(maps.Keys(readers))
	readings, errs := make([]resource.Reading, len(names)), make([]error, len(names))
	var wait sync.WaitGroup
	for i, name := range names {
		wait.Go(func() {
			var err error
			if readings[i], err = readers[name].Read(ctx, byCluster[name]); err != nil {
				errs[i] = fmt.Errorf("read cluster %s: %w", name, err)
			}
		})
	}
	wait.Wait()
	if err := errors.Join(errs...); err != nil {
		return resource.Reading{}, err
	}
	return join(readings), nil
}

func join(readings []resource.Reading) resource.Reading {
	var all resource.Reading
	for _, r := range readings {
		all.Observations = append(all.Observations, r.Observations...)
		all.Orphans = append(all.Orphans, r.Orphans...)
		all.Unsealed = append(all.Unsealed, r.Unsealed...)
		all.Unreadable = append(all.Unreadable, r.Unreadable...)
		all.Releases = append(all.Releases, r.Releases...)
	}
	slices.SortStableFunc(all.Observations, func(a, b resource.Observation) int {
		return cmp.Compare(a.Desired.ID.String(), b.Desired.ID.String())
	})
	slices.SortStableFunc(all.Orphans, func(a, b resource.Live) int {
		return cmp.Compare(a.ID.String(), b.ID.String())
	})
	slices.SortStableFunc(all.Unsealed, func(a, b resource.Unsealed) int {
		return cmp.Compare(a.ID.String(), b.ID.String())
	})
	slices.SortStableFunc(all.Unreadable, func(a, b resource.Unreadable) int {
		return cmp.Or(cmp.Compare(a.What, b.What), cmp.Compare(a.Reason, b.Reason))
	})
	return all
}
