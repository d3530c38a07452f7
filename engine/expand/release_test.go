package expand

import (
	"testing"

	"hubcap/engine/resource"
)

func TestClaims(t *testing.T) {
	m := &maker{namespace: "prod", desired: []resource.Desired{{Presence: resource.Managed}, {Presence: resource.Ensured}}}
	m.claims("hub", false)
	want := resource.Release{Namespace: "prod", Name: "hub"}
	if got := m.desired[0]; got.Release == nil || *got.Release != want || got.Adopt {
		t.Errorf("a chart's object: %+v", got)
	}
	if got := m.desired[1]; got.Release != nil {
		t.Errorf("a namespace is nobody's to take over: %+v", got)
	}
	m.claims("", true)
	if got := m.desired[0]; !got.Adopt {
		t.Errorf("with adopt: %+v", got)
	}
}
