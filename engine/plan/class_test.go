package plan_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hubcap/engine/plan"
	"hubcap/engine/resource"
)

// people has 40 users on hub prod, 30 of them on the pool user.
var people = map[string]resource.Census{"main": {
	Sessions: 40, PerNamespace: map[string]int{"prod": 40}, PerPool: map[string]int{"user": 30},
}}

func values(text string) map[string]any {
	return map[string]any{"data": map[string]any{"values.yaml": resource.Secret(text)}}
}

func with(body map[string]any, v any, path ...string) map[string]any {
	o := resource.Object(body).Copy()
	o.Set(v, path...)
	return o
}

// upgrading is the hub of a release whose database upgrades itself.
func upgrading(image string) map[string]any {
	return map[string]any{"spec": map[string]any{"template": map[string]any{"spec": map[string]any{
		"containers": []any{map[string]any{"name": "hub", "image": image, "args": []any{"jupyterhub", "--upgrade-db"}}},
	}}}}
}

func TestClassAndImpact(t *testing.T) {
	work := func(component string, want, live map[string]any) object {
		return object{block: "hub.prod", component: component, kind: "Deployment", name: component, want: want, live: live}
	}
	pool := func(want, live map[string]any) object {
		return object{block: "node_pool.user", kind: resource.KindNodePool, name: "user", want: want, live: live}
	}
	for _, test := range []struct {
		reason string
		object object
		others []object
		class  resource.Class
		impact resource.Impact
		note   string
	}{
		{"another image restarts the hub", work("hub", pods("h:2", "a"), pods("h:1", "a")), nil,
			resource.ClassHub, resource.Impact{LaunchGap: 40 * time.Second, PodsRestarted: 1, Basis: "gap estimated"}, ""},
		{"the proxy's restart drops everybody's connection", work("proxy", pods("p:2", "a"), pods("p:1", "a")), nil,
			resource.ClassProxy, resource.Impact{SessionsInterrupted: 40, LaunchGap: 90 * time.Second, PodsRestarted: 1, Basis: "40 sessions counted; gap estimated"}, ""},
		{"one binder leaves a gap", work("binder", pods("b:2", "a"), pods("b:1", "a")), nil,
			resource.ClassBinder, resource.Impact{LaunchGap: 25 * time.Second, PodsRestarted: 1, Basis: "gap estimated"}, ""},
		{"two binders roll without one", work("binder", pods("b:2", "a"), with(pods("b:1", "a"), int64(2), "spec", "replicas")), nil,
			resource.ClassBinder, resource.Impact{PodsRestarted: 2}, ""},
		{"the number of replicas changes in place", work("hub", with(pods("h:1", "a"), int64(2), "spec", "replicas"), pods("h:1", "a")), nil,
			resource.ClassLive, resource.Impact{}, ""},
		{"the builder's restart is felt by builds", work("image-builder", pods("d:2", "a"), pods("d:1", "a")), nil,
			resource.ClassRestart, resource.Impact{PodsRestarted: 1}, "builds on its nodes fail"},
		{"a release that migrates the database has no way back", work("hub", upgrading("k8s-hub:4.2.0"), upgrading("k8s-hub:3.3.8")), nil,
			resource.ClassOneWay, resource.Impact{LaunchGap: time.Minute, PodsRestarted: 1, OneWay: true, Basis: "gap estimated"}, "from 3.3.8 to 4.2.0"},
		{"a patch release does not migrate", work("hub", upgrading("k8s-hub:4.1.1"), upgrading("k8s-hub:4.1.0")), nil,
			resource.ClassHub, resource.Impact{LaunchGap: 40 * time.Second, PodsRestarted: 1, Basis: "gap estimated"}, ""},
		{"a config that nobody restarts for is live",
			object{block: "hub.prod", component: "hub", kind: "ConfigMap", name: "hub", want: data("a", "2"), live: data("a", "1")}, nil,
			resource.ClassLive, resource.Impact{}, ""},
		{"user settings restart the hub, and running servers keep theirs",
			object{block: "hub.prod", component: "hub", kind: "Secret", name: "hub",
				want: values("hub: {}\nsingleuser:\n  memory: 2G\n"), live: values("hub: {}\nsingleuser:\n  memory: 1G\n")},
			[]object{work("hub", pods("h:1", "b", "hub"), pods("h:1", "a", "hub"))},
			resource.ClassHub, resource.Impact{}, "only new ones get these"},
		{"another image prefix wipes the cache",
			object{block: "hub.prod", component: "binder", kind: "Secret", name: "binder-secret",
				want: values("config:\n  BinderHub:\n    image_prefix: gcr.io/r2d-new-\n"),
				live: values("config:\n  BinderHub:\n    image_prefix: gcr.io/r2d-old-\n")},
			[]object{work("binder", pods("b:1", "b", "binder-secret"), pods("b:1", "a", "binder-secret"))},
			resource.ClassCacheWipe, resource.Impact{}, "gcr.io/r2d-old- → gcr.io/r2d-new-"},
		{"autoscaling changes in place", pool(autoscaling(0, 9, "n2"), autoscaling(0, 3, "n2")), nil,
			resource.ClassLive, resource.Impact{}, ""},
		{"what GKE cannot change in a pool takes a new one",
			pool(with(autoscaling(0, 3, "n2"), int64(1), "config", "localSsdCount"), nil),
			[]object{{block: "node_pool.user", kind: resource.KindNodePool, name: "user-old", live: autoscaling(0, 3, "n2")}},
			resource.ClassReplacePool, resource.Impact{}, ""},
		{"what is created disturbs nobody", work("hub", pods("h:1", "a"), nil), nil, resource.ClassLive, resource.Impact{}, ""},
	} {
		in := input(append(test.others, test.object)...)
		in.Census = people
		p := build(t, in)
		found := false
		for _, s := range p.Steps() {
			for _, c := range s.Changes {
				if c.ID != test.object.id() {
					continue
				}
				found = true
				if c.Class != test.class {
					t.Errorf("%s: class %s, want %s", test.reason, c.Class, test.class)
				}
				if diff := cmp.Diff(test.impact, c.Impact); diff != "" {
					t.Errorf("%s: impact (-want +got):\n%s", test.reason, diff)
				}
				if !strings.Contains(strings.Join(c.Notes, "\n"), test.note) {
					t.Errorf("%s: notes %q, want %q among them", test.reason, c.Notes, test.note)
				}
			}
		}
		if !found {
			t.Errorf("%s: no change of %s in %v, refused %v", test.reason, test.object.id(), lines(p), p.Refused)
		}
	}
}

func TestMeasured(t *testing.T) {
	in := input(object{block: "hub.prod", component: "hub", kind: "Deployment", name: "hub", want: pods("h:2", "a"), live: pods("h:1", "a")})
	in.Measured = map[resource.Class]plan.Measure{resource.ClassHub: {LaunchGap: 7 * time.Second, Runs: 3}}
	got := build(t, in).Steps()[0].Impact
	want := resource.Impact{LaunchGap: 7 * time.Second, PodsRestarted: 1, Basis: "gap measured 3 times"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("impact (-want +got):\n%s", diff)
	}
}

// TestKept holds promise P6: people's work is deleted only by name.
func TestKept(t *testing.T) {
	other := object{block: "hub.other", component: "hub", kind: "ConfigMap", name: "x", want: data("a", "b"), live: data("a", "b")}
	poolWanted := object{block: "node_pool.user", kind: resource.KindNodePool, name: "user-2", want: autoscaling(0, 3, "n2"), live: autoscaling(0, 3, "n2")}
	for _, test := range []struct {
		reason string
		gone   object
		with   []object
		delete []string
		kept   string // empty: deleted
	}{
		{"a volume claim", object{block: "hub.prod", component: "hub", kind: "PersistentVolumeClaim", name: "hub-db-dir", live: data()}, nil, nil, "deleted only by name"},
		{"a volume claim whose block was named", object{block: "hub.prod", component: "hub", kind: "PersistentVolumeClaim", name: "hub-db-dir", live: data()}, nil, []string{"hub.prod"}, "deleted only by name"},
		{"a volume claim that was named itself", object{block: "hub.prod", component: "hub", kind: "PersistentVolumeClaim", name: "hub-db-dir", live: data()}, nil, []string{"hub.prod/PersistentVolumeClaim/hub-db-dir"}, ""},
		{"a namespace", object{block: "hub.prod", component: "namespace", kind: "Namespace", name: "prod", live: data()}, nil, nil, "deleted only by name"},
		{"a protected object", object{block: "manifest.x", kind: "ConfigMap", name: "x", live: data(), protected: true}, nil, nil, "protected"},
		{"an unprotected object", object{block: "manifest.x", kind: "ConfigMap", name: "x", live: data()}, nil, nil, ""},
		{"a hub with people", object{block: "hub.prod", component: "hub", kind: "Deployment", name: "hub", live: pods("h:1", "a")}, nil, nil, "40 user servers"},
		{"a hub with people that was named", object{block: "hub.prod", component: "hub", kind: "Deployment", name: "hub", live: pods("h:1", "a")}, nil, []string{"hub.prod"}, ""},
		{"a pool with people", object{block: "node_pool.user", kind: resource.KindNodePool, name: "user", live: autoscaling(0, 3, "n2")}, nil, nil, "30 user servers still on it: name node_pool.user"},
		{"a pool with people that was named", object{block: "node_pool.user", kind: resource.KindNodePool, name: "user", live: autoscaling(0, 3, "n2")}, nil, []string{"node_pool.user"}, ""},
		{"an old shape with people, even named", object{block: "node_pool.user", kind: resource.KindNodePool, name: "user", live: autoscaling(0, 3, "n2")}, []object{poolWanted}, []string{"node_pool.user"}, "old pool of node_pool.user: 30 user servers still on it"},
		{"an old shape without people", object{block: "node_pool.user", kind: resource.KindNodePool, name: "empty", live: autoscaling(0, 3, "n2")}, []object{poolWanted}, nil, ""},
	} {
		in := input(append(test.with, test.gone, other)...)
		in.Census, in.Delete = people, test.delete
		p := build(t, in)
		switch {
		case test.kept == "" && (len(p.Kept) != 0 || len(p.Steps()) != 1):
			t.Errorf("%s: kept %v, steps %v; want it deleted", test.reason, p.Kept, lines(p))
		case test.kept != "" && (len(p.Kept) != 1 || !strings.Contains(p.Kept[0].Reason, test.kept) || !p.Empty()):
			t.Errorf("%s: kept %v, steps %v; want it kept: %s", test.reason, p.Kept, lines(p), test.kept)
		}
	}
}

// TestKeptWhole checks that a hub with people keeps also what belongs to no
// namespace.
func TestKeptWhole(t *testing.T) {
	in := input(
		object{block: "hub.other", component: "hub", kind: "ConfigMap", name: "x", want: data("a", "b"), live: data("a", "b")},
		object{block: "hub.prod", component: "hub", kind: "Deployment", name: "hub", live: pods("h:1", "a")},
		object{block: "hub.prod", component: "image-cleaner", kind: "ClusterRole", name: "cleaner", live: data()},
	)
	in.Census = people
	if p := build(t, in); !p.Empty() || len(p.Kept) != 2 {
		t.Errorf("kept %v, steps %v; want both kept", p.Kept, lines(p))
	}
}

// TestRefused checks what may not be written although it is wanted.
func TestRefused(t *testing.T) {
	for _, test := range []struct {
		reason string
		object object
		want   string
	}{
		{"an object of someone else's", object{block: "manifest.x", kind: "ConfigMap", name: "x", want: data("a", "2"), live: data("a", "1"), refused: "it belongs to helm"}, "it belongs to helm"},
		{"new nodes under people's feet", object{block: "node_pool.user", kind: resource.KindNodePool, name: "user", want: autoscaling(0, 3, "n4"), live: autoscaling(0, 3, "n2")}, "30 user servers"},
		{"a volume claim that cannot be changed", object{block: "hub.prod", kind: "PersistentVolumeClaim", name: "db", want: data("a", "2"), live: data("a", "1"), replace: []string{"spec.storageClassName"}}, "spec.storageClassName"},
		{"a protected object that cannot be changed", object{block: "hub.prod", kind: "Deployment", name: "db", want: pods("a", "b"), live: pods("a", "c"), replace: []string{"spec.selector"}, protected: true}, "protected"},
	} {
		in := input(test.object)
		in.Census = people
		p := build(t, in)
		if len(p.Refused) != 1 || !strings.Contains(p.Refused[0].Reason, test.want) || !p.Empty() {
			t.Errorf("%s: refused %v, steps %v; want it refused: %s", test.reason, p.Refused, lines(p), test.want)
		}
	}
}

func TestDrift(t *testing.T) {
	foreign := []resource.Foreign{{Path: "data.a", Manager: "kubectl-edit", Wanted: "1", Live: "9"}}
	edited := object{block: "manifest.x", kind: "ConfigMap", name: "x", want: data("a", "1"), live: data("a", "9"), foreign: foreign}
	for applied, want := range map[string]plan.DriftKind{"same": plan.Drifted, "another": plan.Conflicted, "": plan.Conflicted} {
		edited.applied = applied
		p := build(t, input(edited))
		if len(p.Drift) != 1 || p.Drift[0].Kind != want {
			t.Errorf("applied %q: drift %+v, want %s", applied, p.Drift, want)
		}
	}
}

func TestUnchanged(t *testing.T) {
	p := build(t, input(
		object{block: "manifest.x", kind: "ConfigMap", name: "x", want: data("a", "1"), live: data("a", "1")},
		object{block: "hub.prod", kind: "Namespace", name: "prod", want: data("a", "1"), live: data("a", "2"), ensured: true},
	))
	if !p.Empty() || p.Unchanged != 2 {
		t.Errorf("%d unchanged, steps %v; want 2 and none", p.Unchanged, lines(p))
	}
}
