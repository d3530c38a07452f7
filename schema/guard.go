package schema

import (
	"regexp"
	"slices"
	"time"
	_ "time/tzdata" // the names of time zones are known wherever hubcap runs

	"github.com/zclconf/go-cty/cty"

	"hubcap/engine/resource"
)

// A Guard is what must hold before a step that may disturb people. Exactly one
// check is set.
type Guard struct {
	Block
	Level    string // "advisory", "soft" or "hard"
	Settle   time.Duration
	MaxWait  time.Duration
	Interval time.Duration
	Except   []resource.Address // blocks that it is not about

	Load        *LoadCheck
	Sessions    *int64       // user servers, at most
	PendingPods *PendingPods // user servers that wait for a node
	Capacity    bool         // what restarts must find room
	Windows     []Window     // in which changes are allowed
	Freeze      *Freeze      // in which they are not
	Event       bool         // events of the hub
	Drift       bool         // of the block, unless it is acknowledged
	Budget      *Budget      // sessions that may be interrupted
}

// LoadCheck bounds a number that a Prometheus knows.
type LoadCheck struct {
	Cluster  resource.Address // whose Prometheus; zero: of the step's cluster
	Query    string
	Of       string // what the number is, for people
	Max, Min *float64
}

// PendingPods bounds the user servers that wait for a node.
type PendingPods struct {
	Max   int64
	Older time.Duration
}

// A Window is when changes are allowed, by the clock on the wall of a zone.
type Window struct {
	Days     []string // "mon" … "sun"; none: every day
	From, To string   // "22:00"
	Zone     string
}

// A Freeze is when nothing is done that may disturb people.
type Freeze struct {
	From, Until time.Time
	Zone        string
	Reason      string
}

// A Budget bounds the sessions that changes may interrupt or lose.
type Budget struct {
	PerRun, PerWeek *int64
}

// Defaults of a guard.
const (
	guardInterval = 30 * time.Second
	guardMaxWait  = time.Hour
	guardSettle   = 2 * time.Minute // of load: it jumps
	hubCPU        = 0.7             // of one core, which is all that a hub can use
)

// The queries of the ready-made load checks.
const (
	launchesPerMinute = `sum(rate(jupyterhub_server_spawn_duration_seconds_count{namespace="$namespace"}[5m])) * 60`
	coresOfHub        = `max(sum by (pod) (rate(container_cpu_usage_seconds_total{namespace="$namespace",pod=~"hub-.*",container="hub"}[5m])))`
)

// guardChecks are the kinds of checks that a guard can have, in the order of the
// docs. Each decodes its block into g and reports whether it is there.
var guardChecks = []struct {
	name   string
	decode func(b *body, g *Guard) bool
}{
	{"prometheus", func(b *body, g *Guard) bool { return b.guardLoad(g, "prometheus") }},
	{"sessions", (*body).guardSessions},
	{"launch_rate", func(b *body, g *Guard) bool { return b.guardLoad(g, "launch_rate") }},
	{"pending_pods", (*body).guardPending},
	{"hub_cpu", func(b *body, g *Guard) bool { return b.guardLoad(g, "hub_cpu") }},
	{"capacity", func(b *body, g *Guard) bool { g.Capacity = b.bare("capacity"); return g.Capacity }},
	{"window", (*body).guardWindows},
	{"freeze", (*body).guardFreeze},
	{"event", func(b *body, g *Guard) bool { g.Event = b.bare("event"); return g.Event }},
	{"drift", func(b *body, g *Guard) bool { g.Drift = b.bare("drift"); return g.Drift }},
	{"budget", (*body).guardBudget},
}

// decodeGuard decodes a guard block: one check, and how firmly it holds.
func decodeGuard(b *body, header Block) entry {
	g := &Guard{
		Block:    header,
		Level:    b.word("level", "advisory", "soft", "hard"),
		Settle:   b.duration("settle"),
		MaxWait:  b.duration("max_wait"),
		Interval: b.positive("interval"),
		Except:   b.exceptions(),
	}
	if g.Level == "" {
		g.Level = "soft"
	}
	if !b.has("max_wait") {
		g.MaxWait = guardMaxWait
	}
	if g.Interval == 0 {
		g.Interval = guardInterval
	}
	var found, names []string
	for _, c := range guardChecks {
		names = append(names, c.name)
		if c.decode(b, g) {
			found = append(found, c.name)
		}
	}
	switch {
	case len(found) == 0:
		b.errorAt(b.header, "Guard without a check", "A guard has exactly one check, which is a block: %s.", quoted(names))
	case len(found) > 1:
		b.errorAt(b.header, "Guard with several checks", "A guard has exactly one check, and this one has %s. Write a guard for each of them.", quoted(found))
	}
	if (g.Load != nil || g.Sessions != nil || g.PendingPods != nil) && !b.has("settle") {
		g.Settle = guardSettle
	}
	return g
}

// exceptions returns the blocks that a guard, or a freeze, is not about.
func (b *body) exceptions() []resource.Address {
	var all []resource.Address
	for _, t := range b.refs("except", rolledOut...) {
		all = append(all, t.address)
	}
	return all
}

// bare decodes an inner block that has no attributes.
func (b *body) bare(name string) bool {
	inner := b.block(name)
	if inner == nil {
		return false
	}
	inner.done()
	return true
}

func (b *body) guardLoad(g *Guard, name string) bool {
	p := b.block(name)
	if p == nil {
		return false
	}
	c := &LoadCheck{Max: p.amount("max")}
	switch name {
	case "launch_rate":
		c.Query, c.Of = launchesPerMinute, "launches per minute"
		p.require("max")
	case "hub_cpu":
		c.Query, c.Of = coresOfHub, "cores used by the hub"
		if c.Max == nil {
			most := hubCPU
			c.Max = &most
		}
	default:
		p.require("query")
		c.Query, c.Min, c.Of = p.query("query"), p.amount("min"), p.nonEmpty("of")
		if !p.has("max") && !p.has("min") {
			p.errorAt(p.header, "Check without a bound", "A guard's prometheus check needs max or min, or both.")
		}
		if t := p.ref("cluster", "cluster"); t != nil {
			c.Cluster = t.address
		}
	}
	p.done()
	g.Load = c
	return true
}

func (b *body) guardSessions(g *Guard) bool {
	p := b.block("sessions")
	if p == nil {
		return false
	}
	p.require("max")
	most := p.number("max", atLeast0, 0)
	g.Sessions = &most
	p.done()
	return true
}

func (b *body) guardPending(g *Guard) bool {
	p := b.block("pending_pods")
	if p == nil {
		return false
	}
	p.require("max")
	g.PendingPods = &PendingPods{Max: p.number("max", atLeast0, 0), Older: p.duration("older")}
	p.done()
	return true
}

func (b *body) guardBudget(g *Guard) bool {
	p := b.block("budget")
	if p == nil {
		return false
	}
	g.Budget = &Budget{PerRun: p.integer("sessions_per_run", atLeast0), PerWeek: p.integer("sessions_per_week", atLeast0)}
	if !p.has("sessions_per_run") && !p.has("sessions_per_week") {
		p.errorAt(p.header, "Check without a bound", "A budget needs sessions_per_run or sessions_per_week, or both.")
	}
	p.done()
	return true
}

// weekdays are the words for days in a window.
var weekdays = []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}

func (b *body) guardWindows(g *Guard) bool {
	for _, p := range b.blocks("window") {
		w := Window{Days: p.texts("days"), From: p.clock("from"), To: p.clock("to"), Zone: p.zone()}
		for _, name := range []string{"from", "to", "zone"} {
			p.require(name)
		}
		for i, day := range w.Days {
			if !slices.Contains(weekdays, day) {
				p.errorAt(p.elementAt("days", i), "Unknown day", "%q is not a day of the week, which is one of %s.%s", shorten(day), quoted(weekdays), suggestion(day, weekdays))
			}
		}
		if w.From == w.To && w.From != "" {
			p.errorIn("to", "Empty window", "A window from %s to %s is either no time or all of it. For a whole day write from = \"00:00\" and to = \"24:00\".", w.From, w.To)
		}
		p.done()
		g.Windows = append(g.Windows, w)
	}
	return len(g.Windows) > 0
}

var timeOfDay = regexp.MustCompile(`^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$`)

// clock returns a time of day as in "22:00".
func (b *body) clock(name string) string {
	return b.checked(name, "Invalid time of day", func(s string) string {
		switch {
		case !timeOfDay.MatchString(s):
			return `is not a time of day: write hours and minutes, as in "22:00".`
		case name == "from" && s == "24:00":
			return `is the end of a day. Write "00:00" for its beginning.`
		}
		return ""
	})
}

// zone returns the name of a time zone.
func (b *body) zone() string {
	return b.checked("zone", "Unknown time zone", func(s string) string {
		if _, err := time.LoadLocation(s); err != nil || s == "" || s == "Local" {
			return `is not in the IANA database of time zones; some that are: "Europe/Oslo", "America/Los_Angeles", "UTC".`
		}
		return ""
	})
}

func (b *body) guardFreeze(g *Guard) bool {
	p := b.block("freeze")
	if p == nil {
		return false
	}
	f := &Freeze{Zone: p.zone(), Reason: p.text("reason")}
	for _, name := range []string{"from", "until"} {
		p.require(name)
	}
	f.From, f.Until = p.day("from", f.Zone), p.day("until", f.Zone)
	if !f.From.IsZero() && !f.Until.IsZero() && !f.From.Before(f.Until) {
		p.errorIn("until", "Freeze that ends before it begins", "It would freeze nothing. A date in until is the last day of the freeze.")
	}
	g.Except = append(g.Except, p.exceptions()...)
	p.done()
	g.Freeze = f
	return true
}

// day returns a time, or where a day of a zone begins. A day in until is the last
// one: it is where the next begins.
func (b *body) day(name, zone string) time.Time {
	var at time.Time
	b.checked(name, "Invalid time", func(s string) string {
		if t, err := time.Parse(time.RFC3339, s); err == nil {
			at = t
			return ""
		}
		date, err := time.Parse(time.DateOnly, s)
		if err != nil {
			return `is neither a date, as in "2026-12-20", nor a time with a zone, as in "2026-12-20T18:00:00+01:00".`
		}
		if zone == "" {
			if b.has("zone") {
				return "" // which is wrong, and was reported
			}
			return `is a date: write in which time zone too, as in zone = "Europe/Oslo".`
		}
		place, err := time.LoadLocation(zone)
		if err != nil {
			panic("schema: a zone that was checked is unknown: " + zone)
		}
		year, month, dayOf := date.Date()
		if name == "until" {
			dayOf++
		}
		at = time.Date(year, month, dayOf, 0, 0, 0, 0, place)
		return ""
	})
	b.moment(name, at)
	return at
}

func (g *Guard) addTo(config *Config) { config.Guards = append(config.Guards, *g) }

func (g *Guard) fields() map[string]cty.Value {
	return map[string]cty.Value{"level": textValue(g.Level)}
}

// checkGuards finds guards that wait for a Prometheus that is not there.
func (l *loader) checkGuards() {
	clusters := map[resource.Address]*Cluster{}
	for i := range l.config.Clusters {
		clusters[l.config.Clusters[i].Address] = &l.config.Clusters[i]
	}
	for _, g := range l.config.Guards {
		if g.Load == nil || l.bad[g.Address] {
			continue
		}
		if c := clusters[g.Load.Cluster]; c != nil && c.Prometheus == nil && !l.bad[c.Address] {
			l.errorAt(g.At("prometheus.cluster"), "Cluster without a Prometheus", "%s does not say where its Prometheus is: write prometheus = \"https://…\" there.", c.Address)
		}
		for _, h := range l.config.Hubs {
			c := clusters[h.Cluster]
			if g.Load.Cluster.IsZero() && !slices.Contains(g.Except, h.Address) && c != nil && c.Prometheus == nil && !l.bad[c.Address] {
				l.errorAt(g.Range, "Cluster without a Prometheus", "%s asks the Prometheus of %s, where %s is, and that does not say where its Prometheus is: write prometheus = \"https://…\" there.",
					g.Address, c.Address, h.Address)
				break
			}
		}
	}
}
