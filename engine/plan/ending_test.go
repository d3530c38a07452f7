package plan_test

import (
	"strings"
	"testing"

	"hubcap/engine/resource"
)

// TestEndings checks that what ends sessions after the plan, or takes people's homes
// away, is said, is destructive, and relies on those who were counted; and that what
// leaves them longer is not.
func TestEndings(t *testing.T) {
	for _, test := range []struct {
		before, after string
		want          string // empty: it is live
		lost          int
	}{
		{"cull:\n  maxAge: 604800\n", "cull:\n  maxAge: 120\n", "sessions older than 2m are ended by the culler", 40},
		{"cull:\n  maxAge: 0\n", "cull:\n  maxAge: 36000\n", "sessions older than 10h are ended", 40},
		{"cull:\n  maxAge: 120\n", "cull:\n  maxAge: 0\n", "", 0},
		{"cull:\n  maxAge: 120\n", "cull:\n  maxAge: 604800\n", "", 0},
		{"cull:\n  timeout: 3600\n", "cull:\n  timeout: 90\n", "sessions idle longer than 1m30s are ended", 40},
		{"cull:\n  timeout: 3600\n", "cull:\n  timeout: soon\n", "idle longer than a time that cannot be read", 40},
		{"cull:\n  timeout: 90\n", "cull:\n  timeout: 3600\n", "", 0},
		{"cull:\n  every: 600\n", "cull:\n  every: 60\n", "looks every 1m", 40},
		{"cull:\n  every: 60\n", "cull:\n  every: 600\n", "", 0},
		{"cull:\n  enabled: false\n", "cull:\n  enabled: true\n", "idle longer than 1h", 40},
		{"cull:\n  enabled: true\n", "cull:\n  enabled: false\n", "", 0},
		{"cull:\n  adminUsers: false\n", "cull:\n  adminUsers: true\n", "sessions of admins", 40},
		{"cull:\n  users: false\n", "cull:\n  users: true\n", "users whose servers are ended are deleted", 40},
		{"cull:\n  removeNamedServers: false\n", "cull:\n  removeNamedServers: true\n", "named servers are deleted", 40},
		{"cull:\n  users: true\nhub:\n  config:\n    KubeSpawner:\n      delete_pvc: false\n", "cull:\n  users: true\n", "their volume claims with them", 40},
		{"cull:\n  removeNamedServers: true\nhub:\n  config:\n    KubeSpawner:\n      delete_pvc: false\n", "cull:\n  removeNamedServers: true\nhub:\n  config:\n    KubeSpawner:\n      delete_pvc: true\n", "their volume claims with them", 40},
		{"cull:\n  users: true\n", "cull:\n  users: true\nhub:\n  config:\n    KubeSpawner:\n      delete_pvc: false\n", "", 0},
		{"jupyterhub:\n  cull:\n    timeout: 3600\n", "jupyterhub:\n  cull:\n    timeout: 60\n", "idle longer than 1m", 40},
		{"singleuser:\n  storage:\n    type: dynamic\n", "singleuser:\n  storage:\n    type: none\n", "without the homes", 0},
		{"singleuser:\n  storage:\n    type: static\n", "singleuser:\n  storage:\n    type: dynamic\n", "without the homes", 0},
		{"singleuser:\n  storage:\n    type: none\n", "singleuser:\n  storage:\n    type: dynamic\n", "", 0},
		{"singleuser:\n  storage:\n    type: static\n    static:\n      pvcName: a\n", "singleuser:\n  storage:\n    type: static\n    static:\n      pvcName: b\n", "static.pvcName", 0},
		{"singleuser:\n  storage:\n    homeMountPath: /home/jovyan\n", "singleuser:\n  storage:\n    homeMountPath: /srv\n", "homeMountPath", 0},
		{"singleuser:\n  storage:\n    dynamic:\n      pvcNameTemplate: claim-{username}{servername}\n", "singleuser:\n  storage:\n    dynamic:\n      pvcNameTemplate:\n", "", 0},
		{"singleuser:\n  storage:\n    capacity: 10Gi\n", "singleuser:\n  storage:\n    capacity: 20Gi\n", "", 0},
	} {
		in := input(object{block: "hub.prod", component: "hub", kind: "Secret", name: "hub", want: values(test.after), live: values(test.before)})
		in.Census = people
		s := build(t, in).Steps()[0]
		notes := strings.Join(s.Changes[0].Notes, "\n")
		if test.want == "" {
			if s.Class != resource.ClassLive || s.Relies != nil || s.Impact.SessionsLost != 0 {
				t.Errorf("%q → %q: %s, %+v, notes %q; want it live", test.before, test.after, s.Class, s.Impact, notes)
			}
			continue
		}
		if s.Class != resource.ClassDestructive || s.Impact.SessionsLost != test.lost || s.Relies == nil || s.Relies.Counted != 40 || !strings.Contains(notes, test.want) {
			t.Errorf("%q → %q: %s, %+v, relies on %+v, notes %q; want %d lost, %q", test.before, test.after, s.Class, s.Impact, s.Relies, notes, test.lost, test.want)
		}
	}
}

// TestCleanup checks that a restart of a hub that ends all servers when it stops loses
// them, as the live hub is set, and that of one that does not loses none.
func TestCleanup(t *testing.T) {
	for _, test := range []struct {
		live map[string]any
		lost int
	}{
		{values("hub:\n  config:\n    JupyterHub:\n      cleanup_servers: true\n"), 40},
		{values("hub:\n  extraConfig:\n    a: \"c.JupyterHub.cleanup_servers = True\\n\"\n"), 40},
		{data("jupyterhub_config.py", "c.JupyterHub.cleanup_servers=True\n"), 40},
		{data("jupyterhub_config.py", "c.JupyterHub.cleanup_servers = False\n"), 0},
		{values("hub:\n  config:\n    JupyterHub:\n      cleanup_servers: false\n"), 0},
	} {
		in := input(
			object{block: "hub.prod", component: "hub", kind: "Secret", name: "hub", want: test.live, live: test.live},
			object{block: "hub.prod", component: "hub", kind: "Deployment", name: "hub", want: pods("h:2", "b", "hub"), live: pods("h:1", "a", "hub")},
		)
		in.Census = people
		s := build(t, in).Steps()[0]
		if s.Impact.SessionsLost != test.lost || (s.Class == resource.ClassDestructive) != (test.lost > 0) || (s.Relies != nil) != (test.lost > 0) || s.Impact.LaunchGap == 0 {
			t.Errorf("%v: %s, %+v, relies on %+v; want %d lost", test.live, s.Class, s.Impact, s.Relies, test.lost)
		}
	}
}

// TestEndingsOfTheWayBack checks that the way back of a step counts those whose sessions
// end by it: by what the step leaves behind, not by what it found.
func TestEndingsOfTheWayBack(t *testing.T) {
	const cleans, keeps = "hub:\n  config:\n    JupyterHub:\n      cleanup_servers: true\n", "hub:\n  config:\n    JupyterHub:\n      cleanup_servers: false\n"
	for _, test := range []struct {
		reason        string
		before, after string
		lost, back    int
	}{
		{"ends them from now on", keeps, cleans, 0, 40},
		{"ends them no more", cleans, keeps, 40, 0},
		{"ends them before and after", cleans, cleans, 40, 40},
		{"never ends them", keeps, keeps, 0, 0},
		{"culls later", "cull:\n  maxAge: 120\n", "cull:\n  maxAge: 0\n", 0, 40},
		{"culls sooner", "cull:\n  maxAge: 0\n", "cull:\n  maxAge: 120\n", 40, 0},
	} {
		in := input(
			object{block: "hub.prod", component: "hub", kind: "Secret", name: "hub", want: values(test.after), live: values(test.before)},
			object{block: "hub.prod", component: "hub", kind: "Deployment", name: "hub", want: pods("h:2", "b", "hub"), live: pods("h:1", "a", "hub")},
		)
		in.Census = people
		s := build(t, in).Steps()[0]
		if s.Impact.SessionsLost != test.lost || s.Back == nil || s.Back.SessionsLost != test.back || s.Back.LaunchGap == 0 {
			t.Errorf("%s: %+v, back %+v; want %d lost, and %d on the way back", test.reason, s.Impact, s.Back, test.lost, test.back)
		}
	}
}

// TestStranded checks that a hub which loses what it cannot work without is out of
// order, and that one which has another instead is not.
func TestStranded(t *testing.T) {
	as := func(name string) map[string]any {
		return with(pods("h:1", "a", "hub"), name, "spec", "template", "spec", "serviceAccountName")
	}
	binding := func(role, name string) map[string]any {
		return map[string]any{"roleRef": map[string]any{"kind": "Role", "name": role}, "subjects": []any{map[string]any{"kind": "ServiceAccount", "name": name}}}
	}
	hub := func(name string) object {
		return object{block: "hub.prod", component: "hub", kind: "Deployment", name: "hub", want: as(name), live: as("hub")}
	}
	gone := func(kind, name string, live map[string]any) object {
		return object{block: "manifest.rights", namespace: "prod", kind: kind, name: name, live: live}
	}
	stays := object{block: "hub.prod", component: "hub", kind: "RoleBinding", name: "hub", want: binding("hub", "hub"), live: binding("hub", "hub")}
	other := object{block: "hub.prod", component: "hub", kind: "RoleBinding", name: "other", want: binding("other", "other")}
	for reason, test := range map[string]struct {
		objects []object
		class   resource.Class
	}{
		"its Role":                            {[]object{hub("hub"), stays, gone("Role", "hub", data())}, resource.ClassOutage},
		"its RoleBinding":                     {[]object{hub("hub"), gone("RoleBinding", "hub", binding("hub", "hub"))}, resource.ClassOutage},
		"its ServiceAccount":                  {[]object{hub("hub"), stays, gone("ServiceAccount", "hub", data())}, resource.ClassOutage},
		"its Secret":                          {[]object{hub("hub"), stays, gone("Secret", "hub", data())}, resource.ClassOutage},
		"its account, and it has another":     {[]object{hub("other"), other, gone("ServiceAccount", "hub", data())}, resource.ClassLive},
		"its account, for one without rights": {[]object{hub("other"), stays, gone("ServiceAccount", "hub", data())}, resource.ClassOutage},
		"another's Role":                      {[]object{hub("hub"), stays, gone("Role", "x", data())}, resource.ClassLive},
		"a Secret that it does not read":      {[]object{hub("hub"), stays, gone("Secret", "x", data())}, resource.ClassLive},
	} {
		found := false
		for _, s := range build(t, input(test.objects...)).Steps() {
			for _, c := range s.Changes {
				if c.Action != resource.Delete {
					continue
				}
				found = true
				if c.Class != test.class || c.Impact.LaunchesStop != (test.class == resource.ClassOutage) {
					t.Errorf("%s goes: %s, %+v, notes %q; want %s", reason, c.Class, c.Impact, c.Notes, test.class)
				}
			}
		}
		if !found {
			t.Errorf("%s does not go", reason)
		}
	}
}

// TestCustomResources checks that copies of people's work go by name, and that the end
// of a custom resource that no rule is about has no way back.
func TestCustomResources(t *testing.T) {
	beside := object{block: "manifest.y", kind: "ConfigMap", name: "y", want: data(), live: data()}
	for kind, group := range map[string]string{"VolumeSnapshot": "snapshot.storage.k8s.io", "VolumeSnapshotContent": "snapshot.storage.k8s.io", "Backup": "velero.io", "ScheduledBackup": "postgresql.cnpg.io"} {
		o := object{block: "manifest.x", kind: kind, group: group, name: "x", live: data()}
		if p := build(t, input(o, beside)); !p.Empty() || len(p.Kept) != 1 {
			t.Errorf("%s: steps %v, kept %v; want it kept", kind, lines(p), p.Kept)
		}
		in := input(o, beside)
		in.Delete = []string{"manifest.x/" + kind + "/x"}
		if p := build(t, in); len(p.Steps()) != 1 || p.Steps()[0].Class != resource.ClassDestructive {
			t.Errorf("%s, named: steps %v", kind, lines(p))
		}
	}
	for group, want := range map[string]resource.Class{"example.com": resource.ClassOneWay, "": resource.ClassRestart, "networking.k8s.io": resource.ClassRestart} {
		p := build(t, input(object{block: "manifest.x", kind: "Widget", group: group, name: "x", live: data()}, beside))
		s := p.Steps()[0]
		if s.Class != want || s.Impact.OneWay != (want == resource.ClassOneWay) || !s.Impact.Unknown || (s.Back == nil) != (want == resource.ClassOneWay) {
			t.Errorf("Widget of %q: %s, %+v, back %+v; want %s", group, s.Class, s.Impact, s.Back, want)
		}
	}
}
