package kube

import (
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"hubcap/engine/resource"
)

// orphanKinds are the kinds in which objects of a config are looked for although
// nothing of the kind is desired any more. Kinds that copy the labels of another
// object (Endpoints, EndpointSlice, ReplicaSet, Pod) are not among them. Custom kinds
// are looked at only while one of their objects is desired: a cluster may serve
// hundreds of them, and hold tens of thousands of objects of one.
var orphanKinds = []schema.GroupVersionKind{
	{Version: "v1", Kind: "Namespace"},
	{Version: "v1", Kind: "ConfigMap"},
	{Version: "v1", Kind: "Secret"},
	{Version: "v1", Kind: "Service"},
	{Version: "v1", Kind: "ServiceAccount"},
	{Version: "v1", Kind: "PersistentVolumeClaim"},
	{Version: "v1", Kind: "PersistentVolume"},
	{Version: "v1", Kind: "ResourceQuota"},
	{Version: "v1", Kind: "LimitRange"},
	{Group: "apps", Version: "v1", Kind: "Deployment"},
	{Group: "apps", Version: "v1", Kind: "StatefulSet"},
	{Group: "apps", Version: "v1", Kind: "DaemonSet"},
	{Group: "batch", Version: "v1", Kind: "Job"},
	{Group: "batch", Version: "v1", Kind: "CronJob"},
	{Group: "autoscaling", Version: "v2", Kind: "HorizontalPodAutoscaler"},
	{Group: "policy", Version: "v1", Kind: "PodDisruptionBudget"},
	{Group: "networking.k8s.io", Version: "v1", Kind: "Ingress"},
	{Group: "networking.k8s.io", Version: "v1", Kind: "IngressClass"},
	{Group: "networking.k8s.io", Version: "v1", Kind: "NetworkPolicy"},
	{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "Role"},
	{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "RoleBinding"},
	{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "ClusterRole"},
	{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "ClusterRoleBinding"},
	{Group: "scheduling.k8s.io", Version: "v1", Kind: "PriorityClass"},
	{Group: "storage.k8s.io", Version: "v1", Kind: "StorageClass"},
	{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"},
}

var namespaceKind = schema.GroupKind{Kind: "Namespace"}

// labelCopiers get the labels of another object from a controller: bearing ours
// says nothing about them.
var labelCopiers = map[schema.GroupKind]bool{
	{Kind: "Endpoints"}: true,
	{Group: "discovery.k8s.io", Kind: "EndpointSlice"}: true,
	{Kind: "Pod"}:                               true,
	{Group: "apps", Kind: "ReplicaSet"}:         true,
	{Group: "", Kind: "Event"}:                  true,
	{Group: "apps", Kind: "ControllerRevision"}: true,
}

// mapping returns how the server serves a kind. A kind it does not know is asked
// for once more with fresh discovery, for a CRD may just have been written.
func (c *Client) mapping(gvk schema.GroupVersionKind) (*meta.RESTMapping, error) {
	c.reset.Lock()
	defer c.reset.Unlock()
	m, err := c.Mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
	if err != nil {
		return nil, err
	}
	return m, nil
}

// served returns how the server serves a kind in the version that it prefers.
func (c *Client) served(gk schema.GroupKind) (*meta.RESTMapping, error) {
	c.reset.Lock()
	defer c.reset.Unlock()
	return c.Mapper.RESTMapping(gk)
}

// A kind is one kind of object to look at.
type kind struct {
	gvk     schema.GroupVersionKind
	mapping *meta.RESTMapping
	wanted  []int // indexes of the desired objects
}

func (k *kind) namespaced() bool { return k.mapping.Scope.Name() == meta.RESTScopeNameNamespace }

// plural returns "deployments.apps", as RBAC rules and people write it.
func (k *kind) plural() string { return k.mapping.Resource.GroupResource().String() }

// kinds returns the kinds to look at: those that are desired, and those in which
// orphans may be. The desired objects of kinds that the server does not know are
// returned apart, by index.
func (p *Provider) kinds(desired []resource.Desired) ([]*kind, map[int]error) {
	known := map[schema.GroupVersionKind]*kind{}
	grouped := map[schema.GroupKind]bool{}
	unknown := map[int]error{}
	failed := map[schema.GroupVersionKind]error{}
	var kinds []*kind
	for i, d := range desired {
		gvk := gvkOf(d.Object)
		if err := failed[gvk]; err != nil {
			unknown[i] = err
			continue
		}
		k := known[gvk]
		if k == nil {
			m, err := p.Client.mapping(gvk)
			if err != nil {
				failed[gvk], unknown[i] = err, err
				continue
			}
			k = &kind{gvk: gvk, mapping: m}
			known[gvk], grouped[gvk.GroupKind()] = k, true
			kinds = append(kinds, k)
		}
		k.wanted = append(k.wanted, i)
	}
	for _, gvk := range orphanKinds {
		if grouped[gvk.GroupKind()] {
			continue
		}
		if m, err := p.Client.mapping(gvk); err == nil {
			kinds = append(kinds, &kind{gvk: gvk, mapping: m})
		}
	}
	return kinds, unknown
}

// madeBy reports whether crd defines the kind.
func madeBy(crd resource.Object, gvk schema.GroupVersionKind) bool {
	return crd.Text("kind") == "CustomResourceDefinition" &&
		crd.Text("spec", "group") == gvk.Group && crd.Text("spec", "names", "kind") == gvk.Kind
}

// objectText names an object in an error: "deployment prod/hub".
func objectText(id resource.ID) string {
	name := id.Name
	if id.Namespace != "" {
		name = id.Namespace + "/" + name
	}
	return fmt.Sprintf("%s %s", id.Kind, name)
}
