package modules_test

import (
	"testing"

	"hubcap/modules"
	"hubcap/schema"
)

func TestKnownBadList(t *testing.T) {
	list, diags := schema.LoadKnownBad(modules.VersionsName, modules.Versions())
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	for _, test := range []struct {
		reason, chart, version string
		names                  []string
	}{
		{"mybinder.org on launch day", "jupyterhub", "0.6.0-dcb92ba", []string{"kubernetes-client-threads"}},
		{"the release that mended it", "jupyterhub", "0.6.0", nil},
		{"the chart of the culler flood, as it was spelt", "jupyterhub", "v0.7.0-360849f", []string{"culler-flood", "kubespawner-leak"}},
		{"the culler mended, the leak not yet", "jupyterhub", "v0.7.0-4537a83", []string{"kubespawner-leak"}},
		{"both mended", "jupyterhub", "v0.7.0-b4ea9e7", nil},
		{"another chart of that version", "grafana", "0.7.0-360849f", nil},
		{"today's release", "jupyterhub", "4.4.0", nil},
		{"no version at all", "jupyterhub", "latest", nil},
	} {
		var names []string
		for _, k := range list {
			if k.Link == "" || k.Reason == "" {
				t.Errorf("%s has no link or no reason", k.Address)
			}
			if k.Matches(test.chart, test.version) {
				names = append(names, k.Address.Name)
			}
		}
		if len(names) != len(test.names) || len(names) > 0 && names[0] != test.names[0] {
			t.Errorf("%s: %v, want %v", test.reason, names, test.names)
		}
	}
}

func TestJupyterHubs(t *testing.T) {
	hubs := modules.JupyterHubs()
	for chart, app := range map[string]string{"0.9.0": "1.1.0", "3.3.8": "4.1.6", "4.2.0": "5.3.0", "9.9.9": ""} {
		if hubs[chart] != app {
			t.Errorf("chart %s has JupyterHub %q, want %q", chart, hubs[chart], app)
		}
	}
	if len(hubs) < 40 {
		t.Errorf("%d releases", len(hubs))
	}
}
