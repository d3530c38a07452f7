package plan

import (
	"strings"
	"testing"

	"hubcap/engine/resource"
)

// TestOneWayFields holds that a field that cannot go back is known beforehand, and that
// the rest of its step goes back.
func TestOneWayFields(t *testing.T) {
	for _, test := range []struct {
		kind, path string
		action     resource.Action
		oneWay     bool
	}{
		{"PersistentVolumeClaim", "spec.resources.requests.storage", resource.Update, true},
		{"PersistentVolumeClaim", "metadata.labels.a", resource.Update, false},
		{"PersistentVolumeClaim", "spec.resources.requests.storage", resource.Create, false},
		{"CustomResourceDefinition", "spec.versions[v2].name", resource.Update, true},
		{"ConfigMap", "data.a", resource.Update, false},
	} {
		c := resource.Change{ID: resource.ID{Kind: test.kind}, Action: test.action, Fields: []resource.Field{{Path: test.path}}}
		noteOneWay(&c)
		said := strings.Contains(strings.Join(c.Notes, ";"), "there is no way back for ")
		if c.Impact.OneWay != test.oneWay || said != test.oneWay {
			t.Errorf("%s %s: one-way %t, notes %q", test.kind, test.path, c.Impact.OneWay, c.Notes)
		}
		other := resource.Change{ID: resource.ID{Kind: "ConfigMap"}, Action: resource.Update}
		if new(builder).back(Step{OnFailure: Rollback, Changes: []resource.Change{c, other}}) == nil {
			t.Errorf("%s %s: the rest of the step has no way back", test.kind, test.path)
		}
		if alone := new(builder).back(Step{OnFailure: Rollback, Changes: []resource.Change{c}}); (alone == nil) != test.oneWay {
			t.Errorf("%s %s alone: way back %+v", test.kind, test.path, alone)
		}
	}
}
