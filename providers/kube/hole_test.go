package kube

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"hubcap/engine/resource"
)

// Going back to what was before gives up no field: a zero value that the server
// does not keep is ours all the same.
func TestPartOwnsWhatWasOwned(t *testing.T) {
	p := offline()
	was := webDesired(t, "replicas: 1", "minReadySeconds: 0", "image:", "workingDir: \"\"\n        image:")
	live := stored(t, p, was)
	unstructured.RemoveNestedField(live.Object, "spec", "minReadySeconds")
	containers, _, _ := unstructured.NestedSlice(live.Object, "spec", "template", "spec", "containers")
	delete(containers[0].(map[string]any), "workingDir")
	if err := unstructured.SetNestedSlice(live.Object, containers, "spec", "template", "spec", "containers"); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ reason, from, to string }{
		{"another field changes", "web:1", "web:2"},
		{"the field itself changes", "replicas: 1", "minReadySeconds: 5"},
		{"the field is given up", "replicas: 1", "paused: false"},
	} {
		d := webDesired(t, tc.from, tc.to)
		d.Object = p.prepare(d)
		c := &comparison{p: p, desired: d, live: live, kind: &kind{}}
		if !c.measure() {
			t.Fatal("a Deployment has a known type")
		}
		before := resource.Reveal(c.part(live)).(map[string]any)
		set, err := p.Client.types.fieldSet(before)
		if err != nil {
			t.Fatal(err)
		}
		if lost := c.owns.Difference(set); !lost.Empty() {
			t.Errorf("%s: going back would give up %s", tc.reason, lost)
		}
	}
}
