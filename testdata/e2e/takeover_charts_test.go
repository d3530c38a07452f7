//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// routes is a definition that charts bring, in the folder for such, and the kind
// of object that each release has.
var routes = map[string]string{
	"crds/routes.yaml": `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: routes.takeover.example.org}
spec:
  group: takeover.example.org
  scope: Namespaced
  names: {kind: Route, plural: routes}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]
`,
	"templates/route.yaml": `
apiVersion: takeover.example.org/v1
kind: Route
metadata: {name: main}
to: {{ .Values.colour }}
`,
}

// TestTakeOverDefinitions takes over two releases whose charts bring the same
// definition, by two configs: it is in nobody's way, and stays as it is.
func TestTakeOverDefinitions(t *testing.T) {
	setUp(t)
	site.sandbox.Apply(t, `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: routes}
rules: [{apiGroups: [takeover.example.org], resources: [routes], verbs: ["*"]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: routes}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: routes}
subjects: [{kind: ServiceAccount, name: reader, namespace: hubcap}, {kind: ServiceAccount, name: applier, namespace: hubcap}]
`)
	var releases []*installed
	for _, name := range []string{"takecrd-a", "takecrd-b"} {
		in := newInstalled(t, name)
		if err := os.Mkdir(filepath.Join(in.chart, "crds"), 0o700); err != nil {
			t.Fatal(err)
		}
		for file, text := range routes {
			in.write("app/"+file, text)
		}
		in.install()
		releases = append(releases, in)
	}
	definition := func() string {
		return kubectl(t, "get", "crd", "routes.takeover.example.org", "-o=jsonpath={.metadata.resourceVersion}")
	}
	was := definition()
	for _, in := range releases {
		in.hubcap(reader, 2, "plan", "--detailed-exitcode").says(t, "restarts nothing", "Plan: 0 to add, 0 to change, 0 to remove")
		in.hubcap(applier, 0, "apply", "--auto-approve")
		in.hubcap(reader, 0, "plan", "--detailed-exitcode").has(t, "No changes")
		in.wants(`colour = "green"`)
		in.hubcap(applier, 0, "apply", "--auto-approve")
		if to := kubectl(t, "get", "route.takeover.example.org", "main", "-n", in.namespace, "-o=jsonpath={.to}"); to != "green" {
			t.Errorf("the route leads to %q", to)
		}
	}
	if now := definition(); now != was {
		t.Errorf("the definition is at version %s, and was at %s", now, was)
	}
}

// TestTakeOverScaled takes over a workload that an autoscaler scales: how many
// replicas there are is never hubcap's business, whoever scaled first.
func TestTakeOverScaled(t *testing.T) {
	in := newInstalled(t, "takescaled")
	in.write("app/templates/hpa.yaml", `
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web}
spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}, minReplicas: 2, maxReplicas: 5}
`)
	in.write("app/templates/all.yaml", strings.Replace(app["templates/all.yaml"], "\nspec:\n  selector", "\nspec:\n  replicas: 2\n  selector", 1))
	in.install()
	scale := func(replicas string) {
		kubectl(t, "scale", "deployment", "web", "-n", in.namespace, "--replicas="+replicas)
	}
	has := func(replicas string) {
		t.Helper()
		if now := kubectl(t, "get", "deployment", "web", "-n", in.namespace, "-o=jsonpath={.spec.replicas}"); now != replicas {
			t.Errorf("%s replicas, want %s", now, replicas)
		}
		in.hubcap(reader, 0, "plan", "--detailed-exitcode").has(t, "No changes")
		in.hubcap(reader, 0, "drift")
	}
	takes := func() { in.hubcap(reader, 2, "plan", "--detailed-exitcode").has(t, "Plan: 0 to add, 0 to change") }
	in.run("before anybody scaled", func(t *testing.T) {
		takes()
		in.hubcap(applier, 0, "apply", "--auto-approve")
		has("2")
	})
	in.run("after the autoscaler did", func(t *testing.T) {
		scale("3")
		has("3")
		in.wants(`image = "example.org/web:2"`)
		in.hubcap(applier, 0, "apply", "--auto-approve")
		has("3")
	})
	in.run("scaled before the take-over", func(t *testing.T) {
		in.uninstall()
		in.wants("")
		in.install()
		scale("4")
		takes()
		in.hubcap(applier, 0, "apply", "--auto-approve")
		has("4")
		scale("2")
		has("2")
	})
}

// TestTakeOverOddities takes over a workload in which the chart says null where the
// server has a default, and an object whose template has Helm's marks itself. Then
// it changes them.
func TestTakeOverOddities(t *testing.T) {
	in := newInstalled(t, "takeodd")
	in.write("app/templates/marked.yaml", `
apiVersion: v1
kind: ConfigMap
metadata:
  name: marked
  annotations: {meta.helm.sh/release-name: {{ .Release.Name }}, meta.helm.sh/release-namespace: {{ .Release.Namespace }}}
data: {colour: {{ .Values.colour }}}
`)
	in.write("app/templates/all.yaml", strings.Replace(app["templates/all.yaml"], "\nspec:\n  selector", "\nspec:\n  strategy:\n    rollingUpdate:\n  selector", 1))
	in.install()
	in.hubcap(applier, 0, "apply", "--auto-approve")
	in.hubcap(reader, 0, "plan", "--detailed-exitcode").has(t, "No changes")
	for _, values := range []string{`image = "example.org/web:2"`, `colour = "red"`, ""} {
		in.wants(values)
		in.hubcap(applier, 0, "apply", "--auto-approve")
		in.hubcap(reader, 0, "plan", "--detailed-exitcode").has(t, "No changes")
	}
}

// TestImportOwned imports releases whose objects are not Helm's any more, or in
// parts: what is another config's is left to it, what nobody may take over is told.
func TestImportOwned(t *testing.T) {
	in := newInstalled(t, "importown")
	in.install()
	into := func(dir string, more ...string) []string {
		return append([]string{"import", "--namespace", in.namespace, "--chart", "rel=" + in.chart, "--out", dir}, more...)
	}
	in.run("what apply would refuse", func(t *testing.T) {
		kubectl(t, "label", "configmap", "extra", "-n", in.namespace, "app.kubernetes.io/managed-by-")
		in.hubcap(reader, 2, into(filepath.Join(t.TempDir(), "new"))...).has(t, "apply would refuse chart.rel", "ConfigMap/extra: it exists already and is not hubcap's")
		kubectl(t, "label", "configmap", "extra", "-n", in.namespace, "app.kubernetes.io/managed-by=Helm")
	})
	in.run("what another config has", func(t *testing.T) {
		in.hubcap(applier, 0, "apply", "--auto-approve")
		dir := filepath.Join(t.TempDir(), "new")
		r := in.hubcap(reader, 1, into(dir)...)
		r.has(t, "Helm release importown-app/rel is left out", `belong to the hubcap config "importown"`, "there is nothing to describe")
		if _, err := os.Stat(dir); err == nil {
			t.Error("something was written")
		}
	})
	in.run("for the config that has it", func(t *testing.T) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "main.hcl"), []byte("hubcap {\n  name = \"importown\"\n}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		in.hubcap(reader, 0, into(dir, "--add")...).has(t, "chart.rel plans to nothing")
	})
}
