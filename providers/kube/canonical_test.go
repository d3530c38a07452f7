package kube

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

// tree decodes YAML with integers, as the Kubernetes decoder does.
func tree(t *testing.T, text string) map[string]any {
	t.Helper()
	var o map[string]any
	if err := yaml.Unmarshal([]byte(text), &o); err != nil {
		t.Fatalf("%v in:\n%s", err, text)
	}
	return whole(o).(map[string]any)
}

// whole turns whole floats into integers.
func whole(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			v[k] = whole(e)
		}
	case []any:
		for i, e := range v {
			v[i] = whole(e)
		}
	case float64:
		if v == float64(int64(v)) {
			return int64(v)
		}
	}
	return v
}

func TestCovers(t *testing.T) {
	for _, tc := range []struct {
		reason     string
		have, want string
		covered    bool
	}{
		{"the same", "a: 1", "a: 1", true},
		{"more than wanted", "{a: 1, b: 2}", "a: 1", true},
		{"less than wanted", "a: 1", "{a: 1, b: 2}", false},
		{"numbers are compared by value", "a: 1", "a: 1.0", true},
		{"a number is no text", "a: 1", "a: '1'", false},
		{"null is as good as missing", "{}", "a: null", true},
		{"an empty map is as good as missing", "{}", "a: {}", true},
		{"an empty list is as good as null", "a: null", "a: []", true},
		{"an empty list is not a full one", "a: [1]", "a: []", false},
		{"an empty map asks for nothing", "a: {b: 1}", "a: {}", true},
		{"null is not a value", "a: x", "a: null", false},
		{"missing, wanted empty deep down", "{}", "a: {b: {c: []}}", true},
		{"lists have an order", "a: [1, 2]", "a: [2, 1]", false},
		{"lists have a length", "a: [1, 2]", "a: [1]", false},
		{"items may hold more", "a: [{n: x, d: 1}]", "a: [{n: x}]", true},
		{"false is not missing", "{}", "a: false", false},
		{"a map is no list", "a: {b: 1}", "a: [1]", false},
		{"a text is no map", "a: x", "a: {b: 1}", false},
	} {
		if got := covers(tree(t, tc.have), tree(t, tc.want)); got != tc.covered {
			t.Errorf("%s: covers(%s, %s) = %v", tc.reason, tc.have, tc.want, got)
		}
	}
}

func TestCanonical(t *testing.T) {
	for _, tc := range []struct{ reason, object, want string }{
		{
			"quantities are spelled as the server does; zero values go",
			"{apiVersion: v1, kind: Pod, spec: {hostNetwork: false, containers: [{name: c, resources: {limits: {cpu: 0.1, memory: 1024Mi, ephemeral-storage: 1073741824}}}]}}",
			"{apiVersion: v1, kind: Pod, spec: {containers: [{name: c, resources: {limits: {cpu: 100m, memory: 1Gi, ephemeral-storage: '1073741824'}}}]}}",
		},
		{
			"nothing is added that nobody asked for",
			"{apiVersion: v1, kind: Service, metadata: {name: s}, spec: {ports: [{port: 80}]}}",
			"{apiVersion: v1, kind: Service, metadata: {name: s}, spec: {ports: [{port: 80}]}}",
		},
		{
			"null among strings is an empty string",
			"{apiVersion: v1, kind: ConfigMap, metadata: {annotations: {a: null}}}",
			"{apiVersion: v1, kind: ConfigMap, metadata: {annotations: {a: ''}}}",
		},
		{
			"a kind that client-go does not know stays as it is",
			"{apiVersion: example.org/v1, kind: Thing, spec: {cpu: 0.1}}",
			"{apiVersion: example.org/v1, kind: Thing, spec: {cpu: 0.1}}",
		},
		{
			"an object that does not fit its type stays as it is",
			"{apiVersion: v1, kind: ConfigMap, data: {a: {b: c}}}",
			"{apiVersion: v1, kind: ConfigMap, data: {a: {b: c}}}",
		},
	} {
		if d := cmp.Diff(tree(t, tc.want), whole(canonical(tree(t, tc.object)))); d != "" {
			t.Errorf("%s (-want +got):\n%s", tc.reason, d)
		}
	}
}
