package engine

import (
	"cmp"
	"slices"
	"time"

	"hubcap/engine/plan"
	"hubcap/engine/resource"
	"hubcap/schema"
)

// rollouts turns the rollout, gate and guard blocks into what the planner knows.
// Guards that no rollout names are about everything.
func rollouts(cfg *schema.Config) (all []plan.Rollout, guards []plan.PlannedGuard) {
	gates := make(map[resource.Address]plan.Gate, len(cfg.Gates))
	for _, g := range cfg.Gates {
		gates[g.Address] = GateOf(g)
	}
	named := make(map[resource.Address]bool)
	planned := make(map[resource.Address]plan.PlannedGuard, len(cfg.Guards))
	for _, g := range cfg.Guards {
		planned[g.Address] = guardOf(g, cfg)
	}
	for _, r := range cfg.Rollouts {
		out := plan.Rollout{
			Address: r.Address, Order: r.Order, Names: r.Names, Components: r.Components, MaxParallel: int(r.MaxParallel),
			StepTimeout: r.StepTimeout, OnFailure: plan.OnFailure(r.OnFailure), Extent: extent(r.Rollback),
			Batch: r.Batch, Bisect: r.Bisect,
		}
		for _, address := range r.Gates {
			if g, known := gates[address]; known {
				out.Gates = append(out.Gates, g)
			}
		}
		for _, address := range r.Guards {
			if g, known := planned[address]; known {
				out.Guards, named[address] = append(out.Guards, g), true
			}
		}
		all = append(all, out)
	}
	for _, g := range cfg.Guards {
		if !named[g.Address] {
			guards = append(guards, planned[g.Address])
		}
	}
	return all, guards
}

// loadWindow is the $window of a guard's query.
const loadWindow = 10 * time.Minute

func extent(rollback string) plan.Extent {
	if rollback == "component" {
		return ""
	}
	return plan.Extent(rollback)
}

func guardOf(g schema.Guard, cfg *schema.Config) plan.PlannedGuard {
	out := plan.PlannedGuard{Guard: plan.Guard{
		Name: g.Address.Name, Level: plan.GuardLevel(g.Level), Settle: g.Settle, MaxWait: g.MaxWait, Interval: g.Interval,
	}, Except: g.Except}
	if g.Address.Module != "" {
		out.Name = g.Address.String()
	}
	switch {
	case g.Load != nil:
		out.Load = &plan.LoadCheck{Of: g.Load.Of, PrometheusCheck: plan.PrometheusCheck{
			Cluster: g.Load.Cluster.Name, Query: g.Load.Query, Max: g.Load.Max, Min: g.Load.Min, Window: loadWindow,
		}}
	case g.Sessions != nil:
		out.Sessions = &plan.SessionsCheck{Max: int(*g.Sessions)}
	case g.PendingPods != nil:
		out.PendingPods = &plan.PodsCheck{Users: true, MaxPending: int(g.PendingPods.Max), PendingAfter: g.PendingPods.Older}
	case g.Capacity:
		out.Capacity = &plan.CapacityCheck{}
	case g.Drift:
		out.Drift = &plan.DriftCheck{}
	case g.Event:
		out.OfEvents, out.HubEvents = true, events(cfg)
	case g.Freeze != nil:
		out.Freeze = &plan.Freeze{From: g.Freeze.From, Until: g.Freeze.Until, Zone: g.Freeze.Zone, Reason: g.Freeze.Reason}
	case g.Budget != nil:
		out.Budget = &plan.BudgetCheck{PerRun: whole(g.Budget.PerRun), PerWeek: whole(g.Budget.PerWeek)}
	}
	for _, w := range g.Windows {
		out.Windows = append(out.Windows, plan.Window{Days: w.Days, From: w.From, To: w.To, Zone: w.Zone})
	}
	return out
}

func events(cfg *schema.Config) []plan.HubEvent {
	var all []plan.HubEvent
	for _, e := range cfg.Events {
		all = append(all, plan.HubEvent{Hubs: e.Hubs, Event: plan.Event{Name: e.Address.Name, Title: e.Title, From: e.From, Until: e.Until}})
	}
	slices.SortFunc(all, func(x, y plan.HubEvent) int { return cmp.Or(x.From.Compare(y.From), cmp.Compare(x.Name, y.Name)) })
	return all
}

// LoadOf returns what a guard asks a Prometheus, as a gate asks it; false when it
// asks none.
func LoadOf(g schema.Guard) (plan.Gate, bool) {
	if g.Load == nil {
		return plan.Gate{}, false
	}
	guard := guardOf(g, &schema.Config{})
	check := guard.Load.PrometheusCheck
	return plan.Gate{Name: guard.Name, Prometheus: &check, Advisory: guard.Level == plan.Advisory}, true
}
