package resource

import (
	"cmp"
	"slices"
	"strings"
)

// AnnotationHook is on an object that hubcap made as a hook: the event for which.
const AnnotationHook = "hubcap.dev/hook"

// AnnotationHookPolicy is where a chart says when a hook's object is deleted.
const AnnotationHookPolicy = "helm.sh/hook-delete-policy"

// A Hook says when a chart wants an object made beside those that it keeps, and
// what is to become of it then.
type Hook struct {
	Event    string   `json:"event"`              // "pre-upgrade"
	Weight   int      `json:"weight"`             // hooks of one event run in this order
	Policies []string `json:"policies,omitempty"` // when it is deleted: "before-hook-creation", "hook-succeeded", "hook-failed"
}

// The delete policies of hooks. Before a hook is made, what an earlier run left of
// it always goes: nothing else could be made.
const (
	DeleteSucceeded = "hook-succeeded"
	DeleteFailed    = "hook-failed"
)

// Deletes reports whether the hook's object is deleted under a policy.
func (h Hook) Deletes(policy string) bool { return slices.Contains(h.Policies, policy) }

// Before reports whether the hook runs before the steps of its block.
func (h Hook) Before() bool { return IsBefore(h.Event) }

// IsBefore reports whether an event comes before the steps of a block.
func IsBefore(event string) bool { return strings.HasPrefix(event, "pre-") }

// Waits reports whether a hook of this kind is waited for until it has ended: a
// job or a pod. Others have done their part once they exist.
func Waits(id ID) bool {
	return id.Kind == "Job" && id.Group == "batch" || id.Kind == "Pod" && id.Group == ""
}

// HookMark returns the event for which hubcap made the object as a hook, or "".
func HookMark(o Object) string { return o.Text("metadata", "annotations", AnnotationHook) }

// CompareHooks orders hooks of one event as they run: by weight, then kind, then
// name.
func CompareHooks(a, b Desired) int {
	return cmp.Or(
		cmp.Compare(a.Hook.Weight, b.Hook.Weight),
		cmp.Compare(installRank(a.ID.Kind), installRank(b.ID.Kind)),
		cmp.Compare(a.ID.Kind, b.ID.Kind),
		cmp.Compare(a.ID.Name, b.ID.Name),
		cmp.Compare(a.ID.Namespace, b.ID.Namespace),
	)
}

// installOrder is the order of kinds in which charts expect their objects made.
var installOrder = []string{
	"PriorityClass", "Namespace", "NetworkPolicy", "ResourceQuota", "LimitRange", "PodSecurityPolicy", "PodDisruptionBudget",
	"ServiceAccount", "Secret", "SecretList", "ConfigMap", "StorageClass", "PersistentVolume", "PersistentVolumeClaim",
	"CustomResourceDefinition", "ClusterRole", "ClusterRoleList", "ClusterRoleBinding", "ClusterRoleBindingList", "Role",
	"RoleList", "RoleBinding", "RoleBindingList", "Service", "DaemonSet", "Pod", "ReplicationController", "ReplicaSet",
	"Deployment", "HorizontalPodAutoscaler", "StatefulSet", "Job", "CronJob", "IngressClass", "Ingress", "APIService",
}

func installRank(kind string) int {
	if i := slices.Index(installOrder, kind); i >= 0 {
		return i
	}
	return len(installOrder)
}

// AnnotationRecord is on an object in which hubcap keeps what it must know of a
// block and can read nowhere else. That one changes is no change of the block.
const AnnotationRecord = "hubcap.dev/record"

// IsRecord reports whether an object is such a record.
func IsRecord(o Object) bool { return o.Text("metadata", "annotations", AnnotationRecord) != "" }

// HooksComponent is the name of the component that the hooks of a block's chart are.
const HooksComponent = "hooks"
