package plan_test

import (
	"slices"
	"strings"
	"testing"

	"hubcap/engine/plan"
	"hubcap/engine/resource"
)

// at returns an object with one field set.
func at(v any, path ...string) map[string]any {
	o := resource.Object{}
	o.Set(v, path...)
	return o
}

// ingress returns the spec of an ingress for hosts.
func ingress(hosts ...string) map[string]any {
	var rules []any
	for _, h := range hosts {
		rules = append(rules, map[string]any{"host": h, "http": map[string]any{"paths": []any{map[string]any{
			"path": "/", "backend": map[string]any{"service": map[string]any{"name": "proxy-public", "port": map[string]any{"name": "http"}}},
		}}}})
	}
	return at(rules, "spec", "rules")
}

func service(port int64, selector string) map[string]any {
	return map[string]any{"spec": map[string]any{
		"selector": map[string]any{"component": selector}, "ports": []any{map[string]any{"port": port, "targetPort": "http"}},
	}}
}

// TestRules holds every class of change to its rule: what has none counts as a
// restart of its component, whatever its kind.
func TestRules(t *testing.T) {
	scaled := func(n int64) map[string]any { return at(n, "spec", "replicas") }
	label := func(key, v string) map[string]any { return at(v, "metadata", "labels", key) }
	note := func(key, v string) map[string]any { return at(v, "metadata", "annotations", key) }
	for _, test := range []struct {
		kind, component string
		before, after   map[string]any
		class           resource.Class
		unknown         bool
	}{
		{"ConfigMap", "hub", data("a", "1"), data("a", "2"), resource.ClassLive, false},
		{"Secret", "hub", data("a", "1"), data("a", "2"), resource.ClassLive, false},
		{"Secret", "proxy", at("Opaque", "type"), at("kubernetes.io/tls", "type"), resource.ClassProxy, true},
		{"ServiceAccount", "hub", at(true, "automountServiceAccountToken"), at(false, "automountServiceAccountToken"), resource.ClassLive, false},
		{"Role", "hub", at("a", "rules"), at("b", "rules"), resource.ClassLive, false},
		{"ClusterRole", "hub", at("a", "rules"), at("b", "rules"), resource.ClassLive, false},
		{"RoleBinding", "hub", at("a", "subjects"), at("b", "subjects"), resource.ClassLive, false},
		{"ClusterRoleBinding", "hub", at("a", "subjects"), at("b", "subjects"), resource.ClassLive, false},
		{"NetworkPolicy", "singleuser", at("a", "spec", "egress"), at("b", "spec", "egress"), resource.ClassLive, false},
		{"PodDisruptionBudget", "hub", at(int64(1), "spec", "minAvailable"), at(int64(2), "spec", "minAvailable"), resource.ClassLive, false},
		{"HorizontalPodAutoscaler", "binder", at(int64(1), "spec", "maxReplicas"), at(int64(2), "spec", "maxReplicas"), resource.ClassLive, false},
		{"PersistentVolumeClaim", "hub", at("1Gi", "spec", "resources", "requests", "storage"), at("2Gi", "spec", "resources", "requests", "storage"), resource.ClassLive, false},
		{"PriorityClass", "", at("a", "description"), at("b", "description"), resource.ClassLive, false},
		{"StorageClass", "", at(false, "allowVolumeExpansion"), at(true, "allowVolumeExpansion"), resource.ClassLive, false},
		{"CustomResourceDefinition", "crds", at("a", "spec", "versions"), at("b", "spec", "versions"), resource.ClassLive, false},
		{"ResourceQuota", "", at("1", "spec", "hard", "pods"), at("2", "spec", "hard", "pods"), resource.ClassNewSpawns, false},
		{"LimitRange", "", at("1", "spec", "limits"), at("2", "spec", "limits"), resource.ClassNewSpawns, false},
		{"ServiceMonitor", "", at("a", "spec", "endpoints"), at("b", "spec", "endpoints"), resource.ClassLive, false},
		{"ClusterIssuer", "", at("a", "spec", "acme"), at("b", "spec", "acme"), resource.ClassLive, false},
		{"CronJob", "", at("1 * * * *", "spec", "schedule"), at("2 * * * *", "spec", "schedule"), resource.ClassLive, false},
		{"ConfigMap", "hub", label("app.kubernetes.io/version", "1"), label("app.kubernetes.io/version", "2"), resource.ClassLive, false},
		{"Deployment", "proxy", label("anything", "1"), label("anything", "2"), resource.ClassLive, false},
		{"Service", "proxy", note("helm.sh/chart", "1"), note("helm.sh/chart", "2"), resource.ClassLive, false},
		{"Service", "proxy", note("cloud.google.com/load-balancer-type", "External"), note("cloud.google.com/load-balancer-type", "Internal"), resource.ClassProxy, true},
		{"Ingress", "ingress", note("nginx.ingress.kubernetes.io/whitelist-source-range", "a"), note("nginx.ingress.kubernetes.io/whitelist-source-range", "b"), resource.ClassProxy, true},
		{"Ingress", "ingress", ingress("a", "b"), ingress("a", "b", "c"), resource.ClassLive, false},
		{"Ingress", "ingress", ingress("a", "b"), ingress("a"), resource.ClassProxy, false},
		{"Ingress", "ingress", at("nginx", "spec", "ingressClassName"), at("gce", "spec", "ingressClassName"), resource.ClassProxy, true},
		{"HTTPRoute", "ingress", at([]any{"a"}, "spec", "hostnames"), at([]any{"a", "b"}, "spec", "hostnames"), resource.ClassLive, false},
		{"HTTPRoute", "ingress", at([]any{"a"}, "spec", "hostnames"), at([]any{"b"}, "spec", "hostnames"), resource.ClassProxy, false},
		{"Service", "proxy", service(80, "proxy"), service(80, "other"), resource.ClassProxy, false},
		{"Service", "hub", service(80, "hub"), service(8081, "hub"), resource.ClassHub, false},
		{"Service", "proxy", at("ClientIP", "spec", "sessionAffinity"), at("None", "spec", "sessionAffinity"), resource.ClassLive, false},
		{"Service", "binder", at("LoadBalancer", "spec", "type"), at("ClusterIP", "spec", "type"), resource.ClassBinder, false},
		{"Namespace", "", label("pod-security.kubernetes.io/enforce", "baseline"), label("pod-security.kubernetes.io/enforce", "restricted"), resource.ClassNewSpawns, false},
		{"Namespace", "", label("team", "a"), label("team", "b"), resource.ClassRestart, true},
		{"Widget", "", at("a", "spec", "x"), at("b", "spec", "x"), resource.ClassRestart, true},
		{"Widget", "hub", at("a", "spec", "x"), at("b", "spec", "x"), resource.ClassHub, true},
		{"Widget", "proxy", note("x", "a"), note("x", "b"), resource.ClassProxy, true},
		{"Deployment", "hub", at("a", "spec", "brandNew"), at("b", "spec", "brandNew"), resource.ClassHub, true},
		{"Deployment", "hub", at("a", "spec", "strategy"), at("b", "spec", "strategy"), resource.ClassLive, false},
		{"Deployment", "autohttps", pods("t:1", "a"), pods("t:2", "a"), resource.ClassProxy, false},
		{"Job", "", at(false, "spec", "suspend"), at(true, "spec", "suspend"), resource.ClassRestart, true},
		{"Deployment", "binder", scaled(1), scaled(0), resource.ClassOutage, false},
		{"Deployment", "hub", scaled(1), scaled(0), resource.ClassOutage, false},
		{"Deployment", "grafana", scaled(1), scaled(0), resource.ClassOutage, false},
		{"Deployment", "binder", scaled(3), scaled(2), resource.ClassLive, false},
		{"Deployment", "autohttps", scaled(3), scaled(2), resource.ClassProxy, false},
		{"StatefulSet", "user-placeholder", scaled(9), scaled(0), resource.ClassLive, false},
		{"Deployment", "hub", scaled(0), scaled(1), resource.ClassLive, false},
	} {
		o := object{block: "hub.prod", component: test.component, kind: test.kind, name: "x", want: test.after, live: test.before}
		p := build(t, input(o))
		if len(p.Steps()) != 1 || len(p.Steps()[0].Changes) != 1 {
			t.Errorf("%s of %q: steps %v, refused %v; want one change", test.kind, test.component, lines(p), p.Refused)
			continue
		}
		c := p.Steps()[0].Changes[0]
		if c.Class != test.class || c.Impact.Unknown != test.unknown {
			t.Errorf("%s of %q, %s: class %s, unknown %v; want %s, %v", test.kind, test.component, c.Fields[0].Path, c.Class, c.Impact.Unknown, test.class, test.unknown)
		}
		if said := strings.Contains(strings.Join(c.Notes, "\n"), "no rule says"); said != test.unknown {
			t.Errorf("%s of %q: notes %q", test.kind, test.component, c.Notes)
		}
	}
}

// TestRemovals holds what the end of an object does, where its block stays.
func TestRemovals(t *testing.T) {
	for _, test := range []struct {
		kind, component string
		class           resource.Class
		interrupted     int
		stops           bool
	}{
		{"Ingress", "ingress", resource.ClassOutage, 40, true},
		{"HTTPRoute", "ingress", resource.ClassOutage, 40, true},
		{"Service", "proxy", resource.ClassOutage, 40, true},
		{"Service", "hub", resource.ClassOutage, 0, true},
		{"Deployment", "binder", resource.ClassOutage, 0, true},
		{"Deployment", "grafana", resource.ClassOutage, 40, false},
		{"DaemonSet", "image-cleaner", resource.ClassLive, 0, false},
		{"StatefulSet", "user-placeholder", resource.ClassLive, 0, false},
		{"ConfigMap", "hub", resource.ClassLive, 0, false},
		{"NetworkPolicy", "singleuser", resource.ClassLive, 0, false},
		{"Widget", "", resource.ClassRestart, 0, false},
		{"Widget", "proxy", resource.ClassProxy, 40, true},
	} {
		stays := object{block: "hub.prod", component: "hub", kind: "Deployment", name: "hub", want: pods("h", "a"), live: pods("h", "a")}
		in := input(stays, object{block: "hub.prod", component: test.component, kind: test.kind, name: "x", live: map[string]any{"spec": map[string]any{}}})
		in.Census = people
		p := build(t, in)
		if len(p.Steps()) != 1 {
			t.Errorf("%s of %q: steps %v, kept %v", test.kind, test.component, lines(p), p.Kept)
			continue
		}
		s := p.Steps()[0]
		if s.Class != test.class || s.Impact.SessionsInterrupted != test.interrupted || s.Impact.LaunchesStop != test.stops {
			t.Errorf("%s of %q: %s, %+v; want %s, %d interrupted, launches stop %v", test.kind, test.component, s.Class, s.Impact, test.class, test.interrupted, test.stops)
		}
		if cuts := test.interrupted > 0; cuts && (s.Relies == nil || s.Relies.Max != 48) {
			t.Errorf("%s of %q relies on %+v, want at most 48 sessions", test.kind, test.component, s.Relies)
		}
	}
}

// goneHub is a hub whose block left the config, beside another that stays.
func goneHub() []object {
	return []object{
		{block: "hub.other", component: "hub", kind: "ConfigMap", name: "x", want: data("a", "b"), live: data("a", "b")},
		{block: "hub.prod", component: "hub", kind: "Deployment", name: "hub", live: pods("h:1", "a")},
		{block: "hub.prod", component: "proxy", kind: "Deployment", name: "proxy", live: pods("p:1", "a")},
		{block: "hub.prod", component: "proxy", kind: "Service", name: "proxy-public", live: service(80, "proxy")},
		{block: "hub.prod", component: "hub", kind: "Secret", name: "hub", live: data("hub.config.CryptKeeper.keys", "x")},
		{block: "hub.prod", component: "hub", kind: "PersistentVolumeClaim", name: "hub-db-dir", live: data()},
		{block: "hub.prod", component: "image-cleaner", kind: "ClusterRole", name: "cleaner", live: data()},
	}
}

// TestRemovedHub holds promise P6: a hub goes by its name, whether anybody is on it
// or not, and its claims and keys by theirs.
func TestRemovedHub(t *testing.T) {
	for _, users := range []map[string]resource.Census{people, nil} {
		in := input(goneHub()...)
		in.Census = users
		p := build(t, in)
		if !p.Empty() || len(p.Kept) != 6 || len(p.Undeclared) != 1 || p.Undeclared[0].Objects != 6 || p.Undeclared[0].Sessions != users["main"].PerNamespace["prod"] {
			t.Errorf("unnamed: steps %v, kept %d, undeclared %+v; want all of it kept", lines(p), len(p.Kept), p.Undeclared)
		}
		in = input(goneHub()...)
		in.Census, in.Delete = users, []string{"hub.prod"}
		p = build(t, in)
		if len(p.Undeclared) != 0 || len(p.Kept) != 2 {
			t.Errorf("named: kept %v, undeclared %v; want the claim and the Secret kept", p.Kept, p.Undeclared)
		}
		for _, s := range p.Steps() {
			if s.Component.Name != "image-cleaner" && (s.Class != resource.ClassDestructive || s.Relies == nil || s.Relies.Counted != users["main"].PerNamespace["prod"]) {
				t.Errorf("named: step %s is %s and relies on %+v; want it destructive, and counted", s.ID, s.Class, s.Relies)
			}
		}
		in.Delete = []string{"hub.prod", "hub.prod/Secret/hub"}
		if p = build(t, in); len(p.Kept) != 1 {
			t.Errorf("the Secret named, too: kept %v, want the claim", p.Kept)
		}
	}
}

// TestEmptyHub checks that a hub that would start in the place of another, with none
// of what that one knows, is refused until it is named, and said to be destructive.
func TestEmptyHub(t *testing.T) {
	renamed := func(namespace string) []object {
		return []object{
			{block: "hub.prod", component: "hub", kind: "Deployment", name: "hub", live: pods("h:1", "a")},
			{block: "hub.prod", component: "hub", kind: "PersistentVolumeClaim", name: "hub-db-dir", live: data()},
			{block: "hub.prod", component: "hub", kind: "Deployment", name: "prod-hub", namespace: namespace, want: pods("h:1", "a")},
		}
	}
	for _, namespace := range []string{"", "elsewhere"} { // another fullnameOverride or release; another namespace
		p := build(t, input(renamed(namespace)...))
		if len(p.Refused) != 1 || !strings.Contains(p.Refused[0].Reason, "an empty hub in the place of") || len(p.Kept) != 2 {
			t.Errorf("unnamed: refused %v, kept %v", p.Refused, p.Kept)
		}
		in := input(renamed(namespace)...)
		in.Delete = []string{"hub.prod"}
		p = build(t, in)
		isNamed := slices.ContainsFunc(p.Steps(), func(s plan.Step) bool {
			return s.Class == resource.ClassDestructive && slices.ContainsFunc(s.Changes, func(c resource.Change) bool {
				return c.Action == resource.Create && strings.Contains(strings.Join(c.Notes, ""), "empty hub")
			})
		})
		if len(p.Refused) != 0 || !isNamed || len(p.Kept) != 1 {
			t.Errorf("named: refused %v, kept %v, steps %v", p.Refused, p.Kept, lines(p))
		}
	}
}

// mounted is a hub with its database on a claim.
func mounted(claim string) map[string]any {
	o := pods("h:1", "a")
	o["spec"].(map[string]any)["template"].(map[string]any)["spec"] = map[string]any{
		"containers": []any{map[string]any{"name": "hub", "image": "h:1", "volumeMounts": []any{map[string]any{"name": "pvc", "mountPath": "/srv/jupyterhub"}}}},
		"volumes":    []any{map[string]any{"name": "pvc", "persistentVolumeClaim": map[string]any{"claimName": claim}}},
	}
	return o
}

// TestOtherDatabase checks that another database of a hub is said to be destructive.
func TestOtherDatabase(t *testing.T) {
	for reason, o := range map[string]object{
		"another claim": {kind: "Deployment", want: mounted("b"), live: mounted("a")},
		"no claim":      {kind: "Deployment", want: pods("h:1", "a"), live: mounted("a")},
		"another URL":   {kind: "Secret", want: values("hub:\n  db:\n    url: postgres://b\n"), live: values("hub:\n  db:\n    url: postgres://a\n")},
		"another type":  {kind: "Secret", want: values("jupyterhub:\n  hub:\n    db:\n      type: postgres\n"), live: values("jupyterhub:\n  hub:\n    db:\n      type: sqlite-pvc\n")},
	} {
		o.block, o.component, o.name = "hub.prod", "hub", "hub"
		in := input(o)
		in.Census = people
		c := build(t, in).Steps()[0].Changes[0]
		if c.Class != resource.ClassDestructive || c.Impact.SessionsInterrupted != 40 || !strings.Contains(strings.Join(c.Notes, ""), "another database") {
			t.Errorf("%s: %s, %+v, notes %q; want it destructive", reason, c.Class, c.Impact, c.Notes)
		}
		if strings.Contains(strings.Join(c.Notes, ""), "postgres://") {
			t.Errorf("%s: the notes tell the URL", reason)
		}
	}
}

// TestClaimsOfStatefulSets checks that nothing is done at which a controller would
// delete the volume claims of a StatefulSet.
func TestClaimsOfStatefulSets(t *testing.T) {
	set := func(replicas int64, deleted, scaled string) map[string]any {
		return map[string]any{"spec": map[string]any{
			"replicas":                             replicas,
			"persistentVolumeClaimRetentionPolicy": map[string]any{"whenDeleted": deleted, "whenScaled": scaled},
		}}
	}
	beside := object{block: "manifest.x", kind: "ConfigMap", name: "x", want: data("a", "b"), live: data("a", "b")}
	for _, test := range []struct {
		reason string
		object object
		want   string // empty: it is done
	}{
		{"replaced", object{want: set(1, "Delete", "Retain"), live: set(2, "Delete", "Retain"), replace: []string{"spec.volumeClaimTemplates"}}, "whenDeleted"},
		{"replaced, and they are retained", object{want: set(1, "Retain", "Retain"), live: set(2, "Retain", "Retain"), replace: []string{"spec.volumeClaimTemplates"}}, ""},
		{"deleted", object{live: set(1, "Delete", "Retain")}, "whenDeleted"},
		{"deleted, and they are retained", object{live: set(1, "Retain", "Retain")}, ""},
		{"scaled down", object{want: set(1, "Retain", "Delete"), live: set(2, "Retain", "Delete")}, "whenScaled"},
		{"scaled down and retained at once", object{want: set(1, "Retain", "Retain"), live: set(2, "Retain", "Delete")}, ""},
		{"scaled down and deleted from now on", object{want: set(1, "Retain", "Delete"), live: set(2, "Retain", "Retain")}, "whenScaled"},
		{"deleted from now on", object{want: set(2, "Retain", "Delete"), live: set(2, "Retain", "Retain")}, ""},
		{"scaled up", object{want: set(3, "Retain", "Delete"), live: set(2, "Retain", "Delete")}, ""},
	} {
		o := test.object
		o.block, o.kind, o.name = "manifest.db", "StatefulSet", "db"
		p := build(t, input(o, beside))
		var reasons string
		for _, r := range p.Refused {
			reasons += r.Reason
		}
		for _, k := range p.Kept {
			reasons += k.Reason
		}
		if (test.want == "") != (reasons == "") || !strings.Contains(reasons, test.want) || p.Empty() != (test.want != "") {
			t.Errorf("%s: %q, steps %v; want %q", test.reason, reasons, lines(p), test.want)
		}
	}
}

// TestClaimsToBeDeleted checks that a StatefulSet whose claims will go with it, or with
// its pods, from now on is destructive and says so; and that one is not whose claims will
// stay, or did go before.
func TestClaimsToBeDeleted(t *testing.T) {
	set := func(policy ...string) map[string]any {
		return at(map[string]any{"whenDeleted": policy[0], "whenScaled": policy[1]}, "spec", "persistentVolumeClaimRetentionPolicy")
	}
	for _, test := range []struct {
		live, want map[string]any
		class      resource.Class
		says       string
	}{
		{set("Retain", "Retain"), set("Delete", "Retain"), resource.ClassDestructive, "with it (whenDeleted)"},
		{set("Retain", "Retain"), set("Retain", "Delete"), resource.ClassDestructive, "scaled away (whenScaled)"},
		{at(int64(1), "spec", "minReadySeconds"), set("Delete", "Delete"), resource.ClassDestructive, "with it (whenDeleted) and with pods that"},
		{set("Delete", "Retain"), set("Retain", "Retain"), resource.ClassLive, ""},
		{set("Delete", "Delete"), set("Delete", "Retain"), resource.ClassLive, ""},
	} {
		p := build(t, input(object{block: "manifest.db", kind: "StatefulSet", name: "db", want: test.want, live: test.live}))
		c := p.Steps()[0].Changes[0]
		if notes := strings.Join(c.Notes, "\n"); c.Class != test.class || !strings.Contains(notes, test.says) || (notes == "") != (test.says == "") {
			t.Errorf("%v → %v: %s, notes %q; want %s, %q", test.live, test.want, c.Class, notes, test.class, test.says)
		}
	}
}

// TestCorePool checks that the end of a pool's nodes counts those who are cut off
// because a hub and its proxy run there.
func TestCorePool(t *testing.T) {
	on := func(o map[string]any, purpose string) map[string]any {
		return with(o, map[string]any{"hub.jupyter.org/node-purpose": purpose}, "spec", "template", "spec", "nodeSelector")
	}
	corePool := func(machine string) map[string]any {
		return with(autoscaling(1, 2, machine), map[string]any{"hub.jupyter.org/node-purpose": "core"}, "config", "labels")
	}
	hub := func(purpose string) []object {
		var all []object
		for _, name := range []string{"hub", "proxy"} {
			o := on(pods(name, "a"), purpose)
			all = append(all, object{block: "hub.prod", component: name, kind: "Deployment", name: name, want: o, live: o})
		}
		return all
	}
	pool := object{block: "node_pool.core", kind: resource.KindNodePool, name: "core", want: corePool("n4"), live: corePool("n2")}
	gone := object{block: "node_pool.core", kind: resource.KindNodePool, name: "core", live: corePool("n2")}
	seen := func(on ...resource.Carrier) map[string]resource.Census {
		c := people["main"]
		c.Carriers = map[string][]resource.Carrier{"core": on}
		return map[string]resource.Census{"main": c}
	}
	for _, test := range []struct {
		reason      string
		objects     []object
		census      map[string]resource.Census
		interrupted int
	}{
		{"rolled", append(hub("core"), pool), people, 40},
		{"deleted", append(hub("core"), gone), people, 40},
		{"rolled, and the hub asks for other nodes", append(hub("other"), pool), people, 0},
		{"rolled, and the proxy is seen there", append(hub("core"), pool), seen(resource.Carrier{Namespace: "prod", Component: "proxy"}), 40},
		{"rolled, and only the hub is seen there", append(hub("core"), pool), seen(resource.Carrier{Namespace: "prod", Component: "hub"}), 0},
		{"rolled, and nothing is seen there", append(hub("core"), pool), seen(), 0},
	} {
		in := input(test.objects...)
		in.Census = test.census
		s := build(t, in).Steps()[0]
		if s.Impact.SessionsInterrupted != test.interrupted || s.Relies == nil || (s.Relies.Max == 48) != (test.interrupted == 40) {
			t.Errorf("%s: %+v, relies on %+v; want %d interrupted", test.reason, s.Impact, s.Relies, test.interrupted)
		}
		if pauses := s.Impact.LaunchGap > 0; test.interrupted > 0 && (!pauses || s.Class != resource.ClassNodeRolling) {
			t.Errorf("%s: %s, launches pause %v", test.reason, s.Class, s.Impact.LaunchGap)
		}
	}
}
