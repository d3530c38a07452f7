package plan_test

import (
	"strings"
	"testing"

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
