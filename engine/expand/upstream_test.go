package expand

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"sigs.k8s.io/yaml"

	"hubcap/engine/chart"
	"hubcap/modules"
	"hubcap/schema"
)

// A fixture is one chart that hubs are tried with.
type fixture struct {
	name    string
	source  string // of the chart, as the config names it
	root    string // values_root
	binder  bool
	builtin bool
	base    string // values, below the root, that switch everything on
	library *chart.Library
}

const (
	jupyterBase = `{scheduling: {userScheduler: {enabled: true}, userPlaceholder: {replicas: 1}, podPriority: {enabled: true}}, prePuller: {continuous: {enabled: true}}}`
	autohttps   = `{proxy: {https: {enabled: true, type: letsencrypt, hosts: [hub.example.org]}}, prePuller: {hook: {enabled: true}}}`
)

// fixtures lays the charts out below dir: the versions of jupyterhub, binderhub of
// three ages of its program, and wrapping charts.
func fixtures(t *testing.T, dir string) []fixture {
	t.Helper()
	all := []fixture{
		{name: "builtin jupyterhub", source: "builtin:jupyterhub", builtin: true, base: jupyterBase},
		{name: "builtin binderhub", source: "builtin:binderhub", builtin: true, binder: true, base: "{imageBuilderType: dind, jupyterhub: " + jupyterBase + "}"},
	}
	// Between these versions none of the keys that typed attributes use changed.
	for _, version := range []string{"3.3.8", "4.0.0", "4.1.0", "4.4.0"} {
		at := layChart(t, dir, "jupyterhub-"+version, "jupyterhub")
		edit(t, filepath.Join(at, "Chart.yaml"), "version: 4.4.0", "version: "+version)
		if version < "4.1.0" {
			edit(t, filepath.Join(at, "values.yaml"), "    replicas: 0\n    resources: {}\n    extraPodSpec: {}\n", "    replicas: 0\n    resources: {}\n")
		}
		all = append(all, fixture{name: "jupyterhub " + version, source: at, base: autohttps})
	}
	basehub := wrap(t, dir, "basehub", "jupyterhub", "jupyterhub-4.4.0")
	all = append(all, fixture{name: "basehub", source: basehub, root: "jupyterhub", base: autohttps})
	for _, builder := range []string{"host", "dind", "pink"} {
		at := layChart(t, dir, "binderhub-"+builder, "binderhub")
		copyChart(t, filepath.Join("testdata", "upstream", "jupyterhub"), filepath.Join(at, "charts", "jupyterhub"))
		all = append(all, fixture{name: "binderhub, " + builder, source: at, binder: true, base: "{imageBuilderType: " + builder + ", jupyterhub: " + jupyterBase + "}"})
	}
	old := layChart(t, dir, "binderhub-old", "binderhub")
	copyChart(t, filepath.Join("testdata", "upstream", "jupyterhub"), filepath.Join(old, "charts", "jupyterhub"))
	edit(t, filepath.Join(old, "Chart.yaml"), "git.3983.h383374de", "git.2700.h0123456")
	edit(t, filepath.Join(old, "values.yaml"), "git.3983.h383374de", "git.2700.h0123456")
	all = append(all, fixture{name: "binderhub of 2022", source: old, binder: true, base: "{imageBuilderType: dind, jupyterhub: " + jupyterBase + "}"})
	umbrella := wrap(t, dir, "umbrella", "binderhub", "binderhub-dind")
	all = append(all, fixture{name: "umbrella", source: umbrella, root: "binderhub", binder: true, base: "{imageBuilderType: dind, jupyterhub: " + jupyterBase + "}"})
	return all
}

func layChart(t *testing.T, dir, name, of string) string {
	t.Helper()
	at := filepath.Join(dir, name)
	copyChart(t, filepath.Join("testdata", "upstream", of), at)
	return at
}

func copyChart(t *testing.T, from, to string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}

// wrap makes a chart that has another below it, and nothing else.
func wrap(t *testing.T, dir, name, of, laid string) string {
	t.Helper()
	at := filepath.Join(dir, name)
	copyChart(t, filepath.Join(dir, laid), filepath.Join(at, "charts", of))
	write(t, filepath.Join(at, "Chart.yaml"), "apiVersion: v2\nname: "+name+"\nversion: 1.0.0\ndependencies: [{name: "+of+", version: '>= 0.0.0-0'}]\n")
	write(t, filepath.Join(at, "values.yaml"), of+": {}\n")
	return at
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func edit(t *testing.T, path, old, now string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(text), old) {
		t.Fatalf("%s has no %q: %v", path, old, err)
	}
	write(t, path, strings.Replace(string(text), old, now, 1))
}

// jupyter returns values of the JupyterHub chart as values of the fixture's.
func (f fixture) jupyter(values string) string {
	if values != "" && f.binder {
		return "{jupyterhub: " + values + "}"
	}
	return values
}

// rooted returns values of the hub's own chart as values of the fixture's whole.
func (f fixture) rooted(values string) map[string]any {
	var table map[string]any
	if err := yaml.Unmarshal([]byte(values), &table); err != nil {
		panic(fmt.Sprintf("%v: %s", err, values))
	}
	if f.root != "" {
		return map[string]any{f.root: table}
	}
	return table
}

const surroundings = `
cluster "main" {
  project  = "hub-project"
  location = "us-central1-a"
  name     = "main"
}
qos_class "memory" { memory_limit = "2Gi" }
qos_class "all" {
  mode           = "guaranteed"
  cpu            = "500m"
  memory         = "1Gi"
}
qos_class "first" {
  memory_limit   = "2Gi"
  priority_class = "first"
}
node_pool "core" {
  machine_type = "n2-standard-4"
  labels       = { "hub.jupyter.org/node-purpose" = "core" }
  taint {
    key    = "hub.jupyter.org/dedicated"
    value  = "core"
    effect = "NoSchedule"
  }
  taint {
    key    = "quiet"
    effect = "NoExecute"
  }
}
node_pool "user" {
  machine_type = "n2-standard-8"
  labels       = { "hub.jupyter.org/node-purpose" = "user" }
  taint {
    key    = "quiet"
    effect = "NoExecute"
  }
}
node_pool "build" {
  machine_type = "n2-standard-8"
  labels       = { use = "build" }
}
`

// config returns a hub of the fixture: body goes into its block, beside beside it,
// and below is a values file of the hub's own chart.
func (f fixture) config(body, beside string) string {
	kind := map[bool]string{true: "binderhub", false: "jupyterhub"}[f.binder]
	root := ""
	if f.root != "" {
		root = fmt.Sprintf("values_root = %q\n", f.root)
	}
	return fmt.Sprintf("%s\nhub \"prod\" {\nchart = %q\ntype = %q\n%svalues_files = [\"base.yaml\", \"below.yaml\"]\n%s\n}\n%s\n", surroundings, f.source, kind, root, body, beside)
}

// render returns what the programs make of a hub, and what is said of it.
func (f fixture) render(t *testing.T, body, beside, below string) (view, hcl.Diagnostics) {
	t.Helper()
	dir := t.TempDir()
	for name, values := range map[string]string{"base.yaml": f.base, "below.yaml": below} {
		if values == "" {
			values = "{}"
		}
		text, err := yaml.Marshal(f.rooted(values))
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, name), string(text))
	}
	write(t, filepath.Join(dir, "main.hcl"), f.config(body, beside))
	write(t, filepath.Join(dir, "name.hcl"), "hubcap { name = \"default\" }\n")
	cfg, diags := schema.Load(dir, schema.Options{})
	if diags.HasErrors() {
		return nil, diags
	}
	e := newExpansion(cfg)
	if f.library != nil {
		e.library = f.library
	}
	hub := &cfg.Hubs[0]
	c, diags := e.load(hub.Block, hub.Chart)
	if c == nil {
		return nil, diags
	}
	layers, found := e.hubLayers(hub, c)
	diags = append(diags, found...)
	if diags.HasErrors() {
		return nil, diags
	}
	out, err := c.Render(chart.Request{Release: "prod", Namespace: "prod", Values: layers.merged(), Draft: true})
	if err != nil {
		return nil, append(diags, e.renderError(hub.Block, c, layers, err)...)
	}
	return program{f.builtin, f.binder}.see(t, slices.Concat(out.Objects, out.Hooks)), diags
}

// unrendered are the fields of a hub's blocks that are no chart values.
var unrendered = map[string]string{
	"Hub.Block": "the block", "Hub.Type": "which attributes there are", "Hub.Cluster": "where", "Hub.Namespace": "where", "Hub.Release": "its name", "Hub.Chart": "the chart",
	"Hub.ValuesRoot": "where attributes go", "Hub.ValuesFiles": "values as they are", "Hub.Values": "values as they are", "Hub.Labels": "for people", "Hub.URL": "for gates",
	"Hub.DatabaseBackup": "a step of the plan", "Hub.Protected": "a rule of the plan", "Hub.Adopt": "a rule of the plan",
	"RepoLimit.Block": "the block", "RepoLimit.Hubs": "where", "RepoLimit.Until": "whether it is there at all", "RepoLimit.Reason": "for people",
	"RepoBan.Block": "the block", "RepoBan.Hubs": "where", "RepoBan.Until": "whether it is there at all", "RepoBan.Reason": "for people",
	"ImageCache.Block": "the block", "ImageCache.Hub": "where",
}

// fieldsOf returns the names of all attributes that become chart values.
func fieldsOf(t *testing.T) []string {
	t.Helper()
	var all []string
	seen := map[string]bool{}
	add := func(of string, kind reflect.Type) {
		for i := range kind.NumField() {
			field := kind.Field(i)
			name := of + "." + field.Name
			seen[name] = true
			keys := map[string]string{"Hub.Images": "images", "Hub.QoS": "qos", "Hub.NodePools": "node_pools"}[name]
			switch {
			case unrendered[name] != "":
			case keys != "":
				for _, key := range schema.HubKeys(keys) {
					all = append(all, name+"."+key)
				}
			case field.Type.Kind() == reflect.Pointer && field.Type.Elem().Kind() == reflect.Struct:
				inner := field.Type.Elem()
				for j := range inner.NumField() {
					all = append(all, name+"."+inner.Field(j).Name)
				}
			default:
				all = append(all, name)
			}
		}
	}
	add("Hub", reflect.TypeFor[schema.Hub]())
	add("RepoLimit", reflect.TypeFor[schema.RepoLimit]())
	add("RepoBan", reflect.TypeFor[schema.RepoBan]())
	add("ImageCache", reflect.TypeFor[schema.ImageCache]())
	for name := range unrendered {
		if !seen[name] {
			t.Errorf("%s is not a field any more", name)
		}
	}
	return all
}

// TestEachAttributeHasItsEffect renders each typed attribute alone, with each chart
// that it can be used with, and holds everything that it changes against the table,
// or sees it refused with the reason.
func TestEachAttributeHasItsEffect(t *testing.T) {
	table := map[string]bool{}
	for _, row := range attributeRows {
		table[row.field] = true
	}
	fields := fieldsOf(t)
	for _, field := range fields {
		if !table[field] {
			t.Errorf("no row for %s: what does it change, in every chart?", field)
		}
	}
	for field := range table {
		if !slices.Contains(fields, field) {
			t.Errorf("a row for %s, which is no attribute", field)
		}
	}
	for _, f := range fixtures(t, t.TempDir()) {
		f.library = chart.NewLibrary(modules.Chart)
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			before := map[string]view{}
			for _, row := range attributeRows {
				if row.binder && !f.binder {
					continue
				}
				below := row.below
				if row.jupyter != "" {
					below = f.jupyter(row.jupyter)
				}
				if before[below] == nil {
					v, diags := f.render(t, "", "", below)
					if diags.HasErrors() {
						t.Fatalf("%s: without it: %s", row.field, describe(diags))
					}
					before[below] = v
				}
				got, diags := f.render(t, row.body, row.beside, below)
				if why := row.refusedBy(f); why != "" {
					if !strings.Contains(describe(diags), why) {
						t.Errorf("%s: want it refused with %q, got: %s", row.field, why, describe(diags))
					}
					continue
				}
				if diags.HasErrors() {
					t.Errorf("%s: %s", row.field, describe(diags))
					continue
				}
				if diff := cmp.Diff(row.wanted(f), got.changes(before[below])); diff != "" {
					t.Errorf("%s (-want +got):\n%s", row.field, diff)
				}
			}
		})
	}
}

// An attributeRow is one typed attribute and everything that it changes.
type attributeRow struct {
	field   string
	binder  bool   // BinderHub only
	body    string // in the hub's block
	beside  string // beside it
	below   string // a values file of the hub's own chart
	jupyter string // or of the JupyterHub chart
	changes view
	only    map[string]view   // instead, by the beginning of the fixture's name
	refused map[string]string // the reason, by the beginning of the fixture's name; "" for all others
}

func longest[V any](table map[string]V, name string) (v V, found bool) {
	best := -1
	for prefix, value := range table {
		if strings.HasPrefix(name, prefix) && len(prefix) > best {
			v, found, best = value, true, len(prefix)
		}
	}
	return v, found
}

func (r attributeRow) refusedBy(f fixture) string {
	why, _ := longest(r.refused, f.name)
	return why
}

func (r attributeRow) wanted(f fixture) view {
	if only, isOther := longest(r.only, f.name); isOther {
		return only
	}
	return r.changes
}
