package cli

import (
	"slices"

	"github.com/spf13/cobra"

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

// addresses are those of the blocks that make objects, sorted.
func addresses(c *schema.Config) []string {
	var all []string
	for _, b := range c.NodePools {
		all = append(all, b.Address.String())
	}
	for _, b := range c.Hubs {
		all = append(all, b.Address.String())
	}
	for _, b := range c.Charts {
		all = append(all, b.Address.String())
	}
	for _, b := range c.Manifests {
		all = append(all, b.Address.String())
	}
	slices.Sort(all)
	return all
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
