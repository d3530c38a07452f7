package chart

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"hubcap/engine/resource"
	"hubcap/modules"
)

// source is the files of a chart by path; a missing Chart.yaml is added.
type source map[string]string

func (s source) fs() fs.FS {
	files := fstest.MapFS{}
	for name, text := range s {
		files[name] = &fstest.MapFile{Data: []byte(text)}
	}
	if files["Chart.yaml"] == nil {
		files["Chart.yaml"] = &fstest.MapFile{Data: []byte("apiVersion: v2\nname: test\nversion: 1.2.3\n")}
	}
	return files
}

func (s source) load(t *testing.T) *Chart {
	t.Helper()
	c, err := NewLibrary(func(string) (fs.FS, error) { return s.fs(), nil }).Load(Source{Location: "builtin:test"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (s source) render(t *testing.T, r Request) Rendered {
	t.Helper()
	if r.Release == "" {
		r.Release, r.Namespace = "rel", "ns"
	}
	out, err := s.load(t).Render(r)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// configMap is a template that prints an expression.
func configMap(expression string) string {
	return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata:\n  out: " + expression + "\n"
}

// out returns what that template printed.
func out(t *testing.T, r Rendered) string {
	t.Helper()
	for _, o := range r.Objects {
		if o.Object.Text("kind") == "ConfigMap" {
			v, _ := o.Object.Value("data", "out")
			s, _ := resource.Reveal(v).(string)
			return s
		}
	}
	t.Fatal("no ConfigMap")
	return ""
}

// The rules of Helm up to 3.19, checked against its code on 60,000 random charts
// (with the exception of two cases in which Helm shares a table between two
// charts and so leaks what one deletes into the other).
func TestNullSemantics(t *testing.T) {
	const parent = "apiVersion: v2\nname: top\nversion: 1.0.0\ndependencies: [{name: sub, version: 1.0.0}]\n"
	const sub = "apiVersion: v2\nname: sub\nversion: 1.0.0\n"
	tests := []struct {
		name             string
		top, sub         string
		user             map[string]any
		want             map[string]any
		reason           string
		parentOfNonTable bool
	}{
		{"user deletes a default", "a: 1\nb: 2", "", map[string]any{"a": nil}, map[string]any{"b": 2.0},
			"the whole point", false},
		{"user deletes inside a table", "t: {a: 1, b: 2}", "", map[string]any{"t": map[string]any{"a": nil}},
			map[string]any{"t": map[string]any{"b": 2.0}}, "at any depth", false},
		{"a chart's own null stays", "a: null", "", nil, map[string]any{"a": nil}, "templates tell it from absent", false},
		{"null without a default stays", "", "", map[string]any{"x": nil}, map[string]any{"x": nil}, "there is nothing to delete", false},
		{"parent deletes a dependency's default", "sub: {a: null}", "a: 1\nb: 2", nil,
			map[string]any{"sub": map[string]any{"b": 2.0, "global": map[string]any{}}}, "what Helm 4 gets wrong", false},
		{"user deletes what the parent set for a dependency", "sub: {t: {p: 1}}", "t: {c: 2}",
			map[string]any{"sub": map[string]any{"t": map[string]any{"p": nil}}},
			map[string]any{"sub": map[string]any{"t": map[string]any{"c": 2.0}, "global": map[string]any{}}}, "what Helm 3.22 gets wrong", false},
		{"user deletes a dependency's table", "", "t: {c: 2}", map[string]any{"sub": map[string]any{"t": nil}},
			map[string]any{"sub": map[string]any{"global": map[string]any{}}}, "through the parent, which says nothing", false},
		{"lists replace", "l: [1, 2]", "", map[string]any{"l": []any{int64(3)}}, map[string]any{"l": []any{3.0}}, "never merged", false},
		{"a table over a scalar", "a: 1", "", map[string]any{"a": map[string]any{"b": int64(1)}},
			map[string]any{"a": map[string]any{"b": 1.0}}, "the user wins, with a warning", true},
		{"globals go down", "global: {g: 1}", "global: {g: 2, h: 3}", nil,
			map[string]any{"global": map[string]any{"g": 1.0}, "sub": map[string]any{"global": map[string]any{"g": 1.0, "h": 3.0}}},
			"what stands higher wins", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			files := source{"values.yaml": test.top}
			if test.sub != "" {
				files["Chart.yaml"] = parent
				files["charts/sub/Chart.yaml"] = sub
				files["charts/sub/values.yaml"] = test.sub
			}
			got, err := files.load(t).Values(test.user)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.reason, diff)
			}
			r := files.render(t, Request{Values: test.user})
			if (len(r.Warnings) > 0) != test.parentOfNonTable {
				t.Errorf("warnings: %v", r.Warnings)
			}
		})
	}
}

func TestMergeOfValuesFiles(t *testing.T) {
	base := map[string]any{"a": map[string]any{"x": "1", "y": "2"}, "l": []any{"1"}}
	over := map[string]any{"a": map[string]any{"x": nil, "z": "3"}, "l": []any{"2"}}
	want := map[string]any{"a": map[string]any{"x": nil, "y": "2", "z": "3"}, "l": []any{"2"}}
	got := Merge(base, over)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("a null must survive to delete a default (-want +got):\n%s", diff)
	}
	got["a"].(map[string]any)["y"] = "changed"
	if base["a"].(map[string]any)["y"] != "2" {
		t.Error("Merge changed its argument")
	}
}

func TestDependencies(t *testing.T) {
	const top = `
apiVersion: v2
name: top
version: 1.0.0
dependencies:
  - {name: sub, version: 1.0.0, condition: "sub.enabled,fallback.enabled", tags: [extra], import-values: [shared, {child: port, parent: wanted.port}]}
  - {name: sub, alias: other, version: ">=1.0.0", condition: other.enabled}
`
	files := source{
		"Chart.yaml":                     top,
		"values.yaml":                    "wanted: {own: 1}\nother: {enabled: false}",
		"templates/c.yaml":               configMap("{{ .Values | toJson | quote }}"),
		"charts/sub/Chart.yaml":          "apiVersion: v2\nname: sub\nversion: 1.0.0\n",
		"charts/sub/values.yaml":         "port: {http: 80}\nexports: {shared: {fromSub: true}}",
		"charts/sub/templates/s.yaml":    "apiVersion: v1\nkind: Service\nmetadata: {name: '{{ .Chart.Name }}'}\n",
		"charts/sub/templates/_h.tpl":    `{{ fail "a partial is not rendered" }}`,
		"charts/sub/templates/NOTES.txt": "Not an object: {{ .Release.Name }}",
	}
	services := func(user map[string]any) string {
		var names []string
		for _, o := range files.render(t, Request{Values: user}).Objects {
			if o.Object.Text("kind") == "Service" {
				names = append(names, o.Object.Text("metadata", "name"))
			}
		}
		return strings.Join(names, " ")
	}
	on, off := map[string]any{"enabled": true}, map[string]any{"enabled": false}
	tests := []struct {
		user   map[string]any
		want   string
		reason string
	}{
		{nil, "sub", "no condition has a value: on"},
		{map[string]any{"sub": off}, "", "the first condition"},
		{map[string]any{"fallback": off}, "", "the second condition, as the first has no value"},
		{map[string]any{"tags": map[string]any{"extra": false}}, "", "a tag"},
		{map[string]any{"tags": map[string]any{"extra": false}, "sub": on}, "sub", "a condition outranks a tag"},
		{map[string]any{"other": on}, "other sub", "an alias is a chart of its own"},
	}
	for _, test := range tests {
		if got := services(test.user); got != test.want {
			t.Errorf("%s: got %q, want %q", test.reason, got, test.want)
		}
	}
	values, err := files.load(t).Values(nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]any{"own": 1.0, "port": map[string]any{"http": 80.0}}, values["wanted"]); diff != "" {
		t.Errorf("imported by paths (-want +got):\n%s", diff)
	}
	if values["fromSub"] != true {
		t.Error("imported from exports: missing")
	}
}

func TestMissingDependencyIsAnError(t *testing.T) {
	files := source{"Chart.yaml": "apiVersion: v2\nname: top\nversion: 1.0.0\ndependencies: [{name: gone, version: 1.0.0, condition: gone.enabled}]\n"}
	_, err := files.load(t).Render(Request{Release: "r"})
	if err == nil || !strings.Contains(err.Error(), "needs the chart gone") {
		t.Errorf("got %v", err)
	}
	if _, err := files.load(t).Render(Request{Release: "r", Values: map[string]any{"gone": map[string]any{"enabled": false}}}); err != nil {
		t.Errorf("a dependency that is off is not missed: %v", err)
	}
}

func TestCapabilities(t *testing.T) {
	files := source{"templates/c.yaml": configMap(`"{{ .Capabilities.KubeVersion.Version }} {{ .Capabilities.APIVersions.Has "policy/v1/PodDisruptionBudget" }} {{ .Capabilities.APIVersions.Has "example.org/v1" }}"`)}
	if got := out(t, files.render(t, Request{})); got != DefaultKubeVersion+" true false" {
		t.Errorf("offline: %s", got)
	}
	r := Request{Release: "r", KubeVersion: "v1.33.4-gke.1245000", APIVersions: []string{"example.org/v1"}}
	if got := out(t, files.render(t, r)); got != "v1.33.4-gke.1245000 false true" {
		t.Errorf("live: %s", got)
	}
	files["Chart.yaml"] = "apiVersion: v2\nname: test\nversion: 1.0.0\nkubeVersion: '>= 1.34.0'\n"
	if _, err := files.load(t).Render(r); err == nil || !strings.Contains(err.Error(), "needs Kubernetes >= 1.34.0, and the cluster runs v1.33.4-gke.1245000") {
		t.Errorf("kubeVersion: got %v", err)
	}
	files["Chart.yaml"] = "apiVersion: v2\nname: test\nversion: 1.0.0\nkubeVersion: '>= 1.33.0'\n"
	if _, err := files.load(t).Render(r); err != nil {
		t.Errorf("a vendor's suffix counts as a pre-release: %v", err)
	}
}

func TestScopes(t *testing.T) {
	tests := []struct {
		apiVersion, kind string
		want             bool
	}{
		{"v1", "Namespace", true}, {"v1", "ConfigMap", false}, {"rbac.authorization.k8s.io/v1", "ClusterRole", true},
		{"scheduling.k8s.io/v1", "PriorityClass", true}, {"policy/v1", "PodDisruptionBudget", false},
		{"rbac.authorization.k8s.io/v1beta1", "ClusterRole", true}, {"example.org/v1", "Namespace", false},
		{"cert-manager.io/v1", "ClusterIssuer", true},
	}
	for _, test := range tests {
		if got := ClusterScoped(test.apiVersion, test.kind); got != test.want {
			t.Errorf("%s %s: got %v", test.apiVersion, test.kind, got)
		}
	}
}

func TestObjects(t *testing.T) {
	files := source{
		"templates/many.yaml": "{{- if true }}\n---\n# nothing\n---\n" + configMap("{{ .Values.n }}") + "---\napiVersion: v1\nkind: List\nitems:\n" +
			"- {apiVersion: v1, kind: Secret, metadata: {name: s}, data: {old: b2xk}, stringData: {new: text}}\n" +
			"- {apiVersion: apps/v1, kind: Deployment, metadata: {name: d}, spec: {replicas: 3, ratio: 0.5}}\n{{- end }}\n",
		"templates/empty.yaml":    "{{- if false }}x{{ end }}\n",
		"values.yaml":             "n: 12",
		"crds/kustomization.yaml": "resources: [a.yaml]",
		"crds/a.yaml":             "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: as.example.org}\n",
	}
	r := files.render(t, Request{})
	var kinds []string
	for _, o := range r.Objects {
		kinds = append(kinds, fmt.Sprintf("%s %s %d", o.Object.Text("kind"), o.Source, o.Index))
	}
	want := []string{"ConfigMap test/templates/many.yaml 0", "Secret test/templates/many.yaml 1", "Deployment test/templates/many.yaml 2"}
	if diff := cmp.Diff(want, kinds); diff != "" {
		t.Fatalf("objects (-want +got):\n%s", diff)
	}
	if v, _ := r.Objects[2].Object.Value("spec", "replicas"); v != int64(3) {
		t.Errorf("replicas is a %T", v)
	}
	if v, _ := r.Objects[2].Object.Value("spec", "ratio"); v != 0.5 {
		t.Errorf("ratio is %v", v)
	}
	if diff := cmp.Diff(map[string]any{"old": "b2xk", "new": "dGV4dA=="}, r.Objects[1].Object["data"]); diff != "" {
		t.Errorf("stringData (-want +got):\n%s", diff)
	}
	if len(r.CRDs) != 1 {
		t.Errorf("definitions: %v", r.CRDs)
	}
}

func TestHooks(t *testing.T) {
	files := source{"templates/job.yaml": `
apiVersion: batch/v1
kind: Job
metadata:
  name: wait
  annotations:
    helm.sh/hook: pre-install, Pre-Upgrade
    helm.sh/hook-weight: "-10"
    helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
`}
	r := files.render(t, Request{})
	if len(r.Objects) != 0 || len(r.Hooks) != 1 {
		t.Fatalf("objects %v, hooks %v", r.Objects, r.Hooks)
	}
	want := &Hook{Events: []string{"pre-install", "pre-upgrade"}, Weight: -10, DeletePolicies: []string{"before-hook-creation", "hook-succeeded"}}
	if diff := cmp.Diff(want, r.Hooks[0].Hook); diff != "" {
		t.Errorf("hook (-want +got):\n%s", diff)
	}
}

func TestErrorsSayWhere(t *testing.T) {
	tests := []struct {
		name, template, helper string
		file                   string
		line                   int
		cause                  string
	}{
		{"a failing function", "a: 1\nb: {{ fail \"no such hub\" }}\n", "", "test/templates/x.yaml", 2, "no such hub"},
		{"required", "{{ required \"set hub.url\" .Values.url }}", "", "test/templates/x.yaml", 1, "set hub.url"},
		{"a helper", "\n{{ include \"h\" . }}", "{{ define \"h\" }}\n\n{{ .Values.a.b.c }}{{ end }}", "test/templates/_h.tpl", 3, "nil pointer"},
		{"a template that does not parse", "a: 1\n{{ if }}\n", "", "test/templates/x.yaml", 2, "missing value for if"},
		{"invalid YAML", "a: 1\n  b: 2\n", "", "test/templates/x.yaml", 2, "line 2 of its output"},
		{"invalid YAML after an action", "a: 1\n{{ if true }}\nb: {{ \"x: y\" }}\n{{ end }}", "", "test/templates/x.yaml", 3, "line 3 of its output"},
		{"invalid YAML from an action of several lines", "a: 1\nb:\n{{ \"  c: 1\\n d: 2\" }}\n", "", "test/templates/x.yaml", 2, "of its output"},
		{"no kind", "\na: 1\n", "", "test/templates/x.yaml", 2, "without apiVersion or kind"},
		{"no name", "apiVersion: v1\nkind: Pod\n", "", "test/templates/x.yaml", 1, "without metadata.name"},
		{"a list at the top", "- a\n", "", "test/templates/x.yaml", 1, "where an object should be"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			files := source{"templates/x.yaml": test.template, "templates/_h.tpl": test.helper}
			_, err := files.load(t).Render(Request{Release: "r"})
			var e *TemplateError
			if !errors.As(err, &e) {
				t.Fatalf("got %v", err)
			}
			if e.File != test.file || e.Line != test.line || !strings.Contains(e.Cause, test.cause) {
				t.Errorf("got %s:%d: %s", e.File, e.Line, e.Cause)
			}
		})
	}
}

func TestInvalidYAMLOfASecretIsNotShown(t *testing.T) {
	files := source{"templates/x.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata:\n  a: tell-nobody\n    b: x\n"}
	_, err := files.load(t).Render(Request{Release: "r"})
	if err == nil || strings.Contains(err.Error(), "tell-nobody") {
		t.Errorf("got %v", err)
	}
}

func TestSchema(t *testing.T) {
	files := source{
		"Chart.yaml":                    "apiVersion: v2\nname: test\nversion: 1.0.0\ndependencies: [{name: sub, version: 1.0.0}]\n",
		"values.schema.json":            `{"type":"object","properties":{"replicas":{"type":"integer"},"ref":{"$ref":"https://example.org/schema.json"}}}`,
		"charts/sub/Chart.yaml":         "apiVersion: v2\nname: sub\nversion: 1.0.0\n",
		"charts/sub/values.schema.json": `{"type":"object","properties":{"mode":{"enum":["a","b"]},"global":{}},"additionalProperties":false}`,
	}
	r := files.render(t, Request{Values: map[string]any{"replicas": int64(2), "ref": "anything", "sub": map[string]any{"mode": "a"}}})
	if len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], "is not fetched") {
		t.Errorf("a schema elsewhere: warnings %v", r.Warnings)
	}
	_, err := files.load(t).Render(Request{Release: "r", Values: map[string]any{
		"replicas": "two", "sub": map[string]any{"mode": "c", "typo": true},
	}})
	var invalid *ValuesError
	if !errors.As(err, &invalid) {
		t.Fatalf("got %v", err)
	}
	var paths []string
	for _, p := range invalid.Problems {
		paths = append(paths, strings.Join(p.Path, "."))
	}
	if diff := cmp.Diff([]string{"replicas", "sub.mode", "sub.typo"}, sorted(paths)); diff != "" {
		t.Errorf("problems (-want +got):\n%s\n%v", diff, err)
	}
}

// Alternatives that all fail are one mistake.
func TestSchemaWithAlternatives(t *testing.T) {
	files := source{"values.schema.json": `{"properties":{"file":{"type":"object","oneOf":[{"required":["data"]},{"required":["text"]},{"properties":{"mode":{"type":"integer"}},"required":["mode"]}]}}}`}
	_, err := files.load(t).Render(Request{Release: "r", Values: map[string]any{"file": map[string]any{"mode": "x"}}})
	var invalid *ValuesError
	if !errors.As(err, &invalid) || len(invalid.Problems) != 1 {
		t.Fatalf("got %v", err)
	}
	if got := invalid.Problems[0].String(); got != "file: fits none of the alternatives: missing property 'data', or missing property 'text', or mode: got string, want integer" {
		t.Errorf("got %s", got)
	}
}

func sorted(list []string) []string {
	m := map[string]bool{}
	for _, s := range list {
		m[s] = true
	}
	return sortedKeys(m)
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		at := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("top/Chart.yaml", "apiVersion: v2\nname: top\nversion: 1.2.3\ndependencies: [{name: sibling, version: 1.0.0, repository: 'file://../sibling'}]\n")
	write("sibling/Chart.yaml", "apiVersion: v2\nname: sibling\nversion: 1.0.0\n")
	write("sibling/templates/c.yaml", configMap("sibling"))
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	tw := tar.NewWriter(zip)
	text := "apiVersion: v2\nname: packed\nversion: 2.0.0\n"
	if err := tw.WriteHeader(&tar.Header{Name: "packed/Chart.yaml", Mode: 0o644, Size: int64(len(text))}); err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(tw, text)
	tw.Close()
	zip.Close()
	write("packed.tgz", packed.String())

	library := NewLibrary(modules.Chart)
	c, err := library.Load(Source{Location: "./top", Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.Render(Request{Release: "r"})
	if err != nil || out(t, r) != "sibling" {
		t.Errorf("a dependency beside the chart: %v", err)
	}
	if again, _ := library.Load(Source{Location: "./top", Dir: dir}); again != c {
		t.Error("a chart is loaded twice")
	}
	if c, err := library.Load(Source{Location: "packed.tgz", Dir: dir, Version: ">= 2"}); err != nil || c.Name() != "packed" {
		t.Errorf("an archive: %v", err)
	}
	empty := t.TempDir()
	failures := []struct {
		source Source
		want   string
	}{
		{Source{Location: "./top", Dir: dir, Version: "< 1.0.0"}, "is version 1.2.3"},
		{Source{Location: "./gone", Dir: dir}, "there is no chart at"},
		{Source{Location: "builtin:gone"}, "gone"},
		{Source{Location: "oci://registry.example.org/chart", Dir: dir}, "was not fetched"},
		{Source{Location: ".", Dir: dir}, "Chart.yaml"},
		{Source{Location: empty, Dir: dir}, empty + ": Chart.yaml"},
		{Source{Location: filepath.Join(empty, "gone.tgz"), Dir: dir}, filepath.Join(empty, "gone.tgz")},
	}
	for _, f := range failures {
		if _, err := library.Load(f.source); err == nil || !strings.Contains(err.Error(), f.want) {
			t.Errorf("%v: got %v, want %q", f.source, err, f.want)
		}
	}
}
