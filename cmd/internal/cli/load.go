package cli

import (
	"context"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"

	"hubcap/modules"
	"hubcap/schema"
)

// loaded is the config as read, and what the commands need beside it.
type loaded struct {
	config *schema.Config
	diags  hcl.Diagnostics
}

// read loads the config without saying anything.
func (s *session) read() (*loaded, error) {
	vars := map[string]string{}
	for _, v := range s.vars {
		name, value, found := strings.Cut(v, "=")
		if !found || name == "" {
			return nil, usage("--var %s: it has to be name=value", name)
		}
		vars[name] = value
	}
	now := s.planned
	if now.IsZero() {
		now = s.now()
	}
	config, diags := schema.Load(s.chdir, schema.Options{
		Vars: vars, VarFiles: s.varFiles, Env: s.env, Version: version, Now: now,
		Builtin: func(name string) (fs.FS, error) { return modules.Module(name) }, Run: valuesCommand,
	})
	s.loaded = &loaded{config: config, diags: diags}
	return s.loaded, nil
}

// load reads the config and says what is wrong with it; with errors in it the
// command ends.
func (s *session) load() (*schema.Config, error) {
	if config, err := s.attached(); config != nil || err != nil {
		return config, err
	}
	l, err := s.read()
	if err != nil {
		return nil, err
	}
	return l.config, s.diagnose(l.diags, l.config.Files)
}

// commit is the commit of the config's directory, with "-dirty" when it was
// changed since; empty where there is no repository.
func (s *session) commit(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "git", "-C", s.chdir, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")
	out, err := cmd.Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

// holder names who runs this: user@host, and the CI job if there is one.
func (s *session) holder() string {
	name := "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	who := name + "@" + host
	for _, job := range []struct{ variable, word string }{
		{"GITHUB_RUN_ID", "GitHub run"}, {"CI_JOB_ID", "GitLab job"}, {"BUILD_TAG", "build"},
	} {
		if id, _ := s.env(job.variable); id != "" {
			return who + " (" + job.word + " " + id + ")"
		}
	}
	return who
}
