// Package cli is the commands of hubcap, one file each, and the wiring of the
// engine to the providers.
//
// Place in the pipeline: in front of it. A command loads the config, has the
// engine do one thing, has render word the result, and picks an exit code.
// Standard output is the answer; all else goes to standard error.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/spf13/cobra"

	"hubcap/cmd/internal/render"
	"hubcap/engine/run"
	"hubcap/providers/kube"
)

// version is set by the linker.
var version = "dev"

// A session is one invocation: its streams, environment and flags.
type session struct {
	in       io.Reader
	out, err io.Writer
	env      func(string) (string, bool)
	now      func() time.Time

	chdir       string
	vars        []string
	varFiles    []string
	kubeconfig  string
	kubeContext string
	noColor     bool
	verbose     bool
	output      string
	charts      chartFlags
	inside      string // cluster in which this process is a detached run; empty: none
	handover    []byte // what a detached run was given; nil: this is none

	planned time.Time // when the plan file that is carried out was made; zero: there is none

	started bool // the command's own code has begun: an error is no longer one of usage
	loaded  *loaded

	permitted  permit
	monitoring monitoring
	mu         sync.Mutex
	clients    map[string]*kube.Client // by name of the cluster
	locks      map[string]peeker       // by name of the cluster
	notify     func(run.Event)         // of the run under way
}

// Main runs hubcap with the process's arguments and streams and returns its exit
// code.
func Main() int {
	slog.SetDefault(slog.New(slog.DiscardHandler)) // Helm's own remarks, on a link in a chart and the like, are for nobody here
	s := &session{in: os.Stdin, out: os.Stdout, err: os.Stderr, env: os.LookupEnv, now: time.Now}
	return int(s.run(context.Background(), os.Args[1:]))
}

func (s *session) run(ctx context.Context, args []string) code {
	s.screen()
	root := s.root()
	root.SetArgs(doubleDashes(root, args))
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	var e *exit
	if !s.started && !errors.As(err, &e) {
		err = &exit{code: exitUsage, err: err}
	}
	s.report(err)
	return codeOf(err)
}

// screen puts a screen before both streams.
func (s *session) screen() {
	out, errs := s.out, s.err
	s.out = render.NewScreen(out, func() bool { return s.colored(out) })
	s.err = render.NewScreen(errs, func() bool { return s.colored(errs) })
}

// report says on standard error why the command ends, unless it was said.
func (s *session) report(err error) {
	var e *exit
	if errors.As(err, &e) && e.err == nil {
		return
	}
	var diags hcl.Diagnostics
	if errors.As(err, &diags) && s.loaded != nil {
		_ = s.diagnose(diags, s.loaded.config.Files) // what it returns says only that it was said
		return
	}
	s.complain(err)
	if errors.As(err, &e) && e.code == exitUsage {
		fmt.Fprintln(s.err, `Run "hubcap --help" for the commands, "hubcap COMMAND --help" for the flags.`)
	}
}

// print writes the answer.
func (s *session) print(text string) error {
	if _, err := io.WriteString(s.out, text); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	return nil
}

// warn says something beside the answer.
func (s *session) warn(format string, args ...any) {
	fmt.Fprintf(s.err, format+"\n", args...)
}

// hint says what to do next; automation does not want it.
func (s *session) hint(format string, args ...any) {
	if v, _ := s.env("HUBCAP_IN_AUTOMATION"); v == "" {
		s.warn(format, args...)
	}
}

const long = `hubcap plans and applies JupyterHubs and BinderHubs on Kubernetes and GKE: it
shows what a change does to the people using the hubs, then carries it out in
small checked steps, and undoes the step that fails.`

// The groups of commands in --help.
const (
	groupMain   = "main"
	groupConfig = "config"
	groupRuns   = "runs"
	groupOther  = "other"
)

func (s *session) root() *cobra.Command {
	root := &cobra.Command{
		Use: "hubcap", Short: "plan and apply for JupyterHub and BinderHub", Long: long,
		SilenceErrors: true, SilenceUsage: true, Version: version,
		PersistentPreRun: func(*cobra.Command, []string) { s.started = true },
	}
	root.SetOut(s.out)
	root.SetErr(s.err)
	root.SetIn(s.in)
	root.SetVersionTemplate("hubcap {{.Version}}\n")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage("%w", err) })
	root.AddGroup(
		&cobra.Group{ID: groupMain, Title: "Main commands:"},
		&cobra.Group{ID: groupConfig, Title: "Config (offline):"},
		&cobra.Group{ID: groupRuns, Title: "Runs:"},
		&cobra.Group{ID: groupOther, Title: "Other commands:"},
	)
	root.SetHelpCommandGroupID(groupOther)
	root.SetCompletionCommandGroupID(groupOther)
	root.PersistentFlags().StringVar(&s.chdir, "chdir", ".", "directory of the config")
	root.PersistentFlags().BoolVar(&s.noColor, "no-color", false, "no colours, as with NO_COLOR")
	root.AddCommand(
		s.planCommand(), s.applyCommand(), s.driftCommand(),
		s.validateCommand(), s.fmtCommand(), s.showCommand(),
		s.statusCommand(), s.historyCommand(), s.rollbackCommand(), s.resumeCommand(), s.gateCommand(),
		s.importCommand(), s.doctorCommand(), s.sealCommand(), s.versionCommand(),
	)
	root.AddCommand(s.orderCommands()...)
	root.SetUsageTemplate(root.UsageTemplate() + "{{if not .HasParent}}\nExit codes:\n" + exitTable() + "{{end}}")
	return root
}

// args makes a wrong number of arguments an error of usage.
func args(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, given []string) error {
		if err := check(c, given); err != nil {
			return usage("%s: %w", c.CommandPath(), err)
		}
		return nil
	}
}
