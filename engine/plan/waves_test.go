package plan_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hubcap/engine/plan"
	"hubcap/engine/resource"
)

func hubs(names ...string) []resource.Address {
	var all []resource.Address
	for _, n := range names {
		all = append(all, resource.Address{Kind: "hub", Name: n})
	}
	return all
}

// restarted is a hub's Deployment that gets another image.
func restarted(block, component string, needs ...resource.ID) object {
	return object{block: block, component: component, kind: "Deployment", name: block + "-" + component, want: pods("x:2", "a"), live: pods("x:1", "a"), needs: needs}
}

func TestWaves(t *testing.T) {
	r := plan.Rollout{
		Address: resource.ParseAddress("rollout.all"), Order: [][]resource.Address{hubs("s"), hubs("a", "b"), hubs("c")},
		Names: []string{"", "50%", "rest"}, MaxParallel: 2, Components: []string{"hub", "proxy"}, Extent: plan.WholeWave,
	}
	var objects []object
	for _, h := range []string{"hub.c", "hub.b", "hub.a", "hub.s"} {
		objects = append(objects, restarted(h, "proxy"), restarted(h, "hub"), restarted(h, "binder"))
	}
	in := input(objects...)
	in.Rollouts = []plan.Rollout{r}
	p := build(t, in)
	type wave struct {
		Name, Rollout string
		MaxParallel   int
		Steps         []string
	}
	var got []wave
	for _, w := range p.Waves {
		one := wave{Name: w.Name, Rollout: w.Rollout, MaxParallel: w.MaxParallel}
		for _, s := range w.Steps {
			one.Steps = append(one.Steps, s.Component.String())
			if s.Extent != plan.WholeWave || len(s.After) > 0 {
				t.Errorf("%s: extent %q, after %v", s.ID, s.Extent, s.After)
			}
		}
		got = append(got, one)
	}
	steps := func(hubs ...string) []string {
		var all []string
		for _, h := range hubs {
			all = append(all, h+"/hub", h+"/proxy", h+"/binder") // hub and proxy share out their places
		}
		return all
	}
	want := []wave{
		{"hub.s", "rollout.all", 2, steps("hub.s")}, {"50%", "rollout.all", 2, steps("hub.a", "hub.b")}, {"rest", "rollout.all", 2, steps("hub.c")},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("waves (-want +got):\n%s", diff)
	}
}

// TestWavesAreKept checks that a document has all of the waves, and what guards and
// undoing need of the steps.
func TestWavesAreKept(t *testing.T) {
	most := 3
	in := input(restarted("hub.a", "hub"), restarted("hub.b", "hub"))
	in.Rollouts = []plan.Rollout{{
		Address: resource.ParseAddress("rollout.all"), Order: [][]resource.Address{hubs("a", "b")}, Names: []string{"rest"}, MaxParallel: 2, Extent: plan.WholeRun,
		Guards: []plan.PlannedGuard{
			{Guard: plan.Guard{Name: "x", Level: plan.Hard, MaxWait: time.Hour, Interval: time.Second, Windows: []plan.Window{{Days: []string{"mon"}, From: "22:00", To: "23:00", Zone: "UTC"}}}},
			{Guard: plan.Guard{Name: "y", Level: plan.Soft, Interval: time.Second, Budget: &plan.BudgetCheck{PerRun: &most}}},
			{Guard: plan.Guard{Name: "z", Level: plan.Soft, Freeze: &plan.Freeze{From: time.Unix(1, 0).UTC(), Until: time.Unix(2, 0).UTC(), Reason: "exams"}}},
		},
	}}
	p := build(t, in)
	document, _, err := plan.Encode(p, plan.Mask{})
	if err != nil {
		t.Fatal(err)
	}
	back, err := plan.Decode(document)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(p.Waves, back.Waves); diff != "" {
		t.Errorf("waves after their document (-before +after):\n%s", diff)
	}
	if len(back.Waves) != 1 || back.Waves[0].MaxParallel != 2 || back.Waves[0].Rollout != "rollout.all" {
		t.Errorf("waves %+v", back.Waves)
	}
}

// TestAfter checks that a step knows which others make what it cannot do without,
// and that needs which turn the order of a rollout round are told.
func TestAfter(t *testing.T) {
	shared := object{block: "hub.b", component: "hub", kind: "Secret", name: "shared", want: data("k", "v")}
	reader := restarted("hub.a", "hub", shared.id())
	in := input(shared, restarted("hub.b", "hub"), reader, restarted("hub.c", "hub", object{block: "hub.d", component: "hub", kind: "Deployment", name: "hub.d-hub"}.id()), restarted("hub.d", "hub"))
	in.Rollouts = []plan.Rollout{{Address: resource.ParseAddress("rollout.all"), Order: [][]resource.Address{hubs("b", "a"), hubs("c"), hubs("d")}}}
	p := build(t, in)
	after := map[string][]plan.StepID{}
	for _, s := range p.Steps() {
		after[s.Component.String()] = s.After
	}
	want := map[string][]plan.StepID{"hub.b/hub": nil, "hub.a/hub": {"01-hub.b/hub"}, "hub.d/hub": nil, "hub.c/hub": {"03-hub.d/hub"}}
	if diff := cmp.Diff(want, after); diff != "" {
		t.Errorf("after (-want +got):\n%s", diff)
	}
	if !slices.ContainsFunc(p.Warnings, func(w string) bool { return strings.Contains(w, "hub.c/hub comes after hub.d/hub") }) {
		t.Errorf("warnings %q, want to be told that the order is another", p.Warnings)
	}
}

// TestGuarded checks to which steps guards are attached.
func TestGuarded(t *testing.T) {
	everywhere := plan.PlannedGuard{Guard: plan.Guard{Name: "window", Level: plan.Hard, Windows: []plan.Window{{From: "22:00", To: "23:00", Zone: "UTC"}}}}
	quiet := plan.PlannedGuard{Guard: plan.Guard{Name: "quiet", Load: &plan.LoadCheck{PrometheusCheck: plan.PrometheusCheck{Query: `x{namespace="$namespace"}`}}}}
	frozen := plan.PlannedGuard{Guard: plan.Guard{Name: "freeze", Freeze: &plan.Freeze{}}, Except: hubs("b")}
	sessions := plan.PlannedGuard{Guard: plan.Guard{Name: "sessions", Sessions: &plan.SessionsCheck{Max: 5}}}
	class := plan.PlannedGuard{Guard: plan.Guard{Name: "class"}, OfEvents: true, HubEvents: []plan.HubEvent{
		{Event: plan.Event{Name: "data8", Until: time.Unix(1, 0)}, Hubs: hubs("a")}, {Event: plan.Event{Name: "other"}, Hubs: hubs("z")},
	}}
	harmless := object{block: "hub.a", component: "proxy", kind: "ConfigMap", name: "x", want: data("a", "2"), live: data("a", "1")}
	pool := object{block: "node_pool.p", kind: resource.KindNodePool, name: "p-1", want: autoscaling(0, 3, "n2"), live: autoscaling(0, 3, "n1")}
	in := input(restarted("hub.a", "hub"), restarted("hub.b", "hub"), restarted("chart.g", ""), harmless, pool)
	in.Guards = []plan.PlannedGuard{everywhere, frozen, sessions, class}
	in.Rollouts = []plan.Rollout{{Address: resource.ParseAddress("rollout.x"), Order: [][]resource.Address{hubs("a")}, Guards: []plan.PlannedGuard{quiet}}}
	in.Sites = []plan.Site{
		{Block: hubs("a")[0], Cluster: "main", Namespace: "ns-a", Type: "jupyterhub"}, {Block: hubs("b")[0], Cluster: "main", Namespace: "ns-b", Type: "jupyterhub"},
		{Block: resource.ParseAddress("chart.g"), Cluster: "main", Namespace: "grafana"},
	}
	got := map[string][]string{}
	for _, s := range build(t, in).Steps() {
		names := []string{}
		for _, g := range s.Guards {
			name := g.Name
			switch {
			case g.Load != nil:
				name += " " + g.Load.Query
			case g.Sessions != nil:
				name += " " + g.Sessions.Namespace + g.Sessions.Pool
			case len(g.Events) > 0:
				name += " " + g.Events[0].Name
			}
			names = append(names, name)
		}
		got[s.Component.String()] = names
	}
	want := map[string][]string{
		"hub.a/hub":   {"class data8", "freeze", `quiet x{namespace="ns-a"}`, "sessions ns-a", "window"},
		"hub.a/proxy": {}, // nobody is disturbed
		"hub.b/hub":   {"sessions ns-b", "window"},
		"chart.g":     {"freeze", "window"}, // no hub
		"node_pool.p": {"freeze", "sessions p-1", "window"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("guards (-want +got):\n%s", diff)
	}
	in.Back = true
	for _, s := range build(t, in).Steps() {
		if len(s.Guards) > 0 {
			t.Errorf("%s: the way back is guarded by %v", s.ID, s.Guards)
		}
	}
}

// TestAdmission checks what a step is said to do to how many people are let in.
func TestAdmission(t *testing.T) {
	const base = "config:\n  BinderHub:\n    per_repo_quota: 100\n    image_prefix: r2d\n  GitHubRepoProvider:\n    banned_specs:\n    - ^a/\n    spec_config:\n    - config:\n        quota: 50\n      pattern: ^b/\n"
	change := func(old, is string) string {
		if !strings.Contains(base, old) {
			t.Fatalf("%q is not in the values", old)
		}
		return strings.Replace(base, old, is, 1)
	}
	for _, test := range []struct {
		reason string
		after  string
		image  string
		want   plan.Admission
	}{
		{"a lower limit", change("per_repo_quota: 100", "per_repo_quota: 50"), "", plan.LowersAdmission},
		{"a higher one", change("per_repo_quota: 100", "per_repo_quota: 500"), "", plan.RaisesAdmission},
		{"none at all", change("    per_repo_quota: 100\n", ""), "", plan.RaisesAdmission},
		{"zero is none", change("per_repo_quota: 100", "per_repo_quota: 0"), "", plan.RaisesAdmission},
		{"a lower limit of one repository", change("quota: 50", "quota: 10"), "", plan.LowersAdmission},
		{"another ban", change("    - ^a/\n", "    - ^a/\n    - ^c/\n"), "", plan.LowersAdmission},
		{"another ban before it", change("    - ^a/\n", "    - ^c/\n    - ^a/\n"), "", plan.LowersAdmission},
		{"a ban that goes", change("    - ^a/\n", "    - ^c/\n"), "", plan.RaisesAdmission},
		{"a limit for one more repository", base + "    - config:\n        quota: 20\n      pattern: ^d/\n", "", plan.LowersAdmission},
		{"more for one repository than for others", base + "    - config:\n        quota: 200\n      pattern: ^d/\n", "", plan.RaisesAdmission},
		{"a lower limit and something else", strings.Replace(change("per_repo_quota: 100", "per_repo_quota: 50"), "r2d", "r2e", 1), "", ""},
		{"a lower limit and another image", change("per_repo_quota: 100", "per_repo_quota: 50"), "binder:2", ""},
		{"something else", change("r2d", "r2e"), "", ""},
	} {
		image := "binder:1"
		if test.image != "" {
			image = test.image
		}
		in := input(
			object{block: "hub.prod", component: "binder", kind: "Secret", name: "binder-secret", want: values(test.after), live: values(base)},
			object{block: "hub.prod", component: "binder", kind: "Deployment", name: "binder", want: pods(image, "b", "binder-secret"), live: pods("binder:1", "a", "binder-secret")},
		)
		steps := build(t, in).Steps()
		if len(steps) != 1 || steps[0].Admission != test.want {
			t.Errorf("%s: %d steps, %q, want %q", test.reason, len(steps), steps[0].Admission, test.want)
		}
	}
}
