package plan_test

import (
	"strings"
	"testing"

	"hubcap/engine/plan"
	"hubcap/engine/resource"
)

// livePods are the live pods of a hub: its own, and its proxy's.
func livePods() []object {
	var all []object
	for _, name := range []string{"hub", "proxy"} {
		o := with(pods(name, "a"), map[string]any{"app": "jupyterhub", "component": name}, "spec", "template", "metadata", "labels")
		all = append(all, object{block: "hub.prod", component: name, kind: "Deployment", name: name, want: o, live: o})
	}
	return all
}

// A rule is one of a NetworkPolicy.
func rule(direction string, peer map[string]any, ports ...any) map[string]any {
	r := map[string]any{}
	if peer != nil {
		r[map[string]string{"ingress": "from", "egress": "to"}[direction]] = []any{peer}
	}
	for _, p := range ports {
		list, _ := r["ports"].([]any)
		r["ports"] = append(list, map[string]any{"port": p})
	}
	return r
}

// isolating is a NetworkPolicy for the pods of a component, all of them where it is "".
func isolating(component, direction string, rules ...any) map[string]any {
	selector := map[string]any{}
	if component != "" {
		selector = map[string]any{"matchLabels": map[string]any{"component": component}}
	}
	types := []any{map[string]string{"ingress": "Ingress", "egress": "Egress"}[direction]}
	return at(map[string]any{"podSelector": selector, "policyTypes": types, direction: rules}, "spec")
}

func cidr(block string, except ...any) map[string]any {
	return map[string]any{"ipBlock": map[string]any{"cidr": block, "except": except}}
}

// judged returns the one step that is not the hub's own, where 40 people are.
func judged(t *testing.T, objects ...object) plan.Step {
	t.Helper()
	in := input(objects...)
	in.Census = people
	in.Guards = []plan.PlannedGuard{{Guard: plan.Guard{Name: "nobody", Level: plan.Hard, Sessions: &plan.SessionsCheck{}}}}
	steps := build(t, in).Steps()
	if len(steps) != 1 {
		t.Fatalf("steps %v, want one", steps)
	}
	return steps[0]
}

// TestIsolation checks that a NetworkPolicy that leaves less to the pods that people need
// is never harmless, and that one which allows more, or reaches none of them, is.
func TestIsolation(t *testing.T) {
	const in, out = "ingress", "egress"
	policy := func(want, live map[string]any) object {
		return object{block: "manifest.deny", namespace: "prod", kind: "NetworkPolicy", group: "networking.k8s.io", name: "deny", want: want, live: live}
	}
	beside := func(want map[string]any) object {
		return object{block: "hub.prod", component: "proxy", kind: "NetworkPolicy", group: "networking.k8s.io", name: "proxy", want: want, live: want}
	}
	open, some := rule(in, nil, "http"), rule(in, map[string]any{"podSelector": map[string]any{"matchLabels": map[string]any{"a": "b"}}}, "http")
	for reason, test := range map[string]struct {
		objects []object
		class   resource.Class
	}{
		"new, nothing for all":        {[]object{policy(isolating("", in), nil)}, resource.ClassOutage},
		"new, nothing for the proxy":  {[]object{policy(isolating("proxy", out), nil)}, resource.ClassOutage},
		"new, nothing for users":      {[]object{policy(isolating("singleuser-server", out), nil)}, resource.ClassOutage},
		"new, some for the proxy":     {[]object{policy(isolating("proxy", in, open), nil)}, resource.ClassProxy},
		"new, some for the hub":       {[]object{policy(isolating("hub", in, open), nil)}, resource.ClassHub},
		"new, for others":             {[]object{policy(isolating("grafana", in), nil)}, resource.ClassLive},
		"new, adds to another":        {[]object{policy(isolating("proxy", in, open), nil), beside(isolating("proxy", in, some))}, resource.ClassLive},
		"new, nothing beside another": {[]object{policy(isolating("proxy", in), nil), beside(isolating("proxy", in, some))}, resource.ClassProxy},
		"a port goes":                 {[]object{policy(isolating("proxy", in, rule(in, nil, "http")), isolating("proxy", in, rule(in, nil, "http", "https")))}, resource.ClassOutage},
		"a port comes":                {[]object{policy(isolating("proxy", in, rule(in, nil, "http", "https")), isolating("proxy", in, rule(in, nil, "http")))}, resource.ClassLive},
		"every port comes":            {[]object{policy(isolating("proxy", in, rule(in, nil)), isolating("proxy", in, rule(in, nil, "http")))}, resource.ClassLive},
		"peers for anybody":           {[]object{policy(isolating("proxy", in, some), isolating("proxy", in, open))}, resource.ClassOutage},
		"anybody for peers":           {[]object{policy(isolating("proxy", in, open), isolating("proxy", in, some))}, resource.ClassLive},
		"allowed by another":          {[]object{policy(isolating("proxy", in, some), isolating("proxy", in, open)), beside(isolating("proxy", in, open))}, resource.ClassLive},
		"another direction":           {[]object{policy(isolating("proxy", out), isolating("proxy", in, open))}, resource.ClassOutage},
		"more pods":                   {[]object{policy(isolating("", in), isolating("grafana", in))}, resource.ClassOutage},
		"fewer pods":                  {[]object{policy(isolating("grafana", in), isolating("", in))}, resource.ClassLive},
		"users, fewer addresses":      {[]object{policy(isolating("singleuser-server", out, rule(out, cidr("10.0.0.0/8"))), isolating("singleuser-server", out, rule(out, cidr("0.0.0.0/0"))))}, resource.ClassProxy},
		"users, more addresses":       {[]object{policy(isolating("singleuser-server", out, rule(out, cidr("0.0.0.0/0"))), isolating("singleuser-server", out, rule(out, cidr("10.0.0.0/8"))))}, resource.ClassLive},
		"users, more exceptions":      {[]object{policy(isolating("singleuser-server", out, rule(out, cidr("0.0.0.0/0", "10.0.0.0/8"))), isolating("singleuser-server", out, rule(out, cidr("0.0.0.0/0"))))}, resource.ClassProxy},
		"goes, and no other":          {[]object{policy(nil, isolating("proxy", in, open))}, resource.ClassLive},
		"goes, and another stays":     {[]object{policy(nil, isolating("proxy", in, open)), beside(isolating("proxy", in, some))}, resource.ClassProxy},
	} {
		s := judged(t, append(livePods(), test.objects...)...)
		cuts := test.class >= resource.ClassProxy
		if s.Class != test.class || (s.Impact.SessionsInterrupted == 40) != cuts || (s.Relies != nil) != cuts || s.Impact.LaunchesStop != (test.class == resource.ClassOutage) {
			t.Errorf("%s: %s, %+v, relies on %+v, notes %q; want %s", reason, s.Class, s.Impact, s.Relies, s.Changes[0].Notes, test.class)
		}
		if (len(s.Guards) > 0) != cuts || cuts && s.Guards[0].Sessions.Namespace != "prod" {
			t.Errorf("%s: guards %+v; want them asked %v", reason, s.Guards, cuts)
		}
	}
}

// TestBarriers checks that what keeps new pods from starting where a hub lives is never
// harmless when it is new or tighter; and that it is where none lives.
func TestBarriers(t *testing.T) {
	quota := func(n string) map[string]any { return at(n, "spec", "hard", "requests.memory") }
	limit := func(n string) map[string]any {
		return at([]any{map[string]any{"type": "Pod", "max": map[string]any{"memory": n}}}, "spec", "limits")
	}
	hook := func(kind, failure string) map[string]any {
		return map[string]any{"webhooks": []any{map[string]any{"name": "a", "failurePolicy": failure, "rules": []any{map[string]any{"resources": []any{kind}}}}}}
	}
	const webhook = "ValidatingWebhookConfiguration"
	for _, test := range []struct {
		reason     string
		kind       string
		live, want map[string]any
		harmless   bool
	}{
		{"new quota", "ResourceQuota", nil, quota("1Gi"), false},
		{"lower quota", "ResourceQuota", quota("1Gi"), quota("1000Mi"), false},
		{"higher quota", "ResourceQuota", quota("1000Mi"), quota("1Gi"), true},
		{"quota that cannot be read", "ResourceQuota", quota("1Gi"), quota("much"), false},
		{"new range", "LimitRange", nil, limit("1Mi"), false},
		{"other range", "LimitRange", limit("2Mi"), limit("1Mi"), false},
		{"no range", "LimitRange", limit("2Mi"), at([]any{}, "spec", "limits"), true},
		{"new webhook", webhook, nil, hook("pods", "Fail"), false},
		{"webhook that fails now", webhook, hook("pods", "Ignore"), hook("pods", "Fail"), false},
		{"webhook that fails no more", webhook, hook("pods", "Fail"), hook("pods", "Ignore"), true},
		{"webhook about others", webhook, nil, hook("secrets", "Fail"), true},
		{"another plugin's policy", "CiliumNetworkPolicy", nil, at("a", "spec", "egress"), false},
		{"another plugin's policy, changed", "CiliumNetworkPolicy", at("a", "spec", "egress"), at("b", "spec", "egress"), false},
	} {
		o := object{block: "manifest.x", namespace: "prod", kind: test.kind, name: "x", want: test.want, live: test.live}
		s := judged(t, append(livePods(), o)...)
		notes := strings.Join(s.Changes[0].Notes, "\n")
		if s.Impact.Unknown == test.harmless || (s.Class >= resource.ClassRestart) == test.harmless || strings.Contains(notes, "no rule says") == test.harmless {
			t.Errorf("%s: %s, %+v, notes %q; want it harmless %v", test.reason, s.Class, s.Impact, notes, test.harmless)
		}
		if o.live != nil {
			continue
		}
		first := livePods()
		for i := range first {
			first[i].live = nil
		}
		fresh := input(append(first, o)...)
		for _, s := range build(t, fresh).Steps() {
			if s.Class >= resource.ClassRestart {
				t.Errorf("%s, with a new hub: step %s is %s", test.reason, s.ID, s.Class)
			}
		}
	}
}
