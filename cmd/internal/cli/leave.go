package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"hubcap/engine"
	"hubcap/engine/plan"
)

// leave is what a person takes the responsibility for with flags.
type leave struct {
	overrides []string
	drift     []string
	incident  bool
	reason    string
	noWait    bool
}

// leaveFlags are those of commands that carry a plan out.
func leaveFlags(c *cobra.Command) *leave {
	l := incidentFlags(c)
	c.Flags().StringArrayVar(&l.overrides, "override", nil, "do not let this guard or policy hold anything (`address`, as guard.quiet); needs --reason; repeatable")
	c.Flags().StringArrayVar(&l.drift, "accept-drift", nil, "acknowledge the drift of this block or object (`address`); repeatable")
	c.Flags().BoolVar(&l.noWait, "no-wait", false, "do not wait for guards")
	return l
}

// incidentFlags are those of plan, too.
func incidentFlags(c *cobra.Command) *leave {
	var l leave
	c.Flags().BoolVar(&l.incident, "during-incident", false, "load is no reason to wait; only reverts, lower limits and bans are let through")
	c.Flags().StringVar(&l.reason, "reason", "", "why a guard is overridden, or what the incident is (`text`); it is recorded")
	return &l
}

// check refuses what does not fit together.
func (l *leave) check() error {
	reason := strings.TrimSpace(l.reason)
	switch {
	case l.incident && reason == "":
		return usage("--during-incident: say what happens with --reason")
	case len(l.overrides) == 0 && !l.incident && l.reason != "":
		return usage("--reason: it goes with --override or --during-incident")
	}
	for _, o := range l.overrides {
		name, own, _ := strings.Cut(o, "=")
		if strings.TrimSpace(own) == "" && reason == "" {
			return usage("--override %s: say why with --reason", name)
		}
		if !strings.Contains(name, ".") {
			return usage("--override %s: write an address, as in guard.%s", name, name)
		}
	}
	return nil
}

// engine returns what was given leave for.
func (l *leave) engine() engine.Leave {
	out := engine.Leave{AcceptDrift: l.drift, NoWait: l.noWait, Overrides: make(map[string]string, len(l.overrides))}
	for _, o := range l.overrides {
		name, own, has := strings.Cut(o, "=")
		if !has {
			own = l.reason
		}
		out.Overrides[name] = strings.TrimSpace(own)
	}
	if l.incident {
		out.Incident = strings.TrimSpace(l.reason)
	}
	return out
}

// mayOverride refuses, before anybody is asked, to override what there is not.
func (a *approval) mayOverride(e *engine.Engine, p *plan.Plan) error {
	e.Leave = a.leave.engine()
	return e.CheckOverrides(p)
}
