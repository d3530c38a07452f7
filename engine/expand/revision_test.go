package expand

import (
	"strconv"
	"testing"

	"golang.org/x/tools/txtar"

	"hubcap/engine/resource"
)

const askingChart = `
-- main.hcl --
cluster "main" { context = "test" }
chart "a" {
  cluster   = cluster.main
  namespace = "a"
  chart     = "./chart"
}
-- chart/Chart.yaml --
apiVersion: v2
name: asking
version: 1.0.0
-- chart/templates/all.yaml --
apiVersion: v1
kind: ConfigMap
metadata:
  name: said
data:
  said: "{{ .Release.IsInstall }} {{ .Release.IsUpgrade }} {{ .Release.Revision }}"
`

// TestRevision checks what charts that ask are told of their release.
func TestRevision(t *testing.T) {
	cfg := config(t, txtar.Parse([]byte(askingChart)))
	block := cfg.Charts[0].Address
	record := func(n int) Facts {
		return Facts{Lookup: func(_, kind, namespace, name string) (map[string]any, error) {
			if kind != "ConfigMap" || namespace != "a" || name != "hubcap-release-a" {
				return nil, nil
			}
			return map[string]any{"data": map[string]any{"revision": strconv.Itoa(n)}}, nil
		}}
	}
	helm := func(names ...string) Facts {
		return Facts{Lookup: func(_, kind, _, name string) (map[string]any, error) {
			var items []any
			for _, n := range names {
				items = append(items, map[string]any{"metadata": map[string]any{"name": n}})
			}
			if kind != "Secret" || name != "" {
				return nil, nil
			}
			return map[string]any{"items": items}, nil
		}}
	}
	changing := func(f Facts) Facts {
		f.Changing = map[resource.Address]bool{block: true}
		return f
	}
	for _, test := range []struct {
		reason   string
		facts    Facts
		want     string
		recorded string
	}{
		{"nothing lives", Facts{}, "true false 1", "1"},
		{"nothing lives, and is about to be made", changing(Facts{}), "true false 1", "1"},
		{"the first revision lives", record(1), "true false 1", "1"},
		{"the first revision lives, and something changes", changing(record(1)), "false true 2", "2"},
		{"a later one lives", record(7), "false true 7", "7"},
		{"a later one changes", changing(record(7)), "false true 8", "8"},
		{"Helm upgraded it", helm("sh.helm.release.v1.a.v9", "sh.helm.release.v1.a.v10", "sh.helm.release.v1.ab.v30", "other"), "false true 10", "10"},
		{"Helm upgraded it, and something changes", changing(helm("sh.helm.release.v1.a.v10")), "false true 11", "11"},
	} {
		all, diags := All(cfg, map[string]Facts{"main": test.facts})
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		objects := byAddress(all.Desired)
		if got := objects["chart.a/ConfigMap/said"].Object.Text("data", "said"); got != test.want {
			t.Errorf("%s: the chart was told %q, want %q", test.reason, got, test.want)
		}
		if got := objects["chart.a/ConfigMap/hubcap-release-a"].Object.Text("data", "revision"); got != test.recorded {
			t.Errorf("%s: recorded %q, want %q", test.reason, got, test.recorded)
		}
		if len(all.Asking) != 1 || all.Asking[0] != block {
			t.Errorf("%s: asking = %v", test.reason, all.Asking)
		}
	}
}

// TestRevisionUnasked checks that charts that do not ask cost no look-up, and leave
// no record.
func TestRevisionUnasked(t *testing.T) {
	cfg := parse(t, `
cluster "main" { context = "test" }
hub "a" {
  cluster = cluster.main
  chart   = "builtin:binderhub"
}
`)
	facts := Facts{Lookup: func(_, kind, _, name string) (map[string]any, error) {
		if name == "" || kind == "ConfigMap" && name == recordName("a") {
			t.Errorf("looked up %s %q", kind, name)
		}
		return nil, nil
	}}
	all, diags := All(cfg, map[string]Facts{"main": facts})
	if diags.HasErrors() || len(all.Asking) > 0 {
		t.Errorf("asking = %v, %v", all.Asking, diags)
	}
}
