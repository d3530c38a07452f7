package chart

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// umbrellaSource is a chart with a chart below it, under an alias and switched off.
var umbrellaSource = source{
	"Chart.yaml":              "apiVersion: v2\nname: top\nversion: 1.0.0\ndependencies: [{name: inner, alias: hubs, version: '*', condition: hubs.enabled}]\n",
	"values.yaml":             "own: {open: {}, none: null, list: [1]}\nhubs: {enabled: false, size: null, table: {}}\n",
	"charts/inner/Chart.yaml": "apiVersion: v2\nname: inner\nversion: 1.0.0\n", "charts/inner/values.yaml": "size: 1\ntable: {a: 1}\n",
}

func TestKnows(t *testing.T) {
	c := umbrellaSource.load(t)
	for _, test := range []struct {
		reason string
		keys   []string
		want   bool
	}{
		{"a table", []string{"own"}, true},
		{"a null", []string{"own", "none"}, true},
		{"below a null is nothing", []string{"own", "none", "x"}, false},
		{"below an empty table is anything", []string{"own", "open", "x", "y"}, true},
		{"below a list is nothing", []string{"own", "list", "x"}, false},
		{"misspelt", []string{"owns"}, false},
		{"a dependency, by its alias", []string{"hubs"}, true},
		{"and not by its name", []string{"inner", "size"}, false},
		{"a default that the chart above deletes", []string{"hubs", "size"}, true},
		{"of the dependency alone", []string{"hubs", "table", "a"}, true},
		{"an empty table above opens none below", []string{"hubs", "table", "b"}, false},
		{"misspelt below", []string{"hubs", "sizes"}, false},
	} {
		if got := c.Knows(test.keys...); got != test.want {
			t.Errorf("%s: %v: got %v", test.reason, test.keys, got)
		}
	}
}

func TestKnowsWithoutValues(t *testing.T) {
	if c := (source{}).load(t); !c.Knows("any", "thing") {
		t.Error("a chart without values.yaml refuses values")
	}
	bare := source{
		"Chart.yaml":              "apiVersion: v2\nname: top\nversion: 1.0.0\ndependencies: [{name: inner, version: '*'}]\n",
		"charts/inner/Chart.yaml": "apiVersion: v2\nname: inner\nversion: 1.0.0\n",
	}
	if c := bare.load(t); !c.Knows("inner", "x") || c.Knows("iner", "x") {
		t.Error("a wrapping chart without values knows its dependency, and nothing else")
	}
}

func TestPlacesAndDefaults(t *testing.T) {
	c := umbrellaSource.load(t)
	if diff := cmp.Diff([][]string{{"hubs"}}, c.Places()); diff != "" {
		t.Errorf("places (-want +got):\n%s", diff)
	}
	if top, inner, none := c.NameAt(), c.NameAt("hubs"), c.NameAt("own"); top != "top" || inner != "inner" || none != "" {
		t.Errorf("names: %q, %q, %q", top, inner, none)
	}
	hubs, _ := c.Defaults()["hubs"].(map[string]any)
	if _, isThere := hubs["size"]; isThere {
		t.Error("the null above does not delete the default below")
	}
	if table, _ := hubs["table"].(map[string]any); table["a"] != int64(1) && table["a"] != float64(1) {
		t.Errorf("the defaults of a dependency that is switched off are missing: %v", hubs)
	}
}
