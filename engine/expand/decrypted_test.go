package expand

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hubcap/engine/resource"
	"hubcap/schema"
)

// An encrypted file has ordinary words in it beside secrets. All of them are
// hidden, but a word may stand in the name of an object, and a token may not.
func TestDecryptedValues(t *testing.T) {
	const config = `
cluster "c" { context = "test" }
chart "auth" {
  chart        = "./auth"
  values_files = [{ command = ["sops", "-d", "secrets.yaml"] }]
}
`
	const template = `apiVersion: v1
kind: ConfigMap
metadata: {name: "{{ .Values.name }}-auth", labels: {of: "{{ .Values.name }}"}}
data:
  url: "https://{{ .Values.token }}@example.org"
  plain: "nothing of that"
`
	tests := []struct{ printed, want, reason string }{
		{"name: github\ntoken: hunter2", "", "an ordinary word in a name"},
		{"name: prod\ntoken: hunter2", "", "a short one"},
		{"name: my-github-organization.example\ntoken: hunter2", "", "a long one"},
		{"name: a1b2c3d4e5f60718293a4b5c\ntoken: hunter2", "metadata.name, which cannot be hidden", "a token"},
	}
	for _, test := range tests {
		dir := t.TempDir()
		for name, text := range map[string]string{
			"name.hcl": "hubcap { name = \"default\" }\n",
			"main.hcl": config, "auth/Chart.yaml": "apiVersion: v2\nname: auth\nversion: 1.0.0\n", "auth/templates/c.yaml": template,
		} {
			path := filepath.Join(dir, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		run := func(c schema.Command) ([]byte, error) { return []byte(test.printed), nil }
		cfg, diags := schema.Load(dir, schema.Options{Run: run})
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		desired, diags := Config(cfg, nil)
		if test.want != "" {
			if !diags.HasErrors() || !strings.Contains(diags.Error(), test.want) {
				t.Errorf("%s: %v", test.reason, diags)
			}
			continue
		}
		if diags.HasErrors() {
			t.Errorf("%s: %v", test.reason, diags)
			continue
		}
		for _, d := range desired {
			if d.ID.Kind != "ConfigMap" {
				continue
			}
			url, _ := d.Object.Value("data", "url")
			label, _ := d.Object.Value("metadata", "labels", "of")
			_, isHidden := url.(resource.Sensitive)
			_, isHiddenToo := label.(resource.Sensitive)
			if d.ID.Name == "" || d.ID.Name != d.Object.Text("metadata", "name") || !isHidden || !isHiddenToo || d.Object.Text("data", "plain") == "" {
				t.Errorf("%s: %s: hidden: %v, %v", test.reason, d.ID, isHidden, isHiddenToo)
			}
		}
	}
}
