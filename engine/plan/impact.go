package plan

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"hubcap/engine/resource"
)

// launchGaps are how long new launches fail or wait while a component restarts,
// as long as nothing was measured.
var launchGaps = map[resource.Class]time.Duration{
	resource.ClassHub:       40 * time.Second,
	resource.ClassOneWay:    60 * time.Second,
	resource.ClassProxy:     90 * time.Second, // until the hub restored the routes
	resource.ClassBinder:    25 * time.Second,
	resource.ClassCacheWipe: 25 * time.Second,
}

// impact says what c does to people: the static table, with live counts and
// measured times.
func (b *builder) impact(c resource.Change) resource.Impact {
	impact := resource.Impact{OneWay: c.Class == resource.ClassOneWay, Unknown: c.Impact.Unknown}
	if isPool(c.ID) {
		return b.poolImpact(c, impact)
	}
	var basis []string
	users := b.sessionsAt(c)
	switch c.Class {
	case resource.ClassOutage:
		impact.LaunchesStop = stopsLaunches(c) || b.rightless[c.ID] || b.barring[c.ID] || c.Action == resource.Delete && b.stranded(&c) != ""
		if c.Component.Name == hubComponent || c.Component.Name == binderComponent || b.rightless[c.ID] { // sessions go on
			break
		}
		fallthrough
	case resource.ClassProxy, resource.ClassDestructive:
		impact.SessionsInterrupted = users
		impact.LaunchesStop = impact.LaunchesStop || c.Action == resource.Delete && stopsLaunches(c)
		basis = append(basis, counted(users))
	case resource.ClassOneWay:
		if c.Action == resource.Delete && interrupts(c.Component) {
			impact.SessionsInterrupted = users
			basis = append(basis, counted(users))
		}
	}
	if b.ending(&c) != "" || takesNamespace(&c) {
		impact.SessionsLost, impact.SessionsInterrupted = users, 0
		basis = []string{counted(users)}
	}
	if !workloads[c.ID.Kind] && c.Class != resource.ClassProxy && !impact.Unknown || c.Action == resource.Delete || impact.LaunchesStop {
		impact.Basis = strings.Join(basis, "; ")
		return impact
	}
	if c.Class >= resource.ClassRestart && c.Action != resource.Create && workloads[c.ID.Kind] {
		impact.PodsRestarted = b.replicas(c)
	}
	class := c.Class
	if class == resource.ClassDestructive && isHubWorkload(&c) {
		class = resource.ClassHub // it is away as long as in any restart
	}
	if gap, from := b.launchGap(class, impact.PodsRestarted); from != "" {
		impact.LaunchGap = gap
		basis = append(basis, from)
	}
	impact.Basis = strings.Join(basis, "; ")
	return impact
}

// stopsLaunches reports whether nobody can launch while what a change takes away is
// away.
func stopsLaunches(c resource.Change) bool {
	return essential(c.Component) || routes[c.ID.Kind]
}

// poolImpact says what a change of a node pool does to the people on its nodes, and to
// those of the hubs that run there.
func (b *builder) poolImpact(c resource.Change, impact resource.Impact) resource.Impact {
	if !Disturbs(c) {
		return impact
	}
	impact.SessionsLost = b.sessionsOn(c.ID)
	for _, namespace := range b.carried(c.ID) {
		impact.SessionsInterrupted += b.Census[c.ID.Cluster].PerNamespace[namespace]
	}
	basis := []string{counted(impact.SessionsLost + impact.SessionsInterrupted)}
	for _, d := range b.carriers(c.ID) {
		pods := b.replicas(resource.Change{ID: d.ID})
		impact.PodsRestarted += pods
		if gap, from := b.launchGap(restartClass(d.Component), pods); gap > impact.LaunchGap {
			impact.LaunchGap, basis = gap, append(basis[:1], from)
		}
	}
	impact.Basis = strings.Join(basis, "; ")
	return impact
}

func counted(users int) string {
	if users == 1 {
		return "1 session counted"
	}
	return fmt.Sprintf("%d sessions counted", users)
}

// launchGap returns how long launches wait, and where the number comes from. A
// binder with several replicas rolls without a gap.
func (b *builder) launchGap(class resource.Class, replicas int) (time.Duration, string) {
	rolls := (class == resource.ClassBinder || class == resource.ClassCacheWipe) && replicas > 1
	gap, has := launchGaps[class]
	if !has || rolls {
		return 0, ""
	}
	if m := b.Measured[class]; m.Runs > 0 {
		return m.LaunchGap, fmt.Sprintf("gap measured %d times", m.Runs)
	}
	return gap, "gap estimated"
}

// startup returns for how long a hub that starts is not given up: it asks for the
// state of every server before it answers anybody, and one that is slow must not
// be taken for one that is broken. Zero for steps that start no hub.
func (b *builder) startup(s Step) time.Duration {
	restarts := slices.ContainsFunc(s.Changes, func(c resource.Change) bool {
		return isHubWorkload(&c) && c.Class >= resource.ClassHub && c.Action != resource.Delete
	})
	if s.Class != resource.ClassHub && s.Class != resource.ClassOneWay && !restarts {
		return 0
	}
	sessions := b.sessionsIn(s.Changes[0].ID)
	patience := min(workloadTimeout+time.Duration(sessions)*perSession, maxStartup)
	return max(patience, startupMargin*b.Measured[s.Class].LaunchGap)
}

// replicas returns how many pods a workload runs, as seen live, or else as
// written.
func (b *builder) replicas(c resource.Change) int {
	live := b.orphans[c.ID].Object
	if o, wanted := b.observed[c.ID]; wanted && o.Live != nil {
		live = o.Live.Object
	}
	for _, path := range [][]string{{"status", "replicas"}, {"status", "desiredNumberScheduled"}} {
		if v, has := live.Value(path...); has {
			return int(number(v))
		}
	}
	for _, o := range []resource.Object{live, c.Before} {
		if v, has := o.Value("spec", "replicas"); has {
			return int(number(v))
		}
	}
	return 1
}

// sum returns the impact of changes that are made together: the people of one place are
// counted once, those of several and pods add up.
func sum(changes []resource.Change) resource.Impact {
	var total resource.Impact
	lost, interrupted := make(headcount), make(headcount)
	for _, c := range changes {
		i := c.Impact
		if isPool(c.ID) { // every pool has people of its own
			total.SessionsLost += i.SessionsLost
		} else {
			lost.add(c.ID.Namespace, i.SessionsLost)
		}
		interrupted.add(c.ID.Namespace, i.SessionsInterrupted)
		if i.LaunchGap > total.LaunchGap || total.Basis == "" {
			total.Basis = i.Basis
		}
		total.LaunchGap = max(total.LaunchGap, i.LaunchGap)
		total.PodsRestarted += i.PodsRestarted
		total.OneWay = total.OneWay || i.OneWay
		total.LaunchesStop, total.Unknown = total.LaunchesStop || i.LaunchesStop, total.Unknown || i.Unknown
	}
	total.SessionsLost += lost.total()
	total.SessionsInterrupted = interrupted.total()
	return total
}

// A headcount is how many people there are, by namespace; "" has those of several.
type headcount map[string]int

func (h headcount) add(namespace string, people int) { h[namespace] = max(h[namespace], people) }

func (h headcount) total() int {
	n := 0
	for namespace, people := range h {
		if namespace != "" {
			n += people
		}
	}
	return max(n, h[""])
}
