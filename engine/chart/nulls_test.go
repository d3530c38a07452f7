package chart

import (
	"io/fs"
	"testing"
)

// TestNullsOfHelm4 holds the two meanings of a null against each other. What Helm
// 3 makes of them is compared with Helm itself elsewhere.
func TestNullsOfHelm4(t *testing.T) {
	files := source{
		"Chart.yaml":                    "apiVersion: v2\nname: app\nversion: 1.0.0\ndependencies: [{name: sub, version: 1.0.0, condition: sub.enabled}, {name: gone, version: 1.0.0, condition: gone.enabled}]\n",
		"values.yaml":                   "own: null\nsub: {limit: null}\ngone: {enabled: false}\n",
		"templates/c.yaml":              configMap(`{{ .Values | toJson | quote }}`),
		"charts/sub/Chart.yaml":         "apiVersion: v2\nname: sub\nversion: 1.0.0\n",
		"charts/sub/values.yaml":        "limit: 7\n",
		"charts/gone/Chart.yaml":        "apiVersion: v2\nname: gone\nversion: 1.0.0\n",
		"charts/gone/templates/no.yaml": "{{ fail \"gone\" }}",
	}
	library := NewLibrary(func(string) (fs.FS, error) { return files.fs(), nil })
	for nulls, want := range map[Nulls]string{
		Classic: `{"gone":{"enabled":false},"own":null,"sub":{"global":{}}}`,
		Modern:  `{"gone":{"enabled":false},"sub":{"global":{},"limit":7}}`,
	} {
		c, err := library.Load(Source{Location: "builtin:test", Nulls: nulls})
		if err != nil {
			t.Fatal(err)
		}
		r, err := c.Render(Request{Release: "r", Namespace: "n"})
		if err != nil {
			t.Errorf("%s: %v", nulls, err)
			continue
		}
		if got := out(t, r); got != want {
			t.Errorf("%s: values are %s, want %s", nulls, got, want)
		}
	}
}
