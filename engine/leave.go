package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"hubcap/engine/journal"
	"hubcap/engine/plan"
	"hubcap/engine/resource"
	"hubcap/engine/run"
)

// Leave is what a person who starts or resumes a run takes the responsibility
// for. It is recorded in the journal.
type Leave struct {
	Overrides   map[string]string // address of a guard or policy → why it does not count
	AcceptDrift []string          // addresses whose drift is acknowledged
	Incident    string            // why this is done although the hubs are busy; empty: it is no incident
	NoWait      bool              // do not wait for guards
}

// ErrGuarded says that a guard does not let a plan through.
var ErrGuarded = errors.New("denied by a guard")

// ErrNoGuard says that what is to be overridden does not exist: a misspelt name must
// not pass for a leave.
var ErrNoGuard = errors.New("no such guard, policy or rollout")

// CheckOverrides returns an [ErrNoGuard] when the leave is to override what neither p
// nor the config has. What the config has and p has not is no mistake.
func (e *Engine) CheckOverrides(p *plan.Plan) error { return e.checkOverrides(p, nil) }

// checkOverrides is CheckOverrides for a run with these entries: what was given leave
// for before was known then.
func (e *Engine) checkOverrides(p *plan.Plan, entries []journal.Entry) error {
	planned := levels(p)
	known, rollouts := make(map[string]bool), []string{}
	for _, g := range e.Config.Guards {
		guard := guardOf(g, e.Config)
		known[guard.Address()] = true
	}
	for _, rule := range e.Config.Policies {
		known[rule.Address.String()] = true
	}
	for _, r := range e.Config.Rollouts {
		known[r.Address.String()] = true
		rollouts = append(rollouts, r.Address.String())
	}
	for _, site := range Sites(e.Config) {
		known[plan.OneWay(site.Block)] = true
	}
	for _, entry := range entries {
		known[entry.Guard] = known[entry.Guard] || entry.Mark == journal.Overridden
	}
	for _, name := range sortedKeys(e.Leave.Overrides) {
		if _, isPlanned := planned[name]; isPlanned || known[name] {
			continue
		}
		return fmt.Errorf("override %s: %w; %s", name, ErrNoGuard, resource.Possible(name, slices.AppendSeq(rollouts, maps.Keys(planned))))
	}
	return nil
}

// levels returns what holds or denies steps of p, by name, and how hard.
func levels(p *plan.Plan) map[string]plan.GuardLevel {
	levels := make(map[string]plan.GuardLevel)
	for _, step := range p.Steps() {
		for _, g := range step.Guards {
			levels[g.Address()] = g.Level
		}
	}
	for _, v := range p.Verdicts {
		levels[v.Name] = plan.Soft
	}
	return levels
}

// permits refuses what the leave asks for and may not have: to override what nobody
// may override, or to do during an incident what is not meant for one.
func (s *session) permits(ctx context.Context) error {
	levels := levels(s.plan)
	for _, name := range sortedKeys(s.Leave.Overrides) {
		if levels[name] == "" && !strings.HasPrefix(name, "rollout.") {
			s.tell(run.Warned{Text: "nothing that is left to do has anything to do with " + name + ": overriding it has no effect"})
		}
		if strings.TrimSpace(s.Leave.Overrides[name]) == "" {
			return fmt.Errorf("%w: override %s: a reason is needed", ErrGuarded, name)
		}
		if levels[name] == plan.Hard {
			return fmt.Errorf("%w: %s is hard, and cannot be overridden", ErrGuarded, name)
		}
	}
	if s.Leave.Incident == "" {
		return nil
	}
	return s.Engine.DuringIncident(ctx, s.plan)
}

// How the journal calls what a person took the responsibility for, beside guards
// and policies.
const (
	acceptedDrift = "drift of "
	relaxedLoad   = "load"
)

// confess records what a person took the responsibility for.
func (s *session) confess(ctx context.Context) error {
	var entries []journal.Entry
	note := func(what, why string) {
		entries = append(entries, journal.Entry{Mark: journal.Overridden, Guard: what, Reason: why})
	}
	for _, name := range sortedKeys(s.Leave.Overrides) {
		note(name, s.Leave.Overrides[name])
	}
	for _, address := range s.Leave.AcceptDrift {
		note(acceptedDrift+address, "accepted by "+s.Holder)
	}
	if s.Leave.Incident != "" {
		note(relaxedLoad, s.Leave.Incident)
	}
	if len(entries) == 0 {
		return nil
	}
	if err := s.Record(ctx, entries...); err != nil {
		return fmt.Errorf("write journal: %w", err)
	}
	return nil
}

// guarding is what the runner needs to know when it asks guards: what was given
// leave for now, and by whoever began the run or resumed it before.
func (s *session) guarding() run.Guarding {
	g := run.Guarding{Overrides: make(map[string]string), NoWait: s.Leave.NoWait, Spent: s.spent}
	for _, e := range s.entries() {
		if e.Mark != journal.Overridden || e.Step != "" {
			continue
		}
		address, isDrift := strings.CutPrefix(e.Guard, acceptedDrift)
		switch {
		case isDrift:
			g.Accepted = append(g.Accepted, address)
		case e.Guard == relaxedLoad:
			g.Incident = e.Reason
		default:
			g.Overrides[e.Guard] = e.Reason
		}
	}
	return g
}

// weekly is how many sessions the other runs of the last days cut off, by cluster.
// It is read once, when a guard asks first.
type weekly struct {
	once  sync.Once
	spent map[string]int
	err   error
}

// week is what a weekly budget is about.
const week = 7 * 24 * time.Hour

// spent returns how many sessions were cut off on a cluster by what was done.
func (s *session) spent(cluster string) (plan.Spent, error) {
	s.week.once.Do(func() { s.week.spent, s.week.err = s.others(context.Background()) })
	if s.week.err != nil {
		return plan.Spent{}, fmt.Errorf("read what other runs interrupted: %w", s.week.err)
	}
	mine := cutOff(s.entries(), func(e journal.Entry) string { return e.Cluster })
	return plan.Spent{Run: mine[cluster], Others: s.week.spent[cluster]}, nil
}

// others adds up what all other runs of the last week cut off.
func (s *session) others(ctx context.Context) (map[string]int, error) {
	ctx, cancel := context.WithTimeout(ctx, cleanupTime)
	defer cancel()
	return s.spentBeside(ctx, s.run.ID)
}

// spentBeside adds up what all runs but one cut off within the last week, of
// whichever config.
func (e *Engine) spentBeside(ctx context.Context, run string) (map[string]int, error) {
	since, spent := e.now().Add(-week), make(map[string]int)
	for _, name := range e.names() {
		runs, err := e.Clusters[name].Store.Runs(ctx, "")
		if err != nil {
			return nil, err
		}
		for _, r := range runs {
			if outcome, _ := journal.Ended(r.Entries); r.ID == run || outcome == journal.Refused {
				continue
			}
			entries := slices.DeleteFunc(slices.Clone(r.Entries), func(e journal.Entry) bool { return !e.Time.After(since) })
			tolls := cutOff(entries, func(entry journal.Entry) string {
				if entry.Cluster == "" || r.Config != e.Config.Settings.Name { // another config may call its clusters otherwise
					return name
				}
				return entry.Cluster
			})
			for cluster, toll := range tolls {
				spent[cluster] += toll.CutOff()
			}
		}
	}
	return spent, nil
}

// cutOff adds up whom entries of one run say were interrupted or lost, by cluster. What
// was measured of a step counts instead of what was expected of it when its writes were
// announced; that counts however the step ended.
func cutOff(entries []journal.Entry, clusterOf func(journal.Entry) string) map[string]plan.Toll {
	measured, expected := make(map[plan.StepID]journal.Entry), make(map[plan.StepID][]journal.Entry)
	for _, e := range entries {
		switch {
		case e.Impact == nil:
		case e.Mark == journal.Intended:
			expected[e.Step] = append(expected[e.Step], e)
		default:
			measured[e.Step] = e
			delete(expected, e.Step)
		}
	}
	tolls := make(map[string]plan.Toll)
	add := func(e journal.Entry) {
		cluster := clusterOf(e)
		tolls[cluster] = tolls[cluster].With(plan.Crowd{Cluster: cluster, Block: string(e.Step), At: e.Relies}, *e.Impact)
	}
	for _, e := range measured {
		add(e)
	}
	for _, all := range expected {
		for _, e := range all {
			add(e)
		}
	}
	return tolls
}

func sortedKeys(m map[string]string) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
