package plan

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hubcap/engine/resource"
)

func site(name, kind string) Site {
	return Site{Block: resource.ParseAddress("hub." + name), Cluster: "c", Namespace: "ns-" + name, Release: "r-" + name, Type: kind}
}

// TestGateFor holds what stands in a query for each block, and which blocks a gate
// is not about.
func TestGateFor(t *testing.T) {
	most := 1.0
	prom := func(query string) Gate {
		return Gate{Name: "g", Components: []string{"hub"}, Prometheus: &PrometheusCheck{Query: query, Max: &most, Window: time.Minute}}
	}
	pool := Site{Block: resource.ParseAddress("node_pool.user"), Cluster: "c"}
	keyed := Site{Block: resource.ParseAddress(`hub.binder["staging"]`), Cluster: "c", Namespace: "s", Type: "binderhub"}
	for _, test := range []struct {
		reason  string
		gate    Gate
		site    Site
		want    string
		problem string
	}{
		{"all that is known", prom(`x{n="$namespace",r="$release",h="$hub"}[$window]`), site("a", "jupyterhub"), `x{n="ns-a",r="r-a",h="a"}[$window]`, ""},
		{"an instance is its key", prom(`x{h="$hub"}`), keyed, `x{h="staging"}`, ""},
		{"a pool has no namespace", prom(`x{n="$namespace"}`), pool, "", "its query asks for $namespace, which node_pool.user has not"},
		{"and is no hub", prom(`x{h="$hub"}`), pool, "", "its query asks for $hub, which node_pool.user has not"},
		{"what asks for nothing fits all", prom(`x`), pool, `x`, ""},
		{"user servers are a hub's", Gate{Pods: &PodsCheck{Users: true}}, pool, "", "it looks at the user servers of a hub"},
		{"a pool runs no component's pods", Gate{Pods: &PodsCheck{}}, pool, "", "it looks at the pods of a component"},
		{"builds are a hub's", Gate{Builds: &BuildsCheck{}}, pool, "", "it looks at the builds of a hub"},
	} {
		got, problem := test.gate.For(test.site, nil)
		if problem != test.problem {
			t.Errorf("%s: problem %q, want %q", test.reason, problem, test.problem)
		}
		if problem == "" && (got.Prometheus.Query != test.want || got.Prometheus.Cluster != "c" || got.Components != nil) {
			t.Errorf("%s: %+v, want %s", test.reason, got.Prometheus, test.want)
		}
		if p := test.gate.Prometheus; p != nil && p.Cluster != "" {
			t.Errorf("%s: the gate of the rollout was changed", test.reason)
		}
	}
}

// TestControls holds which hubs a gate is compared with: of the same type, at most
// eight, never the hub itself, and of those that the author allows.
func TestControls(t *testing.T) {
	most := 2.0
	gate := func(among ...resource.Address) Gate {
		check := &ControlCheck{Bounds: Bounds{MaxRatio: &most, Floor: 1}, Among: among}
		return Gate{Prometheus: &PrometheusCheck{Cluster: "monitoring", Query: `x{n="$namespace"}`, Control: check}}
	}
	others := []Site{site("a", "jupyterhub"), site("b", "jupyterhub"), site("binder", "binderhub"), {Block: resource.ParseAddress("chart.x"), Namespace: "x"}}
	names := func(g Gate, controls []Site) []string {
		filled, problem := g.For(site("a", "jupyterhub"), controls)
		if problem != "" {
			t.Fatal(problem)
		}
		found := []string{}
		for _, c := range filled.Prometheus.Control.Hubs {
			if c.Cluster != "monitoring" {
				t.Errorf("control %s asks %q, not the Prometheus of the check", c.Block, c.Cluster)
			}
			found = append(found, c.Block.String()+" "+c.Query)
		}
		return found
	}
	if diff := cmp.Diff([]string{`hub.b x{n="ns-b"}`}, names(gate(), others)); diff != "" {
		t.Errorf("hubs of the same type (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{`hub.binder x{n="ns-binder"}`}, names(gate(resource.ParseAddress("hub.binder")), others)); diff != "" {
		t.Errorf("those that were named (-want +got):\n%s", diff)
	}
	var many []Site
	for _, name := range []string{"b", "c", "d", "e", "f", "g", "h", "i", "j", "k"} {
		many = append(many, site(name, "jupyterhub"))
	}
	if got := names(gate(), many); len(got) != mostControls {
		t.Errorf("%d controls, want %d", len(got), mostControls)
	}
}

// TestWavesTakeControls holds that a hub is a control until its own wave, and not
// in it.
func TestWavesTakeControls(t *testing.T) {
	b := &builder{Input: Input{Sites: []Site{site("c", "jupyterhub"), site("a", "jupyterhub"), site("b", "jupyterhub"), {Block: resource.ParseAddress("chart.x")}}}, plan: &Plan{}}
	for _, wave := range [][]string{{"a"}, {"b", "c"}} {
		var steps []Step
		for _, name := range wave {
			steps = append(steps, Step{Component: resource.Component{Block: resource.ParseAddress("hub." + name), Name: "hub"}})
		}
		b.plan.Waves = append(b.plan.Waves, Wave{Steps: steps})
	}
	var got [][]string
	for _, sites := range b.controls() {
		names := []string{}
		for _, s := range sites {
			names = append(names, s.Block.Name)
		}
		got = append(got, names)
	}
	if diff := cmp.Diff([][]string{{"b", "c"}, {}}, got); diff != "" {
		t.Errorf("controls by wave (-want +got):\n%s", diff)
	}
}

// TestPathsOfHubs holds that a gate with a path asks the hub that is changed, and
// that a whole URL is left as it is.
func TestPathsOfHubs(t *testing.T) {
	hub, silent, chart := site("a", "jupyterhub"), site("b", "jupyterhub"), Site{Block: resource.ParseAddress("chart.x")}
	hub.URL, silent.URL = "https://a.example.org/", ""
	for _, tc := range []struct {
		site          Site
		url           string
		want, problem string
	}{
		{hub, "/hub/health", "https://a.example.org/hub/health", ""},
		{silent, "/hub/health", "/hub/health", "it asks the hub's url, and the hub has none"},
		{chart, "/hub/health", "/hub/health", "it asks a hub"},
		{chart, "https://b.example.org/x", "https://b.example.org/x", ""},
	} {
		gate := Gate{Name: "answers", HTTP: &HTTPCheck{URL: tc.url}}
		got, problem := gate.For(tc.site, nil)
		if got.HTTP.URL != tc.want || problem != tc.problem || gate.HTTP.URL != tc.url {
			t.Errorf("%s of %s: %s, %q; want %s, %q", tc.url, tc.site.Block, got.HTTP.URL, problem, tc.want, tc.problem)
		}
	}
}

// TestUngated holds that a hub which goes without a gate is told of, once, and
// that a chart without one of hubs is not.
func TestUngated(t *testing.T) {
	noURL := site("a", "jupyterhub")
	noURL.URL = ""
	b := &builder{Input: Input{Sites: []Site{noURL, {Block: resource.ParseAddress("chart.x")}}}, plan: &Plan{}}
	for _, c := range []resource.Component{{Block: noURL.Block, Name: "hub"}, {Block: noURL.Block, Name: "proxy"}, {Block: resource.ParseAddress("chart.x")}} {
		if got := b.gatesFor(Step{Component: c, Cluster: "c"}, []Gate{{Name: "launch", Launch: &LaunchCheck{}}}, nil, false); len(got) > 0 {
			t.Errorf("%s has gates %v", c, got)
		}
	}
	want := []string{"hub.a goes without gate launch: it launches at the hub's url, and the hub has none"}
	if diff := cmp.Diff(want, b.plan.Warnings); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}

// TestGatesOfAStep holds which gates a step has, and what is left of comparisons
// that have nothing to compare with.
func TestGatesOfAStep(t *testing.T) {
	most := 2.0
	bounds := Bounds{MaxRatio: &most, Floor: 1}
	hub := resource.Component{Block: resource.ParseAddress("hub.a"), Name: "hub"}
	gates := []Gate{
		{Name: "everywhere", HTTP: &HTTPCheck{}},
		{Name: "proxy", Components: []string{"proxy"}, HTTP: &HTTPCheck{}},
		{Name: "before", Prometheus: &PrometheusCheck{Query: "x", Before: &BeforeCheck{Bounds: bounds}}},
		{Name: "both", Prometheus: &PrometheusCheck{Query: "x", Max: &most, Before: &BeforeCheck{Bounds: bounds}}},
		{Name: "control", Prometheus: &PrometheusCheck{Query: "x", Control: &ControlCheck{Bounds: bounds}}},
	}
	for _, test := range []struct {
		reason   string
		others   []Site
		isNew    bool
		want     []string
		warnings int
	}{
		{"another hub to compare with", []Site{site("b", "jupyterhub")}, false, []string{"everywhere", "before", "both", "control"}, 0},
		{"none is left", nil, false, []string{"everywhere", "before", "both"}, 1},
		{"a new hub has no before", []Site{site("b", "jupyterhub")}, true, []string{"everywhere", "both", "control"}, 0},
	} {
		b := &builder{Input: Input{Sites: []Site{site("a", "jupyterhub")}}, plan: &Plan{}}
		var got []string
		for _, g := range b.gatesFor(Step{Component: hub, Cluster: "c"}, gates, test.others, test.isNew) {
			got = append(got, g.Name)
			if test.isNew && g.Prometheus != nil && g.Prometheus.Before != nil {
				t.Errorf("%s: %s still compares with before", test.reason, g.Name)
			}
		}
		if diff := cmp.Diff(test.want, got); diff != "" || len(b.plan.Warnings) != test.warnings {
			t.Errorf("%s: warnings %q (-want +got):\n%s", test.reason, b.plan.Warnings, diff)
		}
	}
	if gates[3].Prometheus.Before == nil {
		t.Error("the gate of the rollout was changed")
	}
}
