package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"hubcap/engine"
	"hubcap/engine/gate"
	"hubcap/engine/plan"
	"hubcap/engine/resource"
	"hubcap/engine/run"
	"hubcap/providers/prometheus"
	"hubcap/schema"
)

func (s *session) doctorMetricsCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "metrics", Args: args(cobra.NoArgs), Short: "Check that gates and guards would have data, and say why not",
		Long: `Asks, for every gate and guard that asks a Prometheus and every hub that it is about, whether
its queries give numbers now. Where one does not it says why: a metric that nobody
exports, a label that nothing has, a target that is down, a cluster without a
Prometheus. Exit 1 when a gate that decides, or a guard that holds, would have none.`,
	}
	s.clusterFlags(c)
	s.outputFlag(c, asText, asJSON)
	c.RunE = func(c *cobra.Command, _ []string) error {
		ctx, stop := s.interruptible(c.Context())
		defer stop()
		return s.examineMetrics(ctx)
	}
	return c
}

// A metricFinding says whether one query of one gate has data.
type metricFinding struct {
	Gate     string `json:"gate"`
	Block    string `json:"block,omitempty"`
	Query    string `json:"query"`
	For      string `json:"for"` // "value", "evidence" …
	OK       bool   `json:"ok"`
	Advisory bool   `json:"advisory,omitempty"`
	Detail   string `json:"detail"`
}

func (s *session) examineMetrics(ctx context.Context) error {
	config, err := s.load()
	if err != nil {
		return err
	}
	s.monitor(ctx, config)
	var attempts []attempt
	for _, g := range wanted(config) {
		own, _ := attemptsAt(config, g, "")
		attempts = append(attempts, own...)
	}
	attempts = append(attempts, loads(config)...)
	var found []metricFinding
	for _, a := range attempts {
		found = append(found, s.examineGate(ctx, a)...)
		if ctx.Err() != nil {
			return silently(exitInterrupted)
		}
	}
	if err := s.tellMetrics(found); err != nil {
		return err
	}
	if slices.ContainsFunc(found, func(f metricFinding) bool { return !f.OK && !f.Advisory }) {
		return silently(exitError)
	}
	return nil
}

// loads are the questions about load that guards ask, each once.
func loads(config *schema.Config) []attempt {
	var all []attempt
	asked := map[string]bool{}
	for _, g := range config.Guards {
		load, asks := engine.LoadOf(g)
		if !asks {
			continue
		}
		for _, site := range engine.Sites(config) {
			filled, unfit := load.For(site, nil)
			key := g.Address.String() + " " + site.Cluster
			if unfit == "" && filled.Prometheus.Query != load.Prometheus.Query {
				key += " " + site.Block.String()
			} else {
				site.Block = resource.Address{} // it is about the cluster
			}
			if unfit != "" || asked[key] || slices.Contains(g.Except, site.Block) {
				continue
			}
			asked[key] = true
			all = append(all, attempt{address: g.Address, gate: filled, site: site})
		}
	}
	return all
}

func (s *session) tellMetrics(found []metricFinding) error {
	if s.output == asJSON {
		return s.writeJSON(map[string]any{"format_version": "1.0", "metrics": append([]metricFinding{}, found...)})
	}
	if len(found) == 0 {
		return s.print("No gate and no guard asks a Prometheus.\n")
	}
	var b strings.Builder
	for _, f := range joined(found) {
		mark := "ok"
		switch {
		case !f.OK && f.Advisory:
			mark = "no data"
		case !f.OK:
			mark = "NO DATA"
		}
		name := f.Gate
		if f.Block != "" {
			name += " on " + f.Block
		}
		fmt.Fprintf(&b, "%-7s  %s, %s: %s\n", mark, name, f.For, f.Detail)
	}
	b.WriteString(summed(found))
	return s.print(b.String())
}

// joined makes one line of what several queries of a gate lack for the same reason.
func joined(found []metricFinding) []metricFinding {
	var all []metricFinding
	for _, f := range found {
		same := slices.IndexFunc(all, func(o metricFinding) bool {
			return !f.OK && !o.OK && o.Gate == f.Gate && o.Block == f.Block && o.Detail == f.Detail
		})
		if same < 0 {
			all = append(all, f)
			continue
		}
		all[same].For += ", " + f.For
	}
	return all
}

// summed says how many gates and guards would have all the data that they need.
func summed(found []metricFinding) string {
	lacks, order := map[string]bool{}, []string{}
	for _, f := range found {
		who := f.Gate + " " + f.Block
		if !slices.Contains(order, who) {
			order = append(order, who)
		}
		lacks[who] = lacks[who] || !f.OK
	}
	n := len(order)
	for _, who := range order {
		if lacks[who] {
			n--
		}
	}
	return fmt.Sprintf("\n%d of %d gates and guards would have data.\n", n, len(order))
}

// examineGate asks what a gate would ask at the end of its bake.
func (s *session) examineGate(ctx context.Context, a attempt) []metricFinding {
	now := s.now()
	var queries []gate.Query
	switch {
	case a.gate.Prometheus != nil:
		baking := now.Add(-max(a.gate.Bake, a.gate.Delay()))
		queries = gate.Ask(run.Question{Gate: a.gate, Began: baking, Baking: baking, At: now})
		for i := range queries {
			if queries[i].Role == gate.Before {
				queries[i].At = now // a step that begins later finds then what there is now
			}
		}
	case a.gate.Builds != nil && a.gate.Builds.MaxPerPod != nil:
		queries = []gate.Query{{Role: gate.Value, Cluster: a.gate.Builds.Cluster, Expr: a.gate.Builds.InProgress, At: now}}
	}
	found := make([]metricFinding, len(queries))
	var wait sync.WaitGroup
	for i, q := range queries {
		found[i] = metricFinding{Gate: a.address.String(), Query: q.Expr, For: whatFor(a.gate, queries, i), Advisory: a.gate.Advisory}
		if !a.site.Block.IsZero() {
			found[i].Block = a.site.Block.String()
		}
		wait.Go(func() { found[i].OK, found[i].Detail = s.examineQuery(ctx, q) })
	}
	wait.Wait()
	return found
}

func (s *session) examineQuery(ctx context.Context, q gate.Query) (ok bool, detail string) {
	asks := &prometheus.Sampler{Client: s.monitoring.Client}
	answer := asks.Answer(ctx, []gate.Query{q})[0]
	if answer.Err != nil {
		return false, answer.Err.Error()
	}
	if n := len(answer.Points); n > 0 {
		last := answer.Points[n-1].Value
		if last == last { // NaN is no number
			return true, gate.Number(last)
		}
	}
	client, err := s.monitoring.Client(q.Cluster)
	if err != nil || client == nil {
		return false, "no Prometheus"
	}
	why, err := client.Why(ctx, q.Expr, q.At)
	switch {
	case err != nil:
		return false, "no data, and why could not be found out: " + err.Error()
	case why != "":
		return false, why
	case len(answer.Points) > 0:
		return true, "NaN now: nothing happened in the window, so that there is nothing to divide by"
	}
	return false, "no data, although all that is read is there: labels may not match on both sides of an operator"
}

// whatFor says what a query is needed for.
func whatFor(g plan.Gate, queries []gate.Query, i int) string {
	role := queries[i].Role
	if role != gate.Control {
		return role.String()
	}
	nth := 0
	for _, q := range queries[:i] {
		if q.Role == gate.Control {
			nth++
		}
	}
	return "control " + g.Prometheus.Control.Hubs[nth].Block.String()
}
