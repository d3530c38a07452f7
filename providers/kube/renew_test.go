package kube

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/restmapper"
)

// A hand-over in a version that the server serves no more would be forgotten by it, and
// the apply after it would remove nothing.
func TestRenew(t *testing.T) {
	for _, test := range []struct{ version, want string }{
		{"policy/v1beta1", "policy/v1"}, {"policy/v1", "policy/v1"}, {"policy/v2", "policy/v2"},
	} {
		clients := fake.NewClientset()
		for _, served := range []string{"policy/v1", "policy/v2"} {
			clients.Resources = append(clients.Resources, &metav1.APIResourceList{
				GroupVersion: served, APIResources: []metav1.APIResource{{Name: "poddisruptionbudgets", Kind: "PodDisruptionBudget", Namespaced: true}},
			})
		}
		mapper := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(clients.Discovery()))
		p := &Provider{Client: &Client{types: newTypeIndex(nil), Mapper: mapper}, Owner: "conf"}
		live := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
			"metadata": map[string]any{"name": "web", "namespace": "n"}, "spec": map[string]any{"minAvailable": int64(1)},
		}}
		own := metav1.ManagedFieldsEntry{
			Manager: p.manager(), Operation: metav1.ManagedFieldsOperationApply, APIVersion: test.version, FieldsType: "FieldsV1",
			FieldsV1: &metav1.FieldsV1{Raw: []byte(`{"f:spec":{"f:minAvailable":{},"f:renamed":{}}}`)},
		}
		entries := []metav1.ManagedFieldsEntry{own}
		if err := p.renew(entries, live); err != nil {
			t.Fatal(err)
		}
		fields := string(entries[0].FieldsV1.GetRawBytes())
		if entries[0].APIVersion != test.want || !strings.Contains(fields, "f:minAvailable") {
			t.Errorf("%s: entry of %s with %s", test.version, entries[0].APIVersion, fields)
		}
		if kept := strings.Contains(fields, "f:renamed"); kept != (test.version == test.want) {
			t.Errorf("%s: fields %s", test.version, fields)
		}
	}
}
