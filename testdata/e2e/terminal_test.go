//go:build e2e

package e2e

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

var transcripts = flag.String("transcripts", "", "write what was typed and said into this `directory`, for whoever mends a guide")

// A terminal is a person in a directory who types commands. All that is typed and
// said is kept, so that guides can show it.
type terminal struct {
	t    *testing.T
	dir  string
	home string
	said strings.Builder
}

func newTerminal(t *testing.T) *terminal {
	t.Helper()
	setUp(t)
	return &terminal{t: t, dir: t.TempDir(), home: t.TempDir()}
}

// run types a line as somebody, and fails the test unless it ends with the exit
// code.
func (m *terminal) run(who role, want int, line string) result {
	m.t.Helper()
	if who == reader {
		bindReader(m.t, "")
	}
	r := m.try(who, line)
	if r.code != want {
		m.t.Fatalf("$ %s\nexit code %d, want %d:\n%s%s", line, r.code, want, r.out, r.err)
	}
	fmt.Fprintf(&m.said, "$ %s\n%s%s\n", line, steady(r.out), steady(r.err))
	return r
}

// try runs a line without keeping it.
func (m *terminal) try(who role, line string) result {
	m.t.Helper()
	cmd := m.command(who, line)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	err := cmd.Run()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		m.t.Fatalf("$ %s: %v", line, err)
	}
	return result{args: cmd.Args[1:], code: cmd.ProcessState.ExitCode(), out: out.String(), err: said.String()}
}

func (m *terminal) command(who role, line string) *exec.Cmd {
	m.t.Helper()
	words := strings.Fields(line)
	program := words[0]
	switch program {
	case "hubcap":
		program = binary(m.t)
	case "helm":
		program = os.Getenv("HUBCAP_HELM")
		if program == "" {
			m.t.Skip("HUBCAP_HELM is not set (make e2e builds it)")
		}
	}
	if strings.Contains(program, "/") {
		program, _ = filepath.Abs(program)
	}
	cmd := exec.CommandContext(contextOf(m.t), program, words[1:]...)
	cmd.Dir = m.dir
	cmd.Env = append(os.Environ(), "XDG_STATE_HOME="+m.home, "NO_COLOR=1", "KUBECONFIG="+m.kubeconfig(who),
		"HELM_CACHE_HOME="+m.home, "HELM_CONFIG_HOME="+m.home, "HELM_DATA_HOME="+m.home)
	return cmd
}

// admin may do everything; Helm is run as they.
const admin role = "admin"

// kubeconfig writes a kubeconfig whose context is named as a person would.
func (m *terminal) kubeconfig(who role) string {
	m.t.Helper()
	path := filepath.Join(m.home, string(who)+".kubeconfig")
	from, err := clientcmd.LoadFromFile(site.sandbox.Kubeconfig)
	if err != nil {
		m.t.Fatal(err)
	}
	context := from.Contexts[from.CurrentContext]
	c := *api.NewConfig()
	c.Clusters["prod"] = from.Clusters[context.Cluster]
	c.AuthInfos["me"] = from.AuthInfos[context.AuthInfo]
	if who != admin {
		c.AuthInfos["me"] = &api.AuthInfo{Token: site.tokens[who]}
	}
	c.Contexts["prod"] = &api.Context{Cluster: "prod", AuthInfo: "me"}
	c.CurrentContext = "prod"
	if err := clientcmd.WriteToFile(c, path); err != nil {
		m.t.Fatal(err)
	}
	return path
}

// edit replaces one text of a file by another.
func (m *terminal) edit(file, from, to string) {
	m.t.Helper()
	path := filepath.Join(m.dir, file)
	text := read(m.t, path)
	if strings.Count(text, from) != 1 {
		m.t.Fatalf("%s does not have once:\n%s\nit is:\n%s", file, from, text)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(text, from, to, 1)), 0o600); err != nil {
		m.t.Fatal(err)
	}
}

// shows holds the consoles of a section of a guide to what was said: each command
// with its lines, in which "…" stands for any that were left out.
func (m *terminal) shows(guide, section string) {
	m.t.Helper()
	if *transcripts != "" {
		if err := os.WriteFile(filepath.Join(*transcripts, section+".txt"), []byte(m.said.String()), 0o600); err != nil {
			m.t.Fatal(err)
		}
	}
	_, text, found := strings.Cut(read(m.t, guide), "\n## "+section)
	text, _, _ = strings.Cut(text, "\n## ")
	if !found {
		m.t.Fatalf("%s has no section %s", guide, section)
	}
	said, shown := commands(m.said.String()), 0
	for _, part := range strings.Split(text, "```console\n")[1:] {
		console, _, _ := strings.Cut(part, "```")
		for _, c := range commands(console) {
			shown++
			if !slices.ContainsFunc(said, func(s string) bool { return quotes(c, s) }) {
				m.t.Errorf("%s shows what was not said (-transcripts writes what was):\n$ %s", guide, c)
			}
		}
	}
	if shown == 0 {
		m.t.Errorf("%s shows nothing in %s", guide, section)
	}
}

// commands splits a console into commands, each with what it said.
func commands(console string) []string {
	var all []string
	for _, c := range strings.Split("\n"+console, "\n$ ")[1:] {
		all = append(all, strings.TrimSpace(c))
	}
	return all
}

// quotes reports whether a quotation has the lines of said, apart from those for
// which "…" stands.
func quotes(quotation, said string) bool {
	rest := strings.Split(said, "\n")
	skipping := false
	for _, line := range strings.Split(quotation, "\n") {
		if line == "…" {
			skipping = true
			continue
		}
		at := slices.Index(rest, line)
		if at < 0 || at > 0 && !skipping {
			return false
		}
		rest, skipping = rest[at+1:], false
	}
	return skipping || len(rest) == 0
}

// varying is what of a text is another each time, and what stands for it.
var varying = []struct {
	is   *regexp.Regexp
	text string
}{
	{regexp.MustCompile(`(?m)^\d\d:\d\d:\d\dZ \[.*\n(?:\d\d:\d\d:\d\dZ \[.*\n)*`), "…\n"}, // the steps of a run as they pass
	{regexp.MustCompile(`\d{8}-\d{6}-[0-9a-f]{4}`), "20261201-090000-5f3a"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+ \+0000 UTC`), "2026-12-01 08:00:00.000000000 +0000 UTC"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`), "2026-12-01T09:00:00Z"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\dZ`), "2026-12-01 09:00Z"},
	{regexp.MustCompile(`\b\d\d:\d\d:\d\dZ`), "09:00:00Z"},
	{regexp.MustCompile(`(?i)[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`), "3f6d1f0e-5c1b-4f6e-9d3c-2b7a8e4d9c10"},
	{regexp.MustCompile(`\b[0-9a-f]{64}\b`), strings.Repeat("0123456789abcdef", 4)}, // checksums over generated secrets
	{regexp.MustCompile(`UPDATED +\t`), "UPDATED                                \t"},
	{regexp.MustCompile(`done in [0-9a-z.]+`), "done in 3s"},
	{regexp.MustCompile(`(?m)[ \t]+$`), ""},
}

// steady makes texts of two runs of the same thing the same.
func steady(text string) string {
	for _, v := range varying {
		text = v.is.ReplaceAllString(text, v.text)
	}
	return text
}
