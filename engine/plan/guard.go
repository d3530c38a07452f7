package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"hubcap/engine/resource"
)

// A Guard is what must hold before a step, or the step is held. Exactly one of
// its checks is set.
type Guard struct {
	Name     string        `json:"name"` // of its block: "office_hours"
	Level    GuardLevel    `json:"level"`
	Settle   time.Duration `json:"settle_ns,omitempty"` // once it has held a step it must stand well for so long
	MaxWait  time.Duration `json:"max_wait_ns"`         // a step waits for it no longer
	Interval time.Duration `json:"interval_ns"`         // between two looks

	Load        *LoadCheck     `json:"load,omitempty"`
	Sessions    *SessionsCheck `json:"sessions,omitempty"`
	PendingPods *PodsCheck     `json:"pending_pods,omitempty"` // of the user servers in the step's namespace
	Capacity    *CapacityCheck `json:"capacity,omitempty"`
	Windows     []Window       `json:"windows,omitempty"` // changes are allowed in any of them
	Freeze      *Freeze        `json:"freeze,omitempty"`
	Events      []Event        `json:"events,omitempty"` // that concern the step's block
	Drift       *DriftCheck    `json:"drift,omitempty"`
	Budget      *BudgetCheck   `json:"budget,omitempty"`
	Verdict     *VerdictCheck  `json:"verdict,omitempty"` // of a policy, or of hubcap about what cannot be undone
}

// GuardLevel says how firmly a guard holds.
type GuardLevel string

// The levels.
const (
	Advisory GuardLevel = "advisory" // it tells, and holds nothing
	Soft     GuardLevel = "soft"     // it holds unless a person overrides it with a reason
	Hard     GuardLevel = "hard"     // it holds
)

// A LoadCheck asks a Prometheus for one number and holds it against bounds.
type LoadCheck struct {
	PrometheusCheck
	Of string `json:"of,omitempty"` // what the number is, for people: "launches per minute"
}

// A SessionsCheck bounds the user servers that run where the step does something:
// in its namespace, or on its node pool.
type SessionsCheck struct {
	Max       int    `json:"max"`
	Namespace string `json:"namespace,omitempty"`
	Pool      string `json:"pool,omitempty"` // live name
}

// A CapacityCheck asks whether what the step restarts finds room: on the nodes
// that are there, or on those that an autoscaler may add.
type CapacityCheck struct{}

// A DriftCheck holds a step while its block has drift that nobody acknowledged.
type DriftCheck struct{}

// A VerdictCheck holds a step until somebody overrides it.
type VerdictCheck struct {
	Text string `json:"text"` // what is wrong, without a period
}

// A BudgetCheck bounds how many sessions changes may interrupt or lose.
type BudgetCheck struct {
	PerRun  *int `json:"per_run,omitempty"`
	PerWeek *int `json:"per_week,omitempty"` // by all runs on the step's cluster within seven days
}

// A Freeze is a stretch of time in which nothing disruptive is done.
type Freeze struct {
	From   time.Time `json:"from"`
	Until  time.Time `json:"until"`
	Zone   string    `json:"zone,omitempty"` // in which its times are told; empty: UTC
	Reason string    `json:"reason,omitempty"`
}

// An Event is a workshop or the like, while which its hubs are left alone.
type Event struct {
	Name  string    `json:"name"`
	Title string    `json:"title,omitempty"`
	From  time.Time `json:"from"`
	Until time.Time `json:"until"`
}

// IsLoad reports whether the guard is about how busy people keep the hubs.
func (g Guard) IsLoad() bool { return g.Load != nil || g.Sessions != nil || g.PendingPods != nil }

// Address is how an author refers to the guard: "guard.office_hours".
func (g Guard) Address() string {
	if name, _, _ := strings.Cut(g.Name, `["`); strings.Contains(name, ".") { // a key may have dots
		return g.Name
	}
	return "guard." + g.Name
}

// Check names the guard's check: "window".
func (g Guard) Check() string {
	switch {
	case g.Load != nil:
		return "load"
	case g.Sessions != nil:
		return "sessions"
	case g.PendingPods != nil:
		return "pending_pods"
	case g.Capacity != nil:
		return "capacity"
	case len(g.Windows) > 0:
		return "window"
	case g.Freeze != nil:
		return "freeze"
	case len(g.Events) > 0:
		return "event"
	case g.Drift != nil:
		return "drift"
	case g.Budget != nil:
		return "budget"
	case g.Verdict != nil:
		return "verdict"
	}
	return ""
}

// A Stand is how a guard stands towards a step at one instant.
type Stand struct {
	Holds  bool
	Reason string
	Since  time.Time // when it began to hold; zero: nobody knows
	Until  time.Time // when it stops to hold by itself; zero: nobody knows
	Final  bool      // waiting does not change it
}

// Asked is what a guard that needs nothing of the outside world is asked.
type Asked struct {
	At       time.Time
	Step     Step
	Drift    []Drift  // of the plan
	Accepted []string // addresses whose drift is acknowledged
	Spent    *Spent   // nil: not known, as when a plan is made
}

// Spent is how many sessions were interrupted or lost by what was done so far.
type Spent struct {
	Run    Toll // on the step's cluster, by this run and what is under way
	Others int  // there, by all other runs within seven days
}

// Stand answers a guard that needs nothing of the outside world; false is for one
// that does.
func (g Guard) Stand(a Asked) (Stand, bool) {
	switch {
	case len(g.Windows) > 0:
		return standOfWindows(g.Windows, a.At), true
	case g.Freeze != nil:
		return g.Freeze.stand(a.At), true
	case len(g.Events) > 0:
		return standOfEvents(g.Events, a.At), true
	case g.Drift != nil:
		return standOfDrift(a), true
	case g.Verdict != nil:
		return Stand{Holds: true, Final: true, Reason: g.Verdict.Text}, true
	case g.Budget != nil && a.Spent != nil:
		return g.Budget.stand(a.Step, *a.Spent), true
	}
	return Stand{}, false
}

func (f *Freeze) stand(at time.Time) Stand {
	if at.Before(f.From) || !at.Before(f.Until) {
		return Stand{}
	}
	reason := "frozen until " + told(f.Until, f.Zone, at)
	if f.Reason != "" {
		reason += ": " + f.Reason
	}
	return Stand{Holds: true, Since: f.From, Until: f.Until, Reason: reason}
}

func standOfEvents(events []Event, at time.Time) Stand {
	var s Stand
	for _, e := range events {
		if at.Before(e.From) || !at.Before(e.Until) {
			continue
		}
		if e.Until.After(s.Until) {
			title := e.Title
			if title == "" {
				title = e.Name
			}
			s = Stand{Holds: true, Since: e.From, Until: e.Until, Reason: "event " + title + " runs until " + told(e.Until, "", at)}
		}
	}
	return s
}

func standOfDrift(a Asked) Stand {
	for _, d := range a.Drift {
		block := d.Address.Block()
		accepted := slices.ContainsFunc(a.Accepted, d.Address.NamedBy) || slices.ContainsFunc(a.Accepted, block.NamedBy)
		if block != a.Step.Component.Block || accepted {
			continue
		}
		who := ""
		if len(d.Fields) > 0 && d.Fields[0].Manager != "" {
			who = " by " + d.Fields[0].Manager
		}
		return Stand{Holds: true, Final: true, Reason: fmt.Sprintf("%s was changed%s; acknowledge it with --accept-drift %s", d.Address, who, d.Address)}
	}
	return Stand{}
}

func (b *BudgetCheck) stand(step Step, spent Spent) Stand {
	run := spent.Run.CutOff()
	cost := spent.Run.With(step.Crowd(), step.Impact).CutOff() - run
	if b.PerRun != nil && cost > 0 && run+cost > *b.PerRun {
		return Stand{Holds: true, Final: true, Reason: fmt.Sprintf("%d sessions would be cut off, %d were by this run, and %d per run are allowed", cost, run, *b.PerRun)}
	}
	if week := run + spent.Others; b.PerWeek != nil && cost > 0 && week+cost > *b.PerWeek {
		return Stand{Holds: true, Reason: fmt.Sprintf("%d sessions would be cut off, %d were within 7 days, and %d per week are allowed", cost, week, *b.PerWeek)}
	}
	return Stand{}
}

// told words a time for people: the clock alone when it is near.
func told(t time.Time, zone string, at time.Time) string {
	place := time.UTC
	if zone != "" {
		if l, err := time.LoadLocation(zone); err == nil {
			place = l
		}
	}
	name := place.String()
	format := "2006-01-02 15:04"
	if d := t.Sub(at); d >= 0 && d < 20*time.Hour {
		format = "15:04"
	}
	return t.In(place).Format(format) + " " + name
}

// disruptive reports whether guards are asked before a step: what restarts
// something or takes it away from people.
func disruptive(s Step) bool { return s.Class >= resource.ClassRestart }

// attachGuards gives every step that may hurt people the guards that are about it.
func (b *builder) attachGuards() {
	for w := range b.plan.Waves {
		for i := range b.plan.Waves[w].Steps {
			s := &b.plan.Waves[w].Steps[i]
			s.Admission = admissionOf(*s)
			r, _ := b.rollout(s.Component.Block)
			for _, g := range slices.Concat(b.Guards, r.Guards) {
				if about, is := b.guardOf(g, *s); is {
					s.Guards = append(s.Guards, about)
				}
			}
			slices.SortStableFunc(s.Guards, func(x, y Guard) int { return strings.Compare(x.Name, y.Name) })
			s.Guards = slices.CompactFunc(s.Guards, func(x, y Guard) bool { return x.Name == y.Name })
		}
	}
}

// guardOf returns a guard as it is about a step, and whether it is. Load is that of
// a hub: a guard about it is not about other blocks.
func (b *builder) guardOf(g PlannedGuard, s Step) (Guard, bool) {
	block := s.Component.Block
	raises := s.Admission == RaisesAdmission && g.IsLoad()
	if b.Back || !disruptive(s) && !raises || slices.Contains(g.Except, block) {
		return Guard{}, false
	}
	site, _ := b.site(block)
	site.Block, site.Cluster = block, s.Cluster
	elsewhere := ""
	if site.Type == "" && s.Relies != nil && len(s.Relies.Namespaces) == 1 {
		elsewhere = s.Relies.Namespaces[0] // no hub's step, and one that a hub's people feel
	}
	out := g.Guard
	switch {
	case g.Load != nil:
		load := *g.Load
		out.Load = &load
		return out, load.fill(site, nil) == ""
	case g.Sessions != nil:
		out.Sessions = &SessionsCheck{Max: g.Sessions.Max, Namespace: cmp.Or(elsewhere, site.Namespace)}
		if isPool(s.Changes[0].ID) {
			out.Sessions.Pool = s.Changes[0].ID.Name
		}
		return out, site.Type != "" || elsewhere != "" || out.Sessions.Pool != ""
	case g.PendingPods != nil:
		pods := *g.PendingPods
		pods.Namespace = site.Namespace
		out.PendingPods = &pods
		return out, site.Type != ""
	case g.OfEvents:
		for _, e := range g.HubEvents {
			if slices.Contains(e.Hubs, block) {
				out.Events = append(out.Events, e.Event)
			}
		}
		return out, len(out.Events) > 0
	case g.Capacity != nil:
		return out, slices.ContainsFunc(s.Changes, func(c resource.Change) bool { return workloads[c.ID.Kind] && c.Action != resource.Delete })
	}
	return out, true
}

// Gate returns the gate that asks what the guard asks, for those that ask about
// load by the same means as gates.
func (g Guard) Gate() (Gate, bool) {
	switch {
	case g.Load != nil:
		return Gate{Name: g.Name, Interval: g.Interval, Failures: 1, Prometheus: &g.Load.PrometheusCheck}, true
	case g.PendingPods != nil:
		return Gate{Name: g.Name, Interval: g.Interval, Failures: 1, Pods: g.PendingPods}, true
	}
	return Gate{}, false
}

// A PlannedGuard is a guard as the config has it: for which blocks it is is not
// decided yet.
type PlannedGuard struct {
	Guard
	Except    []resource.Address // blocks that it is not about
	OfEvents  bool               // it is about the events of the step's block
	HubEvents []HubEvent
}

// A HubEvent is an event and the hubs that it is about.
type HubEvent struct {
	Event
	Hubs []resource.Address
}
