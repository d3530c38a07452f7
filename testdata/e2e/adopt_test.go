//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hubcap/modules"
)

// An adoption is one hub that Helm installed, on its way into hubcap's hands.
type adoption struct {
	*terminal
	namespace string
	vars      string // the file of secrets, and the directory of the config, as flags
	hub       string // the file of the hub
	upgrade   string // the line that deploys by Helm
	secret    string // a value that must be nowhere
}

// lay copies a chart or its values, with one of hubcap's own charts inside.
func lay(t *testing.T, from, to, inside string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	if inside == "" {
		return
	}
	files, err := modules.Chart(inside)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(to, "charts", inside), files); err != nil {
		t.Fatal(err)
	}
}

// running returns the pods of a namespace when nothing of it is on its way, by
// name with their UIDs.
func (a *adoption) running() []string {
	a.t.Helper()
	var before string
	await(a.t, time.Minute, "pods of "+a.namespace, func() string {
		now := pods(a.t, a.namespace)
		all := kubectl(a.t, "get", "pods", "-n", a.namespace, "-o=name")
		if strings.Count(now, "=") != len(strings.Fields(all)) || now == "" || now != before {
			before = now
			return "not settled: " + now
		}
		return ""
	})
	return strings.Fields(before)
}

// templates returns what the workloads' pods are made from, and the generations
// of those in which annotations do not count.
func (a *adoption) templates() string {
	a.t.Helper()
	return kubectl(a.t, "get", "deployments,daemonsets,statefulsets", "-n", a.namespace, "-o=jsonpath={range .items[*]}{.metadata.name} {.spec.template}{\"\\n\"}{end}") +
		kubectl(a.t, "get", "daemonsets,statefulsets,networkpolicies", "-n", a.namespace, "-o=jsonpath={range .items[*]}{.kind} {.metadata.name} {.metadata.generation}{\"\\n\"}{end}") +
		kubectl(a.t, "get", "replicasets", "-n", a.namespace, "-o=name")
}

// only fails the test unless pods of the named workload were replaced, and no
// others.
func (a *adoption) only(workload string, before, after []string) {
	a.t.Helper()
	changed := 0
	for _, pod := range slices.Concat(before, after) {
		if slices.Contains(before, pod) && slices.Contains(after, pod) {
			continue
		}
		changed++
		if !strings.HasPrefix(pod, workload+"-") {
			a.t.Errorf("pod %s is another; only those of %s may be", pod, workload)
		}
	}
	if changed < 2 {
		a.t.Errorf("no pod of %s restarted: %v", workload, after)
	}
}

// adopt plans, applies, and holds that nothing but the owner changed.
func (a *adoption) adopt() {
	a.t.Helper()
	before, templates := a.running(), a.templates()
	secrets := kubectl(a.t, "get", "secrets", "-n", a.namespace, "-o=jsonpath={.items[*].data}")
	plan := a.run(reader, 2, "hubcap plan --detailed-exitcode "+a.vars)
	plan.has(a.t, "takes over", "restarts nothing", "Plan: 0 to add, 0 to change, 0 to remove", "to change owner only")
	a.run(applier, 0, "hubcap apply --auto-approve "+a.vars)
	if after := a.running(); !slices.Equal(after, before) {
		a.t.Errorf("pods are %v and were %v", after, before)
	}
	if now := a.templates(); now != templates {
		a.t.Errorf("the workloads are\n%s\nand were\n%s", now, templates)
	}
	if now := kubectl(a.t, "get", "secrets", "-n", a.namespace, "-o=jsonpath={.items[*].data}"); now != secrets {
		a.t.Error("a Secret changed")
	}
	a.still()
}

// still holds that there is nothing to do.
func (a *adoption) still() {
	a.t.Helper()
	a.run(reader, 0, "hubcap plan --detailed-exitcode "+a.vars).has(a.t, "No changes")
}

// change edits the hub's file and applies it; only pods of the workload may be
// others then.
func (a *adoption) change(from, to, workload string) {
	a.t.Helper()
	before := a.running()
	a.edit(a.hub, from, to)
	a.run(reader, 2, "hubcap plan --detailed-exitcode "+a.vars)
	a.run(applier, 0, "hubcap apply --auto-approve "+a.vars)
	a.only(workload, before, a.running())
	a.still()
}

// helmAgain lets Helm deploy behind hubcap's back, and takes the hub back.
func (a *adoption) helmAgain(more string) {
	a.t.Helper()
	if r := a.try(admin, a.upgrade+more); r.code != 0 {
		a.t.Fatalf("helm upgrade: %s%s", r.out, r.err)
	}
	a.run(reader, 2, "hubcap drift "+a.vars).has(a.t, "by helm", "of Helm release")
	a.run(reader, 2, "hubcap plan --detailed-exitcode "+a.vars).has(a.t, "takes back")
	a.run(applier, 0, "hubcap apply --auto-approve "+a.vars)
	a.still()
	a.run(reader, 0, "hubcap drift "+a.vars)
}

// unsaid holds that the secret is nowhere but where it was given.
func (a *adoption) unsaid() {
	a.t.Helper()
	if strings.Contains(a.said.String(), a.secret) {
		a.t.Error("the secret was printed")
	}
	for _, dir := range []string{a.home, filepath.Join(a.dir, filepath.Dir(a.hub))} {
		err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
			if err == nil && entry.Type().IsRegular() && strings.Contains(read(a.t, path), a.secret) {
				a.t.Errorf("%s holds the secret", path)
			}
			return err
		})
		if err != nil {
			a.t.Fatal(err)
		}
	}
}

// live returns a field of an object as it lives.
func (a *adoption) live(object, path string) string {
	a.t.Helper()
	return kubectl(a.t, "get", object, "-n", a.namespace, "-o=jsonpath="+path)
}

const adoptGuide = "../../docs/guides/adopt-a-running-hub.md"

// TestAdopt takes hubs that Helm installed from two layouts that are in use, by
// what people type: import, plan, apply; no pod restarts. What is changed
// afterwards restarts its own component alone, what is removed is gone, and what
// Helm does behind hubcap's back is told by its name. The guide shows what
// was said.
func TestAdopt(t *testing.T) {
	t.Run("an umbrella chart around a binder", adoptUmbrella)
	t.Run("an organisation chart around a hub, stuck in an upgrade", adoptStuck)
}

func adoptUmbrella(t *testing.T) {
	a := adoption{terminal: newTerminal(t), namespace: "staging", hub: "hubcap/hub-staging.hcl", secret: "5e7a11c0ffee5e7a11c0ffee5e7a11c0",
		vars:    "--chdir hubcap --var-file secrets/staging.vars",
		upgrade: "helm upgrade staging ./mybinder -n staging --install --create-namespace -f config/common.yaml -f config/staging.yaml -f secrets/config/staging.yaml"}
	for _, part := range []string{"config", "secrets"} {
		lay(t, "adopt/mybinder/"+part, filepath.Join(a.dir, part), "")
	}
	lay(t, "adopt/mybinder/mybinder", filepath.Join(a.dir, "mybinder"), "binderhub")
	if r := a.try(admin, a.upgrade); r.code != 0 {
		t.Fatalf("helm: %s%s", r.out, r.err)
	}
	a.running()
	a.run(admin, 0, "helm list -n staging")
	a.unbound()
	a.run(reader, 0, "hubcap import -n staging --chart staging=./mybinder --out hubcap --secrets-file secrets/staging.vars").has(t, "hub.staging plans to nothing")
	a.run(reader, 0, "cat hubcap/cluster.hcl")
	a.run(reader, 0, "cat "+a.hub)
	a.adopt()
	a.layers()
	a.change("per_repo        = 100", "per_repo        = 150", "binder")
	if now := a.live("deployment/hub", "{.spec.template.spec.containers[0].resources.limits.memory}"); now != "512Mi" {
		t.Fatalf("the hub's limit is %q", now)
	}
	a.change(`  mode        = "memory-guaranteed"
  cpu_request = "250m"
  memory      = "512Mi"
`, `  cpu_request    = "250m"
  memory_request = "512Mi"
`, "hub")
	if now := a.live("deployment/hub", "{.spec.template.spec.containers[0].resources.limits}"); now != "" {
		t.Errorf("the limit that was removed still lives: %s", now)
	}
	a.helmAgain(" --set federationRedirect.hosts.staging.weight=50")
	a.unsaid()
	a.shows(adoptGuide, "An umbrella chart: mybinder.org")
}

// unbound holds that who may not read the Secrets of the hub's namespace is told so,
// and not that there is no release.
func (a *adoption) unbound() {
	a.t.Helper()
	r := a.try(reader, "hubcap import -n "+a.namespace+" --chart "+a.namespace+"=./mybinder")
	r.has(a.t, "could not read Helm releases in namespace "+a.namespace, "forbidden")
	if r.code != 3 {
		a.t.Errorf("without the right to read Secrets import ends with %d, want 3", r.code)
	}
}

// asFiles is the hub with the values files that Helm was given, in place of what
// import made of them. cat stands for whatever decrypts.
const asFiles = `hub "staging" {
  chart       = "../mybinder"
  type        = "binderhub"
  values_root = "binderhub"
  values_files = [
    "../config/common.yaml",
    "../config/staging.yaml",
    { command = ["cat", "../secrets/config/staging.yaml"] },
  ]
}
`

// layers holds that the files say the same, and leaves the hub as it was.
func (a *adoption) layers() {
	a.t.Helper()
	path := filepath.Join(a.dir, a.hub)
	imported := read(a.t, path)
	for _, text := range []string{asFiles, imported} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			a.t.Fatal(err)
		}
		if text == asFiles {
			a.run(reader, 0, "cat "+a.hub)
			a.run(reader, 0, "hubcap plan --detailed-exitcode --chdir hubcap").has(a.t, "No changes")
		}
	}
}

func adoptStuck(t *testing.T) {
	const config = "config/clusters/example/"
	a := adoption{terminal: newTerminal(t), namespace: "prod", hub: "hubcap/hub-prod.hcl", secret: "not-a-real-secret-of-github",
		vars: "--chdir hubcap --var-file " + config + "prod.vars",
		upgrade: "helm upgrade prod helm-charts/basehub -n prod --install --create-namespace" +
			" -f " + config + "common.values.yaml -f " + config + "prod.values.yaml -f " + config + "enc-prod.secret.values.yaml"}
	lay(t, "adopt/2i2c", filepath.Join(a.dir, config), "")
	lay(t, "../../engine/chart/testdata/basehub", filepath.Join(a.dir, "helm-charts/basehub"), "jupyterhub")
	if r := a.try(admin, a.upgrade); r.code != 0 {
		t.Fatalf("helm: %s%s", r.out, r.err)
	}
	a.running()
	a.stick()
	a.run(admin, 0, "helm list -n prod --all")
	a.run(admin, 1, "helm upgrade prod helm-charts/basehub -n prod --reuse-values").has(t, "another operation (install/upgrade/rollback) is in progress")
	a.run(reader, 0, "hubcap import -n prod --chart prod=helm-charts/basehub --out hubcap --secrets-file "+config+"prod.vars").has(t, "hub.prod plans to nothing")
	a.run(reader, 0, "cat "+a.hub)
	a.adopt()
	a.change("hard = 20", "hard = 30", "homes")
	a.change(`        annotations = {
          "sandbox.hubcap.dev/ready-after" = "5s"
        }
`, "", "hub")
	if now := a.live("deployment/hub", "{.spec.template.metadata.annotations}"); strings.Contains(now, "ready-after") {
		t.Errorf("the annotation that was removed still lives: %s", now)
	}
	a.unsaid()
	a.shows(adoptGuide, "An organisation's chart: 2i2c")
}

// stick has an upgrade killed while Helm waits for the hub, as a cancelled job of
// CI does, and waits until the pods are there all the same.
func (a *adoption) stick() {
	a.t.Helper()
	cmd := a.command(admin, a.upgrade+" --wait --set jupyterhub.hub.annotations.sandbox\\.hubcap\\.dev/ready-after=5s")
	if err := cmd.Start(); err != nil {
		a.t.Fatal(err)
	}
	await(a.t, time.Minute, "the upgrade to reach the hub", func() string {
		if a.live("deployment/hub", `{.spec.template.metadata.annotations.sandbox\.hubcap\.dev/ready-after}`) == "" {
			return "not there yet"
		}
		return ""
	})
	_ = cmd.Process.Kill()
	_ = cmd.Wait() // it was killed
	a.running()
}
