package plan_test

import (
	"strings"
	"testing"

	"hubcap/engine/resource"
)

// TestMadeSecrets checks that what a Secret is made of is treated like it: a chart's or
// hub's goes by its name, one that a hub reads takes the hub with it, any other counts as
// a restart, and so does the end of what Secrets are renewed by.
func TestMadeSecrets(t *testing.T) {
	named := func(path ...string) map[string]any { return at("token", path...) }
	reads := object{block: "hub.prod", component: "hub", kind: "Deployment", name: "hub", want: pods("h:1", "a", "token"), live: pods("h:1", "a", "token")}
	makers := map[string]object{
		"external-secrets.io":   {kind: "ExternalSecret", live: named("spec", "target", "name")},
		"bitnami.com":           {kind: "SealedSecret", live: named("spec", "template", "metadata", "name")},
		"cert-manager.io":       {kind: "Certificate", live: named("spec", "secretName")},
		"secrets.hashicorp.com": {kind: "VaultStaticSecret", live: named("spec", "destination", "name")},
		"onepassword.com":       {kind: "OnePasswordItem", name: "token", live: data()},
	}
	for group, o := range makers {
		o.group, o.namespace = group, "prod"
		if o.name == "" {
			o.name = "x"
		}
		for block, kept := range map[string]bool{"hub.prod": true, "chart.x": true, "manifest.x": false} {
			o.block = block
			if p := build(t, input(o, reads)); kept != (len(p.Kept) == 1 && p.Empty()) || kept && !strings.Contains(p.Kept[0].Reason, "secrets of a chart are deleted only by name") {
				t.Errorf("%s of %s: kept %v, steps %v; want it kept: %v", o.kind, block, p.Kept, lines(p), kept)
			}
			in := input(o, reads)
			in.Delete = []string{block + "/" + o.kind + "/" + o.name}
			if s := build(t, in).Steps(); len(s) != 1 || s[0].Class < resource.ClassOutage {
				t.Errorf("%s of %s, named: %v", o.kind, block, s)
			}
		}
		o.block = "manifest.x"
		c := build(t, input(o, reads)).Steps()[0].Changes[0]
		if c.Class < resource.ClassOutage {
			t.Errorf("%s that a hub reads: %s", o.kind, c.Class)
		}
		without := reads
		without.want, without.live = pods("h:1", "a"), pods("h:1", "a")
		in := input(o, without)
		c = build(t, in).Steps()[0].Changes[0]
		if c.Class != resource.ClassRestart || !c.Impact.Unknown || !strings.Contains(strings.Join(c.Notes, ""), "the Secret token goes with it") {
			t.Errorf("%s that nothing reads: %s, notes %q", o.kind, c.Class, c.Notes)
		}
	}
	renamed := object{block: "manifest.x", namespace: "prod", kind: "ExternalSecret", group: "external-secrets.io", name: "x", live: named("spec", "target", "name"), want: at("other", "spec", "target", "name")}
	if c := build(t, input(renamed, reads)).Steps()[0].Changes[0]; c.Class != resource.ClassOutage || !c.Impact.LaunchesStop {
		t.Errorf("the Secret gets another name: %s, %+v, notes %q; want an outage", c.Class, c.Impact, c.Notes)
	}
	instead := object{block: "manifest.x", namespace: "prod", kind: "SealedSecret", group: "bitnami.com", name: "token", want: data()}
	for _, s := range build(t, input(renamed, reads, instead)).Steps() {
		if s.Class > resource.ClassLive {
			t.Errorf("another makes it instead: %s is %s", s.ID, s.Class)
		}
	}
	for kind, group := range map[string]string{"Issuer": "cert-manager.io", "ClusterSecretStore": "external-secrets.io"} {
		c := build(t, input(object{block: "manifest.x", namespace: "prod", kind: kind, group: group, name: "x", live: data()}, reads)).Steps()[0].Changes[0]
		if c.Class != resource.ClassRestart || !c.Impact.Unknown {
			t.Errorf("%s: %s, %+v; want a restart", kind, c.Class, c.Impact)
		}
	}
}

// TestDeletesClaims checks that it is said when volume claims begin to go with users.
func TestDeletesClaims(t *testing.T) {
	const not = "hub:\n  config:\n    KubeSpawner:\n      delete_pvc: false\n"
	for _, test := range []struct {
		before, after string
		want          bool
	}{{not, "hub: {}\n", true}, {"hub: {}\n", not, false}, {not, not + "debug: {}\n", false}} {
		c := build(t, input(object{block: "hub.prod", component: "hub", kind: "Secret", name: "hub", want: values(test.after), live: values(test.before)})).Steps()[0].Changes[0]
		if said := strings.Contains(strings.Join(c.Notes, ""), "from now on volume claims go"); said != test.want {
			t.Errorf("%q → %q: notes %q, want it said: %v", test.before, test.after, c.Notes, test.want)
		}
	}
}
