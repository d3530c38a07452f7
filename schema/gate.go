package schema

import (
	"regexp"
	"time"

	"github.com/zclconf/go-cty/cty"
)

// A Gate is what must hold after a step. Exactly one check is set.
type Gate struct {
	Block
	Bake           time.Duration
	MaxBake        time.Duration // zero: about twice Bake
	WarmUp         time.Duration
	Interval       time.Duration
	Failures       int64
	Of             int64 // zero: failures count in a row
	OnInconclusive string
	Advisory       bool
	Components     []string // "hub"; none: all

	HTTP       *HTTPCheck
	Pods       *PodsCheck
	Prometheus *PrometheusCheck
	Builds     *BuildsCheck
	Launch     *LaunchCheck
	Exec       *ExecCheck
	Manual     *ManualCheck
}

// gateInterval is how often a gate looks unless it says otherwise.
const gateInterval = 10 * time.Second

// checks are the kinds of checks that a gate can have, in the order of the docs.
// Each decodes its block into g and reports whether it is there.
var checks = []struct {
	name   string
	decode func(b *body, g *Gate) bool
}{
	{"http", func(b *body, g *Gate) bool { g.HTTP = b.httpCheck(); return g.HTTP != nil }},
	{"pods", func(b *body, g *Gate) bool { g.Pods = b.podsCheck(); return g.Pods != nil }},
	{"prometheus", func(b *body, g *Gate) bool { g.Prometheus = b.prometheusCheck(); return g.Prometheus != nil }},
	{"builds", func(b *body, g *Gate) bool { g.Builds = b.buildsCheck(); return g.Builds != nil }},
	{"launch", func(b *body, g *Gate) bool { g.Launch = b.launchCheck(); return g.Launch != nil }},
	{"exec", func(b *body, g *Gate) bool { g.Exec = b.execCheck(); return g.Exec != nil }},
	{"manual", func(b *body, g *Gate) bool { g.Manual = b.manualCheck(); return g.Manual != nil }},
}

func checkNames() []string {
	var names []string
	for _, c := range checks {
		names = append(names, c.name)
	}
	return names
}

var componentName = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$`)

// decodeGate decodes a gate block: one check, repeated for the time of bake.
func decodeGate(b *body, header Block) entry {
	g := &Gate{
		Block:          header,
		Bake:           b.duration("bake"),
		MaxBake:        b.positive("max_bake"),
		WarmUp:         b.duration("warm_up"),
		Interval:       b.positive("interval"),
		Failures:       b.number("failures", atLeast1, 1),
		Of:             b.number("of", span{1, 1000}, 0),
		OnInconclusive: b.word("on_inconclusive", "hold", "fail"),
		Advisory:       b.flag("advisory"),
		Components:     b.texts("components"),
	}
	if g.Interval == 0 {
		g.Interval = gateInterval
	}
	b.checkTimes(g)
	for i, name := range g.Components {
		if !componentName.MatchString(name) {
			b.errorAt(b.elementAt("components", i), "Invalid component", `%q is not the name of a component: write it as the plan does after the slash, as in ["hub", "proxy"].`, name)
		}
	}
	found := 0
	for _, c := range checks {
		if c.decode(b, g) {
			found++
		}
	}
	switch {
	case found == 0:
		b.errorAt(b.header, "Gate without a check", "A gate has exactly one check, which is a block: %s.", quoted(checkNames()))
	case found > 1:
		b.errorAt(b.header, "Gate with two checks", "A gate has exactly one check. Write a second gate for the other one; a rollout can name both.")
	}
	return g
}

// checkTimes finds times and counts that contradict each other.
func (b *body) checkTimes(g *Gate) {
	if *b.bad {
		return
	}
	if b.has("interval") && b.has("bake") && g.Bake > 0 && g.Interval > g.Bake {
		b.errorIn("interval", "Interval longer than the bake", "A bake of %s has no room for checks every %s. Shorten the interval.", g.Bake, g.Interval)
	}
	if g.MaxBake > 0 && g.MaxBake < g.Bake {
		b.errorIn("max_bake", "Longest bake shorter than the bake", "max_bake is what missing evidence extends the bake to, so it is at least bake = %q.", g.Bake)
	}
	if g.WarmUp > 0 && g.WarmUp >= g.Bake {
		b.errorIn("warm_up", "Warm-up as long as the bake", "Nothing that happens in the warm-up counts, so it must be shorter than bake = %q.", g.Bake)
	}
	if g.Of > 0 && g.Of < g.Failures {
		b.errorIn("of", "Fewer samples than failures", "%d bad samples of the last %d can never be. Write a larger number.", g.Failures, g.Of)
	}
}

func (g *Gate) addTo(config *Config) { config.Gates = append(config.Gates, *g) }

func (g *Gate) fields() map[string]cty.Value {
	return map[string]cty.Value{"bake": textValue(g.Bake.String())}
}
