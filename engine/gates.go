package engine

import (
	"cmp"
	"strings"

	"hubcap/engine/plan"
	"hubcap/engine/resource"
	"hubcap/schema"
)

// GateOf returns a gate as the planner knows it: with the placeholders of its
// queries still in them, see [plan.Gate.For].
func GateOf(g schema.Gate) plan.Gate {
	out := plan.Gate{
		Name: gateName(g.Address), Bake: g.Bake, MaxBake: g.MaxBake, WarmUp: g.WarmUp, Interval: g.Interval,
		Failures: int(max(g.Failures, 1)), Of: int(g.Of), OnInconclusive: plan.OnInconclusive(g.OnInconclusive),
		Advisory: g.Advisory, Components: g.Components,
	}
	switch {
	case g.HTTP != nil:
		out.HTTP = httpCheck(*g.HTTP)
	case g.Pods != nil:
		out.Pods = podsCheck(*g.Pods)
	case g.Prometheus != nil:
		out.Prometheus = prometheusCheck(*g.Prometheus)
	case g.Builds != nil:
		b := g.Builds
		out.Builds = &plan.BuildsCheck{
			Cluster: b.Cluster.Name, InProgress: b.InProgress, MaxPerPod: b.MaxPerPod,
			MaxPending: whole(b.MaxPending), MaxShare: b.MaxShare, MinBuilds: int(b.MinBuilds),
		}
	case g.Launch != nil:
		out.Launch = launchCheck(*g.Launch)
	case g.Exec != nil:
		out.Exec = execCheck(*g.Exec)
	case g.Manual != nil:
		out.Manual = &plan.ManualCheck{Prompt: g.Manual.Prompt}
		out.MaxBake = cmp.Or(out.MaxBake, peopleTime)
	}
	return out
}

// gateName is how a gate is called in a step: gates of a module have its name
// before theirs, so that two of one name can be told apart.
func gateName(a resource.Address) string {
	if a.Module == "" {
		return a.Name
	}
	return strings.ReplaceAll(a.Module, "module.", "") + "." + a.Name
}

func httpCheck(h schema.HTTPCheck) *plan.HTTPCheck {
	out := &plan.HTTPCheck{URL: h.URL, Contains: h.Contains, Timeout: h.Timeout, MaxLatency: h.MaxLatency}
	for _, status := range h.Status {
		out.Status = append(out.Status, int(status))
	}
	if len(out.Status) == 0 {
		out.Status = []int{200}
	}
	return out
}

func podsCheck(p schema.PodsCheck) *plan.PodsCheck {
	out := &plan.PodsCheck{
		MaxRestarts: int(p.MaxRestarts), MaxPending: int(p.MaxPending), PendingAfter: p.PendingAfter,
		MaxTerminating: whole(p.MaxTerminating), TerminatingAfter: p.TerminatingAfter, Users: p.Users, MaxAge: p.MaxAge,
	}
	if !p.Block.IsZero() {
		out.Block = p.Block.String()
	}
	return out
}

func prometheusCheck(p schema.PrometheusCheck) *plan.PrometheusCheck {
	out := &plan.PrometheusCheck{Cluster: p.Cluster.Name, Query: p.Query, Max: p.Max, Min: p.Min, Window: p.Window}
	if b := p.Before; b != nil {
		out.Before = &plan.BeforeCheck{Bounds: plan.Bounds(b.Bounds), Window: b.Window}
	}
	if c := p.Control; c != nil {
		out.Control = &plan.ControlCheck{Bounds: plan.Bounds(c.Bounds), Among: c.Hubs}
	}
	if s := p.Slope; s != nil {
		out.Slope = &plan.SlopeCheck{
			Per: s.Per, Load: s.Load, Max: s.Max, Limit: s.Limit, Within: s.Within,
			MinPoints: int(s.MinPoints), MinWork: s.MinWork, Confidence: s.Confidence,
		}
	}
	if e := p.Evidence; e != nil {
		out.Evidence = &plan.Evidence{Query: e.Query, AtLeast: e.AtLeast, Unit: e.Unit}
	}
	return out
}

func whole(n *int64) *int {
	if n == nil {
		return nil
	}
	w := int(*n)
	return &w
}

// Sites returns where the blocks of a config live: what the placeholders in the
// queries of gates stand for.
func Sites(cfg *schema.Config) []plan.Site {
	var sites []plan.Site
	for _, h := range cfg.Hubs {
		sites = append(sites, plan.Site{Block: h.Address, Cluster: h.Cluster.Name, Namespace: h.Namespace, Release: h.Release, Type: string(h.Type), URL: h.URL})
	}
	for _, c := range cfg.Charts {
		sites = append(sites, plan.Site{Block: c.Address, Cluster: c.Cluster.Name, Namespace: c.Namespace, Release: c.Release})
	}
	for _, m := range cfg.Manifests {
		sites = append(sites, plan.Site{Block: m.Address, Cluster: m.Cluster.Name, Namespace: m.Namespace})
	}
	for _, p := range cfg.NodePools {
		sites = append(sites, plan.Site{Block: p.Address, Cluster: p.Cluster.Name})
	}
	return sites
}
