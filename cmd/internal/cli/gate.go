package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"hubcap/cmd/internal/render"
	"hubcap/engine"
	"hubcap/engine/plan"
	"hubcap/engine/resource"
	"hubcap/engine/run"
	"hubcap/schema"
)

func (s *session) gateCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "gate", GroupID: groupRuns, Args: args(cobra.NoArgs),
		Short: "List the gates, try them now, or replay them over the past",
	}
	list := &cobra.Command{Use: "list", Args: args(cobra.NoArgs), Short: "List the gates of the config, offline"}
	s.configFlags(list)
	s.outputFlag(list, asText, asJSON)
	list.RunE = func(*cobra.Command, []string) error {
		config, err := s.load()
		if err != nil {
			return err
		}
		if s.output == asJSON {
			return s.writeJSON(listed(config))
		}
		var rows [][]string
		for _, g := range config.Gates {
			rows = append(rows, []string{g.Address.String(), checked(g), render.Span(g.Bake), render.Span(g.Interval), usedBy(config, g)})
		}
		return s.print(render.Table([]string{"GATE", "CHECK", "BAKE", "EVERY", "USED BY"}, rows, "No gate is in the config.", s.style(s.out)))
	}
	c.AddCommand(list, s.gateTestCommand())
	return c
}

// A gateList is the gates of a config, as -o json prints them.
type gateList struct {
	FormatVersion string       `json:"format_version"`
	Gates         []listedGate `json:"gates"`
}

type listedGate struct {
	Address string    `json:"address"`
	Gate    plan.Gate `json:"gate"`
	UsedBy  []string  `json:"used_by"` // rollouts
}

func listed(config *schema.Config) gateList {
	list := gateList{FormatVersion: "1.0", Gates: []listedGate{}}
	for _, g := range config.Gates {
		list.Gates = append(list.Gates, listedGate{Address: g.Address.String(), Gate: engine.GateOf(g), UsedBy: rolloutsWith(config, g)})
	}
	return list
}

func (s *session) gateTestCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "test [NAME…]", Args: args(cobra.ArbitraryArgs), Short: "Take one sample now, or replay a past window",
		Long: `Takes one sample of each gate now, as at the end of a bake that began as long ago
as the gate says, and changes nothing. Without names, those that a rollout has are
tried, or all; each on the hubs that its rollouts order. A gate on the pods of the
component that was changed looks at all components then, unless --component names one.

With --at, gates that ask a Prometheus are replayed over a bake that began then:
what would they have said, when, and with which numbers.

Exit 0 when all pass, 1 when one fails, 6 when one is inconclusive. Advisory gates
do not count.`,
		Example: `  hubcap gate test
  hubcap gate test launch-success --component hub.prod
  hubcap gate test hub-memory --at 2026-11-01T12:00Z --for 2h`,
	}
	var t trial
	s.clusterFlags(c)
	s.outputFlag(c, asText, asJSON)
	c.Flags().StringVar(&t.component, "component", "", "try the gates on this block or component (`address`)")
	c.Flags().StringVar(&t.at, "at", "", "replay a bake that began at this `time`, as in 2026-11-01T12:00Z")
	c.Flags().DurationVar(&t.length, "for", 0, "how long the replayed bake is; default the gate's own")
	c.Flags().StringVar(&t.began, "began", "", "when the step of the replayed bake began to write (`time`); default --at")
	c.ValidArgsFunction = s.complete(gateNames)
	c.RunE = func(c *cobra.Command, given []string) error {
		ctx, stop := s.interruptible(c.Context())
		defer stop()
		t.names = given
		return s.tryGates(ctx, t)
	}
	return c
}

// A trial is what is asked of "gate test".
type trial struct {
	names     []string
	component string
	at, began string
	length    time.Duration
}

// An attempt is one gate on one block.
type attempt struct {
	address resource.Address
	gate    plan.Gate
	site    plan.Site
	target  resource.Component
}

// label is how the attempt is called: by its gate, and where it looks when there
// are several places.
func (a attempt) label() string {
	if a.site.Block.IsZero() {
		return a.address.String()
	}
	return a.address.String() + " on " + a.site.Block.String()
}

func checked(g schema.Gate) string {
	switch {
	case g.HTTP != nil:
		return "http " + g.HTTP.URL
	case g.Pods != nil && g.Pods.Users:
		return "user servers"
	case g.Pods != nil && !g.Pods.Block.IsZero():
		return "pods of " + g.Pods.Block.String()
	case g.Pods != nil:
		return "pods of the component"
	case g.Prometheus != nil:
		return "prometheus " + bounds(*g.Prometheus)
	}
	return engine.GateOf(g).Check()
}

// bounds names what the answer of a Prometheus is held against.
func bounds(p schema.PrometheusCheck) string {
	var all []string
	for _, b := range []struct {
		name string
		set  bool
	}{
		{"max", p.Max != nil}, {"min", p.Min != nil}, {"before", p.Before != nil},
		{"control", p.Control != nil}, {"slope", p.Slope != nil}, {"evidence", p.Evidence != nil},
	} {
		if b.set {
			all = append(all, b.name)
		}
	}
	return strings.Join(all, ", ")
}

func usedBy(config *schema.Config, g schema.Gate) string {
	return strings.Join(rolloutsWith(config, g), ", ")
}

// rolloutsWith names the rollouts that have a gate.
func rolloutsWith(config *schema.Config, g schema.Gate) []string {
	names := []string{}
	for _, r := range config.Rollouts {
		if slices.Contains(r.Gates, g.Address) {
			names = append(names, r.Address.String())
		}
	}
	return names
}

func (s *session) tryGates(ctx context.Context, t trial) error {
	config, err := s.load()
	if err != nil {
		return err
	}
	attempts, left, err := attemptsOf(config, t)
	if err != nil {
		return err
	}
	if t.at != "" || t.began != "" || t.length != 0 {
		return s.replayGates(ctx, config, t, attempts, left)
	}
	e, troubles := s.connectFor(ctx, config, attempts)
	var results []tried
	for _, a := range attempts {
		if ctx.Err() != nil {
			return silently(exitInterrupted)
		}
		results = append(results, s.try(ctx, e, troubles, a))
	}
	return s.tellTried(results, left)
}

// connectFor connects the clusters, if any of the gates needs their API servers.
func (s *session) connectFor(ctx context.Context, config *schema.Config, attempts []attempt) (*engine.Engine, map[string]error) {
	s.monitor(ctx, config)
	if slices.ContainsFunc(attempts, func(a attempt) bool { return a.gate.HTTP == nil && a.gate.Prometheus == nil }) {
		return s.connect(ctx, config)
	}
	return &engine.Engine{}, nil
}

// A leftOut is a gate that is not tried, and why.
type leftOut struct {
	Gate   string `json:"gate"`
	Reason string `json:"reason"`
}

// attemptsOf returns which gates are tried, and where, and which are not.
func attemptsOf(config *schema.Config, t trial) (all []attempt, left []leftOut, err error) {
	found := map[string]bool{}
	gates := config.Gates
	if len(t.names) == 0 {
		gates = wanted(config)
	}
	for _, g := range gates {
		named := false
		for _, n := range t.names {
			if n == g.Address.Name || g.Address.NamedBy(n) {
				named, found[n] = true, true
			}
		}
		if len(t.names) > 0 && !named {
			continue
		}
		own, problem := attemptsAt(config, g, t.component)
		if len(own) == 0 && named {
			return nil, nil, usage("gate test %s: %s", g.Address.Name, problem)
		}
		if len(own) == 0 {
			left = append(left, leftOut{g.Address.String(), problem})
		}
		all = append(all, own...)
	}
	for _, name := range t.names {
		if !found[name] {
			return nil, nil, usage("gate test: there is no gate %q in the config%s", name, among(name, gateNames(config)))
		}
	}
	switch {
	case len(config.Gates) == 0:
		return nil, nil, usage("gate test: there is no gate in the config; docs/guides/gates.md tells how to begin")
	case len(all) == 0:
		return nil, nil, usage("gate test: there is no gate that can be tried: %s: %s", left[0].Gate, left[0].Reason)
	}
	return all, left, nil
}

// wanted are the gates that a rollout has, or all where none has any: a catalogue
// has more than anybody uses.
func wanted(config *schema.Config) []schema.Gate {
	used := slices.DeleteFunc(slices.Clone(config.Gates), func(g schema.Gate) bool { return usedBy(config, g) == "" })
	if len(used) == 0 {
		return config.Gates
	}
	return used
}

// attemptsAt returns the places of one gate, or why there is none.
func attemptsAt(config *schema.Config, g schema.Gate, component string) (all []attempt, problem string) {
	gate, sites := engine.GateOf(g), engine.Sites(config)
	places, err := placesOf(config, g, sites, component)
	if err != nil {
		return nil, err.Error()
	}
	problem = "there is no hub in the config to try it on"
	seen := map[string]bool{}
	for _, site := range places {
		others := slices.DeleteFunc(slices.Clone(sites), func(o plan.Site) bool { return o.Type == "" || o.Block == site.Block })
		filled, unfit := gate.For(site, others)
		if unfit != "" {
			problem = unfit
			continue
		}
		a := attempt{address: g.Address, gate: filled, site: site}
		if ofComponent(filled) {
			a.target.Block = site.Block // all its components
		}
		if component != "" {
			address := resource.ParseAddress(component)
			a.target = resource.Component{Block: site.Block, Name: address.Object}
		}
		text, err := json.Marshal(filled)
		if err != nil {
			panic("cli: a gate that is no data: " + err.Error())
		}
		question := string(text) + a.target.String()
		if !seen[question] { // asked of one hub or of all, it is the same question
			seen[question] = true
			all = append(all, a)
		}
	}
	if len(all) == 1 && (len(places) > 1 || component != "") {
		all[0].site.Block = resource.Address{} // there is nothing to tell it from
	}
	return all, problem
}

// placesOf returns where a gate is tried: where it is told to, on the hubs that
// the rollouts with it order, or on all hubs.
func placesOf(config *schema.Config, g schema.Gate, sites []plan.Site, component string) ([]plan.Site, error) {
	if component != "" {
		block := resource.ParseAddress(component).Block().String()
		var meant []plan.Site
		var blocks []string
		for _, site := range sites {
			blocks = append(blocks, site.Block.String())
			if site.Block.NamedBy(block) {
				meant = append(meant, site)
			}
		}
		if len(meant) == 0 {
			return nil, fmt.Errorf("there is no block %q with pods in the config%s", block, among(block, blocks))
		}
		return meant, nil
	}
	if g.HTTP != nil && !g.HTTP.OfHub() || g.Pods != nil && !g.Pods.Block.IsZero() && !g.Pods.Users {
		site := plan.Site{}
		if g.Pods != nil {
			site.Block = g.Pods.Block
			site.Cluster = clusterOf(sites, site.Block)
		}
		return []plan.Site{site}, nil
	}
	var ordered []resource.Address
	for _, r := range config.Rollouts {
		if slices.Contains(r.Gates, g.Address) {
			ordered = append(ordered, slices.Concat(r.Order...)...)
		}
	}
	blocks := slices.DeleteFunc(slices.Clone(sites), func(site plan.Site) bool {
		return site.Block.Kind == "node_pool" || len(ordered) > 0 && !slices.Contains(ordered, site.Block)
	})
	hubs := slices.DeleteFunc(slices.Clone(blocks), func(site plan.Site) bool { return site.Type == "" })
	if ofComponent(engine.GateOf(g)) && len(hubs) == 0 {
		return blocks, nil
	}
	return hubs, nil
}

// ofComponent reports whether a gate looks at the pods of the component that was
// changed. Where none was, it is tried on all components of a block.
func ofComponent(g plan.Gate) bool { return g.Pods != nil && !g.Pods.Users && g.Pods.Block == "" }

func clusterOf(sites []plan.Site, block resource.Address) string {
	for _, s := range sites {
		if s.Block == block {
			return s.Cluster
		}
	}
	return ""
}

// try takes one sample, as at the end of a bake.
func (s *session) try(ctx context.Context, e *engine.Engine, troubles map[string]error, a attempt) tried {
	now := s.now()
	baking := now.Add(-max(a.gate.Bake, a.gate.Delay()))
	result := tried{attempt: a, At: now}
	sampler, err := s.samplerOf(e, troubles, a)
	if err == nil {
		result.Sample, err = sampler.Sample(ctx, run.Question{Gate: a.gate, Component: a.target, Began: baking, Baking: baking, At: now})
	}
	if err != nil {
		result.Sample = run.Sample{Verdict: run.Inconclusive, Reason: err.Error()}
	}
	result.Verdict = result.Sample.Verdict
	return result
}

// samplerOf returns who samples a gate. URLs and Prometheus need no API server.
func (s *session) samplerOf(e *engine.Engine, troubles map[string]error, a attempt) (run.Sampler, error) {
	if a.gate.HTTP != nil || a.gate.Prometheus != nil || a.gate.Exec != nil {
		return s.samplers(nil, nil).people(e.Config, nil), nil
	}
	name := a.site.Cluster
	if err := troubles[name]; err != nil {
		return nil, err
	}
	if c := e.Clusters[name]; c != nil && c.Sampler != nil {
		return c.Sampler, nil
	}
	return nil, fmt.Errorf("sample gate %s: cluster %q is not connected", a.gate.Name, name)
}

// tried is what a gate said.
type tried struct {
	attempt
	At      time.Time
	Sample  run.Sample  // the last one
	Verdict run.Verdict // of the gate, or of the one sample
	over    *replayed   // nil: it was tried now
}

func (s *session) tellTried(results []tried, left []leftOut) error {
	var err error
	if s.output == asJSON {
		err = s.writeJSON(map[string]any{"format_version": "1.0", "gates": triedJSON(results), "left_out": append([]leftOut{}, left...)})
	} else {
		var b strings.Builder
		for _, r := range results {
			b.WriteString(r.text())
		}
		for _, l := range left {
			fmt.Fprintf(&b, "%s: left out: %s\n", l.Gate, l.Reason)
		}
		err = s.print(b.String())
	}
	if err != nil {
		return err
	}
	if slices.ContainsFunc(results, func(r tried) bool {
		return r.Verdict == run.Inconclusive && strings.Contains(r.Sample.Reason, "no data for ")
	}) {
		s.hint("Why there is no data: %s", s.again("doctor", "metrics"))
	}
	return verdictCode(results)
}

// verdictCode is the exit of the worst verdict of the gates that decide.
func verdictCode(results []tried) error {
	worst := map[run.Verdict]bool{}
	for _, r := range results {
		if !r.gate.Advisory {
			worst[r.Verdict] = true
		}
	}
	switch {
	case worst[run.Fail]:
		return silently(exitError)
	case worst[run.Inconclusive], worst[""]:
		return silently(exitHeld)
	}
	return nil
}

func (t tried) text() string {
	advisory := ""
	if t.gate.Advisory {
		advisory = " (advisory)"
	}
	if t.over == nil {
		return fmt.Sprintf("%s%s: %s: %s\n", t.label(), advisory, t.Verdict, t.Sample.Reason)
	}
	return t.label() + advisory + t.over.text(t.Verdict)
}

func triedJSON(results []tried) []any {
	all := []any{}
	for _, r := range results {
		one := map[string]any{
			"gate": r.address.String(), "check": r.gate.Check(), "verdict": cmp.Or(string(r.Verdict), "open"), "reason": r.Sample.Reason,
			"advisory": r.gate.Advisory, "time": r.At.UTC().Format(time.RFC3339),
			"value": r.Sample.Value, "bound": r.Sample.Bound, "evidence": r.Sample.Evidence,
		}
		if !r.site.Block.IsZero() {
			one["block"] = r.site.Block.String()
		}
		if r.over != nil {
			one["samples"] = r.over.json()
		}
		all = append(all, one)
	}
	return all
}
