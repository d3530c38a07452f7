package schema

import (
	"cmp"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/hashicorp/hcl/v2"

	"hubcap/engine/resource"
)

// Options is what [Load] needs besides the files. The zero Options loads a
// directory that asks for nothing from outside.
type Options struct {
	Vars     map[string]string // of --var: a string as it is, anything else an HCL expression
	VarFiles []string          // of --var-file, a later one wins; --var wins over all of them

	// Env looks up an environment variable, for HUBCAP_VAR_name and env(). nil:
	// none is set.
	Env func(name string) (string, bool)

	// Builtin opens the module of a source "builtin:name". nil: there is none.
	Builtin func(name string) (fs.FS, error)

	// Run runs a command of values_files and returns what it printed. The error
	// holds nothing of that. nil: commands are refused.
	Run func(Command) ([]byte, error)

	// Version is hubcap's own, for required_version. Empty: not checked.
	Version string

	// Now is when the config is read, for "until". Zero: not checked.
	Now time.Time
}

// Load reads the *.hcl files of dir and of the modules they name, and evaluates
// them. The Config is never nil, so that its Files can illustrate the
// diagnostics; it is complete only when these hold no error. Diagnostics are in
// the order of files and lines.
func Load(dir string, opts Options) (*Config, hcl.Diagnostics) {
	return newLoader(opts).load(dir)
}

func (l *loader) load(dir string) (*Config, hcl.Diagnostics) {
	if src := l.open(osSource(dir), nil); src != nil && !l.diags.HasErrors() {
		root := l.instantiate(src, nil)
		l.root = root
		l.readMoves(root)
		l.readVariables(root)
		l.readOutside(root)
		l.evaluateAll(root)
		l.gather(root)
		l.checkName(src)
		l.check()
	}
	l.veilFiles()
	l.config.Settings.fillDefaults()
	return l.config, tidy(l.diags)
}

// A loader holds what one Load knows so far.
type loader struct {
	opts    Options
	config  *Config
	diags   hcl.Diagnostics
	sources map[string]*source // by name: a directory is read once
	given   map[string]given   // values of the root's variables, by name
	stack   []*node            // under evaluation, for naming a cycle
	bad     map[resource.Address]bool
	orders  map[resource.Address][]selector // of rollouts, until all hubs are known
	printed map[string]printed              // by command, to run each once
	secrets map[string]bool                 // sensitive values seen, to list each once
	outside *resource.Redactor              // knows what is given to sensitive variables, see outside.go
	veiled  []hcl.Range                     // of literals that no snippet may show, see veil.go
	made    int                             // how often a value was marked as sensitive
	root    *module
	second  *loader // of the config with stand-ins, see standin.go; nil until needed
	standIn bool    // this is that one

	// seen is told what each type of block has, for the test that holds
	// docs/LANGUAGE.md to the code. nil: nobody listens.
	seen func(where string, attrs, blocks []string)
}

func newLoader(opts Options) *loader {
	if opts.Env == nil {
		opts.Env = func(string) (string, bool) { return "", false }
	}
	return &loader{
		opts:    opts,
		config:  &Config{Files: map[string]*hcl.File{}},
		sources: map[string]*source{},
		given:   map[string]given{},
		bad:     map[resource.Address]bool{},
		orders:  map[resource.Address][]selector{},
		printed: map[string]printed{},
		secrets: map[string]bool{},
		outside: &resource.Redactor{},
	}
}

// errorAt reports an error of the author. The summary is a noun phrase, the
// detail says why and what to do.
func (l *loader) errorAt(at hcl.Range, summary, format string, args ...any) {
	l.report(hcl.DiagError, at, summary, fmt.Sprintf(format, args...))
}

func (l *loader) warnAt(at hcl.Range, summary, format string, args ...any) {
	l.report(hcl.DiagWarning, at, summary, fmt.Sprintf(format, args...))
}

func (l *loader) report(severity hcl.DiagnosticSeverity, at hcl.Range, summary, detail string) {
	d := &hcl.Diagnostic{Severity: severity, Summary: summary, Detail: detail}
	if at.Filename != "" {
		d.Subject = &at
	}
	l.diags = append(l.diags, d)
}

// tidy puts diagnostics in the order of files and lines and drops repetitions,
// which for_each and modules used twice make.
func tidy(diags hcl.Diagnostics) hcl.Diagnostics {
	type key struct{ summary, detail, at string }
	seen := map[key]bool{}
	var kept hcl.Diagnostics
	for _, d := range diags {
		k := key{summary: d.Summary, detail: d.Detail}
		if d.Subject != nil {
			k.at = fmt.Sprintf("%s:%d", d.Subject.Filename, d.Subject.Start.Byte)
		}
		if !seen[k] {
			seen[k] = true
			kept = append(kept, d)
		}
	}
	slices.SortStableFunc(kept, func(a, b *hcl.Diagnostic) int {
		switch {
		case a.Subject == nil && b.Subject == nil:
			return 0
		case a.Subject == nil:
			return -1
		case b.Subject == nil:
			return 1
		}
		return cmp.Or(
			cmp.Compare(a.Subject.Filename, b.Subject.Filename),
			cmp.Compare(a.Subject.Start.Byte, b.Subject.Start.Byte),
		)
	})
	return kept
}
