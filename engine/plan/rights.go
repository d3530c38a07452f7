package plan

import (
	"fmt"
	"slices"
	"strings"

	"hubcap/engine/resource"
)

// What pods may do, accounts, bindings and roles say together. A change of any of them is
// judged by what an account of the config's own workloads may do no more: a right that
// servers are launched by puts a hub out of order, any other is not known to be harmless.

// A right is what an account may do, to what.
type right struct {
	namespace       string // "*": in all
	group, resource string
	verb            string
	name            string // of the object; empty: whatever it is called
}

// covers reports whether whoever has one right has the other.
func (r right) covers(o right) bool {
	in := func(has, wants string) bool { return has == wants || has == "*" }
	return in(r.namespace, o.namespace) && in(r.group, o.group) && in(r.resource, o.resource) && in(r.verb, o.verb) && (r.name == "" || r.name == o.name)
}

// isUnread reports whether a right stands for all of a role whose rules are not at hand.
func (r right) isUnread() bool { return r.verb == "" }

func (r right) String() string {
	if r.isUnread() {
		return "what " + r.resource + " grants"
	}
	return r.verb + " " + r.resource
}

func covered(rights []right, r right) bool {
	return slices.ContainsFunc(rights, func(has right) bool { return has.covers(r) })
}

// launching are the rights that a hub launches servers by, and a binder builds by.
var launching = map[string][]string{
	"pods": {"create", "delete", "get", "list", "watch"}, "pods/log": {"get"}, "events": {"get", "list", "watch"},
	"persistentvolumeclaims": {"create", "delete", "get", "list", "watch"},
	"secrets":                {"create", "delete", "get", "list", "watch"},
	"services":               {"create", "delete", "get", "list", "watch"},
}

// A view is the objects of one cluster: as they are, or as they are wanted.
type view map[resource.ID]resource.Object

// views returns what lives on a cluster, and what is wanted there.
func (b *builder) views(cluster string) (live, wanted view) {
	live, wanted = make(view), make(view)
	for id, l := range b.orphans {
		if id.Cluster == cluster {
			live[id] = l.Object
		}
	}
	for id, o := range b.observed {
		if id.Cluster != cluster {
			continue
		}
		wanted[id] = o.Desired.Object
		if o.Live != nil {
			live[id] = o.Live.Object
		}
	}
	return live, wanted
}

// rights returns what the pods of a workload may do: all of it, or what comes by one
// object alone. Pods without a token may do nothing.
func (v view) rights(workload resource.ID, through *resource.ID) []right {
	o := v[workload]
	a := accountOf(o, workload)
	id := resource.ID{Cluster: workload.Cluster, Kind: "ServiceAccount", Namespace: a.namespace, Name: a.name}
	mounts, isSaid := podSpec(o)["automountServiceAccountToken"].(bool)
	if of, has := v[id].Value("automountServiceAccountToken"); !isSaid && has {
		mounts, isSaid = of == true, true
	}
	if o == nil || isSaid && !mounts {
		return nil
	}
	var all []right
	for binding, o := range v {
		if !binds(o, binding, a) {
			continue
		}
		if through == nil || *through == binding || *through == id || *through == workload || grants(o, binding, *through) {
			all = append(all, v.roleRights(o, binding)...)
		}
	}
	return all
}

// roleRights returns the rights that a binding gives.
func (v view) roleRights(binding resource.Object, id resource.ID) []right {
	namespace := id.Namespace
	if namespace == "" {
		namespace = "*"
	}
	for role, o := range v {
		if !grants(binding, id, role) {
			continue
		}
		rules, has := o.Value("rules")
		if _, aggregates := o.Value("aggregationRule"); !has || aggregates {
			break
		}
		var all []right
		for _, rule := range elements(rules) {
			all = append(all, ruleRights(rule, namespace)...)
		}
		return all
	}
	return []right{{namespace: namespace, resource: binding.Text("roleRef", "kind") + "/" + binding.Text("roleRef", "name")}}
}

func ruleRights(rule map[string]any, namespace string) []right {
	list := func(key string) []string {
		var texts []string
		values, _ := rule[key].([]any)
		for _, v := range values {
			texts = append(texts, text(v))
		}
		return texts
	}
	names := list("resourceNames")
	if len(names) == 0 {
		names = []string{""}
	}
	var all []right
	for _, verb := range list("verbs") {
		for _, url := range list("nonResourceURLs") {
			all = append(all, right{namespace: namespace, resource: url, verb: verb})
		}
		for _, group := range list("apiGroups") {
			for _, kind := range list("resources") {
				for _, name := range names {
					all = append(all, right{namespace, group, kind, verb, name})
				}
			}
		}
	}
	return all
}

// actsAlike reports whether pods act as the same account.
func actsAlike(a, b resource.Object) bool {
	x, y := podSpec(a), podSpec(b)
	return x["serviceAccountName"] == y["serviceAccountName"] && x["automountServiceAccountToken"] == y["automountServiceAccountToken"]
}

// concernsRights reports whether a change may take rights from pods: of accounts and what
// is bound to them, and of workloads.
func concernsRights(c *resource.Change) bool {
	switch c.ID.Kind {
	case "ServiceAccount", "Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding":
		return c.Action != resource.Create
	}
	return workloads[c.ID.Kind] && (c.Action == resource.Update || c.Action == resource.Replace)
}

// rightsClass says what a change does by the rights that it takes from pods, and why; the
// zero Class when it takes none.
func (b *builder) rightsClass(c *resource.Change) (class resource.Class, why string) {
	if !concernsRights(c) {
		return 0, ""
	}
	live, wanted := b.views(c.ID.Cluster)
	for _, o := range b.Reading.Observations {
		d := o.Desired
		if o.Live == nil || d.ID.Cluster != c.ID.Cluster || !workloads[d.ID.Kind] || workloads[c.ID.Kind] && (d.ID != c.ID || actsAlike(o.Live.Object, d.Object)) {
			continue
		}
		given, kept := live.rights(d.ID, &c.ID), wanted.rights(d.ID, nil)
		if b.goes(accountOf(d.Object, d.ID), c.ID.Cluster) {
			kept = nil
		}
		launches, others := lostRights(given, kept, d.ID.Namespace)
		isHub := essential(d.Component) || runsHub(d.Component, d.ID, d.Object)
		switch {
		case len(launches) > 0 && isHub && !slices.ContainsFunc(kept, func(r right) bool { return r.isUnread() && !covered(given, r) }):
			return resource.ClassOutage, fmt.Sprintf("%s may no longer %s", d.Address, few(launches))
		case len(launches)+len(others) > 0 && class == 0:
			class = unknownClass(d.Component, d.ID.Kind)
			why = fmt.Sprintf("no rule says what %s does without a right that it loses: %s: counted as a restart", d.Address, few(append(launches, others...)))
		}
	}
	return class, why
}

// lostRights returns which rights that were given are not kept: those that servers are
// launched by in the namespaces where they were given, and others.
func lostRights(given, kept []right, home string) (launches, others []string) {
	for _, g := range given {
		if !covered(kept, g) {
			others = append(others, g.String())
		}
		namespace := g.namespace
		if namespace == "*" {
			namespace = home
		}
		for kind, verbs := range launching {
			for _, verb := range verbs {
				r := right{namespace: namespace, resource: kind, verb: verb}
				if covered(given, r) && !covered(kept, r) {
					launches = append(launches, r.String())
				}
			}
		}
	}
	return sortedSet(launches), sortedSet(others)
}

// few names some of many.
func few(names []string) string {
	const most = 4
	names = sortedSet(slices.Clone(names))
	text := strings.Join(names[:min(len(names), most)], ", ")
	if n := len(names) - most; n > 0 {
		text += fmt.Sprintf(" and %d more", n)
	}
	return text
}
