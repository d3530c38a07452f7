package plan_test

import (
	"testing"

	"hubcap/engine/plan"
	"hubcap/engine/resource"
)

// spent is a toll of people who are elsewhere.
func spent(n int) plan.Toll { return plan.Toll{"elsewhere": {Interrupted: n}} }

// TestToll checks that people are counted once for each place and kind of harm.
func TestToll(t *testing.T) {
	at := func(block string, namespaces, pools []string) plan.Crowd {
		return plan.Crowd{Cluster: "main", Block: block, At: &plan.SessionBound{Namespaces: namespaces, Pools: pools}}
	}
	prod := []string{"prod"}
	cut := func(lost, interrupted int, basis string) resource.Impact {
		return resource.Impact{SessionsLost: lost, SessionsInterrupted: interrupted, Basis: basis}
	}
	type harm struct {
		to plan.Crowd
		resource.Impact
	}
	for _, test := range []struct {
		reason            string
		harms             []harm
		lost, interrupted int
	}{
		{"nothing", nil, 0, 0},
		{"two steps of one hub", []harm{{at("hub.prod", prod, nil), cut(0, 7, "")}, {at("hub.prod", prod, nil), cut(0, 7, "")}}, 0, 7},
		{"two blocks in one namespace", []harm{{at("hub.prod", prod, nil), cut(0, 7, "")}, {at("manifest.ingress", prod, nil), cut(0, 5, "")}}, 0, 7},
		{"two hubs", []harm{{at("hub.prod", prod, nil), cut(0, 7, "")}, {at("hub.test", []string{"test"}, nil), cut(0, 5, "")}}, 0, 12},
		{"one namespace in two clusters", []harm{{at("hub.prod", prod, nil), cut(0, 7, "")}, {plan.Crowd{Cluster: "second", At: &plan.SessionBound{Namespaces: prod}}, cut(0, 5, "")}}, 0, 12},
		{"two kinds of harm", []harm{{at("hub.prod", prod, nil), cut(7, 0, "")}, {at("hub.prod", prod, nil), cut(0, 7, "")}}, 7, 7},
		{"lost twice, predicted", []harm{{at("hub.prod", prod, nil), cut(7, 0, "counted")}, {at("hub.prod", prod, nil), cut(7, 0, "counted")}}, 7, 0},
		{"lost one after the other, measured", []harm{{at("hub.prod", prod, nil), cut(3, 7, resource.BasisMeasured)}, {at("hub.prod", prod, nil), cut(2, 4, resource.BasisMeasured)}}, 5, 7},
		{"measured, and the rest predicted", []harm{{at("hub.prod", prod, nil), cut(3, 0, resource.BasisMeasured)}, {at("hub.prod", prod, nil), cut(7, 0, "counted")}}, 7, 0},
		{"two pools that carry one hub", []harm{{at("node_pool.a", prod, []string{"a"}), cut(3, 7, "")}, {at("node_pool.b", prod, []string{"b"}), cut(4, 7, "")}}, 7, 7},
		{"a pool, and the hub on it", []harm{{at("node_pool.a", prod, []string{"a"}), cut(3, 7, "")}, {at("hub.prod", prod, nil), cut(0, 7, "")}}, 3, 7},
		{"nobody knows where", []harm{{plan.Crowd{Cluster: "main", Block: "hub.prod"}, cut(0, 7, "")}, {plan.Crowd{Cluster: "main", Block: "hub.test"}, cut(0, 7, "")}}, 0, 14},
	} {
		var toll plan.Toll
		for _, h := range test.harms {
			before := toll.CutOff()
			next := toll.With(h.to, h.Impact)
			if toll.CutOff() != before {
				t.Errorf("%s: With has changed the toll that it was asked of", test.reason)
			}
			toll = next
		}
		if toll.Lost() != test.lost || toll.Interrupted() != test.interrupted || toll.CutOff() != test.lost+test.interrupted {
			t.Errorf("%s: %d lost, %d interrupted; want %d and %d", test.reason, toll.Lost(), toll.Interrupted(), test.lost, test.interrupted)
		}
	}
}

// TestPeopleOfAStep checks that a step counts the people of each namespace that it is
// about once, and those of all where an object belongs to none.
func TestPeopleOfAStep(t *testing.T) {
	gone := func(kind, namespace string) object {
		return object{block: "manifest.ways", kind: kind, group: "gateway.networking.k8s.io", name: "x-" + kind, namespace: namespace, live: map[string]any{"spec": map[string]any{}}}
	}
	stays := object{block: "manifest.other", kind: "ConfigMap", name: "x", want: data("a", "b"), live: data("a", "b")}
	for _, test := range []struct {
		reason  string
		objects []object
		want    int
	}{
		{"two in one namespace", []object{gone("HTTPRoute", "prod"), gone("Gateway", "prod")}, 40},
		{"two namespaces", []object{gone("HTTPRoute", "prod"), gone("Gateway", "test")}, 45},
		{"one that belongs to none", []object{gone("HTTPRoute", "prod"), gone("ConfigMap", "test"), {block: "manifest.ways", kind: "GatewayClass", name: "x", namespace: "-", live: data()}}, 45},
	} {
		in := input(append(test.objects, stays)...)
		for i := range in.Changes {
			if in.Changes[i].ID.Namespace == "-" {
				in.Changes[i].ID.Namespace = ""
			}
		}
		in.Census = map[string]resource.Census{"main": {PerNamespace: map[string]int{"prod": 40, "test": 5}}}
		s := build(t, in).Steps()
		if len(s) != 1 || s[0].Impact.SessionsInterrupted != test.want || s[0].Relies == nil || s[0].Relies.Counted != test.want {
			t.Errorf("%s: %+v, want one step that interrupts %d, and relies on them", test.reason, s, test.want)
		}
	}
}
