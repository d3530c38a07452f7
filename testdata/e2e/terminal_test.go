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
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

var update = flag.Bool("update", false, "rewrite the transcripts that the guides quote")

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

// golden holds what was said to a file beside the test.
func (m *terminal) golden(file string) {
	m.t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(m.said.String()), 0o644); err != nil {
			m.t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(read(m.t, file), m.said.String()); diff != "" {
		m.t.Errorf("the guides quote %s, which is not what is said now (-file +now); rewrite it with -update, and the guides by hand:\n%s", file, diff)
	}
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

var took = regexp.MustCompile(`≈ [0-9hms.µ]+`)

// measured are lines that hold what runs before took, and break where that is long.
var measured = regexp.MustCompile(`(?m)^  (?:Impact|Worst) .*\n(?:           .*\n)*`)

// steady makes texts of two runs of the same thing the same.
func steady(text string) string {
	text = measured.ReplaceAllStringFunc(text, func(lines string) string {
		if strings.Contains(lines, "  Worst ") { // which step it is, too
			return ""
		}
		return "  " + strings.Join(strings.Fields(took.ReplaceAllString(lines, "≈ 30s")), " ") + "\n"
	})
	for _, v := range varying {
		text = v.is.ReplaceAllString(text, v.text)
	}
	return text
}
