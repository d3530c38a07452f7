package docs

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"hubcap/engine/expand"
	"hubcap/modules"
	"hubcap/schema"
)

// replayed are the variables that testdata/replay gives its configs.
var replayed = map[string]string{
	"kubeconfig": "kubeconfig", "prometheus": "http://127.0.0.1:9090", "simulator": "http://127.0.0.1:8080", "namespace": "hubcap",
}

// configs are the folders with HCL files, with the variables that a user gives.
// Modules are loaded by a config of one line.
var configs = map[string]map[string]string{
	"engine/expand/testdata/bench": nil,
	"examples/kubeconfig-only":     nil,
	"examples/mybinder":            nil,
	"examples/quickstart":          nil,
	"modules/hcl/gates-binderhub":  nil,
	"modules/hcl/gates-jupyterhub": nil,
	"modules/hcl/gke-pools":        {"cluster": "cluster.main"},
	"modules/hcl/qos":              nil,
	"modules/versions":             nil,
	"testdata/replay/culler-flood": {"hub": "4.2.0", "culler": "1", "cleaner": "1", "binder": "1.0.0"},
	"testdata/replay/launch-day":   {"limit": "100"},
}

// TestConfigsLoad validates every config and module of the repository, charts
// included, so that none goes stale.
func TestConfigsLoad(t *testing.T) {
	found := map[string]bool{}
	for _, path := range files(t, ".hcl") {
		found[filepath.ToSlash(filepath.Dir(path))] = true
	}
	for dir := range found {
		if _, isListed := configs[dir]; !isListed {
			t.Errorf("%s has HCL files and is not in this test's table: with which variables does it load?", dir)
		}
	}
	for dir, given := range configs {
		if !found[dir] {
			t.Errorf("%s has no HCL files", dir)
			continue
		}
		from, vars := filepath.Join("..", dir), map[string]string{}
		for name, value := range given {
			vars[name] = value
		}
		if name, isModule := strings.CutPrefix(dir, "modules/hcl/"); isModule {
			from = t.TempDir()
			main := fmt.Sprintf("hubcap {\n name = \"main\"\n}\ncluster \"main\" {\n project = \"hub-project\"\n location = \"us-central1-a\"\n name = \"main\"\n}\nmodule \"m\" {\n source = \"builtin:%s\"\n", name)
			for _, arg := range slices.Sorted(maps.Keys(vars)) {
				main += " " + arg + " = " + vars[arg] + "\n"
			}
			main, vars = main+"}\n", nil
			if err := os.WriteFile(filepath.Join(from, "main.hcl"), []byte(main), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if strings.HasPrefix(dir, "testdata/replay/") {
			for name, value := range replayed {
				vars[name] = value
			}
		}
		if dir == "modules/versions" {
			if _, diags := schema.LoadKnownBad(modules.VersionsName, modules.Versions()); len(diags) > 0 {
				t.Errorf("%s: %v", dir, diags)
			}
			continue
		}
		validate(t, dir, from, vars)
	}
}

// validate loads a config and renders its charts.
func validate(t *testing.T, name, dir string, vars map[string]string) {
	t.Helper()
	cfg, diags := schema.Load(dir, schema.Options{Vars: vars, Builtin: builtin, Run: func(schema.Command) ([]byte, error) { return []byte("{}"), nil }})
	isFetched := true
	for i := range cfg.Hubs {
		if _, _, isRemote := cfg.Hubs[i].Chart.Remote(); isRemote {
			isFetched = false // its values are the repository's to judge
		}
	}
	if !diags.HasErrors() && isFetched {
		_, more := expand.Config(cfg, nil)
		diags = append(diags, more...)
	}
	for _, d := range diags {
		t.Errorf("%s: %s", name, d)
	}
}

// named gives a config a name, unless it has one.
func named(config string) string {
	if strings.Contains(config, "hubcap {") {
		return config
	}
	return config + "\nhubcap {\n  name = \"docs\"\n}\n"
}

func builtin(name string) (fs.FS, error) { return modules.Module(name) }

// stubs are what snippets refer to and do not show, by address.
var stubs = map[string]string{
	"cluster.prod": `cluster "prod" {
  project    = "hub-project"
  location   = "us-central1-a"
  name       = "prod"
  prometheus = "http://127.0.0.1:9090"
}`,
	"hub.prod":     "hub \"prod\" {\n  chart  = \"builtin:binderhub\"\n  labels = { community = \"geo\" }\n}",
	"hub.staging":  `hub "staging" { chart = "builtin:binderhub" }`,
	"hub.canary":   "hub \"canary\" {\n  chart  = \"builtin:binderhub\"\n  labels = { tier = \"canary\" }\n}",
	"gate.alive":   "gate \"alive\" {\n  pods {}\n}",
	"gate.leak":    "gate \"leak\" {\n  pods {}\n}",
	"guard.quiet":  "guard \"quiet\" {\n  launch_rate {\n    max = 20\n  }\n}",
	"guard.nights": "guard \"nights\" {\n  launch_rate {\n    max = 20\n  }\n}",
}

// TestSnippetsLoad validates every piece of HCL in the documents: blocks as they
// are, attributes in a hub.
func TestSnippetsLoad(t *testing.T) {
	count := 0
	for _, path := range files(t, ".md") {
		text, err := os.ReadFile(filepath.Join("..", path))
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range fenced(string(text), "hcl") {
			count++
			where := fmt.Sprintf("%s:%d", path, s.line)
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "values.yaml"), []byte("{}\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "main.hcl"), []byte(named(completed(t, where, s.text))), 0o600); err != nil {
				t.Fatal(err)
			}
			validate(t, where, dir, nil)
		}
	}
	if count < 7 {
		t.Errorf("found %d snippets", count)
	}
}

// completed adds to a snippet what it refers to.
func completed(t *testing.T, where, snippet string) string {
	t.Helper()
	file, diags := hclsyntax.ParseConfig([]byte(snippet), where, hcl.InitialPos)
	if diags.HasErrors() {
		t.Errorf("%s: %v", where, diags)
		return ""
	}
	body := file.Body.(*hclsyntax.Body)
	if len(body.Attributes) > 0 {
		snippet = "hub \"snippet\" {\n  chart = \"builtin:jupyterhub\"\n" + snippet + "}\n"
	}
	shown := map[string]bool{}
	for _, block := range body.Blocks {
		shown[strings.Join(append([]string{block.Type}, block.Labels...), ".")] = true
	}
	var all strings.Builder
	all.WriteString(snippet)
	for _, address := range slices.Sorted(maps.Keys(stubs)) {
		if !shown[address] && !(address == "cluster.prod" && shown["cluster.main"]) {
			all.WriteString("\n" + stubs[address] + "\n")
		}
	}
	return all.String()
}

// A snippet is one fenced piece of a document.
type snippet struct {
	line int // of its first line
	text string
}

// fenced returns the pieces of a document that are fenced as a language.
func fenced(text, language string) []snippet {
	var all []snippet
	var now *snippet
	for i, line := range strings.Split(text, "\n") {
		switch mark := strings.TrimSpace(line); {
		case now == nil && mark == "```"+language:
			now = &snippet{line: i + 2}
		case now == nil && strings.HasPrefix(mark, "```"):
			now = &snippet{line: -1}
		case now != nil && mark == "```":
			if now.line > 0 {
				all = append(all, *now)
			}
			now = nil
		case now != nil:
			now.text += line + "\n"
		}
	}
	return all
}

// files returns the files of the repository with an ending, but for what is built,
// cached, or part of a test's input.
func files(t *testing.T, ending string) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != ".." && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "bin"):
			return filepath.SkipDir
		case !entry.IsDir() && strings.HasSuffix(path, ending):
			all = append(all, strings.TrimPrefix(filepath.ToSlash(path), "../"))
		}
		return nil
	})
	if err != nil || len(all) == 0 {
		t.Fatalf("no files with %s: %v", ending, err)
	}
	return all
}
