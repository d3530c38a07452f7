package schema

import (
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hubcap/engine/resource"
)

// TestFiles: files are read beside the file that names them, in a fixed order,
// and whole numbers stay whole.
func TestFiles(t *testing.T) {
	config := mustLoad(t, `
-- main.hcl --
module "m" { source = "./m" }
-- m/main.hcl --
cluster "c" {}
chart "x" {
  chart        = "x-1.2.3.tgz"
  values_files = ["values/a.yaml", "values/empty.yaml", "values/b.yaml"]
}
manifest "all" { files = ["objects/*.yaml", "objects/more/one.yml"] }
-- m/values/a.yaml --
replicas: 3
big: 12345678901234
half: 0.5
name: "3"
twice: 2
none: null
-- m/values/empty.yaml --
# nothing
-- m/values/b.yaml --
list: [1, a]
-- m/objects/b.yaml --
---
# a comment only
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: b}}
-- m/objects/a.yaml --
{apiVersion: v1, kind: ConfigMapList, items: [{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {k: "1"}}]}
-- m/objects/.hidden.yaml --
broken: [
-- m/objects/more/one.yml --
{apiVersion: v1, kind: ConfigMap, metadata: {name: c, generation: 2}}
`, Options{})
	var values []map[string]any
	for _, f := range config.Charts[0].ValuesFiles {
		values = append(values, f.Values)
	}
	wantValues := []map[string]any{
		{"replicas": int64(3), "big": int64(12345678901234), "half": 0.5, "name": "3", "twice": int64(2), "none": nil},
		nil,
		{"list": []any{int64(1), "a"}},
	}
	if diff := cmp.Diff(wantValues, values); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
	if path := config.Charts[0].ValuesFiles[2].Path; filepath.Base(path) != "b.yaml" || filepath.Base(config.Charts[0].Chart.Dir) != "m" {
		t.Errorf("path %s, directory of the chart %s", path, config.Charts[0].Chart.Dir)
	}
	object := func(metadata map[string]any) resource.Object {
		return resource.Object{"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
	}
	a := object(map[string]any{"name": "a"})
	a["data"] = map[string]any{"k": "1"}
	wantObjects := []resource.Object{a, object(map[string]any{"name": "b"}), object(map[string]any{"name": "c", "generation": int64(2)})}
	if diff := cmp.Diff(wantObjects, config.Manifests[0].Objects); diff != "" {
		t.Errorf("objects (-want +got):\n%s", diff)
	}
}

// TestOrder: blocks are in the order of files and lines, whatever refers to
// what, and the same at every load.
func TestOrder(t *testing.T) {
	const text = `
-- b.hcl --
hub "z" {
  cluster   = cluster.c
  chart     = "./x"
  namespace = "z"
}
-- a.hcl --
hub "y" {
  chart     = "./x"
  namespace = "y-${hub.z.namespace}"
}
hub "k" {
  for_each  = toset(["b", "a"])
  chart     = "./x"
}
cluster "c" {}
`
	want := []string{"hub.y", `hub.k["a"]`, `hub.k["b"]`, "hub.z"}
	for range 5 {
		var got []string
		for _, h := range mustLoad(t, text, Options{}).Hubs {
			got = append(got, h.Address.String())
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
	}
}

// TestReferencesTravel: a reference survives lists, maps, conditions and
// modules, and cannot be taken for a value.
func TestReferencesTravel(t *testing.T) {
	config := mustLoad(t, `
-- main.hcl --
variable "which" {
  type    = string
  default = "b"
}
cluster "c" {}
hub "a" { chart = "builtin:binderhub" }
hub "b" { chart = "builtin:binderhub" }
locals {
  all    = { a = hub.a, b = hub.b }
  picked = var.which == "a" ? hub.a : hub.b
  set    = toset([hub.a, hub.b, hub.a])
}
repo_ban "picked" {
  hub  = local.picked
  repo = "x/picked"
}
repo_ban "looked_up" {
  hub  = local.all[var.which]
  repo = "x/looked-up"
}
repo_ban "set" {
  hubs = local.set
  repo = "x/set"
}
repo_ban "each" {
  for_each = { for name, h in local.all : name => h if h.namespace != "a" }
  hub      = each.value
  repo     = "x/${each.key}-${each.value.release}"
}
output "same" { value = [local.picked == hub.b, hub.a == hub.b, try(jsonencode(hub.a), "no value")] }
`, Options{})
	var got []string
	for _, b := range config.RepoBans {
		for _, h := range b.Hubs {
			got = append(got, b.Address.Name+" "+h.String()+" "+b.Match.Pattern)
		}
	}
	want := []string{
		"picked hub.b ^x/picked/", "looked_up hub.b ^x/looked-up/", "set hub.a ^x/set/", "set hub.b ^x/set/", `each["b"] hub.b ^x/b-b/`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]any{true, false, "no value"}, config.Outputs[0].Value); diff != "" {
		t.Errorf("output (-want +got):\n%s", diff)
	}
}
