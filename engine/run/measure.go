package run

import (
	"context"
	"slices"
	"time"

	"hubcap/engine/plan"
	"hubcap/engine/resource"
)

// People counts the user servers at some places of a cluster.
type People func(ctx context.Context, at resource.Places) (resource.Census, error)

// countTimeout bounds a count: what is measured must not hold a step up.
const countTimeout = 15 * time.Second

// count returns the user servers that the step's changes are about. It says
// whether they could be counted.
func (x *execution) count(ctx context.Context) (int, bool) {
	people := x.Targets[x.step.Cluster].People
	if people == nil {
		return 0, false
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), countTimeout)
	defer cancel()
	at := placesOf(x.step.Changes)
	census, err := people(ctx, resource.Places{Namespaces: at.Namespaces, Pools: len(at.Pools) > 0})
	if err != nil {
		return 0, false
	}
	n, err := at.Count(census)
	return n, err == nil
}

// placesOf returns where the changes of a step are.
func placesOf(changes []resource.Change) *plan.SessionBound {
	var at plan.SessionBound
	for _, c := range changes {
		switch {
		case c.ID.Kind == resource.KindNodePool && c.ID.Group == resource.GroupGKE:
			at.Pools = append(at.Pools, c.ID.Name)
			if c.Replaces != nil {
				at.Pools = append(at.Pools, c.Replaces.Name)
			}
		case c.ID.Within() != "" && !slices.Contains(at.Namespaces, c.ID.Within()):
			at.Namespaces = append(at.Namespaces, c.ID.Within())
		}
	}
	return &at
}

// disturbs reports whether people were predicted to notice the step: then they are
// counted before and after it.
func (x *execution) disturbs() bool {
	return x.step.Impact.SessionsLost > 0 || x.step.Impact.SessionsInterrupted > 0
}

// measure returns the impact of the step as it came out: for how long its pods were
// away, how many user servers were there when it began, and how many fewer are there
// now. What was not looked at is as predicted, and Basis says so.
func (x *execution) measure(ctx context.Context) *resource.Impact {
	if x.began.IsZero() {
		return nil
	}
	measured := x.step.Impact
	measured.Basis = resource.BasisMeasured
	if measured.LaunchGap > 0 {
		measured.LaunchGap = time.Since(x.began)
	}
	if !x.disturbs() {
		return &measured
	}
	after, counted := x.count(ctx)
	if !counted || !x.counted {
		measured.Basis = "measured, but for the sessions: they could not be counted"
		return &measured
	}
	measured.SessionsLost = max(0, x.people-after)
	if measured.SessionsInterrupted > 0 {
		measured.SessionsInterrupted = x.people
	}
	return &measured
}
