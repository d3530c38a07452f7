package cli

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"hubcap/engine/resource"
	"hubcap/schema"
)

// complete offers words from the config to the shell, without asking any cluster.
// A config with errors offers what it has.
func (s *session) complete(words func(*schema.Config) []string) cobra.CompletionFunc {
	return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		l, err := s.read()
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return words(l.config), cobra.ShellCompDirectiveNoFileComp
	}
}

// addresses are those of the blocks that make objects, sorted: of instances, too, the
// one that means all of them.
func addresses(c *schema.Config) []string {
	var all []string
	add := func(a resource.Address) {
		all = append(all, a.String())
		if name, _, isInstance := strings.Cut(a.Name, `["`); isInstance {
			a.Name = name
			all = append(all, a.String())
		}
	}
	for _, b := range c.NodePools {
		add(b.Address)
	}
	for _, b := range c.Hubs {
		add(b.Address)
	}
	for _, b := range c.Charts {
		add(b.Address)
	}
	for _, b := range c.Manifests {
		add(b.Address)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// gateNames are the names of the gates, sorted.
func gateNames(c *schema.Config) []string {
	var all []string
	for _, g := range c.Gates {
		all = append(all, g.Address.Name)
	}
	slices.Sort(all)
	return all
}
