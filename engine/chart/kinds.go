package chart

import "strings"

// DefaultKubeVersion is the Kubernetes that a chart sees when there is no
// cluster to ask.
const DefaultKubeVersion = "v1.36.0"

// A scope says whether objects of a kind lie in a namespace.
type scope int

const (
	namespaced scope = iota + 1
	clusterWide
)

// builtinKinds is what every Kubernetes since 1.34 serves unasked, by API
// version. Charts ask for these to choose between API versions.
var builtinKinds = []struct {
	apiVersion string
	scope      scope
	kinds      string
}{
	{"v1", namespaced, "Binding ConfigMap Endpoints Event LimitRange PersistentVolumeClaim Pod PodTemplate ReplicationController ResourceQuota Secret Service ServiceAccount"},
	{"v1", clusterWide, "ComponentStatus Namespace Node PersistentVolume"},
	{"admissionregistration.k8s.io/v1", clusterWide, "MutatingWebhookConfiguration ValidatingAdmissionPolicy ValidatingAdmissionPolicyBinding ValidatingWebhookConfiguration"},
	{"apiextensions.k8s.io/v1", clusterWide, "CustomResourceDefinition"},
	{"apiregistration.k8s.io/v1", clusterWide, "APIService"},
	{"apps/v1", namespaced, "ControllerRevision DaemonSet Deployment ReplicaSet StatefulSet"},
	{"authentication.k8s.io/v1", clusterWide, "SelfSubjectReview TokenReview"},
	{"authorization.k8s.io/v1", namespaced, "LocalSubjectAccessReview"},
	{"authorization.k8s.io/v1", clusterWide, "SelfSubjectAccessReview SelfSubjectRulesReview SubjectAccessReview"},
	{"autoscaling/v1", namespaced, "HorizontalPodAutoscaler"},
	{"autoscaling/v2", namespaced, "HorizontalPodAutoscaler"},
	{"batch/v1", namespaced, "CronJob Job"},
	{"certificates.k8s.io/v1", clusterWide, "CertificateSigningRequest"},
	{"coordination.k8s.io/v1", namespaced, "Lease"},
	{"discovery.k8s.io/v1", namespaced, "EndpointSlice"},
	{"events.k8s.io/v1", namespaced, "Event"},
	{"flowcontrol.apiserver.k8s.io/v1", clusterWide, "FlowSchema PriorityLevelConfiguration"},
	{"networking.k8s.io/v1", namespaced, "Ingress NetworkPolicy"},
	{"networking.k8s.io/v1", clusterWide, "IPAddress IngressClass ServiceCIDR"},
	{"node.k8s.io/v1", clusterWide, "RuntimeClass"},
	{"policy/v1", namespaced, "Eviction PodDisruptionBudget"},
	{"rbac.authorization.k8s.io/v1", namespaced, "Role RoleBinding"},
	{"rbac.authorization.k8s.io/v1", clusterWide, "ClusterRole ClusterRoleBinding"},
	{"resource.k8s.io/v1", namespaced, "ResourceClaim ResourceClaimTemplate"},
	{"resource.k8s.io/v1", clusterWide, "DeviceClass ResourceSlice"},
	{"scheduling.k8s.io/v1", clusterWide, "PriorityClass"},
	{"storage.k8s.io/v1", namespaced, "CSIStorageCapacity"},
	{"storage.k8s.io/v1", clusterWide, "CSIDriver CSINode StorageClass VolumeAttachment VolumeAttributesClass"},
}

// foreignClusterWide is kinds without a namespace that are not Kubernetes's own
// and that charts of this trade bring objects of, although their definitions are
// installed by someone else.
var foreignClusterWide = map[string]string{
	"ClusterIssuer":         "cert-manager.io",
	"GatewayClass":          "gateway.networking.k8s.io",
	"ClusterSecretStore":    "external-secrets.io",
	"ClusterExternalSecret": "external-secrets.io",
	"ClusterPolicy":         "kyverno.io",
	"ClusterPodMonitoring":  "monitoring.googleapis.com",
	"ClusterRules":          "monitoring.googleapis.com",
	"ComputeClass":          "cloud.google.com",
	"VolumeSnapshotClass":   "snapshot.storage.k8s.io",
	"VolumeSnapshotContent": "snapshot.storage.k8s.io",
}

// ClusterScoped reports whether objects of a kind lie outside of namespaces. For
// a kind it does not know it says no.
func ClusterScoped(apiVersion, kind string) bool {
	group, _, hasGroup := strings.Cut(apiVersion, "/")
	if !hasGroup {
		group = ""
	}
	if foreignClusterWide[kind] == group && group != "" {
		return true
	}
	for _, row := range builtinKinds {
		rowGroup, _, hasGroup := strings.Cut(row.apiVersion, "/")
		if !hasGroup {
			rowGroup = ""
		}
		if row.scope == clusterWide && rowGroup == group && hasWord(row.kinds, kind) {
			return true
		}
	}
	return false
}

// defaultAPIVersions returns the built-in kinds as charts ask for them: "apps/v1"
// and "apps/v1/Deployment".
func defaultAPIVersions() []string {
	var all []string
	last := ""
	for _, row := range builtinKinds {
		if row.apiVersion != last {
			all = append(all, row.apiVersion)
			last = row.apiVersion
		}
		for kind := range strings.FieldsSeq(row.kinds) {
			all = append(all, row.apiVersion+"/"+kind)
		}
	}
	return all
}

func hasWord(words, word string) bool {
	for w := range strings.FieldsSeq(words) {
		if w == word {
			return true
		}
	}
	return false
}
