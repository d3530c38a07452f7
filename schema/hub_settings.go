package schema

import (
	"math"
	"time"
)

// The inner blocks of a hub. Each returns nil when the block is not there.

// lastActivity is how long JupyterHub may take to notice that a user is active:
// the proxy's ping and last_activity_interval as the charts set it. A shorter
// culling timeout stops servers in use.
const lastActivity = 90 * time.Second

func (b *body) culling() *Culling {
	c := b.block("culling")
	if c == nil {
		return nil
	}
	culling := &Culling{
		Enabled:     c.boolean("enabled"),
		Timeout:     c.positive("timeout"),
		Every:       c.positive("every"),
		MaxAge:      c.duration("max_age"),
		Concurrency: c.integer("concurrency", atLeast1),
		Users:       c.boolean("users"),
	}
	c.done()
	if culling.Timeout > 0 && culling.Timeout < lastActivity {
		c.errorIn("timeout", "Culling timeout too short",
			"JupyterHub notices activity with up to %s of delay, so a timeout of %s stops servers in use. Set at least %s.", lastActivity, culling.Timeout, lastActivity)
	}
	if culling.MaxAge > 0 && culling.MaxAge < culling.Timeout {
		c.errorIn("max_age", "Maximum age below the timeout", "Every server is stopped at an age of %s, so the timeout of %s never counts. Raise max_age or lower timeout.", culling.MaxAge, culling.Timeout)
	}
	return culling
}

func (b *body) spawnLimits() *SpawnLimits {
	s := b.block("spawn_limits")
	if s == nil {
		return nil
	}
	limits := &SpawnLimits{
		Concurrent:          s.integer("concurrent", atLeast0),
		Active:              s.integer("active", atLeast0),
		ConsecutiveFailures: s.integer("consecutive_failures", atLeast0),
		StartTimeout:        s.positive("start_timeout"),
	}
	s.done()
	return limits
}

func (b *body) limits() *Limits {
	l := b.block("limits")
	if l == nil {
		return nil
	}
	limits := &Limits{
		PerRepo:       l.integer("per_repo", atLeast0),
		PerRepoHigher: l.integer("per_repo_higher", atLeast0),
		Total:         l.integer("total", atLeast0),
	}
	l.done()
	if limits.PerRepo != nil && limits.PerRepoHigher != nil && *limits.PerRepoHigher > 0 && *limits.PerRepoHigher < *limits.PerRepo {
		l.errorIn("per_repo_higher", "Higher limit below the normal one", "per_repo_higher is %d and per_repo is %d. Raise the one or lower the other.", *limits.PerRepoHigher, *limits.PerRepo)
	}
	if limits.PerRepo != nil && limits.Total != nil && *limits.Total > 0 && *limits.PerRepo > *limits.Total {
		l.l.warnAt(l.at("per_repo"), "Limit that is never reached", "One repository may have %d sessions, but all together only %d.", *limits.PerRepo, *limits.Total)
	}
	return limits
}

func (b *body) routing(kind HubType) *Routing {
	r := b.block("routing")
	if r == nil {
		return nil
	}
	routing := &Routing{
		DefaultRoute: r.word("default_route", "hub", "not-found"),
		NotFoundURL:  r.address("not_found_url"),
		ErrorURL:     r.address("error_url"),
	}
	r.done()
	switch {
	case routing.DefaultRoute == "not-found" && !r.has("not_found_url"):
		r.errorIn("default_route", "Missing attribute", "Requests for no running server go to not_found_url, which is not set.")
	case routing.DefaultRoute != "not-found" && routing.NotFoundURL != "":
		r.errorIn("not_found_url", "Attribute without effect", "not_found_url is used only with default_route = \"not-found\".")
	case routing.DefaultRoute == "not-found" && kind == JupyterHub:
		r.l.warnAt(r.at("default_route"), "Users who are not sent back to the hub",
			"Without the hub as the default route, the users of a JupyterHub whose server was stopped see an error instead of the page that starts it.")
	}
	return routing
}

func (b *body) buildSlots() *BuildSlots {
	s := b.block("build_slots")
	if s == nil {
		return nil
	}
	slots := &BuildSlots{
		Concurrent: s.integer("concurrent", atLeast1),
		Replicas:   s.integer("replicas", atLeast1),
		MaxAge:     s.positive("max_age"),
		HostLibDir: s.checked("host_lib_dir", "Invalid path", func(path string) string {
			if len(path) < 2 || path[0] != '/' {
				return `is not the absolute path of a directory on the node; one is "/mnt/disks/ssd0/dind".`
			}
			return ""
		}),
	}
	if t := s.ref("node_pool", "node_pool"); t != nil {
		slots.NodePool = t.address
	}
	s.done()
	return slots
}

func (b *body) imageCleaner() *ImageCleaner {
	c := b.block("image_cleaner")
	if c == nil {
		return nil
	}
	cleaner := &ImageCleaner{
		Enabled:       c.boolean("enabled"),
		ThresholdType: c.word("threshold_type", "relative", "absolute"),
		Interval:      c.positive("interval"),
		Delay:         c.duration("delay"),
		Cordon:        c.boolean("cordon"),
	}
	within := percent
	if cleaner.ThresholdType == "absolute" {
		within = span{0, math.MaxInt64}
	}
	cleaner.ThresholdHigh = c.integer("threshold_high", within)
	cleaner.ThresholdLow = c.integer("threshold_low", within)
	c.done()
	if high, low := cleaner.ThresholdHigh, cleaner.ThresholdLow; high != nil && low != nil && *low >= *high {
		c.errorIn("threshold_low", "Low threshold above the high one",
			"Cleaning starts at %d and ends at %d, so it would never end or never start. Set threshold_low below threshold_high.", *high, *low)
	}
	return cleaner
}
