package kube

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"hubcap/engine/resource"
)

// ending says that the i-th desired object is in a namespace that is being deleted, or is
// one, and then what holds it; empty: neither. The server creates nothing in it, and what is
// in it goes.
func (s *survey) ending(i int) string {
	id := s.desired[i].ID
	if id.Namespace == "" && groupKind(id) != groupKind(resource.ID{Kind: "Namespace"}) {
		return ""
	}
	if id.Namespace != "" {
		n, wanted := s.byID[resource.ID{Cluster: s.p.Cluster, Kind: "Namespace", Name: id.Namespace}]
		if !wanted {
			return ""
		}
		text, _, _ := strings.Cut(endingText(s.live[n]), ",")
		return text
	}
	return endingText(s.live[i])
}

// endingText says since when a namespace is being deleted, and what holds it; empty: it
// is not.
func endingText(namespace *unstructured.Unstructured) string {
	if namespace == nil || namespace.GetDeletionTimestamp() == nil {
		return ""
	}
	text := "namespace " + namespace.GetName() + " is being deleted since " + namespace.GetDeletionTimestamp().UTC().Format("2006-01-02T15:04:05Z")
	var n corev1.Namespace
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(namespace.Object, &n); err != nil {
		return text
	}
	var held []string
	for _, c := range n.Status.Conditions {
		if c.Status == corev1.ConditionTrue && c.Message != "" {
			held = append(held, c.Message)
		}
	}
	if len(held) > 0 {
		text += ", and is held: " + strings.Join(held, "; ")
	}
	return text
}
