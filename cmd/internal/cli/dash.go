package cli

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// doubleDashes returns args with the single-dash spelling of long flags
// ("-out=x", as Terraform's users type it) turned into the double-dash one. What
// is no long flag's name stays as it is: "-ojson" is "-o json".
func doubleDashes(root *cobra.Command, args []string) []string {
	long := longNames(root)
	out := make([]string, 0, len(args))
	for i, arg := range args {
		if arg == "--" {
			return append(out, args[i:]...)
		}
		name, _, _ := strings.Cut(strings.TrimPrefix(arg, "-"), "=")
		single := strings.HasPrefix(arg, "-") && !strings.HasPrefix(arg, "--")
		if single && len(name) > 1 && long[name] {
			arg = "-" + arg
		}
		out = append(out, arg)
	}
	return out
}

func longNames(root *cobra.Command) map[string]bool {
	names := map[string]bool{"help": true, "version": true}
	note := func(f *pflag.Flag) { names[f.Name] = true }
	var visit func(c *cobra.Command)
	visit = func(c *cobra.Command) {
		c.Flags().VisitAll(note)
		c.PersistentFlags().VisitAll(note)
		for _, sub := range c.Commands() {
			visit(sub)
		}
	}
	visit(root)
	return names
}
