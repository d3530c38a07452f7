package plan

import (
	"encoding/base64"
	"maps"
	"slices"

	"hubcap/engine/resource"
)

// decoded returns text without the base64 that the data of a Secret has.
func decoded(text string) string {
	plain, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return text
	}
	return string(plain)
}

// A reference names an object of the same namespace, or of none.
type reference struct{ kind, name string }

// podSpec returns the pod spec of a workload, or nil.
func podSpec(o resource.Object) map[string]any {
	for _, path := range [][]string{
		{"spec", "template", "spec"},
		{"spec", "jobTemplate", "spec", "template", "spec"},
	} {
		if v, has := o.Value(path...); has {
			spec, _ := v.(map[string]any)
			return spec
		}
	}
	if o.Text("kind") == "Pod" {
		v, _ := o.Value("spec")
		spec, _ := v.(map[string]any)
		return spec
	}
	return nil
}

// containers returns all containers of a workload, the initial ones first.
func containers(o resource.Object) []map[string]any {
	spec := podSpec(o)
	return append(elements(spec["initContainers"]), elements(spec["containers"])...)
}

// elements returns the maps of a list.
func elements(v any) []map[string]any {
	list, _ := v.([]any)
	var maps []map[string]any
	for _, e := range list {
		if m, isMap := e.(map[string]any); isMap {
			maps = append(maps, m)
		}
	}
	return maps
}

// clusterKinds are the kinds without a namespace that objects name, and their groups.
var clusterKinds = map[string]string{
	"PriorityClass": "scheduling.k8s.io", "RuntimeClass": "node.k8s.io", "StorageClass": "storage.k8s.io", "ClusterRole": rbacGroup,
}

const rbacGroup = "rbac.authorization.k8s.io"

// isClass reports whether id is a class that pods and claims name. Whoever makes pods
// later, such as a hub, may name it too, and nothing waits for anything before it is made.
func isClass(id resource.ID) bool {
	return id.Kind != "ClusterRole" && id.Group != "" && clusterKinds[id.Kind] == id.Group
}

// from returns the identity of what the object with an identity names.
func (r reference) from(id resource.ID) resource.ID {
	to := resource.ID{Cluster: id.Cluster, Kind: r.kind, Namespace: id.Namespace, Name: r.name}
	if group, isCluster := clusterKinds[r.kind]; isCluster {
		to.Group, to.Namespace = group, ""
	}
	if r.kind == "Role" {
		to.Group = rbacGroup
	}
	return to
}

// A naming gathers references.
type naming struct{ refs []reference }

// add notes the object of a kind whose name holder has at key.
func (n *naming) add(kind string, holder any, key string) {
	m, _ := holder.(map[string]any)
	if name, isText := m[key].(string); isText && name != "" {
		n.refs = append(n.refs, reference{kind, name})
	}
}

// references returns what an object cannot be made without, and what its pods cannot
// start without.
func references(o resource.Object) []reference {
	var n naming
	switch o.Text("kind") {
	case "ServiceAccount": // pods get them from it
		n.all("Secret", o["imagePullSecrets"], "name")
	case "RoleBinding", "ClusterRoleBinding": // the server looks at what it grants
		ref, _ := o["roleRef"].(map[string]any)
		kind, _ := ref["kind"].(string)
		n.add(kind, ref, "name")
	case "PersistentVolumeClaim":
		n.add("StorageClass", o["spec"], "storageClassName")
	}
	if spec := podSpec(o); spec != nil {
		n.ofPods(spec)
		for _, c := range containers(o) {
			n.ofContainer(c)
		}
		templates, _ := o.Value("spec", "volumeClaimTemplates")
		for _, claim := range elements(templates) {
			n.add("StorageClass", claim["spec"], "storageClassName")
		}
	}
	return n.refs
}

// all notes the objects of a kind that the elements of a list name at key.
func (n *naming) all(kind string, list any, key string) {
	for _, e := range elements(list) {
		n.add(kind, e, key)
	}
}

func (n *naming) ofPods(spec map[string]any) {
	n.add("ServiceAccount", spec, "serviceAccountName")
	n.add("PriorityClass", spec, "priorityClassName")
	n.add("RuntimeClass", spec, "runtimeClassName")
	n.all("Secret", spec["imagePullSecrets"], "name")
	for _, v := range elements(spec["volumes"]) {
		n.add("Secret", v["secret"], "secretName")
		n.add("Secret", v["azureFile"], "secretName")
		n.add("ConfigMap", v["configMap"], "name")
		n.add("PersistentVolumeClaim", v["persistentVolumeClaim"], "claimName")
		for _, key := range slices.Sorted(maps.Keys(v)) { // CSI and the drivers before it
			source, _ := v[key].(map[string]any)
			n.add("Secret", source["nodePublishSecretRef"], "name")
			n.add("Secret", source["secretRef"], "name")
		}
		projected, _ := v["projected"].(map[string]any)
		for _, s := range elements(projected["sources"]) {
			n.add("Secret", s["secret"], "name")
			n.add("ConfigMap", s["configMap"], "name")
		}
		if claim, has := resource.Object(v).Value("ephemeral", "volumeClaimTemplate", "spec"); has {
			n.add("StorageClass", claim, "storageClassName")
		}
	}
}

func (n *naming) ofContainer(c map[string]any) {
	for _, e := range elements(c["env"]) {
		from, _ := e["valueFrom"].(map[string]any)
		n.add("Secret", from["secretKeyRef"], "name")
		n.add("ConfigMap", from["configMapKeyRef"], "name")
	}
	for _, e := range elements(c["envFrom"]) {
		n.add("Secret", e["secretRef"], "name")
		n.add("ConfigMap", e["configMapRef"], "name")
	}
}

// callees returns the Services that the API server asks because of o: admission
// webhooks, and aggregated APIs. Once o is there, writes fail while they do not answer.
func callees(id resource.ID, o resource.Object) []resource.ID {
	var services []any
	switch id.Kind {
	case "ValidatingWebhookConfiguration", "MutatingWebhookConfiguration":
		for _, hook := range elements(o["webhooks"]) {
			service, _ := resource.Object(hook).Value("clientConfig", "service")
			services = append(services, service)
		}
	case "APIService":
		service, _ := o.Value("spec", "service")
		services = append(services, service)
	}
	var ids []resource.ID
	for _, v := range services {
		service, _ := v.(map[string]any)
		name, _ := service["name"].(string)
		namespace, _ := service["namespace"].(string)
		if name != "" && namespace != "" {
			ids = append(ids, resource.ID{Cluster: id.Cluster, Kind: "Service", Namespace: namespace, Name: name})
		}
	}
	return ids
}

// answers reports whether a workload has pods behind a Service.
func answers(workload resource.Change, service resource.Change) bool {
	if !stay[workload.ID.Kind] || workload.ID.Cluster != service.ID.Cluster || workload.ID.Namespace != service.ID.Namespace {
		return false
	}
	v, _ := service.After.Value("spec", "selector")
	selector, _ := v.(map[string]any)
	v, _ = workload.After.Value("spec", "template", "metadata", "labels")
	labels, _ := v.(map[string]any)
	for key, value := range selector {
		if labels[key] != value {
			return false
		}
	}
	return len(selector) > 0
}
