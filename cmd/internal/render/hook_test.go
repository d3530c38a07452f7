package render

import (
	"strings"
	"testing"

	"hubcap/engine/plan"
	"hubcap/engine/resource"
)

// TestHooksAreCountedApart checks that what hooks make is neither added nor removed.
func TestHooksAreCountedApart(t *testing.T) {
	job := func(action resource.Action) resource.Change {
		return resource.Change{
			ID: resource.ID{Kind: "Job", Name: "awaiter"}, Action: action, Class: resource.ClassHook,
			Hook: &resource.Hook{Event: "pre-upgrade", Weight: 10}, Notes: []string{"hook pre-upgrade: Job/awaiter (weight 10), deleted when it succeeds"},
		}
	}
	p := &plan.Plan{Waves: []plan.Wave{{Name: "hub.prod", Steps: []plan.Step{
		{Hook: "pre-upgrade", Class: resource.ClassHook, Component: resource.Component{Block: resource.ParseAddress("hub.prod"), Name: "hooks"},
			Changes: []resource.Change{job(resource.Create)}},
		{Hook: "pre-upgrade", Class: resource.ClassHook, Changes: []resource.Change{job(resource.Delete)}},
	}}}}
	if got := Footer(p); got != "Plan: 0 to add, 0 to change, 0 to remove, 1 hook to run." {
		t.Errorf("footer = %q", got)
	}
	text := Plan(p, Style{Width: 100})
	for _, want := range []string{"hub.prod/hooks", "hook pre-upgrade: Job/awaiter (weight 10), deleted when it succeeds"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing from\n%s", want, text)
		}
	}
}
