package kube

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"hubcap/engine/resource"
)

// deletion says since when u is being deleted and what holds it; empty when it is not,
// or when there is none.
func deletion(u *unstructured.Unstructured) string {
	if u == nil || u.GetDeletionTimestamp() == nil {
		return ""
	}
	text := "it is being deleted since " + u.GetDeletionTimestamp().UTC().Format("2006-01-02T15:04:05Z")
	if holds := u.GetFinalizers(); len(holds) > 0 {
		text += ", held by the finalizer " + strings.Join(holds, ", ")
	}
	return text + "; plan again once it is gone"
}

// namespaceDeletion says that u is a namespace that is being deleted, since when, and
// what the server says holds it; empty when it is not.
func namespaceDeletion(u *unstructured.Unstructured) string {
	if u == nil || u.GetDeletionTimestamp() == nil {
		return ""
	}
	text := fmt.Sprintf("namespace %s is being deleted since %s", u.GetName(), u.GetDeletionTimestamp().UTC().Format("2006-01-02T15:04:05Z"))
	if holds := heldBy(u); len(holds) > 0 {
		text += ", held: " + strings.Join(holds, "; ")
	}
	return text + "; plan again once it is gone"
}

// heldBy returns what the server says keeps a namespace from going.
func heldBy(u *unstructured.Unstructured) []string {
	conditions, _, _ := unstructured.NestedSlice(u.Object, "status", "conditions")
	var holds []string
	for _, v := range conditions {
		c, _ := v.(map[string]any)
		message, _ := c["message"].(string)
		if c["status"] == "True" && message != "" {
			holds = append(holds, message)
		}
	}
	slices.Sort(holds)
	return holds
}

// leaving says why nothing may be written to a desired object now: its namespace, or
// the namespace that it is, is being deleted. It makes no request.
func (s *survey) leaving(d resource.Desired) string {
	name := d.ID.Namespace
	if groupKind(d.ID) == namespaceKind {
		name = d.ID.Name
	}
	i, wanted := s.byID[resource.ID{Cluster: s.p.Cluster, Kind: "Namespace", Name: name}]
	if name == "" || !wanted {
		return ""
	}
	return namespaceDeletion(s.live[i])
}

// inLeavingNamespace reports whether the server refused to make something because its
// namespace is being deleted, and says so in the same words for all of them.
func (c *comparison) inLeavingNamespace(ctx context.Context, err error) (string, bool) {
	if !apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
		return "", false
	}
	name := c.desired.ID.Namespace
	var found *corev1.Namespace
	readErr := retryRead(ctx, func() (err error) {
		found, err = c.p.Client.Typed.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
		return err
	})
	if readErr != nil || found.DeletionTimestamp == nil {
		return fmt.Sprintf("namespace %s is being deleted; plan again once it is gone", name), true
	}
	tree, convertErr := runtime.DefaultUnstructuredConverter.ToUnstructured(found)
	if convertErr != nil {
		panic("kube: a namespace is no object: " + convertErr.Error())
	}
	return namespaceDeletion(&unstructured.Unstructured{Object: tree}), true
}
