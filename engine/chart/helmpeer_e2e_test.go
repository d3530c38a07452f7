//go:build e2e

package chart

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v4/pkg/chart/common"
	releaseutil "helm.sh/helm/v4/pkg/release/v1/util"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/yaml"

	"hubcap/engine/resource"
	"hubcap/modules"
	"hubcap/testdata/sandboxtest"
)

// helm is the program that decides what a chart renders: Helm 3.19, the last
// version whose merging of values charts were written for. make e2e builds it.
func helm(t *testing.T) string {
	t.Helper()
	program := os.Getenv("HUBCAP_HELM")
	if program == "" {
		t.Skip("HUBCAP_HELM is not set (make e2e builds it)")
	}
	return program
}

const peerKube = "v1.36.3"

// A peering is one chart and values, for Helm and for us.
type peering struct {
	dir    string
	chart  *Chart
	values []string // layers, as YAML
	kube   string
	apis   []string
	server []string // flags that connect Helm to a cluster
	lookup Lookup
}

// ours renders by this package.
func (p peering) ours(t *testing.T) (Rendered, error) {
	t.Helper()
	values := map[string]any{}
	for _, text := range p.values {
		layer, err := decode(text)
		if err != nil {
			t.Fatal(err)
		}
		table, _ := layer.(map[string]any)
		values = Merge(values, table)
	}
	return p.chart.Render(Request{
		Release: "rel", Namespace: "ns", Values: values, KubeVersion: p.kube, APIVersions: p.apis, Lookup: p.lookup,
	})
}

// theirs runs helm template.
func (p peering) theirs(t *testing.T, program string) (string, error) {
	t.Helper()
	home := t.TempDir()
	args := []string{"template", "rel", p.dir, "--namespace", "ns", "--include-crds", "--kube-version", p.kube, "--api-versions", strings.Join(p.apis, ",")}
	for i, text := range p.values {
		name := filepath.Join(home, fmt.Sprintf("values-%d.yaml", i))
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, "--values", name)
	}
	cmd := exec.CommandContext(t.Context(), program, append(args, p.server...)...)
	cmd.Env = append(os.Environ(), "HELM_CACHE_HOME="+home, "HELM_CONFIG_HOME="+home, "HELM_DATA_HOME="+home)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%w: %s", err, said.String())
	}
	return out.String(), nil
}

// same renders with both and compares: objects, hooks and definitions by key,
// and how the hooks are read. What is drawn at random is only there in both.
func (p peering) same(t *testing.T, program string) {
	t.Helper()
	text, err := p.theirs(t, program)
	if err != nil {
		t.Fatal(err)
	}
	rendered, err := p.ours(t)
	if err != nil {
		t.Fatal(err)
	}
	want, got := map[string]any{}, map[string]any{}
	found, err := decodeFile("helm", text)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range found {
		want[keyIn(want, o.Object)] = map[string]any(o.Object)
	}
	for _, o := range slices.Concat(rendered.Objects, rendered.Hooks, rendered.CRDs) {
		key := keyIn(got, o.Object)
		got[key] = likeDrawn(map[string]any(o.Object), want[key])
	}
	if len(want) == 0 {
		t.Fatal("helm renders nothing")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rendered (-helm +hubcap):\n%s", diff)
	}
	p.sameHooks(t, text, rendered.Hooks)
}

// sameHooks compares what Helm reads out of the hooks' annotations.
func (p peering) sameHooks(t *testing.T, text string, hooks []Object) {
	t.Helper()
	theirs, _, err := releaseutil.SortManifests(map[string]string{"chart/templates/all.yaml": text}, common.VersionSet{}, releaseutil.InstallOrder)
	if err != nil {
		t.Fatal(err)
	}
	want, got := map[string]Hook{}, map[string]Hook{}
	for _, h := range theirs {
		want[h.Kind+"/"+h.Name] = Hook{Events: texts(h.Events), Weight: h.Weight, DeletePolicies: texts(h.DeletePolicies)}
	}
	for _, o := range hooks {
		got[o.Object.Text("kind")+"/"+o.Object.Text("metadata", "name")] = *o.Hook
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("hooks (-helm +hubcap):\n%s", diff)
	}
}

func texts[S ~string](list []S) []string {
	var out []string
	for _, s := range list {
		out = append(out, string(s))
	}
	return out
}

// keyIn returns the next free key of an object: charts can render one twice.
func keyIn(objects map[string]any, o resource.Object) string {
	key := strings.Join([]string{o.Text("apiVersion"), o.Text("kind"), o.Text("metadata", "namespace"), o.Text("metadata", "name")}, " ")
	for objects[key] != nil {
		key += "+"
	}
	return key
}

// likeDrawn returns v with theirs where ours depends on chance, and plain
// elsewhere.
func likeDrawn(v, theirs any) any {
	switch v := v.(type) {
	case map[string]any:
		table, _ := theirs.(map[string]any)
		out := map[string]any{}
		for key, value := range v {
			out[key] = likeDrawn(value, table[key])
		}
		return out
	case []any:
		list, _ := theirs.([]any)
		out := make([]any, len(v))
		for i, value := range v {
			var other any
			if i < len(list) {
				other = list[i]
			}
			out[i] = likeDrawn(value, other)
		}
		return out
	case resource.Sensitive:
		if text, isText := theirs.(string); v.Generated && isText && text != "" {
			return text
		}
		return v.Reveal()
	}
	return v
}

// everything is the chart that uses all that a chart can use.
func everything(t *testing.T) peering {
	t.Helper()
	dir := filepath.Join("testdata", "everything")
	c, err := NewLibrary(nil).Load(Source{Location: dir})
	if err != nil {
		t.Fatal(err)
	}
	return peering{dir: dir, chart: c, kube: peerKube, apis: append(defaultAPIVersions(), "example.org/v1")}
}

func TestRendersAsHelmDoes(t *testing.T) {
	program := helm(t)
	tests := []struct {
		reason string
		values []string
	}{
		{"its own values", nil},
		{"nulls delete, at every depth and in dependencies", []string{"remove: {gone: null}\nlabels: {team: null}\nnothing: null\nsub: {size: null, stays: null}\nsecond: {drop: {a: null}}\nglobal: {nested: {a: null}}\nlabels2: null"}},
		{"a later layer brings back what an earlier one deleted", []string{"remove: null\nlist: []", "remove: {kept: 7}\nsub: {drop: {z: 1}}"}},
		{"globals from above win", []string{"global: {domain: other.example.org, nested: {c: 3}, leaves: false}\nsub: {global: {domain: sub.example.org}}"}},
		{"conditions turn off and on", []string{"sub: {enabled: false}\n\"off\": {enabled: true}\nsecond: {enabled: true}"}},
		{"a condition that is no boolean, then tags", []string{"second: {enabled: maybe}\ntags: {extras: false}"}},
		{"tags do not outrank conditions", []string{"tags: {extras: false}"}},
		{"a condition of a dependency's dependency", []string{"sub: {leaf: {enabled: false}}\nsecond: {leaf: {enabled: true}}"}},
		{"the other condition, which is global", []string{"global: {leaves: false}"}},
		{"imports are beneath the chart's own", []string{"imported: {colour: red}\nsecond: {exported: {colour: blue, more: 1}, exports: {shared: {fromExports: {deep: {value: 2}}}}}"}},
		{"odd values", []string{"numbers: {int: 1.0, huge: 9007199254740993, octal: 0o17, exponent: 1e21, text: 007, inf: .5}\nname: a-b\nlist: [null, 1, on, \"on\", 2026-11-21, 12:30:45]\n1: one\ntrue: two"}},
		{"a table over a text, and a text over a table", []string{"name: web\nremove: text\ntemplate: \"{{ .Values.list | toJson }}\""}},
		{"what is required is given", []string{"needs: given"}},
		{"unicode and long lines", []string{"template: 'ä€😀 {{ .Values.name | upper }} " + strings.Repeat("long ", 40) + "'"}},
	}
	for _, test := range tests {
		t.Run(strings.NewReplacer(" ", "_", ",", "").Replace(test.reason), func(t *testing.T) {
			p := everything(t)
			p.values = test.values
			p.same(t, program)
		})
	}
}

// TestNumbersAsHelmReadsThem: each spelling of a number, as a default and as a value, and
// merged over another, is to a template what it is to Helm's.
func TestNumbersAsHelmReadsThem(t *testing.T) {
	program := helm(t)
	dir := filepath.Join("testdata", "numbers")
	c, err := NewLibrary(nil).Load(Source{Location: dir})
	if err != nil {
		t.Fatal(err)
	}
	own, err := os.ReadFile(filepath.Join(dir, "values.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range map[string][]string{"defaults": nil, "values": {string(own)}, "merged": {"spellings: {u64: 1, more: 0777}", string(own)}} {
		t.Run(name, func(t *testing.T) {
			peering{dir: dir, chart: c, kube: peerKube, apis: defaultAPIVersions(), values: values}.same(t, program)
		})
	}
}

// TestRendersPackagesAsHelmDoes has Helm package the chart inside of an umbrella,
// and loads it from there: from a file, and as what was fetched.
func TestRendersPackagesAsHelmDoes(t *testing.T) {
	program := helm(t)
	dir := filepath.Join(t.TempDir(), "umbrella")
	inside := filepath.Join(dir, "charts")
	if err := os.MkdirAll(inside, 0o755); err != nil {
		t.Fatal(err)
	}
	meta := "apiVersion: v2\nname: umbrella\nversion: 0.1.0\ndependencies: [{name: everything, version: '>= 1.2.3-0', alias: inner, condition: inner.enabled}]\n"
	if err := os.WriteFile(filepath.Join(dir, "Chart.yaml"), []byte(meta), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{filepath.Join("testdata", "everything"), inside}, {dir, filepath.Dir(dir)}} {
		if out, err := exec.CommandContext(t.Context(), program, "package", args[0], "--destination", args[1]).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	file := filepath.Join(filepath.Dir(dir), "umbrella-0.1.0.tgz")
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, source := range []Source{{Location: file}, {Location: "https://example.org/umbrella", Archive: data, Digest: "sha256:of-it"}} {
		c, err := NewLibrary(nil).Load(source)
		if err != nil {
			t.Fatal(err)
		}
		p := peering{dir: file, chart: c, kube: peerKube, apis: append(defaultAPIVersions(), "example.org/v1")}
		p.same(t, program)
		p.values = []string{"global: {domain: umbrella.example.org}\ninner: {sub: {enabled: false}, name: inner, remove: {gone: null}}"}
		p.same(t, program)
	}
}

// What Helm refuses, hubcap refuses, and says as much.
func TestRefusesAsHelmDoes(t *testing.T) {
	program := helm(t)
	tests := []struct {
		reason, values, kube string
		want                 []string // in both errors
	}{
		{"required", "needs: ''", peerKube, []string{"a name is required"}},
		{"fail", "mustFail: {a: b}", peerKube, []string{"failed because of map[a:b]"}},
		{"schema", "replicas: 0\nname: Web", peerKube, []string{"replicas", "minimum", "name"}},
		{"schema, missing", "replicas: null", peerKube, []string{"replicas"}},
		{"an older Kubernetes", "", "v1.24.0", []string{"1.25.0-0", "1.24.0"}},
		{"a text where a dependency's values are", "sub: text", peerKube, nil},
		{"invalid YAML", "labels: {'a: b: c': \"x\\n- y\"}\nname: web\ntemplate: \"{{ .Broken\"", peerKube, nil},
		{"a template that is wrong", "template: \"{{ .Values.name.deeper.still }}\"", peerKube, []string{"deeper"}},
	}
	for _, test := range tests {
		p := everything(t)
		p.values, p.kube = []string{test.values}, test.kube
		_, theirs := p.theirs(t, program)
		_, ours := p.ours(t)
		if theirs == nil || ours == nil {
			t.Errorf("%s: helm says %v, hubcap says %v", test.reason, theirs, ours)
			continue
		}
		for _, want := range test.want {
			if !strings.Contains(theirs.Error(), want) || !strings.Contains(ours.Error(), want) {
				t.Errorf("%s: %q is not in both of\n  helm: %v\n  hubcap: %v", test.reason, want, theirs, ours)
			}
		}
	}
}

// TestRendersYoursAsHelmDoes compares any chart, such as an upstream one:
// HUBCAP_PEER=CHART[,VALUES.yaml…].
func TestRendersYoursAsHelmDoes(t *testing.T) {
	program := helm(t)
	named := strings.Split(os.Getenv("HUBCAP_PEER"), ",")
	if named[0] == "" {
		t.Skip("HUBCAP_PEER names no chart")
	}
	c, err := NewLibrary(nil).Load(Source{Location: named[0]})
	if err != nil {
		t.Fatal(err)
	}
	p := peering{dir: named[0], chart: c, kube: peerKube, apis: defaultAPIVersions()}
	for _, name := range named[1:] {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		p.values = append(p.values, string(text))
	}
	p.same(t, program)
}

const hubValues = `
debug: {enabled: true}
hub: {concurrentSpawnLimit: 7, extraConfig: {b: 'c.x = 1', a: 'c.y = "2"'}, resources: null, nodeSelector: {pool: core}}
cull: {timeout: 300, every: null}
prePuller: {hook: {enabled: true}, continuous: {enabled: true}}
ingress: {enabled: true, hosts: [a.example.org]}
scheduling: {userPlaceholder: {enabled: true, replicas: 3}, userScheduler: {enabled: true}}
singleuser: {memory: {guarantee: null, limit: 2G}, cpu: {limit: 1.5}}
`

// builtinValues change much of the charts that ship with hubcap.
var builtinValues = map[string]string{
	"jupyterhub": hubValues,
	"binderhub": "config: {BinderHub: {per_repo_quota: 5, banned_specs: ['^a/.*'], image_prefix: 'x/y-'}}\nreplicas: 2\n" +
		"imageCleaner: {enabled: true}\ningress: {enabled: true, hosts: [b.example.org]}\npdb: {minAvailable: 1, maxUnavailable: null}\njupyterhub:" +
		strings.ReplaceAll(hubValues, "\n", "\n  "),
}

// TestRendersBuiltinsAsHelmDoes writes the charts that ship with hubcap out, and
// has Helm render them.
func TestRendersBuiltinsAsHelmDoes(t *testing.T) {
	program := helm(t)
	for _, name := range []string{"jupyterhub", "binderhub"} {
		files, err := modules.Chart(name)
		if err != nil {
			t.Fatal(err)
		}
		dir := filepath.Join(t.TempDir(), name)
		if err := os.CopyFS(dir, files); err != nil {
			t.Fatal(err)
		}
		c, err := NewLibrary(modules.Chart).Load(Source{Location: BuiltinPrefix + name})
		if err != nil {
			t.Fatal(err)
		}
		for reason, values := range map[string]string{"defaults": "", "changed": builtinValues[name]} {
			t.Run(name+"_"+reason, func(t *testing.T) {
				p := peering{dir: dir, chart: c, kube: peerKube, apis: defaultAPIVersions(), values: []string{values}}
				p.same(t, program)
			})
		}
	}
}

// TestLooksUpAsHelmDoes has both read the same live objects.
func TestLooksUpAsHelmDoes(t *testing.T) {
	program := helm(t)
	sandbox := sandboxtest.Start(t)
	config, err := clientcmd.BuildConfigFromFlags("", sandbox.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	client := kubernetes.NewForConfigOrDie(config)
	meta := metav1.ObjectMeta{Name: "everything-live", Namespace: "ns", Labels: map[string]string{"is": "live"}}
	_, err1 := client.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "ns"}}, metav1.CreateOptions{})
	_, err2 := client.CoreV1().Secrets("ns").Create(t.Context(), &corev1.Secret{ObjectMeta: meta, Data: map[string][]byte{"token": []byte("of the cluster")}}, metav1.CreateOptions{})
	_, err3 := client.CoreV1().ConfigMaps("ns").Create(t.Context(), &corev1.ConfigMap{ObjectMeta: meta, Data: map[string]string{"a": "b"}}, metav1.CreateOptions{})
	version, err4 := client.Discovery().ServerVersion()
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		t.Fatal(err)
	}
	p := everything(t)
	p.kube = version.GitVersion
	p.server = []string{"--dry-run=server", "--kubeconfig", sandbox.Kubeconfig}
	p.lookup = func(_, kind, namespace, name string) (map[string]any, error) {
		var live any
		var err error
		switch {
		case kind == "Secret":
			live, err = client.CoreV1().Secrets(namespace).Get(t.Context(), name, metav1.GetOptions{})
		case name == "":
			live, err = client.CoreV1().ConfigMaps(namespace).List(t.Context(), metav1.ListOptions{})
		}
		if err != nil && strings.Contains(err.Error(), "not found") {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		return runtime.DefaultUnstructuredConverter.ToUnstructured(live)
	}
	p.same(t, program)
	rendered, err := p.ours(t)
	if err != nil {
		t.Fatal(err)
	}
	text, err := yaml.Marshal(resource.Reveal(map[string]any(find1(t, rendered, "ConfigMap", "looked"))))
	if err != nil || !strings.Contains(string(text), "everything-live") || !strings.Contains(string(text), `{"is":"live"}`) {
		t.Errorf("nothing was looked up: %s, %v", text, err)
	}
}

func find1(t *testing.T, r Rendered, kind, name string) resource.Object {
	t.Helper()
	for _, o := range r.Objects {
		if o.Object.Text("kind") == kind && o.Object.Text("metadata", "name") == name {
			return o.Object
		}
	}
	t.Fatalf("no %s %s", kind, name)
	return nil
}
