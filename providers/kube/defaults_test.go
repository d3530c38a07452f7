package kube

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	sm "sigs.k8s.io/structured-merge-diff/v6/value"

	"hubcap/engine/resource"
)

// TestDefaults checks which fields of a pre-image nobody owned, and what is left of it
// when it is written without them.
func TestDefaults(t *testing.T) {
	const text = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: prod, labels: {a: b}, finalizers: [example.org/held]}
spec:
  replicas: 1
  paused: true
  strategy: {type: RollingUpdate}
  template: {spec: {containers: [{name: web, image: "web:1", imagePullPolicy: Always}, {name: side, image: "side:1"}]}}
`
	name := func(n string) any { return fieldpath.KeyByFields("name", n) }
	containers := []any{"spec", "template", "spec", "containers"}
	of := func(container string, field ...any) fieldpath.Path {
		return path(append(append(append([]any{}, containers...), name(container)), field...)...)
	}
	replicas, strategy, policy := path("spec", "replicas"), path("spec", "strategy", "type"), of("web", "imagePullPolicy")
	ours := fieldpath.NewSet(path("metadata", "labels", "a"), path("spec", "paused"), of("web"), of("web", "name"), of("web", "image"), of("side"), of("side", "name"), of("side", "image"))
	scaled := fieldsEntry(t, "autoscaler", metav1.ManagedFieldsOperationUpdate, fieldpath.NewSet(replicas))
	scaled.Subresource = "scale"
	byHand := fieldsEntry(t, "somebody", metav1.ManagedFieldsOperationUpdate, fieldpath.NewSet(strategy))
	applied := fieldsEntry(t, "hubcap", metav1.ManagedFieldsOperationApply, ours)
	all := fieldpath.NewSet(replicas, strategy, policy, path("spec", "paused"), path("spec", "minReadySeconds"), path("metadata", "finalizers", sm.NewValueInterface("example.org/held")))
	for _, test := range []struct {
		name    string
		entries []metav1.ManagedFieldsEntry
		want    *fieldpath.Set
	}{
		{"only we wrote", []metav1.ManagedFieldsEntry{applied}, fieldpath.NewSet(replicas, strategy, policy)},
		{"others wrote, too", []metav1.ManagedFieldsEntry{applied, scaled, byHand}, fieldpath.NewSet(policy)},
		{"nobody is known to have written", nil, fieldpath.NewSet()},
	} {
		t.Run(test.name, func(t *testing.T) {
			live := &unstructured.Unstructured{Object: tree(t, text)}
			live.SetManagedFields(test.entries)
			left, err := entrySet(metav1.ManagedFieldsEntry{FieldsV1: metav1.NewFieldsV1(orNone(defaults(live, all)))})
			if err != nil || !left.Equals(test.want) {
				t.Fatalf("nobody owns %v, %v; want %v", left, err, test.want)
			}
			p := offline()
			whole := resource.Object(tree(t, text))
			rest := p.without(whole, left)
			for _, path := range leaves(all) {
				_, had := at(whole, path)
				_, has := at(rest, path)
				if has != (had && !left.Has(path)) {
					t.Errorf("%s stays: %t", pathText(path), has)
				}
			}
			if _, has := at(rest, of("side", "image")); !has || rest.Text("metadata", "labels", "a") != "b" {
				t.Errorf("what is owned went, too: %v", rest)
			}
			c := &comparison{p: p, answer: &unstructured.Unstructured{Object: tree(t, text)}}
			if lost := c.notFilledIn(left, whole); !lost.Empty() {
				t.Errorf("lost %v, and the server fills in all of them", lost)
			}
			c.answer.Object["spec"].(map[string]any)["strategy"] = map[string]any{"type": "Recreate"}
			if lost := c.notFilledIn(left, whole); !lost.Equals(left.Intersection(fieldpath.NewSet(strategy))) {
				t.Errorf("lost %v, and the server fills in another strategy", lost)
			}
		})
	}
}

func orNone(text string) string {
	if text == "" {
		return "{}"
	}
	return text
}
