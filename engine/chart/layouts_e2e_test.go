//go:build e2e

package chart

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hubcap/modules"
)

// TestRendersLayoutsAsHelmDoes compares two layouts of charts and values layers
// that are in use: an umbrella around a binder, as around mybinder.org, and a
// hub inside of an organisation's own chart, as 2i2c has it.
func TestRendersLayoutsAsHelmDoes(t *testing.T) {
	program := helm(t)
	apis := append(defaultAPIVersions(), "cert-manager.io/v1")
	tests := []struct {
		chart  string
		layers []string // files of the chart, or YAML
	}{
		{"umbrella", nil},
		{"umbrella", []string{"config/common.yaml"}},
		{"umbrella", []string{"config/common.yaml", "config/staging.yaml"}},
		{"umbrella", []string{"config/staging.yaml", "config/common.yaml"}},
		{"umbrella", []string{"binderhubEnabled: false\ntags: {ingress: false}\nglobal: {guards: false}\nmetrics: {enabled: false}\ninner: {enabled: true}\nendpoints: {server: none}"}},
		{"umbrella", []string{"config/common.yaml", "binderhub: {jupyterhub: null}\nmetrics: null\nfederation: {check: null}\nguard: {rules: null}"}},
		{"basehub", nil},
		{"basehub", []string{"config/common.values.yaml"}},
		{"basehub", []string{"config/common.values.yaml", "config/prod.values.yaml"}},
		{"basehub", []string{"config/common.values.yaml", "config/prod.values.yaml", "jupyterhub: {hub: {config: null, services: null}, singleuser: {extraEnv: null, nodeSelector: null, storage: null}}\nnfs: {enabled: false}"}},
	}
	for _, test := range tests {
		name := test.chart + "_" + strings.ReplaceAll(strings.Join(test.layers, "_"), "/", "-")
		t.Run(name[:min(len(name), 60)], func(t *testing.T) {
			dir, c := umbrellaOrBase(t, test.chart)
			p := peering{dir: dir, chart: c, kube: peerKube, apis: apis}
			for _, layer := range test.layers {
				if text, err := os.ReadFile(filepath.Join(dir, layer)); err == nil {
					layer = string(text)
				}
				p.values = append(p.values, layer)
			}
			p.same(t, program)
		})
	}
}

func umbrellaOrBase(t *testing.T, name string) (dir string, c *Chart) {
	t.Helper()
	if name == "umbrella" {
		return umbrella(t)
	}
	dir = layout(t, name, "jupyterhub")
	c, err := NewLibrary(modules.Chart).Load(Source{Location: dir})
	if err != nil {
		t.Fatal(err)
	}
	return dir, c
}
