package plan_test

import (
	"fmt"
	"strings"
	"testing"

	"hubcap/engine/plan"
	"hubcap/engine/resource"
)

// hubValues are values of a chart that set one trait of a class.
func hubValues(class, trait, value string) string {
	return fmt.Sprintf("hub:\n  config:\n    %s:\n      %s: %s\n", class, trait, value)
}

// TestTraits checks that a trait is judged like the typed value that it stands for,
// wherever it is set, and that one that changes nothing, or of which nothing is known,
// does no more than restart its program.
func TestTraits(t *testing.T) {
	const none = "hub:\n  config: {}\n"
	for _, test := range []struct {
		before, after string
		class         resource.Class
		says          string
		lost          int
	}{
		{none, hubValues("JupyterHub", "db_url", "sqlite:////tmp/x"), resource.ClassDestructive, "another database", 0},
		{"hub:\n  db:\n    url: postgresql://db/hub\n", "hub:\n  db:\n    url: postgresql://db/hub\n  config:\n    JupyterHub:\n      db_url: postgresql://db/hub\n", resource.ClassLive, "", 0},
		{none, hubValues("KubeSpawner", "pvc_name_template", "x-{username}"), resource.ClassDestructive, "without the homes", 0},
		{none, hubValues("KubeSpawner", "pvc_name_template", "claim-{username}{servername}"), resource.ClassLive, "", 0},
		{none, hubValues("KubeSpawner", "volumes", "[]"), resource.ClassDestructive, "without the homes", 0},
		{none, hubValues("MySpawner", "volume_mounts", "[]"), resource.ClassDestructive, "without the homes", 0},
		{hubValues("KubeSpawner", "volumes", "\n      - name: home"), hubValues("KubeSpawner", "volumes", "\n      - name: data\n      - name: home"), resource.ClassLive, "", 0},
		{hubValues("KubeSpawner", "volumes", "\n      - name: home"), hubValues("KubeSpawner", "volumes", "\n      - name: data"), resource.ClassDestructive, "without the homes", 0},
		{none, hubValues("KubeSpawner", "storage_pvc_ensure", "false"), resource.ClassDestructive, "without the homes", 0},
		{none, hubValues("KubeSpawner", "storage_pvc_ensure", "true"), resource.ClassLive, "", 0},
		{none, hubValues("KubeSpawner", "slug_scheme", "escape"), resource.ClassDestructive, "without the homes", 0},
		{none, hubValues("KubeSpawner", "slug_scheme", "safe"), resource.ClassLive, "", 0},
		{none, hubValues("KubeSpawner", "namespace", "people"), resource.ClassDestructive, "does not find the servers", 0},
		{none, hubValues("KubeSpawner", "namespace", "prod"), resource.ClassLive, "", 0},
		{none, hubValues("KubeSpawner", "enable_user_namespaces", "true"), resource.ClassDestructive, "does not find the servers", 0},
		{none, hubValues("KubeSpawner", "enable_user_namespaces", "false"), resource.ClassLive, "", 0},
		{none, hubValues("KubeSpawner", "component_label", "person"), resource.ClassDestructive, "does not find the servers", 0},
		{none, hubValues("JupyterHub", "spawner_class", "simple"), resource.ClassDestructive, "does not find the servers", 0},
		{none, hubValues("JupyterHub", "spawner_class", "kubespawner"), resource.ClassLive, "", 0},
		{none, hubValues("JupyterHub", "base_url", "/hub"), resource.ClassDestructive, "does not find the servers", 0},
		{"hub:\n  baseUrl: /hub/\n", hubValues("JupyterHub", "base_url", "/hub"), resource.ClassLive, "", 0},
		{"hub:\n  baseUrl: /\n", "hub:\n  baseUrl: /hub/\n", resource.ClassDestructive, "does not find the servers", 0},
		{none, hubValues("JupyterHub", "cookie_secret", "abcd"), resource.ClassDestructive, "keys go", 0},
		{none, "hub:\n  cookieSecret: abcd\n", resource.ClassDestructive, "keys go", 0},
		{"hub:\n  cookieSecret: abcd\n", hubValues("JupyterHub", "cookie_secret", "abcd"), resource.ClassLive, "", 0},
		{hubValues("CryptKeeper", "keys", "\n      - a"), hubValues("CryptKeeper", "keys", "\n      - b"), resource.ClassDestructive, "keys go", 0},
		{hubValues("CryptKeeper", "keys", "\n      - a"), hubValues("CryptKeeper", "keys", "\n      - b\n      - a"), resource.ClassLive, "", 0},
		{none, "hub:\n  existingSecret: mine\n", resource.ClassDestructive, "keys go", 0},
		{none, hubValues("GitHubOAuthenticator", "delete_invalid_users", "true"), resource.ClassDestructive, "their volume claims with them", 40},
		{none, hubValues("Authenticator", "delete_invalid_users", "false"), resource.ClassLive, "", 0},
		{none, "hub:\n  extraConfig:\n    a: \"c.JupyterHub.db_url = 'sqlite:////tmp/x'\\n\"\n", resource.ClassDestructive, "another database", 0},
		{none, "hub:\n  extraConfig:\n    a: |\n      c.KubeSpawner.volumes = []\n", resource.ClassDestructive, "without the homes", 0},
		{none, "hub:\n  services:\n    cull:\n      command:\n      - python3\n      - -m\n      - jupyterhub_idle_culler\n      - --timeout=60\n", resource.ClassDestructive, "idle longer than 1m are ended", 40},
		{none, "hub:\n  services:\n    cull:\n      command:\n      - cull_idle_servers.py\n", resource.ClassDestructive, "idle longer than 10m are ended", 40},
		{none, "hub:\n  services:\n    report:\n      command:\n      - report\n      - --timeout=60\n", resource.ClassLive, "", 0},
		{"jupyterhub:\n" + "  hub:\n    config: {}\n", "jupyterhub:\n  hub:\n    config:\n      JupyterHub:\n        db_url: x\n", resource.ClassDestructive, "another database", 0},
		{none, hubValues("JupyterHub", "log_level", "10"), resource.ClassLive, "", 0},
		{none, hubValues("KubeSpawner", "mem_limit", "1G"), resource.ClassLive, "", 0},
		{none, hubValues("Foo", "db_url", "x"), resource.ClassLive, "", 0},
		{"config:\n  BinderHub:\n    use_registry: true\n", "config:\n  BinderHub:\n    use_registry: false\n", resource.ClassCacheWipe, "built again", 0},
		{"config:\n  BinderHub: {}\n", "config:\n  BinderHub:\n    pod_quota: 0\n", resource.ClassOutage, "nobody is let in", 0},
		{"config:\n  LaunchQuota: {}\n", "config:\n  KubernetesLaunchQuota:\n    total_quota: 0\n", resource.ClassOutage, "nobody is let in", 0},
		{"config:\n  BinderHub:\n    pod_quota: 0\n", "config:\n  BinderHub:\n    pod_quota: 5\n", resource.ClassLive, "", 0},
	} {
		s, notes := traitStep(t, values(test.before), values(test.after))
		isSafe := test.class == resource.ClassLive
		if s.Class != test.class || !strings.Contains(notes, test.says) || s.Impact.SessionsLost != test.lost || isSafe == (s.Relies != nil) && test.class != resource.ClassCacheWipe {
			t.Errorf("%q → %q: %s, %+v, relies on %+v, notes %q; want %s, %q, %d lost", test.before, test.after, s.Class, s.Impact, s.Relies, notes, test.class, test.says, test.lost)
		}
	}
}

// TestTraitKeys checks that a key which a chart carries beside its values is judged by
// what it is, not by where it is set.
func TestTraitKeys(t *testing.T) {
	keys := func(text, cookie, crypt string) map[string]any {
		body := with(values(text), resource.Secret(cookie), "data", "hub.config.JupyterHub.cookie_secret")
		return with(body, resource.Secret(crypt), "data", "hub.config.CryptKeeper.keys")
	}
	const none = "hub:\n  config: {}\n"
	for _, test := range []struct {
		before, after map[string]any
		class         resource.Class
	}{
		{keys(none, "a", "x"), keys(hubValues("JupyterHub", "cookie_secret", "a"), "a", "x"), resource.ClassLive},
		{keys(none, "a", "x"), keys("hub:\n  cookieSecret: a\n", "a", "x"), resource.ClassLive},
		{keys(none, "a", "x"), keys(hubValues("JupyterHub", "cookie_secret", "b"), "b", "x"), resource.ClassDestructive},
		{keys(none, "a", "x"), keys(hubValues("CryptKeeper", "keys", "y;x"), "a", "y;x"), resource.ClassLive},
		{keys(none, "a", "x"), keys(hubValues("CryptKeeper", "keys", "y"), "a", "y"), resource.ClassDestructive},
	} {
		if s, notes := traitStep(t, test.before, test.after); s.Class != test.class {
			t.Errorf("%v → %v: %s, notes %q; want %s", test.before, test.after, s.Class, notes, test.class)
		}
	}
}

// traitStep plans a change of the Secret with a hub's values.
func traitStep(t *testing.T, before, after map[string]any) (plan.Step, string) {
	t.Helper()
	in := input(object{block: "hub.prod", component: "hub", kind: "Secret", name: "hub", want: after, live: before})
	in.Census = people
	s := build(t, in).Steps()[0]
	return s, strings.Join(s.Changes[0].Notes, "\n")
}
