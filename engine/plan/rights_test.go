package plan_test

import (
	"strings"
	"testing"

	"hubcap/engine/resource"
)

// TestRights checks that what takes from a hub what it launches servers by is an outage,
// what takes anything else from pods counts as their restart, and all else is live.
func TestRights(t *testing.T) {
	all := []any{"get", "watch", "list", "create", "delete"}
	rule := func(verbs []any, kinds ...any) map[string]any {
		return map[string]any{"apiGroups": []any{""}, "resources": kinds, "verbs": verbs}
	}
	rules := func(of ...any) map[string]any { return map[string]any{"rules": of} }
	some := rule(all, "pods", "persistentvolumeclaims", "secrets", "services")
	events := rule([]any{"get", "watch", "list"}, "events")
	upstream := rules(some, events)
	without := func(verb string) []any {
		var left []any
		for _, v := range all {
			if v != verb {
				left = append(left, v)
			}
		}
		return left
	}
	limited := map[string]any{"apiGroups": []any{""}, "resources": []any{"secrets"}, "verbs": all, "resourceNames": []any{"hub"}}
	admin := rules(map[string]any{"apiGroups": []any{"*"}, "resources": []any{"*"}, "verbs": []any{"*"}})
	binding := func(kind, role string, subjects ...any) map[string]any {
		return map[string]any{"roleRef": map[string]any{"kind": kind, "name": role}, "subjects": subjects}
	}
	sa := func(name string) map[string]any {
		return map[string]any{"kind": "ServiceAccount", "name": name, "namespace": "prod"}
	}
	person := map[string]any{"kind": "User", "name": "ada"}
	group := map[string]any{"kind": "Group", "name": "system:serviceaccounts:prod"}
	bound := binding("Role", "hub", sa("hub"))
	as := func(name string, mounts any) map[string]any {
		o := with(pods("h:1", "a"), name, "spec", "template", "spec", "serviceAccountName")
		if mounts != nil {
			o = with(o, mounts, "spec", "template", "spec", "automountServiceAccountToken")
		}
		return o
	}
	mounting := func(v any) map[string]any { return map[string]any{"automountServiceAccountToken": v} }
	const outage, restart, live = resource.ClassOutage, resource.ClassHub, resource.ClassLive
	type pair struct{ before, after map[string]any }
	same := func(o map[string]any) pair { return pair{o, o} }
	for _, test := range []struct {
		reason                 string
		role, binding, account pair
		workload               pair
		also                   []object
		changed                string // kind of the change that is judged
		class                  resource.Class
	}{
		{reason: "the Role loses a kind", role: pair{upstream, rules(rule(all, "pods", "secrets", "services"), events)}, changed: "Role", class: outage},
		{reason: "the Role loses a verb", role: pair{upstream, rules(rule(without("create"), "pods", "persistentvolumeclaims", "secrets", "services"), events)}, changed: "Role", class: outage},
		{reason: "the Role loses the events", role: pair{upstream, rules(some)}, changed: "Role", class: outage},
		{reason: "the Role loses all", role: pair{upstream, rules()}, changed: "Role", class: outage},
		{reason: "the Role gives one Secret by name", role: pair{upstream, rules(rule(all, "pods", "persistentvolumeclaims", "services"), limited, events)}, changed: "Role", class: outage},
		{reason: "the Role loses what nobody knows", role: pair{rules(some, events, rule(all, "configmaps")), upstream}, changed: "Role", class: restart},
		{reason: "the Role gets more", role: pair{upstream, rules(some, events, rule(all, "configmaps"))}, changed: "Role", class: live},
		{reason: "the Role gets all", role: pair{upstream, admin}, changed: "Role", class: live},
		{reason: "the Role is written otherwise", role: pair{upstream, rules(events, rule(all, "services"), rule(all, "secrets"), rule(all, "pods"), rule(all, "persistentvolumeclaims"))}, changed: "Role", class: live},
		{reason: "the Role had all, and has what a hub needs", role: pair{admin, rules(some, events, rule([]any{"get"}, "pods/log"))}, changed: "Role", class: restart},
		{reason: "the Role is nobody's", role: pair{upstream, rules()}, binding: same(binding("Role", "hub", person)), changed: "Role", class: live},
		{reason: "another Role gives it, too", role: pair{upstream, rules()}, changed: "Role", class: live, also: []object{
			{kind: "Role", name: "other", want: upstream, live: upstream}, {kind: "RoleBinding", name: "other", want: binding("Role", "other", sa("hub")), live: binding("Role", "other", sa("hub"))},
		}},
		{reason: "the account is no subject any more", binding: pair{bound, binding("Role", "hub", person)}, changed: "RoleBinding", class: outage},
		{reason: "a person is no subject any more", binding: pair{binding("Role", "hub", sa("hub"), person), bound}, changed: "RoleBinding", class: live},
		{reason: "its group is a subject instead", binding: pair{bound, binding("Role", "hub", group)}, changed: "RoleBinding", class: live},
		{reason: "another Role with less", binding: pair{bound, binding("Role", "less", sa("hub"))}, changed: "RoleBinding", class: outage, also: []object{{kind: "Role", name: "less", want: rules(events), live: rules(events)}}},
		{reason: "another Role that nobody can read", binding: pair{bound, binding("ClusterRole", "edit", sa("hub"))}, changed: "RoleBinding", class: restart},
		{reason: "the account gets no token", account: pair{mounting(true), mounting(false)}, changed: "ServiceAccount", class: outage},
		{reason: "the account gets no token, its pods do", account: pair{mounting(true), mounting(false)}, workload: same(as("hub", true)), changed: "ServiceAccount", class: live},
		{reason: "the account is another one's in the cloud", account: pair{with(data(), "a", "metadata", "annotations", "iam.gke.io/gcp-service-account"), data()}, changed: "ServiceAccount", class: restart},
		{reason: "the pods act as another", workload: pair{as("hub", nil), as("other", nil)}, changed: "Deployment", class: outage},
		{reason: "the pods get no token", workload: pair{as("hub", nil), as("hub", false)}, changed: "Deployment", class: outage},
		{reason: "the pods change otherwise", workload: pair{as("hub", nil), with(as("hub", nil), "x", "spec", "template", "metadata", "labels", "a")}, changed: "Deployment", class: restart},
	} {
		add := func(kind string, p, byItself pair) object {
			if p.before == nil {
				p = byItself
			}
			return object{block: "hub.prod", component: "hub", kind: kind, name: "hub", want: p.after, live: p.before}
		}
		objects := []object{
			add("Role", test.role, same(upstream)), add("RoleBinding", test.binding, same(bound)),
			add("ServiceAccount", test.account, same(data())), add("Deployment", test.workload, same(as("hub", nil))),
		}
		for _, o := range test.also {
			o.block, o.component = "hub.prod", "hub"
			objects = append(objects, o)
		}
		in := input(objects...)
		in.Census = people
		var found *resource.Change
		for _, s := range build(t, in).Steps() {
			for i, c := range s.Changes {
				if c.ID.Kind == test.changed && c.ID.Name == "hub" {
					found = &s.Changes[i]
				} else if c.Class > live {
					t.Errorf("%s: %s is %s, too", test.reason, c.Address, c.Class)
				}
			}
		}
		if found == nil || found.Class != test.class || found.Impact.LaunchesStop != (test.class == outage) || found.Impact.SessionsInterrupted != 0 {
			t.Errorf("%s: %+v; want %s", test.reason, found, test.class)
		}
	}
}

// TestRightsOfOthers checks that what other pods than a hub's lose counts as their restart,
// and that it is said wherever the object stands.
func TestRightsOfOthers(t *testing.T) {
	was, is := map[string]any{"rules": []any{map[string]any{"apiGroups": []any{""}, "resources": []any{"pods", "nodes"}, "verbs": []any{"get"}}}}, map[string]any{"rules": []any{}}
	bound := map[string]any{"roleRef": map[string]any{"kind": "ClusterRole", "name": "x"}, "subjects": []any{map[string]any{"kind": "ServiceAccount", "name": "s", "namespace": "prod"}}}
	acts := with(pods("s:1", "a"), "s", "spec", "template", "spec", "serviceAccountName")
	for component, want := range map[string]resource.Class{"user-scheduler": resource.ClassRestart, "hub": resource.ClassOutage} {
		p := build(t, input(
			object{block: "manifest.rights", kind: "ClusterRole", name: "x", want: is, live: was},
			object{block: "manifest.rights", kind: "ClusterRoleBinding", namespace: "prod", name: "x", want: bound, live: bound},
			object{block: "hub.prod", component: component, kind: "Deployment", name: "s", want: acts, live: acts},
		))
		c := p.Steps()[0].Changes[0]
		if c.Class != want || !strings.Contains(strings.Join(c.Notes, ""), "hub.prod/Deployment/s") || c.Impact.LaunchesStop != (want == resource.ClassOutage) {
			t.Errorf("%s: %s, %+v, notes %q; want %s", component, c.Class, c.Impact, c.Notes, want)
		}
	}
}
