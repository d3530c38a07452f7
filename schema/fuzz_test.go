package schema

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/rogpeppe/go-internal/txtar"
)

// seed adds the configs of the golden messages to a corpus.
func seed(f *testing.F) {
	cases, err := filepath.Glob("../testdata/diag/*.txtar")
	if err != nil || len(cases) == 0 {
		f.Fatal("no seeds")
	}
	for _, path := range cases {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range archive.Files {
			if filepath.Ext(file.Name) == ".hcl" {
				f.Add(file.Data)
			}
		}
	}
	f.Add([]byte(goodConfig))
}

// FuzzLoad: no file makes Load panic, whatever is wrong can be shown, and every
// message has its words and its place.
func FuzzLoad(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "main.hcl"), data, 0o644); err != nil {
			t.Fatal(err)
		}
		config, diags := Load(dir, Options{})
		var out bytes.Buffer
		if err := hcl.NewDiagnosticTextWriter(&out, config.Files, diagWidth, false).WriteDiagnostics(diags); err != nil {
			t.Fatal(err)
		}
		for _, d := range diags {
			if d.Summary == "" || d.Subject == nil {
				t.Errorf("a message without words or place: %+v", d)
			}
		}
	})
}

// FuzzFormat: what parses still parses to the same tokens when formatted, and
// formatting again changes nothing.
func FuzzFormat(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		once, diags := Format(data, "main.hcl")
		if diags.HasErrors() {
			return
		}
		if !sameTokens(data, once) && !bytes.Equal(data, once) {
			t.Fatalf("tokens changed:\n%q\n%q", data, once)
		}
		twice, diags := Format(once, "main.hcl")
		if diags.HasErrors() || !bytes.Equal(once, twice) {
			t.Fatalf("not stable: %v\n%q\n%q", diags, once, twice)
		}
	})
}
