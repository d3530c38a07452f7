package schema

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestAbsolutePaths gives every kind of file by an absolute path, to a config in another
// directory: what is wrong with it is told with that path, whole.
func TestAbsolutePaths(t *testing.T) {
	given := t.TempDir()
	for name, text := range map[string]string{
		"bad.yaml": "a: [1", "list.yaml": "[1]", "keyless.yaml": "a: 1", "binary": "\xff\xfe", "template": "${nope}", "bad.hcl": "x = [", "module/main.hcl": "x = [", "sound/main.hcl": "hubcap { name = \"paths\" }\n",
	} {
		file := filepath.Join(given, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	manifest := func(path string) string {
		return `manifest "m" {
  namespace = "x"
  files     = ["` + path + `"]
}`
	}
	values := func(path string) string {
		return `chart "c" {
  namespace    = "x"
  chart        = "./c"
  values_files = ["` + path + `"]
}`
	}
	local := func(call string) func(string) string {
		return func(path string) string {
			return `manifest "m" {
  namespace = "x"
  object    = { apiVersion = "v1", kind = "ConfigMap", metadata = { name = "a" }, data = { a = ` + strings.ReplaceAll(call, "PATH", `"`+path+`"`) + ` } }
}`
		}
	}
	module := func(path string) string { return `module "m" { source = "` + path + `" }` }
	for _, c := range []struct {
		name, file string
		text       func(path string) string
	}{
		{"a manifest file that is missing", "gone.yaml", manifest},
		{"a pattern of manifest files", "gone/*.yaml", manifest},
		{"a manifest file that is no YAML", "bad.yaml", manifest},
		{"a manifest file without objects", "keyless.yaml", manifest},
		{"a manifest file that is a directory", "module", manifest},
		{"a values file that is missing", "gone.yaml", values},
		{"a values file that is no YAML", "bad.yaml", values},
		{"a values file that is a list", "list.yaml", values},
		{"a values file that is a directory", "module", values},
		{"a file that is missing", "gone.txt", local("file(PATH)")},
		{"a file that is no text", "binary", local("file(PATH)")},
		{"a template that is missing", "gone.txt", local("templatefile(PATH, {})")},
		{"a template without its variable", "template", local("templatefile(PATH, {})")},
		{"a module that is missing", "gone", module},
		{"a module that does not parse", "module", module},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(given, c.file)
			text := "hubcap { name = \"paths\" }\ncluster \"c\" {}\n" + c.text(filepath.ToSlash(path))
			if err := os.WriteFile(filepath.Join(dir, "main.hcl"), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			_, diags := Load(dir, Options{})
			shown := ""
			for _, d := range diags {
				shown += d.Summary + ": " + d.Detail + "\n"
				if d.Subject != nil && strings.HasPrefix(d.Subject.Filename, given) {
					shown += d.Subject.Filename + "\n"
				}
			}
			if !strings.Contains(shown, path) || strings.Contains(shown, filepath.Join(dir, path)) || strings.Contains(shown, "../") {
				t.Errorf("the path %s is not whole in:\n%s", path, shown)
			}
		})
	}
	for _, name := range []string{"bad.hcl", "gone.hcl"} {
		path := filepath.Join(given, name)
		_, diags := Load(filepath.Join(given, "sound"), Options{VarFiles: []string{path}})
		shown := ""
		for _, d := range diags {
			shown += d.Error() + "\n"
		}
		if !strings.Contains(shown, path) {
			t.Errorf("--var-file %s is not whole in:\n%s", path, shown)
		}
	}
}
