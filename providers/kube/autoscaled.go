package kube

import (
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"hubcap/engine/resource"
)

// leaveScaled gives up the replicas of workloads that an autoscaler of the config
// scales. Charts say both, and Helm, which only writes what changes between two
// revisions, never takes back what the autoscaler did. Once somebody scaled the
// workload the number is theirs; until then it stays as it is, because a field
// that its only owner drops gets the server's default, which is one.
func (s *survey) leaveScaled() {
	for i := range s.desired {
		if s.desired[i].ID.Group != "autoscaling" || s.desired[i].ID.Kind != "HorizontalPodAutoscaler" {
			continue
		}
		target, isThere := s.byID[scaledBy(s.desired[i])]
		if !isThere || s.live[target] == nil || s.desired[target].GivesBack != nil {
			continue
		}
		spec, _ := s.desired[target].Object["spec"].(map[string]any)
		replicas, isSet, err := unstructured.NestedFieldNoCopy(s.live[target].Object, "spec", "replicas")
		switch {
		case spec == nil || spec["replicas"] == nil:
		case wasScaled(s.live[target]):
			delete(spec, "replicas")
		case isSet && err == nil:
			spec["replicas"] = replicas
		}
	}
}

// scaledBy returns what an autoscaler scales.
func scaledBy(autoscaler resource.Desired) resource.ID {
	id := resource.ID{
		Cluster: autoscaler.ID.Cluster, Namespace: autoscaler.ID.Namespace,
		Kind: autoscaler.Object.Text("spec", "scaleTargetRef", "kind"), Name: autoscaler.Object.Text("spec", "scaleTargetRef", "name"),
	}
	if group, _, isGroup := strings.Cut(autoscaler.Object.Text("spec", "scaleTargetRef", "apiVersion"), "/"); isGroup {
		id.Group = group
	}
	return id
}

// wasScaled reports whether somebody, such as an autoscaler, owns the replicas of u
// by having scaled it.
func wasScaled(u *unstructured.Unstructured) bool {
	for _, entry := range u.GetManagedFields() {
		if entry.Subresource == "scale" {
			return true
		}
	}
	return false
}
