package plan_test

import (
	"slices"
	"strings"
	"testing"

	"hubcap/engine/plan"
	"hubcap/engine/resource"
)

// labelled is a workload whose pods bear the label component.
func labelled(component string) map[string]any {
	return with(pods("h:1", "a"), map[string]any{"app": "jupyterhub", "component": component}, "spec", "template", "metadata", "labels")
}

// TestHubOfAnotherKind checks that a hub is protected by what lives, and not by the kind
// of its block: it goes by its name, in whole or in part, and its keys by theirs.
func TestHubOfAnotherKind(t *testing.T) {
	for _, block := range []string{"hub.prod", "chart.prod", "manifest.prod"} {
		hub := []object{
			{block: "manifest.other", kind: "ConfigMap", name: "x", want: data("a", "b"), live: data("a", "b")},
			{block: block, kind: "Deployment", name: "hub", live: labelled("hub")},
			{block: block, kind: "Deployment", name: "proxy", live: labelled("proxy")},
			{block: block, kind: "Service", name: "proxy-public", live: service(80, "proxy")},
			{block: block, kind: "Secret", name: "hub", live: data("hub.config.CryptKeeper.keys", "x")},
			{block: block, kind: "PersistentVolumeClaim", name: "hub-db-dir", live: data()},
		}
		stays := object{block: block, kind: "ConfigMap", name: "stays", want: data("a", "b"), live: data("a", "b")}
		for reason, objects := range map[string][]object{"the block is gone": hub, "the block stays": append([]object{stays}, hub...)} {
			in := input(objects...)
			in.Census = people
			p := build(t, in)
			if !p.Empty() || len(p.Kept) != 5 || !strings.Contains(p.Kept[0].Reason, "--dangerous-delete '"+block+"'") {
				t.Errorf("%s, %s, unnamed: kept %v, steps %v; want all of it kept", block, reason, p.Kept, lines(p))
			}
			if gone := reason == "the block is gone"; gone != (len(p.Undeclared) == 1) {
				t.Errorf("%s, %s: undeclared %v", block, reason, p.Undeclared)
			}
			in = input(objects...)
			in.Census, in.Delete = people, []string{block}
			p = build(t, in)
			if len(p.Kept) != 2 || len(p.Steps()) == 0 || p.Steps()[0].Class != resource.ClassDestructive || p.Steps()[0].Relies == nil {
				t.Errorf("%s, %s, named: kept %v, steps %v; want the claim and the Secret kept, the rest destructive", block, reason, p.Kept, lines(p))
			}
		}
	}
	p := build(t, input(object{block: "chart.logs", kind: "Deployment", name: "loki", live: labelled("loki")},
		object{block: "manifest.other", kind: "ConfigMap", name: "x", want: data("a", "b"), live: data("a", "b")}))
	if len(p.Kept) != 0 || len(p.Steps()) != 1 {
		t.Errorf("a chart that is no hub: kept %v, steps %v; want it deleted", p.Kept, lines(p))
	}
}

// TestWaysToLoseAHub checks the kind: whatever takes the workload of a hub out of a plan's
// wants, what the hub consists of stays until it is named, and is named as what it is.
func TestWaysToLoseAHub(t *testing.T) {
	const place = "prod"
	hub := func(block string, change func(*object)) []object {
		all := []object{
			{block: block, component: "hub", kind: "Deployment", name: "hub", live: labelled("hub")},
			{block: block, component: "proxy", kind: "Deployment", name: "proxy", live: labelled("proxy")},
			{block: block, component: "proxy", kind: "Service", name: "proxy-public", live: service(80, "proxy")},
			{block: block, component: "hub", kind: "RoleBinding", name: "hub", live: data()},
			{block: block, component: "hub", kind: "Secret", name: "hub", live: data("k", "x")},
		}
		for i := range all {
			all[i].namespace = place
			if change != nil {
				change(&all[i])
			}
		}
		return all
	}
	with := func(objects []object, more ...object) []object { return append(objects, more...) }
	settings := func(block string) object {
		return object{block: block, kind: "ConfigMap", name: "settings", namespace: "other", want: data("a", "b"), live: data("a", "b")}
	}
	living := func(block, namespace string) object {
		return object{block: block, component: "hub", kind: "Deployment", name: "hub", namespace: namespace, want: labelled("hub"), live: labelled("hub")}
	}
	program := func(key string, value any) map[string]any {
		o := pods("registry.example.org/own:1", "a")
		o["spec"].(map[string]any)["template"].(map[string]any)["spec"].(map[string]any)["containers"].([]any)[0].(map[string]any)[key] = value
		return o
	}
	unlabelled := func(key string, value any) []object {
		return hub("manifest.prod", func(o *object) {
			o.component = ""
			if o.kind == "Deployment" {
				o.live = program(key, value)
			}
		})
	}
	for _, test := range []struct {
		reason  string
		block   string // by which it goes
		objects []object
	}{
		{"the block is gone", "hub.a", with(hub("hub.a", nil), settings("manifest.x"))},
		{"one of a for_each is gone", `hub.lab["a"]`, with(hub(`hub.lab["a"]`, nil), living(`hub.lab["b"]`, "b"))},
		{"its chart renders no hub", "hub.a", with(hub("hub.a", nil), settings("hub.a"))},
		{"moved to where another hub lives", "hub.b", with(hub("hub.b", nil), living("hub.b", "b"))},
		{"moved there, in another cluster", "hub.b", with(hub("hub.b", nil), object{block: "hub.b", cluster: "second", component: "hub", kind: "Deployment", name: "hub", namespace: place, want: labelled("hub"), live: labelled("hub")}, settings("manifest.x"))},
		{"it has become a chart, and goes", "chart.a", with(hub("chart.a", nil), settings("manifest.x"))},
		{"it has become a manifest, and its block stays", "manifest.a", with(hub("manifest.a", func(o *object) { o.component = "" }), settings("manifest.a"))},
		{"without labels, by its program", "manifest.prod", with(unlabelled("args", []any{"jupyterhub", "--config", "x.py"}), settings("manifest.x"))},
		{"by its program with a path", "manifest.prod", with(unlabelled("command", []any{"/usr/local/bin/jupyterhub"}), settings("manifest.x"))},
		{"by its image", "manifest.prod", with(unlabelled("image", "registry.example.org/jupyterhub/k8s-hub:4.3@sha256:ab"), settings("manifest.x"))},
		{"only its proxy goes", "hub.a", with(hub("hub.a", nil)[1:3], living("hub.a", place))},
	} {
		live := 0
		for _, o := range test.objects {
			if o.want == nil {
				live++
			}
		}
		census := map[string]resource.Census{"main": {Sessions: 7, PerNamespace: map[string]int{place: 7}}}
		in := input(test.objects...)
		in.Census = census
		in.Clusters = append(in.Clusters, plan.Cluster{Name: "second"})
		p := build(t, in)
		if !p.Empty() || len(p.Kept) != live || !strings.Contains(p.Kept[0].Reason, "7 user servers on ") || !strings.Contains(p.Kept[0].Reason, "--dangerous-delete '"+test.block+"'") {
			t.Errorf("%s, unnamed: kept %v, steps %v; want all %d kept", test.reason, p.Kept, lines(p), live)
		}
		in = input(test.objects...)
		in.Census, in.Delete = census, []string{test.block}
		in.Clusters = append(in.Clusters, plan.Cluster{Name: "second"})
		p = build(t, in)
		for _, s := range p.Steps() {
			if s.Class != resource.ClassDestructive || s.Relies == nil || s.Impact.SessionsInterrupted != 7 {
				t.Errorf("%s, named: step %s is %s, relies on %v, %d interrupted; want it destructive, with 7", test.reason, s.ID, s.Class, s.Relies, s.Impact.SessionsInterrupted)
			}
		}
		if len(p.Steps()) == 0 || slices.ContainsFunc(p.Kept, func(k plan.Kept) bool { return k.ID.Kind != "Secret" }) {
			t.Errorf("%s, named: kept %v, steps %v; want all but the Secret deleted", test.reason, p.Kept, lines(p))
		}
	}
}

// TestHubThatCeases checks that a hub goes by its name also where something else comes in
// the place of its workload.
func TestHubThatCeases(t *testing.T) {
	for _, replace := range [][]string{nil, {"spec.selector"}} {
		o := object{block: "manifest.prod", kind: "Deployment", name: "hub", live: labelled("hub"), want: pods("nginx", "a"), replace: replace}
		in := input(o)
		in.Census = people
		if p := build(t, in); !p.Empty() || len(p.Refused) != 1 || !strings.Contains(p.Refused[0].Reason, "40 user servers on the hub in namespace prod; what is wanted in the place of this hub is none") {
			t.Errorf("unnamed: refused %v, steps %v", p.Refused, lines(p))
		}
		in = input(o)
		in.Census, in.Delete = people, []string{"manifest.prod"}
		if p := build(t, in); len(p.Steps()) != 1 || p.Steps()[0].Class != resource.ClassDestructive || p.Steps()[0].Impact.SessionsInterrupted != 40 || p.Steps()[0].Relies == nil {
			t.Errorf("named: steps %v, want one that is destructive, for 40", p.Steps())
		}
	}
}

// TestWayBackOfAHub checks that no way back takes from people the hub that its run made,
// asked for or not.
func TestWayBackOfAHub(t *testing.T) {
	for _, asked := range []bool{true, false} {
		for _, users := range []int{0, 40} {
			in := input(goneHub()[1:]...)
			in.Back, in.Asked = true, asked
			in.Census = map[string]resource.Census{"main": {PerNamespace: map[string]int{"prod": users}}}
			p := build(t, in)
			if stays := users > 0; stays != (p.Empty() && len(p.Refused) == 4) || stays == (len(p.Steps()) > 2) {
				t.Errorf("asked %v, %d users: refused %v, steps %v; want it left out: %v", asked, users, p.Refused, lines(p), stays)
			}
			for ready, want := range map[int64]bool{0: asked, 1: true} { // who never was ready has nobody
				for i := range in.Reading.Orphans {
					in.Reading.Orphans[i].Object.Set(map[string]any{"replicas": int64(1), "readyReplicas": ready}, "status")
				}
				if p := build(t, in); (users > 0 && want) != (len(p.Refused) > 0) {
					t.Errorf("asked %v, %d users, %d ready: refused %v, steps %v", asked, users, ready, p.Refused, lines(p))
				}
			}
			in.Delete = []string{"hub.prod"}
			if p := build(t, in); len(p.Refused) != 0 || len(p.Steps()) == 0 {
				t.Errorf("asked %v, %d users, named: refused %v, steps %v", asked, users, p.Refused, lines(p))
			}
		}
	}
}

// TestNamespaceTakesAll checks that the deletion of a namespace counts everybody in it,
// whosever hub they are on, says whose objects go with it, and takes nothing protected.
func TestNamespaceTakesAll(t *testing.T) {
	objects := func(isProtected bool) []object {
		return []object{
			{block: "manifest.x", kind: "Namespace", name: "prod", live: data()},
			{block: "manifest.y", kind: "ConfigMap", name: "y", namespace: "other", want: data(), live: data()},
			{block: "hub.prod", component: "hub", kind: "Deployment", name: "hub", want: labelled("hub"), live: labelled("hub"), applied: "same", protected: isProtected},
		}
	}
	in := input(objects(false)...)
	in.Census, in.Delete = people, []string{"manifest.x/Namespace/prod"}
	p := build(t, in)
	if steps := p.Steps(); len(steps) != 1 || steps[0].Class != resource.ClassDestructive || steps[0].Impact.SessionsLost != 40 || steps[0].Relies == nil || steps[0].Relies.Counted != 40 ||
		!slices.Contains(steps[0].Changes[0].Notes, "takes everything in it, volume claims and user servers too; objects of hub.prod live there") {
		t.Errorf("steps %+v; want the 40 people of hub.prod counted, and hub.prod named", steps)
	}
	in = input(objects(true)...)
	in.Census, in.Delete = people, []string{"manifest.x/Namespace/prod"}
	if p := build(t, in); !p.Empty() || len(p.Refused) != 1 || !strings.Contains(p.Refused[0].Reason, "protected objects of hub.prod live in it") {
		t.Errorf("with something protected in it: refused %v, steps %v", p.Refused, lines(p))
	}
	in = input(objects(false)...)
	in.Census = people
	if p := build(t, in); !p.Empty() || len(p.Kept) != 1 || p.Kept[0].Reason != "namespaces are deleted only by name" {
		t.Errorf("unnamed: kept %v, steps %v", p.Kept, lines(p))
	}
}

// TestUncountedWayBack checks that a way back for which nobody could be counted takes
// neither a hub nor a pool that people may be on.
func TestUncountedWayBack(t *testing.T) {
	unknown := map[string]resource.Census{"main": {Unknown: "the server is away", PoolsUnknown: "the server is away"}}
	for _, asked := range []bool{true, false} {
		in := input(append(goneHub()[1:], object{block: "pool.user", kind: resource.KindNodePool, name: "user", live: data()})...)
		in.Back, in.Asked, in.Census = true, asked, unknown
		p := build(t, in)
		if !p.Empty() || len(p.Refused) != 5 || !strings.Contains(p.Refused[0].Reason, "cannot be counted: the server is away") {
			t.Errorf("asked %v: refused %v, steps %v; want the hub and the pool left out", asked, p.Refused, lines(p))
		}
		for _, namespaces := range []map[string]int{{"other": 0}, {"prod": 0}} { // one that was counted is known
			in.Census = map[string]resource.Census{"main": {Unknown: "the server is away", PerNamespace: namespaces}}
			_, isCounted := namespaces["prod"]
			if p := build(t, in); isCounted != (len(p.Refused) == 0) {
				t.Errorf("asked %v, counted %v: refused %v, steps %v", asked, namespaces, p.Refused, lines(p))
			}
		}
		for i := range in.Reading.Orphans {
			in.Reading.Orphans[i].Object.Set(map[string]any{"replicas": int64(1), "readyReplicas": int64(0)}, "status")
		}
		in.Census = map[string]resource.Census{"main": {Unknown: "the server is away"}}
		if p := build(t, in); asked != (len(p.Refused) > 0) {
			t.Errorf("asked %v, it never was ready: refused %v, steps %v", asked, p.Refused, lines(p))
		}
	}
}

// TestProtected checks that what bears the mark of the config that wrote it is deleted
// and made anew by no plan, whatever the config wants by now and whoever is named.
func TestProtected(t *testing.T) {
	protected := func(objects []object) []object {
		for i := range objects {
			objects[i].protected = objects[i].want == nil
		}
		return objects
	}
	stays := object{block: "hub.prod", kind: "ConfigMap", name: "stays", want: data("a", "b"), live: data("a", "b")}
	for reason, objects := range map[string][]object{
		"the block is gone":         protected(goneHub()),
		"its chart renders nothing": protected(append(goneHub(), stays)),
	} {
		p := build(t, input(objects...))
		if !p.Empty() || len(p.Refused) != 0 || len(p.Kept) != 6 || !strings.Contains(p.Kept[0].Reason, "set protected = false in hub.prod, and apply") {
			t.Errorf("%s: kept %v, refused %v, steps %v", reason, p.Kept, p.Refused, lines(p))
		}
		for _, in := range []plan.Input{{Delete: []string{"hub.prod"}}, {Removed: []string{"hub.prod"}}, {Back: true, Asked: true}, {Back: true, Asked: true, Delete: []string{"hub.prod"}}, {Back: true, Census: people}} {
			made := input(objects...)
			made.Delete, made.Removed, made.Back, made.Asked, made.Census = in.Delete, in.Removed, in.Back, in.Asked, in.Census
			p := build(t, made)
			if !p.Empty() || len(p.Refused) != 6 || !strings.HasPrefix(p.Refused[0].Reason, "protected") {
				t.Errorf("%s, named %v, removed %v, back %v: refused %v, kept %v, steps %v; want all refused", reason, in.Delete, in.Removed, in.Back, p.Refused, p.Kept, lines(p))
			}
		}
		in := input(objects...)
		in.Back = true
		if p := build(t, in); len(p.Refused) != 0 || len(p.Steps()) == 0 {
			t.Errorf("%s, the way back of the step that made it, nobody there: refused %v, steps %v", reason, p.Refused, lines(p))
		}
	}
	anew := object{block: "hub.prod", kind: "Deployment", name: "db", want: pods("a", "b"), live: pods("a", "c"), replace: []string{"spec.selector"}}
	in := input(anew)
	in.Reading.Observations[0].Live.Protected = true // and the config says no more that it is
	in.Delete = []string{"hub.prod"}
	if p := build(t, in); !p.Empty() || len(p.Refused) != 1 || !strings.Contains(p.Refused[0].Reason, "protected") {
		t.Errorf("made anew: refused %v, steps %v", p.Refused, lines(p))
	}
	// What the config renders no more bears the mark for ever: another object tells that it
	// was applied without.
	leftover := object{block: "hub.prod", kind: "ConfigMap", name: "q", live: data(), protected: true}
	running := object{block: "hub.prod", component: "hub", kind: "Deployment", name: "hub", live: labelled("hub"), want: labelled("hub"), applied: "same"}
	again := running
	again.protected = true
	for _, test := range []struct {
		reason  string
		running object
		change  func(*plan.Input)
		stays   bool
	}{
		{"applied without", running, nil, false},
		{"not yet applied without", running, func(in *plan.Input) { in.Reading.Observations[0].Live.Protected = true }, true},
		{"somebody took the mark off", running, func(in *plan.Input) { in.Reading.Observations[0].Desired.Protected = true }, true},
		{"protected", again, nil, true},
		{"never applied", running, func(in *plan.Input) { in.Reading.Observations[0].Live.Applied = nil }, true},
	} {
		in := input(test.running, leftover)
		if test.change != nil {
			test.change(&in)
		}
		if p := build(t, in); test.stays != (len(p.Kept) == 1) || test.stays != p.Empty() {
			t.Errorf("what is left over, %s: kept %v, steps %v; want it kept: %v", test.reason, p.Kept, lines(p), test.stays)
		}
	}
	chart := object{block: "chart.x", kind: "ConfigMap", name: "x", live: with(data(), map[string]any{"helm.sh/resource-policy": "keep"}, "metadata", "annotations"), protected: true}
	in = input(chart, stays)
	in.Delete = []string{"chart.x"}
	if p := build(t, in); !p.Empty() || len(p.Kept) != 1 || len(p.Refused) != 0 || !strings.Contains(p.Kept[0].Reason, "its chart keeps it") {
		t.Errorf("what a chart keeps: kept %v, refused %v, steps %v", p.Kept, p.Refused, lines(p))
	}
}
