package cli

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"hubcap/cmd/internal/render"
	"hubcap/engine/plan"
	"hubcap/engine/resource"
	"hubcap/engine/run"
	"hubcap/providers/probe"
	"hubcap/schema"
)

func (s *session) gateCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "gate", GroupID: groupRuns, Args: args(cobra.NoArgs),
		Short: "List the gates, or try one now",
	}
	list := &cobra.Command{Use: "list", Args: args(cobra.NoArgs), Short: "List the gates of the config, offline"}
	s.configFlags(list)
	list.RunE = func(*cobra.Command, []string) error {
		config, err := s.load()
		if err != nil {
			return err
		}
		var rows [][]string
		for _, g := range config.Gates {
			rows = append(rows, []string{g.Address.String(), check(g), render.Span(g.Bake), render.Span(g.Interval), usedBy(config, g)})
		}
		return s.print(render.Table([]string{"GATE", "CHECK", "BAKE", "EVERY", "USED BY"}, rows, "No gate is in the config.", s.style(s.out)))
	}
	try := &cobra.Command{
		Use: "test NAME", Args: args(cobra.ExactArgs(1)), Short: "Take one sample now",
		Long: "Takes one sample of a gate now, and changes nothing. Exit 0 when it passes, 1 when it\nfails, 6 when it is inconclusive.",
	}
	var component string
	s.clusterFlags(try)
	try.Flags().StringVar(&component, "component", "", "the component (`address`) whose pods a pods gate looks at, where the gate names none")
	try.ValidArgsFunction = s.complete(gateNames)
	try.RunE = func(c *cobra.Command, given []string) error {
		ctx, stop := s.interruptible(c.Context())
		defer stop()
		return s.tryGate(ctx, given[0], component)
	}
	c.AddCommand(list, try)
	return c
}

func check(g schema.Gate) string {
	switch {
	case g.HTTP != nil:
		return "http " + g.HTTP.URL
	case g.Pods != nil && !g.Pods.Block.IsZero():
		return "pods of " + g.Pods.Block.String()
	case g.Pods != nil:
		return "pods of the component"
	}
	return ""
}

func usedBy(config *schema.Config, g schema.Gate) string {
	text := ""
	for _, r := range config.Rollouts {
		if slices.Contains(r.Gates, g.Address) {
			if text != "" {
				text += ", "
			}
			text += r.Address.String()
		}
	}
	return text
}

func (s *session) tryGate(ctx context.Context, name, component string) error {
	config, err := s.load()
	if err != nil {
		return err
	}
	i := slices.IndexFunc(config.Gates, func(g schema.Gate) bool { return g.Address.Name == name || g.Address.String() == name })
	if i < 0 {
		return usage("gate test: there is no gate %q in the config", name)
	}
	gate := planned(config.Gates[i])
	sampler, target, err := s.sampler(ctx, config, config.Gates[i], component)
	if err != nil {
		return err
	}
	sample, err := sampler.Sample(ctx, run.Question{Gate: gate, Component: target})
	if err != nil {
		return err
	}
	if err := s.print(fmt.Sprintf("%s: %s: %s\n", config.Gates[i].Address, sample.Verdict, sample.Reason)); err != nil {
		return err
	}
	switch sample.Verdict {
	case run.Pass:
		return nil
	case run.Inconclusive:
		return silently(exitHeld)
	}
	return silently(exitError)
}

// sampler returns who samples a gate, and for which component.
func (s *session) sampler(ctx context.Context, config *schema.Config, g schema.Gate, component string) (run.Sampler, resource.Component, error) {
	if g.HTTP != nil {
		return probe.New(), resource.Component{}, nil
	}
	target := resource.Component{Block: g.Pods.Block}
	if target.Block.IsZero() {
		a := resource.ParseAddress(component)
		if component == "" {
			return nil, target, usage("gate test %s: it looks at the pods of the component that was changed; name one with --component", g.Address.Name)
		}
		target = resource.Component{Block: a.Block(), Name: a.Object}
	}
	cluster, err := clusterOf(config, target.Block)
	if err != nil {
		return nil, target, err
	}
	e, troubles := s.connect(ctx, config)
	if err := troubles[cluster]; err != nil {
		return nil, target, err
	}
	return e.Clusters[cluster].Sampler, target, nil
}

// clusterOf returns the name of the cluster that a block lives in.
func clusterOf(config *schema.Config, block resource.Address) (string, error) {
	for _, h := range config.Hubs {
		if h.Address == block {
			return h.Cluster.Name, nil
		}
	}
	for _, c := range config.Charts {
		if c.Address == block {
			return c.Cluster.Name, nil
		}
	}
	for _, m := range config.Manifests {
		if m.Address == block {
			return m.Cluster.Name, nil
		}
	}
	return "", usage("gate test: there is no block %q with pods in the config", block)
}

// planned is a gate as a plan holds it.
func planned(g schema.Gate) plan.Gate {
	out := plan.Gate{Name: g.Address.Name, Bake: g.Bake, Interval: g.Interval, Failures: int(max(g.Failures, 1))}
	if h := g.HTTP; h != nil {
		out.HTTP = &plan.HTTPCheck{URL: h.URL, Contains: h.Contains, Timeout: h.Timeout}
		for _, status := range h.Status {
			out.HTTP.Status = append(out.HTTP.Status, int(status))
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
