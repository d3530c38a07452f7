package kube

import (
	"context"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"hubcap/engine/resource"
)

// leaveScaled gives up the replicas of workloads that an autoscaler scales, of the
// config or of anybody. Charts say both, and Helm, which only writes what changes between two
// revisions, never takes back what the autoscaler did. Once somebody scaled the
// workload the number is theirs; until then it stays as it is, because a field
// that its only owner drops gets the server's default, which is one.
func (s *survey) leaveScaled(ctx context.Context) error {
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
			s.giveUp(target, replicasOf(s.live[target]))
		case isSet && err == nil:
			spec["replicas"] = replicas
		}
	}
	return s.leaveOthersScaled(ctx)
}

// autoscalerManager writes for the HorizontalPodAutoscalers of a cluster.
const autoscalerManager = "kube-controller-manager"

// leaveOthersScaled gives up the replicas of workloads that an autoscaler has scaled
// which the config does not know: made by hand, by KEDA, by another config. It is told
// by who scaled; where that does not tell, the autoscalers of the namespace are listed.
// Where these may not be read, the number is left alone and the plan is incomplete.
func (s *survey) leaveOthersScaled(ctx context.Context) error {
	targets := map[string]map[resource.ID]bool{} // by namespace; nil where they cannot be read
	for i, d := range s.desired {
		spec, _ := d.Object["spec"].(map[string]any)
		scaler := scalerOf(s.live[i])
		if spec == nil || spec["replicas"] == nil || scaler == "" || d.GivesBack != nil {
			continue
		}
		if scaler != autoscalerManager {
			known, listed := targets[d.ID.Namespace]
			if !listed {
				var err error
				if known, err = s.autoscaled(ctx, d.ID.Namespace); err != nil {
					return err
				}
				targets[d.ID.Namespace] = known
			}
			if known != nil && !known[d.ID] {
				continue // a person scaled it
			}
		}
		s.giveUp(i, replicasOf(s.live[i]))
	}
	return nil
}

var autoscalers = schema.GroupVersionResource{Group: "autoscaling", Version: "v2", Resource: "horizontalpodautoscalers"}

// autoscaled returns what the autoscalers of a namespace scale; nil when they cannot be
// read.
func (s *survey) autoscaled(ctx context.Context, namespace string) (map[resource.ID]bool, error) {
	var targets map[resource.ID]bool
	err := retryRead(ctx, func() error {
		targets = map[resource.ID]bool{}
		return s.p.eachPage(ctx, s.p.Client.Dynamic.Resource(autoscalers).Namespace(namespace), "", func(u *unstructured.Unstructured) {
			id := resource.ID{Cluster: s.p.Cluster, Namespace: namespace}
			targets[scaledBy(resource.Desired{ID: id, Object: u.Object})] = true
		})
	})
	switch {
	case err == nil:
		return targets, nil
	case s.p.Client.hopeless(ctx, err):
		return nil, s.p.Client.explain("read", "autoscalers", err)
	}
	s.cannotRead("autoscalers in namespace "+namespace, err, nil)
	return nil, nil
}

// scalerOf returns who scaled u last and owns its replicas now; empty when nobody does.
func scalerOf(u *unstructured.Unstructured) string {
	if u == nil {
		return ""
	}
	for _, entry := range u.GetManagedFields() {
		if set, err := entrySet(entry); entry.Subresource == "scale" && err == nil && set.Has(replicasField) {
			return entry.Manager
		}
	}
	return ""
}

// replicasOf is where a workload is ahead whose replicas are an autoscaler's.
func replicasOf(u *unstructured.Unstructured) lead {
	replicas, _ := resource.Object(u.Object).Value("spec", "replicas")
	return lead{path: []string{"spec", "replicas"}, live: replicas}
}

var replicasField = fieldpath.MakePathOrDie("spec", "replicas")

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
