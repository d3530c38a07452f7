package run

import (
	"context"
	"time"

	"hubcap/engine/resource"
)

// People counts the user servers of a cluster.
type People func(ctx context.Context) (resource.Census, error)

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
	census, err := people(ctx)
	if err != nil {
		return 0, false
	}
	n, seen := 0, make(map[string]bool)
	for _, c := range x.step.Changes {
		switch {
		case c.ID.Kind == resource.KindNodePool && c.ID.Group == resource.GroupGKE:
			n += census.PerPool[c.ID.Name]
			if c.Replaces != nil {
				n += census.PerPool[c.Replaces.Name]
			}
		case c.ID.Namespace != "" && !seen[c.ID.Namespace]:
			seen[c.ID.Namespace] = true
			n += census.PerNamespace[c.ID.Namespace]
		}
	}
	return n, true
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
	measured.Basis = "measured"
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
