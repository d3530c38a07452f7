package kube

import (
	"errors"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// TestIsAboutObject holds which refusals of a try in another namespace count.
func TestIsAboutObject(t *testing.T) {
	kind, of := schema.GroupKind{Kind: "ConfigMap"}, schema.GroupResource{Resource: "configmaps"}
	long := field.ErrorList{field.TooLong(field.NewPath("metadata", "labels"), "x", 63)}
	webhook := apierrors.NewInvalid(kind, "a", nil)
	webhook.ErrStatus.Details = nil
	for name, test := range map[string]struct {
		err  error
		want bool
	}{
		"a label too long":    {apierrors.NewInvalid(kind, "a", long), true},
		"an entry twice":      {apierrors.NewInternalError(errors.New("failed to create typed patch object (default/a; v1): duplicate entries for key")), true},
		"too large":           {apierrors.NewRequestEntityTooLargeError("3 MiB"), true},
		"quota":               {apierrors.NewForbidden(of, "a", errors.New("exceeded quota")), false},
		"another of the name": {apierrors.NewConflict(of, "a", errors.New("the object has been modified")), false},
		"a webhook's 422":     {webhook, false},
		"a webhook's 400":     {apierrors.NewBadRequest("admission webhook denied the request"), false},
	} {
		if got := isAboutObject(test.err); got != test.want {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}
