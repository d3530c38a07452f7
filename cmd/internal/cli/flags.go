package cli

import (
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"hubcap/engine/plan"
)

// The formats of -o.
const (
	asText     = "text"
	asJSON     = "json"
	asMarkdown = "markdown"
	asHTML     = "html"
)

// configFlags are those of every command that reads the config.
func (s *session) configFlags(c *cobra.Command) {
	c.Flags().StringArrayVar(&s.vars, "var", nil, "set a variable: `name=value`; repeatable")
	c.Flags().StringArrayVar(&s.varFiles, "var-file", nil, "read variables from `file`; repeatable")
}

// clusterFlags are those of every command that reaches a cluster.
func (s *session) clusterFlags(c *cobra.Command) {
	s.configFlags(c)
	c.Flags().StringVar(&s.kubeconfig, "kubeconfig", "", "use this kubeconfig `file` instead of the config's")
	c.Flags().StringVar(&s.kubeContext, "context", "", "use this kubeconfig context (`name`) instead of the config's")
}

// outputFlag is -o, with the formats that c has.
func (s *session) outputFlag(c *cobra.Command, formats ...string) {
	c.Flags().StringVarP(&s.output, "output", "o", asText, strings.Join(formats, ", "))
	isJSON := c.Flags().Bool("json", false, "the same as -o json")
	c.Flags().Lookup("json").Hidden = true
	c.PreRunE = func(*cobra.Command, []string) error {
		if *isJSON {
			s.output = asJSON
		}
		if !slices.Contains(formats, s.output) {
			return usage("-o %s: the formats are %s", s.output, strings.Join(formats, ", "))
		}
		return nil
	}
}

func (s *session) verboseFlag(c *cobra.Command) {
	c.Flags().BoolVarP(&s.verbose, "verbose", "v", false, "show every field")
}

// scope is what is planned.
type scope struct {
	only, except, remove []string

	takeOver string // name of the config that becomes this directory's
}

func (s *session) scopeFlags(c *cobra.Command) *scope {
	var sc scope
	c.Flags().StringArrayVar(&sc.only, "only", nil, "plan only this block or component (`address`; without a key all instances); repeatable")
	c.Flags().StringArrayVar(&sc.except, "except", nil, "leave this block or component (`address`; without a key all instances) out; repeatable")
	c.Flags().StringArrayVar(&sc.remove, "dangerous-delete", nil, "allow that this `address` is deleted although people's work is on it")
	c.Flags().StringVar(&sc.takeOver, "take-over-config", "", "make the `name` of this config this directory's, although another one applied it")
	for _, name := range []string{"only", "except", "dangerous-delete"} {
		if err := c.RegisterFlagCompletionFunc(name, s.complete(addresses)); err != nil {
			panic("cli: complete --" + name + ": " + err.Error())
		}
	}
	return &sc
}

// approval is how a change of the world is agreed to.
type approval struct {
	auto        bool
	input       bool
	retry       bool
	lockTimeout time.Duration
	handing     *handing
	leave       *leave // nil when the command has no flags for it
}

// apply lets the plan do what was agreed to beside it.
func (a *approval) apply(p *plan.Plan) {
	if a.retry {
		p.Retry()
	}
}

func approvalFlags(c *cobra.Command) *approval {
	var a approval
	c.Flags().BoolVar(&a.auto, "auto-approve", false, "do not ask; gates, guards and the lock still hold")
	c.Flags().BoolVar(&a.input, "input", true, "ask on the terminal")
	c.Flags().DurationVar(&a.lockTimeout, "lock-timeout", 0, "wait so long for another run to end")
	return &a
}
