package chart

import (
	"strings"
	"testing"
)

// TestFind finds charts inside others by the keys of their values.
func TestFind(t *testing.T) {
	files := map[string][]byte{
		"Chart.yaml":                                  []byte("apiVersion: v2\nname: daskhub\nversion: 1.0.0\ndependencies: [{name: basehub, version: 1.0.0, alias: base}, {name: other, version: 1.0.0}]\n"),
		"charts/other/Chart.yaml":                     []byte("apiVersion: v2\nname: other\nversion: 1.0.0\n"),
		"charts/basehub/Chart.yaml":                   []byte("apiVersion: v2\nname: basehub\nversion: 1.0.0\ndependencies: [{name: jupyterhub, version: 1.0.0}]\n"),
		"charts/basehub/charts/jupyterhub/Chart.yaml": []byte("apiVersion: v2\nname: jupyterhub\nversion: 1.0.0\n"),
	}
	c, err := LoadMap(files)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"jupyterhub": "base.jupyterhub", "basehub": "base", "other": "other", "daskhub": "", "binderhub": ""} {
		keys, found := c.Find(name)
		if got := strings.Join(keys, "."); got != want || found != (want != "") {
			t.Errorf("%s: %q, %v; want %q", name, got, found, want)
		}
	}
	if _, err := LoadMap(map[string][]byte{"x": nil}); err == nil {
		t.Error("files that are no chart load")
	}
}
