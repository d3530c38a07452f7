package render

import (
	"strings"
	"testing"

	"hubcap/engine/plan"
	"hubcap/engine/resource"
)

// TestBackLine checks that the way back is said to disturb nobody only where the plan
// disturbs nobody, and that it says whose sessions it does not bring back.
func TestBackLine(t *testing.T) {
	step := func(block, kind string, action resource.Action, class resource.Class, impact resource.Impact) plan.Step {
		id := resource.ID{Kind: kind, Namespace: "prod", Name: "x"}
		if kind == resource.KindNodePool {
			id = resource.ID{Kind: kind, Group: resource.GroupGKE, Name: "x"}
		}
		s := plan.Step{Component: resource.Component{Block: resource.ParseAddress(block)}, Class: class, Impact: impact, Back: &resource.Impact{}}
		s.Changes = []resource.Change{{ID: id, Action: action, Class: class, Impact: impact}}
		return s
	}
	config := step("hub.prod", "ConfigMap", resource.Update, resource.ClassLive, resource.Impact{})
	lost, cut := resource.Impact{SessionsLost: 3}, resource.Impact{SessionsInterrupted: 3}
	for _, test := range []struct {
		reason string
		steps  []plan.Step
		want   string // after "a step that fails goes back by itself"
	}{
		{"a configuration", []plan.Step{config}, ", and disturbs nobody"},
		{"what disturbs nobody goes", []plan.Step{step("hub.prod", "ConfigMap", resource.Delete, resource.ClassLive, resource.Impact{})}, ", and disturbs nobody"},
		{"a hub goes", []plan.Step{config, step("hub.old", "Deployment", resource.Delete, resource.ClassDestructive, cut)}, "; sessions that end by hub.old do not come back"},
		{"a hub goes on which nobody was", []plan.Step{step("hub.old", "Deployment", resource.Delete, resource.ClassDestructive, resource.Impact{})}, "; sessions that end by hub.old do not come back"},
		{"a pool goes", []plan.Step{step("node_pool.x", resource.KindNodePool, resource.Delete, resource.ClassDestructive, lost)}, "; sessions that end by node_pool.x do not come back"},
		{"both go", []plan.Step{step("hub.old", "Deployment", resource.Delete, resource.ClassDestructive, cut), step("hub.old", "Service", resource.Delete, resource.ClassDestructive, cut), step("node_pool.x", resource.KindNodePool, resource.Delete, resource.ClassDestructive, lost)}, "; sessions that end by hub.old, node_pool.x do not come back"},
		{"a culler ends sessions", []plan.Step{step("hub.prod", "Secret", resource.Update, resource.ClassLive, lost)}, "; sessions that end by hub.prod do not come back"},
		{"no rule", []plan.Step{step("hub.prod", "Widget", resource.Update, resource.ClassRestart, resource.Impact{Unknown: true})}, ""},
	} {
		p := &plan.Plan{Waves: []plan.Wave{{Steps: test.steps}}}
		if got := strings.TrimPrefix(backLine(p), "a step that fails goes back by itself"); got != test.want {
			t.Errorf("%s: %q, want %q", test.reason, got, test.want)
		}
	}
}
