package plan_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hubcap/engine/plan"
	"hubcap/engine/resource"
)

// hookOf is a hook of hub.prod.
func hookOf(kind, name, event string, weight int, policies ...string) resource.Desired {
	group := ""
	if kind == "Job" {
		group = "batch"
	}
	block := resource.ParseAddress("hub.prod")
	address := block
	address.Object = kind + "/" + name
	return resource.Desired{
		ID:      resource.ID{Cluster: "main", Group: group, Kind: kind, Namespace: "prod", Name: name},
		Address: address, Component: resource.Component{Block: block, Name: resource.HooksComponent},
		Object:   resource.Object{"kind": kind, "metadata": map[string]any{"name": name, "annotations": map[string]any{resource.AnnotationHook: event}}},
		Presence: resource.Managed, Hook: &resource.Hook{Event: event, Weight: weight, Policies: policies},
	}
}

// TestHookSteps checks where the steps of hooks stand in a plan.
func TestHookSteps(t *testing.T) {
	hooks := []resource.Desired{
		hookOf("Job", "second", "pre-upgrade", 10, resource.DeleteSucceeded),
		hookOf("Job", "first", "pre-upgrade", 0), hookOf("ServiceAccount", "first", "pre-upgrade", 0),
		hookOf("Job", "after", "post-upgrade", 0), hookOf("Job", "install", "pre-install", 0),
	}
	hub := object{block: "hub.prod", component: "hub", kind: "ConfigMap", name: "c", want: data("a", "2"), live: data("a", "1")}
	proxy := object{block: "hub.prod", component: "proxy", kind: "ConfigMap", name: "p", want: data("a", "2"), live: data("a", "1")}
	same := object{block: "hub.prod", component: "proxy", kind: "ConfigMap", name: "s", want: data("a", "1"), live: data("a", "1")}
	gone := object{block: "hub.prod", component: "hub", kind: "ConfigMap", name: "g", live: data("a", "1")}
	pull := object{block: "hub.prod", component: "image-pull-secret", kind: "Secret", name: "pull", want: data("a", "2"), live: data("a", "1")}
	namespace := object{block: "hub.prod", component: "namespace", kind: "Namespace", name: "prod", want: map[string]any{}, ensured: true}
	crd := object{block: "hub.prod", component: "crds", kind: "CustomResourceDefinition", name: "w", want: map[string]any{"spec": map[string]any{}}}
	fresh := object{block: "hub.prod", component: "hub", kind: "ConfigMap", name: "c", want: data("a", "2")}
	later := object{block: "hub.zz", component: "hub", kind: "ConfigMap", name: "c", want: data("a", "2"), live: data("a", "1"), line: 9}
	for _, test := range []struct {
		reason  string
		objects []object
		edit    func(*plan.Input)
		want    []string
	}{
		{"around the block's steps, by weight, ending a step with each that is waited for", []object{hub, proxy, later}, nil, []string{
			"hub.prod | 01-hub.prod/hooks | hook: +ServiceAccount/first +Job/first",
			"hub.prod | 02-hub.prod/hooks | hook: +Job/second",
			"hub.prod | 03-hub.prod/hooks | hook: -Job/second",
			"hub.prod | 04-hub.prod/proxy | live: ~ConfigMap/p",
			"hub.prod | 05-hub.prod/hub | live: ~ConfigMap/c",
			"hub.prod | 06-hub.prod/hooks | hook: +Job/after",
			"hub.zz | 07-hub.zz/hub | live: ~ConfigMap/c",
		}},
		{"an installation has its own, after definitions and the namespace", []object{fresh, namespace, crd}, nil, []string{
			"hub.prod | 01-hub.prod/crds | live: +CustomResourceDefinition/w",
			"hub.prod | 02-hub.prod/hooks | hook: +Namespace/prod +Job/install",
			"hub.prod | 03-hub.prod/hub | live: +ConfigMap/c",
		}},
		{"an installation that is owed its end is one still", []object{hub}, func(in *plan.Input) {
			in.Owed = map[resource.Address]string{resource.ParseAddress("hub.prod"): "post-install"}
		}, []string{
			"hub.prod | 01-hub.prod/hooks | hook: +Job/install",
			"hub.prod | 02-hub.prod/hub | live: ~ConfigMap/c",
		}},
		{"what is owed runs alone", []object{same}, func(in *plan.Input) {
			in.Owed = map[resource.Address]string{resource.ParseAddress("hub.prod"): "post-upgrade"}
		}, []string{"hub.prod | 01-hub.prod/hooks | hook: +Job/after"}},
		{"nothing changes: nothing runs", []object{same}, nil, []string{}},
		{"left out by selection", []object{hub, same}, func(in *plan.Input) { in.Except = []string{"hub.prod/hooks"} }, []string{
			"hub.prod | 01-hub.prod/hub | live: ~ConfigMap/c",
		}},
		{"selected without them", []object{hub, proxy}, func(in *plan.Input) { in.Only = []string{"hub.prod/proxy"} }, []string{
			"hub.prod | 01-hub.prod/proxy | live: ~ConfigMap/p",
		}},
		{"around removals when there is nothing else", []object{same, gone}, nil, []string{
			"removals | 01-hub.prod/hooks | hook: +ServiceAccount/first +Job/first",
			"removals | 02-hub.prod/hooks | hook: +Job/second",
			"removals | 03-hub.prod/hooks | hook: -Job/second",
			"removals | 04-hub.prod/hub | live: -ConfigMap/g",
			"removals | 05-hub.prod/hooks | hook: +Job/after",
		}},
		{"an object that stays takes the place of its hook", []object{hub, pull}, func(in *plan.Input) {
			for i := range in.Reading.Observations {
				if o := &in.Reading.Observations[i]; o.Desired.ID.Name == "pull" {
					o.Desired.Hook = &resource.Hook{Event: "pre-install", Weight: 5}
				}
			}
		}, []string{
			"hub.prod | 01-hub.prod/hooks | hook: +ServiceAccount/first +Job/first",
			"hub.prod | 02-hub.prod/hooks | hook: ~Secret/pull +Job/second",
			"hub.prod | 03-hub.prod/hooks | hook: -Job/second",
			"hub.prod | 04-hub.prod/hub | live: ~ConfigMap/c",
			"hub.prod | 05-hub.prod/hooks | hook: +Job/after",
		}},
		{"our own marks are no change", []object{same, hub}, func(in *plan.Input) {
			for i := range in.Changes {
				in.Changes[i].Fields = []resource.Field{{Path: `metadata.labels["hubcap.dev/config"]`, After: "default"}}
			}
		}, []string{"hub.prod | 01-hub.prod/hub | live: ~ConfigMap/c"}},
	} {
		in := input(test.objects...)
		in.Hooks = hooks
		if test.edit != nil {
			test.edit(&in)
		}
		p := build(t, in)
		if diff := cmp.Diff(test.want, lines(p)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.reason, diff)
		}
		for _, s := range p.Steps() {
			if s.Hook != "" && (len(s.Gates) > 0 || s.Impact != (resource.Impact{})) {
				t.Errorf("%s: step %s of hooks has gates or an impact", test.reason, s.ID)
			}
		}
	}
}

// TestHooksLeft checks what becomes of objects that earlier hooks left.
func TestHooksLeft(t *testing.T) {
	hub := object{block: "hub.prod", component: "hub", kind: "ConfigMap", name: "c", want: data("a", "2"), live: data("a", "1")}
	same := object{block: "hub.prod", component: "hub", kind: "ConfigMap", name: "c", want: data("a", "1"), live: data("a", "1")}
	other := object{block: "hub.other", component: "hub", kind: "ConfigMap", name: "o", want: data("a", "1"), live: data("a", "1")}
	left := func(name, policy string) object {
		notes := map[string]any{resource.AnnotationHook: "pre-upgrade"}
		if policy != "" {
			notes[resource.AnnotationHookPolicy] = policy
		}
		return object{block: "hub.prod", component: resource.HooksComponent, kind: "ServiceAccount", name: name,
			live: map[string]any{"metadata": map[string]any{"name": name, "annotations": notes}}}
	}
	rendered := []resource.Desired{hookOf("ServiceAccount", "stays", "pre-upgrade", 0)}
	for _, test := range []struct {
		reason  string
		objects []object
		want    []string
	}{
		{"one that is to stay, of a hook that the chart has", []object{same, left("stays", "")}, nil},
		{"one that is to stay, of a hook that the chart has no more", []object{same, left("old", "")}, nil},
		{"the same, when something changes", []object{hub, left("old", "")}, []string{"create stays", "update c", "delete old"}},
		{"one that should have gone", []object{same, left("cut", "before-hook-creation,hook-succeeded")}, []string{"delete cut"}},
		{"one of a block that is gone", []object{other, left("stays", "")}, []string{"delete stays"}},
	} {
		in := input(test.objects...)
		in.Hooks = rendered
		var got []string
		for _, s := range build(t, in).Steps() {
			for _, c := range s.Changes {
				got = append(got, fmt.Sprintf("%s %s", c.Action, c.ID.Name))
			}
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.reason, diff)
		}
	}
}
