package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"hubcap/engine/resource"
)

// mostControls is how many unchanged hubs a gate is compared with: each costs a
// query per sample, and the middle of so many moves little.
const mostControls = 8

// For returns the gate for a step that changes the block at site, with the
// placeholders of its queries filled in. controls are the hubs that the step
// leaves alone. The problem says why the gate cannot look at site, if it cannot.
func (g Gate) For(site Site, controls []Site) (filled Gate, problem string) {
	g.Components = nil
	switch {
	case g.HTTP != nil:
		return g.httpFor(site)
	case g.Pods != nil:
		return g.podsFor(site)
	case g.Launch != nil:
		return g.launchFor(site)
	case g.Exec != nil:
		return g.execFor(site)
	case g.Builds != nil:
		b := *g.Builds
		if site.Type == "" {
			return g, "it looks at the builds of a hub"
		}
		b.Namespace, b.Cluster = site.Namespace, cmp.Or(b.Cluster, site.Cluster)
		b.InProgress, problem = site.fill(b.InProgress)
		g.Builds = &b
	case g.Prometheus != nil:
		p := *g.Prometheus
		problem = p.fill(site, controls)
		g.Prometheus = &p
	}
	return g, problem
}

func (g Gate) podsFor(site Site) (Gate, string) {
	pods := *g.Pods
	g.Pods = &pods
	switch {
	case pods.Users && site.Type == "":
		return g, "it looks at the user servers of a hub"
	case pods.Users:
		pods.Namespace = site.Namespace
	case pods.Block == "" && site.Block.Kind == "node_pool":
		return g, "it looks at the pods of a component"
	}
	return g, ""
}

func (p *PrometheusCheck) fill(site Site, controls []Site) (problem string) {
	queries := []*string{&p.Query}
	if p.Slope != nil {
		s := *p.Slope
		p.Slope = &s
		queries = append(queries, &s.Per, &s.Load)
	}
	if p.Evidence != nil {
		e := *p.Evidence
		p.Evidence = &e
		queries = append(queries, &e.Query)
	}
	template, home := p.Query, p.Cluster
	for _, q := range queries {
		if *q, problem = site.fill(*q); problem != "" {
			return problem
		}
	}
	p.Cluster = cmp.Or(home, site.Cluster)
	if p.Control == nil {
		return ""
	}
	c := *p.Control
	p.Control = &c
	c.Hubs = []Control{}
	for _, other := range controls {
		isFit := other.Type == site.Type
		if len(c.Among) > 0 {
			isFit = slices.Contains(c.Among, other.Block)
		}
		if !isFit || other.Block == site.Block || len(c.Hubs) == mostControls {
			continue
		}
		query, unfit := other.fill(template)
		if unfit == "" {
			c.Hubs = append(c.Hubs, Control{Block: other.Block, Cluster: cmp.Or(home, other.Cluster), Query: query})
		}
	}
	return ""
}

// fill puts what is known of the site into a query.
func (s Site) fill(query string) (filled, problem string) {
	for _, p := range []struct{ name, value string }{
		{"$namespace", s.Namespace}, {"$release", s.Release}, {"$hub", s.hub()},
	} {
		if !strings.Contains(query, p.name) {
			continue
		}
		if p.value == "" {
			return query, fmt.Sprintf("its query asks for %s, which %s has not", p.name, s.Block)
		}
		query = strings.ReplaceAll(query, p.name, p.value)
	}
	return query, ""
}

func (s Site) hub() string {
	if s.Type == "" {
		return ""
	}
	name, key, isInstance := strings.Cut(s.Block.Name, `["`)
	if !isInstance {
		return name
	}
	return strings.TrimSuffix(key, `"]`) // quoted as in HCL, which is as in PromQL
}

// bounded reports whether anything is left that the value is held against.
func (p *PrometheusCheck) bounded() bool {
	return p.Max != nil || p.Min != nil || p.Before != nil || p.Slope != nil || p.Control != nil
}

// gatesFor returns the gates of a rollout for one step, resolved. unchanged are
// the hubs that no step up to this one's wave touches.
func (b *builder) gatesFor(s Step, gates []Gate, unchanged []Site, isNew bool) []Gate {
	c := s.Component
	site, known := b.site(c.Block)
	if !known { // the block is gone from the config
		site = Site{Block: c.Block, Cluster: s.Cluster}
	}
	var all []Gate
	for _, g := range gates {
		if len(g.Components) > 0 && !slices.ContainsFunc(s.Changes, func(c resource.Change) bool { return slices.Contains(g.Components, c.Component.Name) }) {
			continue
		}
		filled, problem := g.For(site, unchanged)
		if problem != "" {
			b.ungated(g.Name, site, problem)
			continue
		}
		if p := filled.Prometheus; p != nil && !b.comparable(g.Name, c, p, isNew) {
			continue
		}
		all = append(all, filled)
	}
	return withDefaults(all)
}

// ungated warns, once, of a hub that goes without a gate of its rollout. Blocks that
// are no hubs go without those that are about hubs, and nobody expects otherwise.
func (b *builder) ungated(gate string, site Site, problem string) {
	warning := fmt.Sprintf("%s goes without gate %s: %s", site.Block, gate, problem)
	if site.Type != "" && !slices.Contains(b.plan.Warnings, warning) {
		b.plan.Warnings = append(b.plan.Warnings, warning)
	}
}

// comparable leaves out the comparisons that have nothing to compare with, and
// reports whether any bound is left.
func (b *builder) comparable(gate string, c resource.Component, p *PrometheusCheck, isNew bool) bool {
	if isNew && p.Before != nil {
		p.Before = nil // there was nothing before
	}
	if p.Control != nil && len(p.Control.Hubs) == 0 {
		p.Control = nil
		b.plan.Warnings = append(b.plan.Warnings, fmt.Sprintf("gate %s compares %s with no other hub: none is left unchanged", gate, c))
	}
	return p.bounded()
}

func (b *builder) site(block resource.Address) (Site, bool) {
	for _, s := range b.Sites {
		if s.Block == block {
			return s, true
		}
	}
	return Site{}, false
}

// controls returns, for each wave, the hubs that no step up to its end touches,
// in the order of their addresses.
func (b *builder) controls() [][]Site {
	left := make([]Site, 0, len(b.Sites))
	for _, s := range b.Sites {
		if s.Type != "" {
			left = append(left, s)
		}
	}
	slices.SortFunc(left, func(x, y Site) int { return cmp.Compare(x.Block.String(), y.Block.String()) })
	var all [][]Site
	for _, w := range b.plan.Waves {
		for _, step := range w.Steps {
			left = slices.DeleteFunc(slices.Clone(left), func(s Site) bool { return s.Block == step.Component.Block })
		}
		all = append(all, left)
	}
	return all
}
