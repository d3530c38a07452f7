package engine

import (
	"hubcap/engine/plan"
	"hubcap/engine/resource"
	"hubcap/schema"
)

// rollouts turns the rollout and gate blocks into what the planner knows.
func rollouts(cfg *schema.Config) []plan.Rollout {
	gates := make(map[resource.Address]plan.Gate, len(cfg.Gates))
	for _, g := range cfg.Gates {
		gates[g.Address] = gate(g)
	}
	var all []plan.Rollout
	for _, r := range cfg.Rollouts {
		out := plan.Rollout{
			Address: r.Address, Order: r.Order, StepTimeout: r.StepTimeout, OnFailure: plan.OnFailure(r.OnFailure),
		}
		for _, address := range r.Gates {
			if g, known := gates[address]; known {
				out.Gates = append(out.Gates, g)
			}
		}
		all = append(all, out)
	}
	return all
}

func gate(g schema.Gate) plan.Gate {
	out := plan.Gate{Name: g.Address.Name, Bake: g.Bake, Interval: g.Interval, Failures: int(g.Failures)}
	if h := g.HTTP; h != nil {
		out.HTTP = &plan.HTTPCheck{URL: h.URL, Contains: h.Contains, Timeout: h.Timeout}
		for _, status := range h.Status {
			out.HTTP.Status = append(out.HTTP.Status, int(status))
		}
		if len(out.HTTP.Status) == 0 {
			out.HTTP.Status = []int{200}
		}
	}
	if p := g.Pods; p != nil {
		out.Pods = &plan.PodsCheck{MaxRestarts: int(p.MaxRestarts), MaxPending: int(p.MaxPending)}
		if !p.Block.IsZero() {
			out.Pods.Block = p.Block.String()
		}
	}
	return out
}
