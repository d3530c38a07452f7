package expand

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"github.com/rogpeppe/go-internal/txtar"
	"sigs.k8s.io/yaml"

	"hubcap/engine/chart"
	"hubcap/engine/resource"
	"hubcap/modules"
	"hubcap/schema"
)

var update = flag.Bool("update", false, "rewrite the golden parts of testdata")

// config loads the files of an archive as a config.
func config(t *testing.T, archive *txtar.Archive) *schema.Config {
	t.Helper()
	dir := t.TempDir()
	files := archive.Files
	if !slices.ContainsFunc(files, func(f txtar.File) bool { return strings.Contains(string(f.Data), "hubcap {") }) {
		files = append(slices.Clone(files), txtar.File{Name: "name.hcl", Data: []byte("hubcap { name = \"default\" }\n")})
	}
	for _, f := range files {
		at := filepath.Join(dir, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cfg, diags := schema.Load(dir, schema.Options{})
	for _, d := range diags {
		if d.Severity == hcl.DiagError {
			t.Fatalf("load: %s", describe(diags))
		}
	}
	return cfg
}

// parse loads HCL alone.
func parse(t *testing.T, source string) *schema.Config {
	t.Helper()
	return config(t, &txtar.Archive{Files: []txtar.File{{Name: "main.hcl", Data: []byte(source)}}})
}

// describe prints diagnostics, one a line, with the file's name alone.
func describe(diags hcl.Diagnostics) string {
	var b strings.Builder
	for _, d := range diags {
		word := "error"
		if d.Severity == hcl.DiagWarning {
			word = "warning"
		}
		dir := filepath.Dir(d.Subject.Filename) + string(filepath.Separator)
		fmt.Fprintf(&b, "%s at %s:%d: %s: %s\n", word, filepath.Base(d.Subject.Filename), d.Subject.Start.Line,
			d.Summary, strings.ReplaceAll(d.Detail, dir, ""))
	}
	return b.String()
}

func newExpansion(cfg *schema.Config) *expansion {
	return &expansion{config: cfg, library: chart.NewLibrary(modules.Chart), shield: newShield(cfg)}
}

// Typed attributes become the chart values of DOMAIN §2: main.hcl in, values.yaml
// and diagnostics.txt out.
func TestHubValues(t *testing.T) {
	files, err := filepath.Glob("testdata/values/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			cfg := config(t, archive)
			got := map[string]string{}
			var values strings.Builder
			var all hcl.Diagnostics
			e := newExpansion(cfg)
			for i := range cfg.Hubs {
				hub := &cfg.Hubs[i]
				c, diags := e.load(hub.Block, hub.Chart)
				all = append(all, diags...)
				if c == nil {
					continue
				}
				l, diags := e.hubLayers(hub, c)
				all = append(all, diags...)
				text, err := yaml.Marshal(resource.Reveal(l.merged()))
				if err != nil {
					t.Fatal(err)
				}
				fmt.Fprintf(&values, "# %s\n%s", hub.Address, text)
			}
			got["values.yaml"], got["diagnostics.txt"] = values.String(), describe(all)
			compare(t, file, archive, got)
		})
	}
}

// compare holds what was got against the archive's parts of those names.
func compare(t *testing.T, file string, archive *txtar.Archive, got map[string]string) {
	t.Helper()
	for _, name := range sortedKeys(got) {
		part := -1
		want := ""
		for i, f := range archive.Files {
			if f.Name == name {
				part, want = i, string(f.Data)
			}
		}
		if want == got[name] {
			continue
		}
		if !*update {
			t.Errorf("%s (-want +got):\n%s", name, cmp.Diff(want, got[name]))
			continue
		}
		if part < 0 {
			archive.Files = append(archive.Files, txtar.File{Name: name, Data: []byte(got[name])})
		} else {
			archive.Files[part].Data = []byte(got[name])
		}
		if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// What is wrong with a config and shows only when it is expanded: main.hcl and
// charts in, diagnostics.txt out.
func TestDiagnostics(t *testing.T) {
	files, err := filepath.Glob("testdata/diag/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			_, diags := Config(config(t, archive), nil)
			compare(t, file, archive, map[string]string{"diagnostics.txt": describe(diags)})
		})
	}
}

// Node pools become the GKE API's: main.hcl in, pools.yaml out.
func TestNodePools(t *testing.T) {
	files, err := filepath.Glob("testdata/node_pools/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			desired, diags := Config(config(t, archive), nil)
			var pools strings.Builder
			for _, d := range desired {
				text, err := yaml.Marshal(resource.Reveal(d.Object))
				if err != nil {
					t.Fatal(err)
				}
				fmt.Fprintf(&pools, "# %s is %s, protected: %v\n%s", d.Address, d.ID, d.Protected, text)
			}
			compare(t, file, archive, map[string]string{"pools.yaml": pools.String() + describe(diags)})
		})
	}
}
