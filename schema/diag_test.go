package schema

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "rewrite the expected messages in ../testdata/diag")

// diagWidth is the width at which messages are wrapped.
const diagWidth = 78

// TestDiagnostics holds every message to its words. A case is a txtar archive:
// the files of a directory, and what loading it says in want.txt. Its comment is
// the reason, and lines with instructions:
//
//	var name=value       as --var
//	env NAME=value       an environment variable
//	now 2026-11-21T12:00:00Z
//	version 1.2.3        of hubcap
//	size FILE BYTES      makes a sparse file
//	bytes FILE           \xNN in the file stands for a byte
func TestDiagnostics(t *testing.T) {
	cases, err := filepath.Glob("../testdata/diag/*.txtar")
	if err != nil || len(cases) < 60 {
		t.Fatalf("only %d cases, error %v", len(cases), err)
	}
	for _, path := range cases {
		name := strings.TrimSuffix(filepath.Base(path), ".txtar")
		absolute, err := filepath.Abs(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(name, func(t *testing.T) { checkCase(t, absolute) })
	}
}

func checkCase(t *testing.T, path string) {
	archive, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	var want string
	for _, f := range archive.Files {
		if f.Name == "want.txt" {
			want = string(f.Data)
			continue
		}
		write(t, f.Name, f.Data)
	}
	got := rendered(t, follow(t, string(archive.Comment)))
	if *update {
		rewrite(t, path, archive, got)
		return
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("messages differ (-want +got):\n%s", diff)
	}
}

// loaded is what a case makes of its files.
type loaded struct {
	config *Config
	diags  hcl.Diagnostics
}

// follow follows the instructions of a case and loads the current directory.
func follow(t *testing.T, comment string) loaded {
	t.Helper()
	opts := Options{Vars: map[string]string{}}
	env := map[string]string{}
	opts.Env = func(name string) (string, bool) { v, isSet := env[name]; return v, isSet }
	for _, line := range strings.Split(comment, "\n") {
		word, rest, _ := strings.Cut(line, " ")
		key, value, _ := strings.Cut(rest, "=")
		switch word {
		case "var":
			opts.Vars[key] = value
		case "env":
			env[key] = value
		case "varfile":
			opts.VarFiles = append(opts.VarFiles, rest)
		case "version":
			opts.Version = rest
		case "now":
			now, err := time.Parse(time.RFC3339, rest)
			if err != nil {
				t.Fatal(err)
			}
			opts.Now = now
		case "size":
			makeSparse(t, rest)
		case "bytes":
			unescape(t, rest)
		}
	}
	config, diags := Load(".", opts)
	return loaded{config, diags}
}

func rendered(t *testing.T, l loaded) string {
	t.Helper()
	var out bytes.Buffer
	if err := hcl.NewDiagnosticTextWriter(&out, l.config.Files, diagWidth, false).WriteDiagnostics(l.diags); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func rewrite(t *testing.T, path string, archive *txtar.Archive, got string) {
	t.Helper()
	var files []txtar.File
	for _, f := range archive.Files {
		if f.Name != "want.txt" {
			files = append(files, f)
		}
	}
	archive.Files = append(files, txtar.File{Name: "want.txt", Data: []byte(got)})
	if err := os.WriteFile(path, txtar.Format(archive), 0o644); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, name string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

func makeSparse(t *testing.T, arguments string) {
	t.Helper()
	name, size, _ := strings.Cut(arguments, " ")
	n, err := strconv.ParseInt(size, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	write(t, name, nil)
	if err := os.Truncate(name, n); err != nil {
		t.Fatal(err)
	}
}

func unescape(t *testing.T, name string) {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var out []byte
	for rest := string(data); rest != ""; {
		if hex, isEscape := strings.CutPrefix(rest, `\x`); isEscape && len(hex) >= 2 {
			n, err := strconv.ParseUint(hex[:2], 16, 8)
			if err != nil {
				t.Fatal(err)
			}
			out, rest = append(out, byte(n)), hex[2:]
			continue
		}
		out, rest = append(out, rest[0]), rest[1:]
	}
	write(t, name, out)
}
