package plan_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hubcap/engine/plan"
	"hubcap/engine/resource"
)

func hubOf(block string, line int, want, live func(name string) map[string]any) []object {
	var all []object
	for _, name := range []string{"binder", "hub", "proxy"} {
		o := object{block: block, component: name, kind: "Deployment", name: name, line: line, want: want(name)}
		if live != nil {
			o.live = live(name)
		}
		all = append(all, o)
	}
	return all
}

func version(v string) func(string) map[string]any {
	return func(name string) map[string]any { return pods(name+":"+v, v, "hub") }
}

func TestOrder(t *testing.T) {
	staging, prod := resource.ParseAddress("hub.staging"), resource.ParseAddress("hub.prod")
	pool := object{block: "node_pool.user", kind: resource.KindNodePool, name: "user", want: autoscaling(0, 9, "n2"), live: autoscaling(0, 3, "n2")}
	shrunk := object{block: "node_pool.core", kind: resource.KindNodePool, name: "core", want: autoscaling(0, 1, "n2"), live: autoscaling(0, 3, "n2")}
	gone := object{block: "hub.prod", component: "image-cleaner", kind: "DaemonSet", name: "cleaner", live: pods("c:1", "a")}
	goneConfig := object{block: "hub.prod", component: "image-cleaner", kind: "ConfigMap", name: "cleaner", live: data("a", "b")}
	secret := object{block: "hub.prod", component: "hub", kind: "Secret", name: "hub", want: data("k", "v"), line: 2}
	for _, test := range []struct {
		reason   string
		objects  []object
		rollouts []plan.Rollout
		want     []string
	}{
		{
			"on a first install a secret comes with the first pods that read it",
			append(hubOf("hub.prod", 2, version("1"), nil), secret), nil,
			[]string{
				"hub.prod | 01-hub.prod/proxy | live: +Secret/hub +Deployment/proxy",
				"hub.prod | 02-hub.prod/hub | live: +Deployment/hub",
				"hub.prod | 03-hub.prod/binder | live: +Deployment/binder",
			},
		},
		{
			"an update of a secret stays with its component, unless an earlier one is stamped with it or reads what changes",
			[]object{
				{block: "hub.prod", component: "hub", kind: "Secret", name: "hub", want: data("k", "v", "other", "new"), live: data("k", "v", "other", "old")},
				{block: "hub.prod", component: "hub", kind: "Deployment", name: "hub", want: pods("h:1", "b", "hub"), live: pods("h:1", "a", "hub")},
				{block: "hub.prod", component: "proxy", kind: "Deployment", name: "proxy", want: pods("p:2", "a", "hub"), live: pods("p:1", "a", "hub")},
			}, nil,
			[]string{
				"hub.prod | 01-hub.prod/proxy | restart of proxy: ~Deployment/proxy",
				"hub.prod | 02-hub.prod/hub | restart of hub: ~Secret/hub ~Deployment/hub",
			},
		},
		{
			"pods that start anew for another reason start with what changes of what they read",
			[]object{
				{block: "hub.prod", component: "hub", kind: "Secret", name: "hub", want: data("k", "new"), live: data("k", "old")},
				{block: "hub.prod", component: "hub", kind: "Deployment", name: "hub", want: pods("h:1", "b", "hub"), live: pods("h:1", "a", "hub")},
				{block: "hub.prod", component: "proxy", kind: "Deployment", name: "proxy", want: pods("p:2", "a", "hub"), live: pods("p:1", "a", "hub")},
			}, nil,
			[]string{
				"hub.prod | 01-hub.prod/proxy | restart of proxy: ~Secret/hub ~Deployment/proxy",
				"hub.prod | 02-hub.prod/hub | restart of hub: ~Deployment/hub",
			},
		},
		{
			"a rotated token goes with the proxy that is stamped with it",
			[]object{
				{block: "hub.prod", component: "hub", kind: "Secret", name: "hub", want: data("k", "new"), live: data("k", "old")},
				{block: "hub.prod", component: "proxy", kind: "Deployment", name: "proxy", want: pods("p:1", "b", "hub"), live: pods("p:1", "a", "hub")},
			}, nil,
			[]string{"hub.prod | 01-hub.prod/proxy | restart of proxy: ~Secret/hub ~Deployment/proxy"},
		},
		{
			"room comes first and goes last, removals after what replaces them, readers before what they read",
			append(hubOf("hub.prod", 2, version("2"), version("1")), pool, shrunk, gone, goneConfig), nil,
			[]string{
				"node pools | 01-node_pool.user | live: ~NodePool/user",
				"hub.prod | 02-hub.prod/proxy | restart of proxy: ~Deployment/proxy",
				"hub.prod | 03-hub.prod/hub | restart of hub: ~Deployment/hub",
				"hub.prod | 04-hub.prod/binder | restart of binder: ~Deployment/binder",
				"removals | 05-hub.prod/image-cleaner | live: -DaemonSet/cleaner -ConfigMap/cleaner",
				"capacity down | 06-node_pool.core | live: ~NodePool/core",
			},
		},
		{
			"a rollout puts staging before production, and hubs that it does not name last; others come first",
			append(append(append(hubOf("hub.prod", 1, version("2"), version("1"))[:1], hubOf("hub.staging", 5, version("2"), version("1"))[:1]...),
				hubOf("hub.a", 1, version("2"), version("1"))[0]),
				object{block: "manifest.extra", kind: "ConfigMap", name: "x", want: data("a", "b"), line: 99}),
			[]plan.Rollout{{Order: [][]resource.Address{{staging}, {prod}}}},
			[]string{
				"manifest.extra | 01-manifest.extra | live: +ConfigMap/x",
				"hub.staging | 02-hub.staging/binder | restart of binder: ~Deployment/binder",
				"hub.prod | 03-hub.prod/binder | restart of binder: ~Deployment/binder",
				"hub.a | 04-hub.a/binder | restart of binder: ~Deployment/binder",
			},
		},
		{
			"blocks that a rollout names together share a wave",
			append(hubOf("hub.prod", 1, version("2"), version("1"))[:1], hubOf("hub.staging", 5, version("2"), version("1"))[:1]...),
			[]plan.Rollout{{Order: [][]resource.Address{{staging, prod}}}},
			[]string{
				"hub.prod, hub.staging | 01-hub.prod/binder | restart of binder: ~Deployment/binder",
				"hub.prod, hub.staging | 02-hub.staging/binder | restart of binder: ~Deployment/binder",
			},
		},
		{
			"needs outrank the usual order",
			[]object{
				{block: "manifest.a", kind: "ConfigMap", name: "a", namespace: "x", want: data("a", "b"), line: 1,
					needs: []resource.ID{{Cluster: "main", Kind: "ConfigMap", Namespace: "x", Name: "b"}}},
				{block: "manifest.b", kind: "ConfigMap", name: "b", namespace: "x", want: data("a", "b"), line: 2},
			}, nil,
			[]string{
				"manifest.b | 01-manifest.b | live: +ConfigMap/b",
				"manifest.a | 02-manifest.a | live: +ConfigMap/a",
			},
		},
		{
			"a definition comes before the objects of its kind",
			[]object{
				{block: "chart.a", kind: "Widget", name: "w", want: map[string]any{}, line: 1},
				{block: "chart.b", component: "crds", kind: "CustomResourceDefinition", name: "widgets", line: 2,
					want: map[string]any{"spec": map[string]any{"group": "", "names": map[string]any{"kind": "Widget"}}}},
			}, nil,
			[]string{
				"chart.b | 01-chart.b/crds | live: +CustomResourceDefinition/widgets",
				"chart.a | 02-chart.a | live: +Widget/w",
			},
		},
		{"nothing to do is no step", []object{{block: "manifest.a", kind: "ConfigMap", name: "a", want: data("a", "b"), live: data("a", "b")}}, nil, []string{}},
	} {
		in := input(test.objects...)
		in.Rollouts = test.rollouts
		p := build(t, in)
		if diff := cmp.Diff(test.want, lines(p)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.reason, diff)
		}
		for range 5 {
			rand.Shuffle(len(test.objects), func(i, j int) { test.objects[i], test.objects[j] = test.objects[j], test.objects[i] })
			shuffled := input(test.objects...)
			rand.Shuffle(len(shuffled.Changes), func(i, j int) {
				shuffled.Changes[i], shuffled.Changes[j] = shuffled.Changes[j], shuffled.Changes[i]
			})
			shuffled.Rollouts = test.rollouts
			if again := build(t, shuffled); again.ID != p.ID {
				t.Errorf("%s: another order of the input gives another plan:\n%s", test.reason, cmp.Diff(p, again))
			}
		}
	}
}

func TestCycle(t *testing.T) {
	a := object{block: "manifest.a", kind: "ConfigMap", name: "a", namespace: "x", want: data("a", "b")}
	b := object{block: "manifest.b", kind: "ConfigMap", name: "b", namespace: "x", want: data("a", "b")}
	a.needs, b.needs = []resource.ID{b.id()}, []resource.ID{a.id()}
	_, err := plan.Build(input(a, b))
	if err == nil || !strings.Contains(err.Error(), "manifest.a → manifest.b → manifest.a") {
		t.Errorf("Build = %v, want the cycle named", err)
	}
}

func TestEmptyConfig(t *testing.T) {
	in := input(object{block: "hub.prod", component: "hub", kind: "Deployment", name: "hub", live: pods("h:1", "a")})
	_, err := plan.Build(in)
	for _, way := range []string{"removed { from = hub.prod }", "--dangerous-delete 'hub.prod'"} {
		if !errors.Is(err, plan.ErrEmptyConfig) || !strings.Contains(err.Error(), way) {
			t.Errorf("Build = %v, want ErrEmptyConfig that names the way out: %s", err, way)
		}
	}
	in.Delete = []string{"hub.prod"}
	if p := build(t, in); len(p.Steps()) != 1 {
		t.Errorf("steps = %v, want the deletion that was named", lines(p))
	}
	in.Delete, in.Removed = nil, []string{"hub.prod"}
	if p := build(t, in); len(p.Steps()) != 1 {
		t.Errorf("steps = %v, want the deletion that the config says", lines(p))
	}
	var many []object
	for i := range 5 {
		many = append(many, object{block: fmt.Sprintf("manifest.m%d", i), kind: "ConfigMap", name: "x", live: data()})
	}
	if _, err := plan.Build(input(many...)); err == nil || !strings.Contains(err.Error(), "--dangerous-delete 'manifest.m2', and likewise for 2 more") {
		t.Errorf("Build = %v, want three of five blocks named", err)
	}
}

func TestSelection(t *testing.T) {
	in := input(hubOf("hub.prod", 1, version("2"), version("1"))...)
	in.Only = []string{"hub.prod/binder"}
	p := build(t, in)
	if got := lines(p); len(got) != 1 || !strings.Contains(got[0], "binder") {
		t.Errorf("--only hub.prod/binder: %v", got)
	}
	if diff := cmp.Diff([]string{"hub.prod/hub", "hub.prod/proxy"}, p.LeftOut); diff != "" {
		t.Errorf("left out (-want +got):\n%s", diff)
	}
	in.Only, in.Except = nil, []string{"hub.prod"}
	if p := build(t, in); !p.Empty() {
		t.Errorf("--except hub.prod: %v", lines(p))
	}
	in.Except = []string{"hub.pord"}
	if _, err := plan.Build(in); !errors.Is(err, plan.ErrNoSuchAddress) {
		t.Errorf("--except of a misspelt name = %v, want ErrNoSuchAddress", err)
	}
}

// TestLeftOutIsMissed checks that pods are not started silently without what they
// read.
func TestLeftOutIsMissed(t *testing.T) {
	in := input(append(hubOf("hub.prod", 1, version("1"), nil),
		object{block: "hub.prod", component: "hub", kind: "Secret", name: "hub", want: data("k", "v")})...)
	in.Only = []string{"hub.prod/proxy"}
	p := build(t, in)
	if !strings.Contains(strings.Join(p.Warnings, "\n"), "hub.prod/Deployment/proxy needs main/prod/Secret/hub") {
		t.Errorf("warnings = %q, want the secret missed", p.Warnings)
	}
}

// TestTimeouts checks that a rollout about all blocks does not hurry machines.
func TestTimeouts(t *testing.T) {
	in := input(
		object{block: "node_pool.user", kind: resource.KindNodePool, name: "user", want: autoscaling(0, 9, "n2")},
		object{block: "hub.prod", component: "hub", kind: "Deployment", name: "hub", want: pods("h:1", "a")},
	)
	in.Rollouts = []plan.Rollout{{StepTimeout: time.Minute}}
	steps := build(t, in).Steps()
	if steps[0].Timeout != 30*time.Minute || steps[1].Timeout != time.Minute {
		t.Errorf("timeouts = %s of the pool, %s of the hub", steps[0].Timeout, steps[1].Timeout)
	}
}

// TestPatience checks that a hub with many servers to look after is not taken for
// a broken one, and that the author's word counts more.
func TestPatience(t *testing.T) {
	for _, tc := range []struct {
		reason   string
		sessions int
		gap      time.Duration // as measured
		said     time.Duration
		want     time.Duration
	}{
		{"nobody is on", 0, 0, 0, 10 * time.Minute},
		{"400 students are on", 400, 0, 0, 16*time.Minute + 40*time.Second},
		{"there is an end", 50_000, 0, 0, 45 * time.Minute},
		{"it took long before", 0, 20 * time.Minute, 0, time.Hour},
		{"the author says so", 400, 20 * time.Minute, time.Minute, time.Minute},
	} {
		in := input(object{block: "hub.prod", component: "hub", kind: "Deployment", name: "hub", want: pods("h:2", "a"), live: pods("h:1", "a")})
		in.Census = map[string]resource.Census{"main": {PerNamespace: map[string]int{"prod": tc.sessions}}}
		in.Measured = map[resource.Class]plan.Measure{resource.ClassHub: {LaunchGap: tc.gap, Runs: 1}}
		in.Rollouts = []plan.Rollout{{StepTimeout: tc.said}}
		if got := build(t, in).Steps()[0].Timeout; got != tc.want {
			t.Errorf("%s: the hub has %s, want %s", tc.reason, got, tc.want)
		}
	}
}

func TestGates(t *testing.T) {
	gate := plan.Gate{Name: "alive", HTTP: &plan.HTTPCheck{URL: "http://127.0.0.1"}}
	gated := func(p *plan.Plan) []string {
		var ids []string
		for _, s := range p.Steps() {
			if len(s.Gates) > 0 {
				ids = append(ids, string(s.ID))
			}
		}
		return ids
	}
	in := input(hubOf("hub.prod", 1, version("1"), nil)...)
	in.Rollouts = []plan.Rollout{{Gates: []plan.Gate{gate}}}
	if diff := cmp.Diff([]string{"03-hub.prod/binder"}, gated(build(t, in))); diff != "" {
		t.Errorf("a first install is gated when it is whole (-want +got):\n%s", diff)
	}
	for reason, missing := range map[string][]string{
		"nor is what a first install that failed has left of a hub": {"binder", "hub"},
		"nor is a hub without its binder":                           {"binder"},
	} {
		objects := hubOf("hub.prod", 1, version("2"), version("1"))
		for i := range objects {
			if slices.Contains(missing, objects[i].component) {
				objects[i].live = nil
			}
		}
		in = input(objects...)
		in.Sites = []plan.Site{{Block: resource.ParseAddress("hub.prod"), Cluster: "demo", Type: "binderhub"}}
		in.Rollouts = []plan.Rollout{{Gates: []plan.Gate{gate}}}
		if diff := cmp.Diff([]string{"03-hub.prod/binder"}, gated(build(t, in))); diff != "" {
			t.Errorf("%s gated before it is whole (-want +got):\n%s", reason, diff)
		}
	}
	added := object{block: "hub.prod", component: "image-cleaner", kind: "DaemonSet", name: "cleaner", want: pods("cleaner:1", "a")}
	in = input(append(hubOf("hub.prod", 1, version("2"), version("1")), added)...)
	in.Rollouts = []plan.Rollout{{Gates: []plan.Gate{gate}}}
	if got := gated(build(t, in)); len(got) != 4 {
		t.Errorf("gated steps = %v, want every restart of a hub that lives, and what is added to it", got)
	}
	added = object{block: "hub.prod", component: "hub", kind: "Deployment", name: "sidekick", want: pods("sidekick:1", "a")}
	in = input(append(hubOf("hub.prod", 1, version("2"), version("1")), added)...)
	in.Sites = []plan.Site{{Block: resource.ParseAddress("hub.prod"), Cluster: "demo", Type: "jupyterhub"}}
	in.Rollouts = []plan.Rollout{{Gates: []plan.Gate{gate}}}
	if got := gated(build(t, in)); len(got) < 3 {
		t.Errorf("gated steps = %v, want every restart of a hub that lives, whatever is added to its core", got)
	}
	in = input(hubOf("hub.prod", 1, version("2"), version("1"))...)
	in.Rollouts = []plan.Rollout{{Gates: []plan.Gate{gate}, OnFailure: plan.Stop, StepTimeout: 7}}
	p := build(t, in)
	if got := gated(p); len(got) != 3 {
		t.Errorf("gated steps = %v, want every restart", got)
	}
	s := p.Steps()[0]
	if s.OnFailure != plan.Stop || s.Timeout != 7 || s.Gates[0].Failures != 1 || s.Gates[0].Interval <= 0 {
		t.Errorf("step = %+v, want what the rollout says, with defaults", s)
	}
}
