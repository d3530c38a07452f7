package plan

import (
	"fmt"
	"slices"

	"hubcap/engine/resource"
)

// makes reports whether a Secret is wanted, or made of something that is.
func (b *builder) makes(secret resource.ID) bool {
	for id, o := range b.observed {
		if id == secret || id.Cluster == secret.Cluster && id.Namespace == secret.Namespace && madeSecret(id, o.Desired.Object) == secret.Name {
			return true
		}
	}
	return false
}

// stranded returns why something that a hub has cannot work when an object has been
// deleted, or "": its pods read it, or what is made of it, or it is what lets them act.
func (b *builder) stranded(c *resource.Change) string {
	for id, o := range b.observed {
		d := o.Desired
		if id.Cluster != c.ID.Cluster || c.ID.Namespace != "" && id.Namespace != c.ID.Namespace || o.Live == nil || !workloads[id.Kind] ||
			!essential(d.Component) && !runsHub(d.Component, id, d.Object) {
			continue
		}
		refs := references(d.Object)
		if c.ID.Namespace != "" && c.Action == resource.Delete && slices.Contains(refs, reference{c.ID.Kind, c.ID.Name}) {
			return fmt.Sprintf("%s cannot start without it", d.Address)
		}
		if name := goneSecret(c); c.ID.Namespace != "" && name != "" && slices.Contains(refs, reference{"Secret", name}) && !b.makes(resource.ID{Cluster: id.Cluster, Kind: "Secret", Namespace: id.Namespace, Name: name}) {
			return fmt.Sprintf("%s cannot start without the Secret %s, which goes with it", d.Address, name)
		}
		if b.permits(c, accountOf(o.Live.Object, id)) && !b.bound(accountOf(d.Object, id), id.Cluster) {
			return fmt.Sprintf("%s may do nothing without it", d.Address)
		}
	}
	return ""
}

// An account is what pods act as.
type account struct{ namespace, name string }

func accountOf(workload resource.Object, id resource.ID) account {
	name, _ := podSpec(workload)["serviceAccountName"].(string)
	if name == "" {
		name = "default"
	}
	return account{id.Namespace, name}
}

// permits reports whether an object that goes is an account, or lets it act.
func (b *builder) permits(c *resource.Change, a account) bool {
	switch c.ID.Kind {
	case "ServiceAccount":
		return a == account{c.ID.Namespace, c.ID.Name}
	case "RoleBinding", "ClusterRoleBinding":
		return binds(c.Before, c.ID, a)
	case "Role", "ClusterRole":
		for id, l := range b.orphans {
			if id.Cluster == c.ID.Cluster && grants(l.Object, id, c.ID) && binds(l.Object, id, a) {
				return true
			}
		}
		for id, o := range b.observed {
			if o.Live != nil && id.Cluster == c.ID.Cluster && grants(o.Live.Object, id, c.ID) && binds(o.Live.Object, id, a) {
				return true
			}
		}
	}
	return false
}

// bound reports whether an account is let act by anything that is wanted.
func (b *builder) bound(a account, cluster string) bool {
	for id, o := range b.observed {
		if id.Cluster != cluster || !binds(o.Desired.Object, id, a) {
			continue
		}
		goes := false
		for orphan := range b.orphans {
			goes = goes || orphan.Cluster == cluster && grants(o.Desired.Object, id, orphan)
		}
		if !goes {
			return !b.goes(a, cluster)
		}
	}
	return false
}

// goes reports whether an account is wanted no more.
func (b *builder) goes(a account, cluster string) bool {
	_, gone := b.orphans[resource.ID{Cluster: cluster, Kind: "ServiceAccount", Namespace: a.namespace, Name: a.name}]
	return gone
}

// binds reports whether an object binds an account to a role.
func binds(o resource.Object, id resource.ID, a account) bool {
	if id.Kind != "RoleBinding" && id.Kind != "ClusterRoleBinding" {
		return false
	}
	subjects, _ := o.Value("subjects")
	return slices.ContainsFunc(elements(subjects), func(s map[string]any) bool {
		namespace, name := text(s["namespace"]), text(s["name"])
		if namespace == "" {
			namespace = id.Namespace
		}
		switch s["kind"] {
		case "User":
			return name == "system:serviceaccount:"+a.namespace+":"+a.name
		case "Group":
			return name == "system:serviceaccounts:"+a.namespace || name == "system:serviceaccounts" || name == "system:authenticated"
		}
		return s["kind"] == "ServiceAccount" && text(s["name"]) == a.name && namespace == a.namespace
	})
}

// grants reports whether a binding is one to a role.
func grants(o resource.Object, binding, role resource.ID) bool {
	return (binding.Kind == "RoleBinding" || binding.Kind == "ClusterRoleBinding") &&
		o.Text("roleRef", "kind") == role.Kind && o.Text("roleRef", "name") == role.Name && (role.Namespace == "" || role.Namespace == binding.Namespace)
}
