package plan_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hubcap/engine/plan"
	"hubcap/engine/resource"
)

// releases are some of the chart's, with the JupyterHub in each.
var releases = map[string]string{"3.3.8": "4.1.6", "4.1.0": "5.2.1", "4.2.0": "5.3.0", "4.2.1": "5.3.1"}

// hubPods is the hub of a release of the chart, as upstream renders it: its
// database is a file on a claim.
func hubPods(image, chart string) map[string]any {
	o := resource.Object(upgrading(image)).Copy()
	o.Set(map[string]any{"matchLabels": map[string]any{"component": "hub", "release": "prod"}}, "spec", "selector")
	o.Set(int64(1000), "spec", "template", "spec", "securityContext", "fsGroup")
	o.Set([]any{map[string]any{"key": "hub.jupyter.org/dedicated", "operator": "Exists"}}, "spec", "template", "spec", "tolerations")
	o.Set([]any{
		map[string]any{"name": "config", "configMap": map[string]any{"name": "hub"}},
		map[string]any{"name": "pvc", "persistentVolumeClaim": map[string]any{"claimName": "hub-db-dir"}},
	}, "spec", "template", "spec", "volumes")
	hub := o["spec"].(map[string]any)["template"].(map[string]any)["spec"].(map[string]any)["containers"].([]any)[0].(map[string]any)
	hub["volumeMounts"] = []any{
		map[string]any{"name": "config", "mountPath": "/usr/local/etc/jupyterhub"},
		map[string]any{"name": "pvc", "mountPath": "/srv/jupyterhub", "subPath": "db"},
	}
	if chart != "" {
		o.Set(map[string]any{"helm.sh/chart": chart}, "metadata", "labels")
	}
	return o
}

func hubObject(want, live map[string]any) object {
	return object{block: "hub.prod", component: "hub", kind: "Deployment", name: "hub", line: 7, want: want, live: live}
}

func upgradeInput(want, live map[string]any, more ...object) plan.Input {
	in := input(append(more, hubObject(want, live))...)
	in.Releases = releases
	return in
}

func TestMoves(t *testing.T) {
	in := upgradeInput(hubPods("quay.io/jupyterhub/k8s-hub:4.2.0", "jupyterhub-4.2.0"), hubPods("quay.io/jupyterhub/k8s-hub:3.3.8", "jupyterhub-3.3.8"),
		object{
			block: "hub.prod", component: "proxy", kind: "Deployment", name: "proxy",
			want: pods("quay.io/jupyterhub/configurable-http-proxy:4.6.3", "a"), live: pods("jupyterhub/configurable-http-proxy:4.6.1", "a"),
		},
		object{block: "hub.prod", component: "binder", kind: "Deployment", name: "binder", want: pods("b@sha256:0123456789abcdef", "a"), live: pods("b:1", "a")},
		object{
			block: "chart.grafana", kind: "Deployment", name: "grafana",
			want: with(pods("grafana:12", "a"), map[string]any{"helm.sh/chart": "grafana-10.5.15", "app.kubernetes.io/version": "12.3.1"}, "metadata", "labels"),
			live: with(pods("grafana:11", "a"), map[string]any{"chart": "grafana-10.5.14", "app.kubernetes.io/version": "11.0.0"}, "metadata", "labels"),
		})
	block, other := resource.ParseAddress("hub.prod"), resource.ParseAddress("chart.grafana")
	want := []plan.Move{
		{Block: other, Kind: plan.ChartMove, Name: "grafana", Was: "10.5.14", Is: "10.5.15"},
		{Block: other, Kind: plan.AppMove, Name: "grafana", Was: "11.0.0", Is: "12.3.1"},
		{Block: other, Kind: plan.ImageMove, Name: "grafana", Was: "11", Is: "12"},
		{Block: block, Kind: plan.ChartMove, Name: "jupyterhub", Was: "3.3.8", Is: "4.2.0"},
		{Block: block, Kind: plan.AppMove, Name: "JupyterHub", Was: "4.1.6", Is: "5.3.0"},
		{Block: block, Kind: plan.ImageMove, Name: "b", Components: []string{"binder"}, Was: "1", Is: "sha256:0123456789ab"},
		{Block: block, Kind: plan.ImageMove, Name: "configurable-http-proxy", Components: []string{"proxy"}, Was: "jupyterhub/configurable-http-proxy:4.6.1", Is: "quay.io/jupyterhub/configurable-http-proxy:4.6.3"},
		{Block: block, Kind: plan.ImageMove, Name: "k8s-hub", Components: []string{"hub"}, Was: "3.3.8", Is: "4.2.0"},
	}
	if diff := cmp.Diff(want, build(t, in).Versions.Moves); diff != "" {
		t.Errorf("moves (-want +got):\n%s", diff)
	}
}

func TestMigration(t *testing.T) {
	const hub = "quay.io/jupyterhub/k8s-hub:"
	for _, test := range []struct {
		reason     string
		was, is    map[string]any
		class      resource.Class
		note, held string
		backup     bool
	}{
		{"another schema", hubPods(hub+"3.3.8", ""), hubPods(hub+"4.2.0", ""), resource.ClassOneWay, "from JupyterHub 4.1.6 to 5.3.0: there is no way back", "", true},
		{"the same schema", hubPods(hub+"4.1.0", ""), hubPods(hub+"4.2.0", ""), resource.ClassHub, "", "", false},
		{"a development version after a release", hubPods(hub+"4.1.0", ""), hubPods(hub+"4.2.1-0.dev.git.7031.h1a2b3c4", ""), resource.ClassHub, "", "", false},
		{"a development version of the next schema", hubPods(hub+"4.2.0", ""), hubPods(hub+"5.0.0-0.dev.git.9.h1", ""), resource.ClassOneWay, "may upgrade its database, from 4.2.0", "", true},
		{"images of one's own, named by the chart", hubPods("q/own:main", "jupyterhub-3.3.8"), hubPods("q/own:next", "jupyterhub-4.2.0"), resource.ClassOneWay, "from JupyterHub 4.1.6 to 5.3.0", "", true},
		{"images of one's own of one chart", hubPods("q/own:main", "jupyterhub-4.2.0"), hubPods("q/own:next", "jupyterhub-4.2.0"), resource.ClassHub, "", "", false},
		{"a database that is no file", upgrading(hub + "3.3.8"), upgrading(hub + "4.2.0"), resource.ClassOneWay, "no way back", "none that hubcap can copy", false},
		{"back to an older schema", hubPods(hub+"4.2.0", ""), hubPods(hub+"3.3.8", ""), resource.ClassOneWay, "does not start with a database that was upgraded since", "restore its backup first", false},
		{"a hub that does not upgrade its database", pods(hub+"3.3.8", "a"), pods(hub+"4.2.0", "a"), resource.ClassHub, "does not start with the database of 4.1.6", "", false},
	} {
		p := build(t, upgradeInput(test.is, test.was))
		var found *resource.Change
		backups, text := 0, ""
		for _, s := range p.Steps() {
			for _, c := range s.Changes {
				switch c.ID.Kind {
				case "Job":
					backups++
				case "Deployment":
					found, text = &c, strings.Join(c.Notes, "\n")
				}
			}
		}
		if found == nil || found.Class != test.class || !strings.Contains(text, test.note) {
			t.Errorf("%s: %v with notes %q, want %s and %q", test.reason, found, text, test.class, test.note)
		}
		if (backups == 1) != test.backup {
			t.Errorf("%s: %d backups in %v", test.reason, backups, lines(p))
		}
		said := len(p.Verdicts) == 1 && p.Verdicts[0].Level == plan.Hold && strings.Contains(p.Verdicts[0].Text, test.held)
		if said != (test.held != "") {
			t.Errorf("%s: verdicts %v, want %q held", test.reason, p.Verdicts, test.held)
		}
	}
}

// TestBackup checks the Job that backs a database up: where it runs, as whom, and
// what waits for it.
func TestBackup(t *testing.T) {
	want, live := hubPods("quay.io/jupyterhub/k8s-hub:4.2.0", ""), hubPods("quay.io/jupyterhub/k8s-hub:3.3.8", "")
	gate := plan.Rollout{Address: resource.ParseAddress("rollout.all"), Gates: []plan.Gate{{Name: "up"}}}
	in := upgradeInput(want, live)
	in.Rollouts = []plan.Rollout{gate}
	p := build(t, in)
	steps := p.Steps()
	if got := lines(p); len(got) != 2 || !strings.Contains(got[0], "hub.prod/database-backup | live: +Job/hub-database-backup-20231114-221320") && !strings.Contains(got[0], "01-hub.prod/database-backup") {
		t.Fatalf("steps %v, want the backup and then the hub", got)
	}
	if len(steps[0].Gates) != 0 || len(steps[1].Gates) != 1 {
		t.Errorf("gates of the backup %v, of the hub %v: want one, of the hub", steps[0].Gates, steps[1].Gates)
	}
	if steps[0].OnFailure != plan.Rollback || steps[1].OnFailure != plan.Stop {
		t.Errorf("on failure: %s, then %s", steps[0].OnFailure, steps[1].OnFailure)
	}
	job := steps[0].Changes[0].After
	pod := resource.Object(job["spec"].(map[string]any)["template"].(map[string]any)["spec"].(map[string]any))
	container := pod["containers"].([]any)[0].(map[string]any)
	affinity, _ := pod.Value("affinity", "podAffinity", "requiredDuringSchedulingIgnoredDuringExecution")
	got := map[string]any{
		"image": container["image"], "mounts": container["volumeMounts"], "volumes": pod["volumes"],
		"group": pod["securityContext"], "tolerations": pod["tolerations"] != nil, "beside": affinity, "again": pod["restartPolicy"],
	}
	if diff := cmp.Diff(map[string]any{
		"image":   "quay.io/jupyterhub/k8s-hub:3.3.8",
		"mounts":  []any{map[string]any{"name": "pvc", "mountPath": "/srv/jupyterhub", "subPath": "db"}},
		"volumes": []any{map[string]any{"name": "pvc", "persistentVolumeClaim": map[string]any{"claimName": "hub-db-dir"}}},
		"group":   map[string]any{"fsGroup": int64(1000)}, "tolerations": true, "again": "Never",
		"beside": []any{map[string]any{
			"labelSelector": map[string]any{"matchLabels": map[string]any{"component": "hub", "release": "prod"}}, "topologyKey": "kubernetes.io/hostname",
		}},
	}, got); diff != "" {
		t.Errorf("pod (-want +got):\n%s", diff)
	}
	restore := job.Text("metadata", "annotations", "hubcap.dev/restore")
	for _, part := range []string{"scale deployment hub --replicas=0", "-l component=hub,release=prod", `"claimName":"hub-db-dir"`, "jupyterhub.sqlite.hubcap-20231114-221320"} {
		if !strings.Contains(restore, part) {
			t.Errorf("commands to restore lack %q:\n%s", part, restore)
		}
	}
}

// TestBackupBesideNobody checks that a hub that does not run keeps no backup from
// being made: there is nobody to run beside.
func TestBackupBesideNobody(t *testing.T) {
	live := resource.Object(hubPods("quay.io/jupyterhub/k8s-hub:3.3.8", "")).Copy()
	live.Set(int64(0), "status", "replicas")
	p := build(t, upgradeInput(hubPods("quay.io/jupyterhub/k8s-hub:4.2.0", ""), live))
	if _, beside := p.Steps()[0].Changes[0].After.Value("spec", "template", "spec", "affinity"); beside {
		t.Error("the backup waits for a hub that does not run")
	}
}

func TestBackupByHand(t *testing.T) {
	in := upgradeInput(hubPods("quay.io/jupyterhub/k8s-hub:4.2.0", ""), hubPods("quay.io/jupyterhub/k8s-hub:3.3.8", ""))
	in.ByHand = []resource.Address{resource.ParseAddress("hub.prod")}
	p := build(t, in)
	steps := p.Steps()
	if len(steps) != 1 || len(steps[0].Guards) != 1 || steps[0].Guards[0].Name != "one_way.hub.prod" || steps[0].Guards[0].Level != plan.Soft {
		t.Errorf("steps %v: want the hub's alone, guarded", lines(p))
	}
}

// TestOldBackupsAreLeftAlone checks that the Job of an earlier backup is neither
// removed nor a difference.
func TestOldBackupsAreLeftAlone(t *testing.T) {
	hub := hubPods("quay.io/jupyterhub/k8s-hub:4.2.0", "")
	old := object{
		block: "hub.prod", component: plan.BackupComponent, kind: "Job", name: "hub-database-backup-1",
		live: map[string]any{"metadata": map[string]any{"name": "hub-database-backup-1", "annotations": map[string]any{plan.AnnotationBackup: "x"}}},
	}
	if p := build(t, upgradeInput(hub, hub, old)); !p.Empty() || len(p.Kept) > 0 {
		t.Errorf("steps %v, kept %v", lines(p), p.Kept)
	}
}

func TestPolicies(t *testing.T) {
	block, other := resource.ParseAddress("hub.prod"), resource.ParseAddress("hub.other")
	fault := func(kind resource.FaultKind, at resource.Address) resource.Fault {
		return resource.Fault{Kind: kind, Chart: resource.Chart{Address: at, Chart: "jupyterhub", Version: "4.3.0-0.dev"}, Name: "policy.x"}
	}
	for _, test := range []struct {
		reason string
		rule   plan.VersionsRule
		faults []resource.Fault
		level  plan.PolicyLevel
		want   int
	}{
		{"what is forbidden", plan.VersionsRule{Forbid: []resource.FaultKind{resource.PreRelease}}, []resource.Fault{fault(resource.PreRelease, block)}, plan.Deny, 1},
		{"what is not", plan.VersionsRule{Forbid: []resource.FaultKind{resource.KnownBad}}, []resource.Fault{fault(resource.PreRelease, block)}, plan.Deny, 0},
		{"a block that it is not about", plan.VersionsRule{Forbid: []resource.FaultKind{resource.PreRelease}, Blocks: []resource.Address{other}}, []resource.Fault{fault(resource.PreRelease, block)}, plan.Deny, 0},
		{"a block in which nothing changes", plan.VersionsRule{Forbid: []resource.FaultKind{resource.PreRelease}}, []resource.Fault{fault(resource.PreRelease, other)}, plan.Deny, 0},
		{"not allowed by this policy", plan.VersionsRule{}, []resource.Fault{fault(resource.NotAllowed, block)}, plan.Hold, 1},
		{"only said", plan.VersionsRule{Forbid: []resource.FaultKind{resource.PreRelease}}, []resource.Fault{fault(resource.PreRelease, block)}, plan.Warn, 1},
	} {
		in := upgradeInput(hubPods("h:2", ""), hubPods("h:1", ""))
		in.Faults = test.faults
		in.Policies = []plan.Policy{{Address: resource.ParseAddress("policy.x"), Level: test.level, Versions: &test.rule}}
		p := build(t, in)
		guarded := slices.ContainsFunc(p.Steps()[0].Guards, func(g plan.Guard) bool { return g.Name == "policy.x" && g.Level == plan.Soft })
		if len(p.Verdicts) != test.want || guarded != (test.want == 1 && test.level == plan.Hold) || (len(p.Denied()) > 0) != (test.want == 1 && test.level == plan.Deny) {
			t.Errorf("%s: verdicts %v, guarded %v, denied %v", test.reason, p.Verdicts, guarded, p.Denied())
		}
		if len(p.Versions.Faults) != len(test.faults) {
			t.Errorf("%s: faults %v", test.reason, p.Versions.Faults)
		}
	}
}
