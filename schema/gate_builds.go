package schema

import "hubcap/engine/resource"

// BuildsCheck holds the builds that are asked for against the pods that build.
type BuildsCheck struct {
	Cluster    resource.Address // whose Prometheus; zero: of the hub's cluster
	InProgress string           // query of the builds that are asked for
	MaxPerPod  *float64
	MaxPending *int64
	MaxShare   *float64
	MinBuilds  int64
}

// buildsInProgress is BinderHub's own gauge: requests that wait for a build.
const buildsInProgress = `sum(binderhub_inprogress_builds{namespace="$namespace"})`

// fewestBuilds is how many builds must be in progress before they can be in each
// other's way.
const fewestBuilds = 4

func (b *body) buildsCheck() *BuildsCheck {
	c := b.block("builds")
	if c == nil {
		return nil
	}
	check := &BuildsCheck{
		InProgress: c.query("in_progress"),
		MaxPerPod:  c.amount("max_per_pod"),
		MaxPending: c.integer("max_pending", atLeast0),
		MaxShare:   c.amount("max_share"),
		MinBuilds:  c.number("min_builds", atLeast1, fewestBuilds),
	}
	if check.InProgress == "" {
		check.InProgress = buildsInProgress
	}
	if t := c.ref("cluster", "cluster"); t != nil {
		check.Cluster = t.address
	}
	if !c.has("max_per_pod") && !c.has("max_pending") && !c.has("max_share") {
		c.errorAt(c.header, "Check without a bound", "A builds block needs max_per_pod, max_pending or max_share.")
	}
	if check.MaxShare != nil && (*check.MaxShare <= 0 || *check.MaxShare > 1) {
		c.errorIn("max_share", "Number out of range", "builds.max_share is a part of all builds, above 0 and at most 1.")
	}
	c.done()
	return check
}
