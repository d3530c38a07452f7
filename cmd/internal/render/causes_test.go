package render

import (
	"testing"

	"hubcap/engine/plan"
	"hubcap/engine/resource"
)

// TestCauses checks which field a step's one line names: the one that a person changed,
// before those that go because of it.
func TestCauses(t *testing.T) {
	step := func(fields ...resource.Field) plan.Step {
		return plan.Step{Changes: []resource.Change{{Action: resource.Update, Fields: fields}}}
	}
	surge := resource.Field{Path: "spec.strategy.rollingUpdate.maxSurge", Before: "25%"}
	kind := resource.Field{Path: "spec.strategy.type", Before: "RollingUpdate", After: "Recreate"}
	image := resource.Field{Path: "spec.template.spec.containers[hub].image", Before: "a:1", After: "a:2"}
	for _, test := range []struct {
		reason string
		fields []resource.Field
		want   string
	}{
		{"the type of a strategy, before its parameters", []resource.Field{surge, kind}, kind.Path},
		{"what goes, where nothing is set", []resource.Field{surge}, surge.Path},
		{"an image before all", []resource.Field{surge, kind, image}, image.Path},
	} {
		if got := causes(step(test.fields...)); len(got) != len(test.fields) || got[0].Path != test.want {
			t.Errorf("%s: %v, want %s first", test.reason, got, test.want)
		}
	}
}
