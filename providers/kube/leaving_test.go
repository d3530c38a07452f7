package kube

import (
	"errors"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"

	"hubcap/engine/resource"
)

// goingNamespace is a namespace that hangs in Terminating.
func goingNamespace() *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Namespace",
		"metadata": map[string]any{"name": "prod", "deletionTimestamp": "2026-11-21T12:00:00Z"},
		"status": map[string]any{"conditions": []any{
			map[string]any{"type": "NamespaceContentRemaining", "status": "False", "message": "nothing"},
			map[string]any{"type": "NamespaceFinalizersRemaining", "status": "True", "message": "example.com/x in 1 resource instances"},
		}},
	}}
}

const goingReason = "namespace prod is being deleted since 2026-11-21T12:00:00Z, held: example.com/x in 1 resource instances; plan again once it is gone"

// TestLeavingNamespace holds that nothing in a namespace that is being deleted is as
// wanted, itself included: what is missing there and what still stands are refused in
// the same words, without a request.
func TestLeavingNamespace(t *testing.T) {
	p := offline()
	namespace := resource.Desired{
		ID: resource.ID{Cluster: "prod", Kind: "Namespace", Name: "prod"}, Presence: resource.Ensured,
		Object: resource.Object{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": "prod"}},
	}
	there, missing, elsewhere := webDesired(t), webDesired(t), webDesired(t)
	missing.ID.Name, elsewhere.ID.Namespace = "other", "test"
	s := &survey{p: p, desired: []resource.Desired{namespace, there, missing, elsewhere}, byID: map[resource.ID]int{}}
	for i, d := range s.desired {
		s.byID[d.ID] = i
	}
	s.live = []*unstructured.Unstructured{goingNamespace(), stored(t, p, there), nil, nil}
	for i, d := range s.desired[:3] {
		c := comparison{p: p, kind: &kind{}, desired: d, live: s.live[i], leaving: s.leaving(d)}
		o, err := c.observe(t.Context())
		if err != nil || o.Same || o.Refused != goingReason || (o.Live == nil) != (s.live[i] == nil) {
			t.Errorf("%s: %+v, %v; want it refused: %s", d.ID, o, err, goingReason)
		}
	}
	if got := s.leaving(elsewhere); got != "" {
		t.Errorf("in another namespace: %s", got)
	}
}

// TestBeingDeleted holds that an object which is being deleted is not as wanted,
// whatever its fields say.
func TestBeingDeleted(t *testing.T) {
	p, d := offline(), webDesired(t)
	live := stored(t, p, d)
	observe := func() *resource.Observation {
		prepared := d
		prepared.Object = p.prepare(d)
		o, err := (&comparison{p: p, kind: &kind{}, desired: prepared, live: live}).observe(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	if o := observe(); !o.Same || o.Refused != "" {
		t.Fatalf("before: %+v", o)
	}
	at := metav1.NewTime(appliedAt)
	live.SetDeletionTimestamp(&at)
	live.SetFinalizers([]string{"example.com/x"})
	want := "it is being deleted since 2026-11-21T12:00:00Z, held by the finalizer example.com/x; plan again once it is gone"
	if o := observe(); o.Refused != want || o.Live == nil {
		t.Errorf("got %+v, want it refused: %s", o, want)
	}
}

// TestRefusedInLeavingNamespace holds that a namespace which no block makes is told in
// the same words, when the server says that it is being deleted.
func TestRefusedInLeavingNamespace(t *testing.T) {
	p, at := offline(), metav1.NewTime(appliedAt)
	p.Client.Typed = fake.NewClientset(&corev1.Namespace{
		ObjectMeta: metav1.ObjectMeta{Name: "prod", DeletionTimestamp: &at, Finalizers: []string{"kubernetes"}},
		Status: corev1.NamespaceStatus{Conditions: []corev1.NamespaceCondition{
			{Type: corev1.NamespaceFinalizersRemaining, Status: corev1.ConditionTrue, Message: "example.com/x in 1 resource instances"},
		}},
	})
	refusal := apierrors.NewForbidden(schema.GroupResource{Resource: "configmaps"}, "a", errors.New("it is being terminated"))
	refusal.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: corev1.NamespaceTerminatingCause}}
	c := &comparison{p: p, kind: &kind{}, desired: webDesired(t)}
	o := &resource.Observation{Desired: c.desired, Preview: c.desired.Object}
	if err := c.rejected(t.Context(), o, refusal); err != nil || o.Refused != goingReason || o.Preview != nil {
		t.Errorf("%+v, %v; want it refused: %s", o, err, goingReason)
	}
	o = &resource.Observation{Desired: c.desired}
	webhook := apierrors.NewInternalError(errors.New(`failed calling webhook "w": connection refused`))
	if err := c.rejected(t.Context(), o, webhook); err != nil || !strings.Contains(o.Refused, "failed calling webhook") {
		t.Errorf("a webhook that is down: %+v, %v", o, err)
	}
}
