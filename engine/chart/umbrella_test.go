package chart

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hubcap/engine/resource"
	"hubcap/modules"
)

// layout assembles a chart of testdata in a folder of its own: hubcap's own
// chart goes under charts/, and definitions are written for the router.
func layout(t testing.TB, name, own string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", name))); err != nil {
		t.Fatal(err)
	}
	files, err := modules.Chart(own)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(dir, "charts", own), files); err != nil {
		t.Fatal(err)
	}
	return dir
}

// define writes n definitions of the size that those of a router have.
func define(t testing.TB, dir string, n int) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		var text strings.Builder
		fmt.Fprintf(&text, definition, i)
		for field := range 60 {
			fmt.Fprintf(&text, definitionField, field)
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("kind%d.yaml", i)), []byte(text.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

const definition = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: kind%[1]ds.router.example.org
spec:
  group: router.example.org
  scope: Namespaced
  names: {kind: Kind%[1]d, plural: kind%[1]ds, singular: kind%[1]d, listKind: Kind%[1]dList}
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            properties:
`

const definitionField = `              field%[1]d:
                description: What field%[1]d says about a route, and in more words than one
                  line of a definition has room for.
                type: object
                properties:
                  mode:
                    description: How it is applied.
                    type: string
                    enum: [first, last, never]
                  weight:
                    type: integer
                    format: int32
                    minimum: 0
`

// umbrella is a chart with about 150 objects besides its definitions, as around
// mybinder.org.
func umbrella(t testing.TB) (dir string, c *Chart) {
	t.Helper()
	dir = layout(t, "umbrella", "binderhub")
	define(t, filepath.Join(dir, "charts", "router", "crds"), 24)
	c, err := NewLibrary(nil).Load(Source{Location: dir})
	if err != nil {
		t.Fatal(err)
	}
	return dir, c
}

// livingOf returns a lookup that finds the Secrets that r has.
func livingOf(r Rendered, namespace string) Lookup {
	secrets := map[string]map[string]any{}
	for _, o := range r.Objects {
		if o.Object.Text("kind") == "Secret" {
			secrets[o.Object.Text("metadata", "name")] = resource.Reveal(map[string]any(o.Object)).(map[string]any)
		}
	}
	return func(_, kind, ns, name string) (map[string]any, error) {
		if kind != "Secret" || ns != namespace {
			return nil, nil
		}
		return secrets[name], nil
	}
}
