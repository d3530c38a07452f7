//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// TestQuickstart is the life of one BinderHub with its node pools: made, changed,
// broken, rolled back, tampered with and repaired.
func TestQuickstart(t *testing.T) {
	w := newWorld(t, "quickstart", "hubcap", copyExample(t, "quickstart"))
	w.vars = []string{"kubeconfig=/nonexistent", "gke_endpoint=" + site.sandbox.GKEEndpoint}
	for _, part := range []struct {
		name string
		run  func(*testing.T, *world)
	}{
		{"plan as the reader", planAsReader},
		{"apply as the reader is denied", applyAsReader},
		{"apply as the applier, then nothing to do", applyAsApplier},
		{"a user arrives", userArrives},
		{"plan file", planFiles},
		{"hub that never gets ready", notReady},
		{"hub that crashes and hub without image", failFast},
		{"rollback that the server refuses", refusedRollback},
		{"drift", driftAndRepair},
		{"every view", everyView},
		{"the user is still there", userIsThere},
	} {
		if !w.run(part.name, func(t *testing.T) { part.run(t, w) }) {
			t.Fatalf("%s failed: what follows stands on it", part.name)
		}
	}
}

// versions returns the resourceVersion of everything in the cluster that a run
// could have written: what the config owns, and hubcap's own records.
func (w *world) versions() map[string]string {
	w.t.Helper()
	versions := map[string]string{}
	for _, o := range w.owned() {
		versions[o.GetKind()+" "+o.GetNamespace()+"/"+o.GetName()] = o.GetResourceVersion()
	}
	maps, err := site.admin.CoreV1().ConfigMaps(w.journal).List(w.t.Context(), metav1.ListOptions{LabelSelector: "hubcap.dev/record"})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, m := range maps.Items {
		versions["journal "+m.Name] = m.ResourceVersion
	}
	secrets, err := site.admin.CoreV1().Secrets(w.journal).List(w.t.Context(), metav1.ListOptions{LabelSelector: "hubcap.dev/record"})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, s := range secrets.Items {
		versions["journal "+s.Name] = s.ResourceVersion
	}
	return versions
}

// unchanged runs act and fails the test if anything was written meanwhile.
func (w *world) unchanged(act func()) {
	w.t.Helper()
	before := w.versions()
	act()
	if after := w.versions(); !maps.Equal(before, after) {
		w.t.Errorf("something was written: before %v, after %v", before, after)
	}
}

func planAsReader(t *testing.T, w *world) {
	w.unchanged(func() {
		r := w.hubcap(reader, 2, "plan", "--detailed-exitcode")
		r.has(t, "node_pool.user", "hub.binder/hub", "to add, 0 to change, 0 to remove")
		w.hubcap(reader, 0, "plan") // the same, for people
		w.hubcap(reader, 0, "status")
		w.hubcap(reader, 0, "history")
		w.hubcap(nobody, 3, "plan").has(t, "forbidden")
	})
}

func applyAsReader(t *testing.T, w *world) {
	w.unchanged(func() {
		w.hubcap(reader, 1, "apply", "--auto-approve").has(t, "permission denied", "patch deployments.apps in namespace binder", "create leases.coordination.k8s.io in namespace hubcap")
	})
	for _, p := range poolNames(t) {
		if strings.HasPrefix(p, "core-") || strings.HasPrefix(p, "user-") {
			t.Errorf("node pool %s was made by an apply that was denied", p)
		}
	}
}

func poolNames(t *testing.T) (names []string) {
	t.Helper()
	for _, p := range pools(t) {
		names = append(names, p.Name)
	}
	return names
}

func applyAsApplier(t *testing.T, w *world) {
	w.hubcap(applier, 0, "apply", "--auto-approve")
	w.unchanged(func() {
		r := w.hubcap(reader, 0, "plan", "--detailed-exitcode")
		if !strings.Contains(r.out, "Nothing to do") && !strings.Contains(r.out, "0 to add, 0 to change, 0 to remove") {
			t.Errorf("the plan after apply is not empty: %s", r)
		}
		w.hubcap(applier, 0, "apply", "--auto-approve").has(t, "Nothing to do")
		w.hubcap(applier, 0, "plan", "--detailed-exitcode")
		w.hubcap(reader, 0, "drift")
	})
}

func userArrives(t *testing.T, w *world) {
	for _, p := range poolNames(t) {
		if strings.HasPrefix(p, "user") {
			w.ada = session(t, "binder", p)
		}
	}
	w.hubcap(reader, 0, "plan", "--detailed-exitcode").has(t, "1 session")
	w.hubcap(reader, 0, "status").has(t, "1 session")
}

func userIsThere(t *testing.T, w *world) {
	if now := sessionNow(t, "binder"); now == "" || now != w.ada {
		t.Errorf("the user's server %s became %q", w.ada, now)
	}
}

func planFiles(t *testing.T, w *world) {
	file := filepath.Join(w.dir, "raise.plan")
	for _, name := range []string{"hub", "proxy", "binder"} {
		settled(t, name)
	}
	raised := "--var=demo_sessions=250"
	w.hubcap(reader, 2, "plan", "--detailed-exitcode", "--out="+file, raised)

	moved := w.elsewhere(file)
	generation := generations(t, "binder")
	w.hubcap(applier, 0, "apply", moved, raised)
	for name, n := range generations(t, "binder") {
		if (n != generation[name]) != (name == "binder") {
			t.Errorf("deployment %s: generation %d before and %d after; only the binder may be touched", name, generation[name], n)
		}
	}
	w.unchanged(func() {
		w.hubcap(applier, 7, "apply", moved, raised).has(t, "used already")
		w.hubcap(reader, 0, "plan", "--detailed-exitcode", raised)
	})

	// Back to 200, and the hub's ConfigMap with it: the binder and the hub are touched.
	hubToo := withImage("4.9.9", "2m")
	w.hubcap(reader, 2, append([]string{"plan", "--detailed-exitcode", "--out=" + file}, hubToo...)...)
	kubectl(t, "-n", "binder", "set", "image", "deployment/hub", "hub=quay.io/jupyterhub/k8s-hub:4.0.0", "--field-manager=somebody")
	settled(t, "hub")
	w.unchanged(func() {
		w.hubcap(applier, 7, append([]string{"apply", file}, hubToo...)...).has(t, "stale", "Deployment/hub", "somebody")
	})
	w.hubcap(applier, 0, "apply", "--auto-approve")
	w.hubcap(reader, 0, "plan", "--detailed-exitcode")
}

// elsewhere moves the config and a plan file of it to another directory, and
// returns where the plan file is.
func (w *world) elsewhere(file string) string {
	w.t.Helper()
	dir := w.t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(w.dir)); err != nil {
		w.t.Fatal(err)
	}
	moved := filepath.Join(dir, "approved.plan")
	if err := os.Rename(filepath.Join(dir, filepath.Base(file)), moved); err != nil {
		w.t.Fatal(err)
	}
	old := w.dir
	w.dir = dir
	w.t.Cleanup(func() { w.dir = old })
	return moved
}

// settled waits until a deployment is as its spec says: its status is written
// until then.
func settled(t *testing.T, name string) {
	t.Helper()
	kubectl(t, "-n", "binder", "rollout", "status", "deployment/"+name, "--timeout=60s")
}

func generations(t *testing.T, namespace string) map[string]int64 {
	t.Helper()
	list, err := site.admin.AppsV1().Deployments(namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	generation := map[string]int64{}
	for _, d := range list.Items {
		generation[d.Name] = d.Generation
	}
	return generation
}

func hubImage(t *testing.T) string {
	t.Helper()
	d, err := site.admin.AppsV1().Deployments("binder").Get(t.Context(), "hub", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return d.Spec.Template.Spec.Containers[0].Image
}

// withImage are the arguments for a hub of another image.
func withImage(tag, timeout string) []string {
	return []string{"--var=hub_image=quay.io/jupyterhub/k8s-hub:" + tag, "--var=step_timeout=" + timeout}
}

// identity checks that a rollback left what was before, in values and in who
// owns them: a plan of the old config is empty.
func identity(t *testing.T, w *world, image string) {
	t.Helper()
	if now := hubImage(t); now != image {
		t.Errorf("the hub runs %s after the rollback, want %s", now, image)
	}
	r := w.hubcap(reader, 0, "plan", "-v")
	if again := w.hubcap(applier, 0, "plan", "-v"); !strings.Contains(again.out, "0 to add, 0 to change, 0 to remove") && !strings.Contains(again.out, "Nothing to do") {
		t.Errorf("the plan after the rollback: %s", again)
	}
	w.hubcap(reader, 0, "plan", "--detailed-exitcode")
	if strings.Contains(r.out, "changes no value") {
		t.Errorf("the rollback lost fields: %s", r)
	}
}

func notReady(t *testing.T, w *world) {
	image, before := hubImage(t), generations(t, "binder")
	r := w.hubcap(applier, 4, append([]string{"apply", "--auto-approve"}, withImage("notready-1", "6s")...)...)
	r.has(t, "hub.binder/hub", "rolled back", "main.hcl")
	identity(t, w, image)
	for name, n := range generations(t, "binder") {
		if name != "hub" && n != before[name] {
			t.Errorf("deployment %s was touched by the rollback of the hub", name)
		}
	}
}

func failFast(t *testing.T, w *world) {
	image := hubImage(t)
	for _, c := range []struct{ tag, reason string }{
		{"crash-1", "CrashLoopBackOff"},
		{"badimage-1", "ImagePull"},
	} {
		began := time.Now()
		r := w.hubcap(applier, 4, append([]string{"apply", "--auto-approve"}, withImage(c.tag, "5m")...)...)
		r.has(t, c.reason, "rolled back")
		if took := time.Since(began); took > time.Minute {
			t.Errorf("%s took %v of the 5 minutes it had: it did not fail at once", c.tag, took)
		}
		identity(t, w, image)
	}
}

// refusing is a policy that refuses every write of the hub but one that breaks it.
const refusing = `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: only-forward}
spec:
  matchConstraints:
    resourceRules: [{apiGroups: [apps], apiVersions: [v1], operations: [UPDATE], resources: [deployments]}]
  matchConditions: [{name: hub, expression: "object.metadata.namespace == 'binder' && object.metadata.name == 'hub'"}]
  validations:
  - expression: "request.userInfo.username.startsWith('system:serviceaccount:kube-system:') || object.spec.template.spec.containers[0].image.contains('notready')"
    message: only forward
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: only-forward}
spec: {policyName: only-forward, validationActions: [Deny]}
`

func refusedRollback(t *testing.T, w *world) {
	image := hubImage(t)
	site.sandbox.Apply(t, refusing)
	defer kubectl(t, "delete", "--ignore-not-found", "validatingadmissionpolicybinding,validatingadmissionpolicy", "only-forward")
	await(t, soon, "the policy is in force", func() string {
		if err := tryImage(t); err == nil || !strings.Contains(err.Error(), "only forward") {
			return fmt.Sprint("a patch is answered with ", err)
		}
		return ""
	})
	r := w.hubcap(applier, 5, append([]string{"apply", "--auto-approve"}, withImage("notready-2", "5s")...)...)
	r.has(t, "only forward", "A person is needed")
	kubectl(t, "delete", "validatingadmissionpolicybinding,validatingadmissionpolicy", "only-forward")
	await(t, soon, "the policy is gone", func() string {
		if err := tryImage(t); err != nil {
			return err.Error()
		}
		return ""
	})
	w.hubcap(applier, 0, "rollback", "--auto-approve")
	identity(t, w, image)
}

// tryImage asks whether the hub could have another image.
func tryImage(t *testing.T) error {
	_, err := site.admin.AppsV1().Deployments("binder").Patch(t.Context(), "hub", types.StrategicMergePatchType,
		[]byte(`{"spec":{"template":{"spec":{"containers":[{"name":"hub","image":"example.org/hub:1"}]}}}}`),
		metav1.PatchOptions{DryRun: []string{metav1.DryRunAll}})
	return err
}

func driftAndRepair(t *testing.T, w *world) {
	w.unchanged(func() {
		r := w.hubcap(reader, 0, "drift", "--var=demo_sessions=300") // pending is not drift
		r.has(t, "0 objects drifted, 0 in conflict", "200 → 300")
	})
	kubectl(t, "-n", "binder", "patch", "deployment", "proxy", "--field-manager=kubectl-edit", "--type=strategic",
		"-p", `{"spec":{"template":{"spec":{"containers":[{"name":"chp","resources":{"limits":{"memory":"64Mi"},"requests":{"memory":"64Mi"}}}]}}}}`)
	kubectl(t, "-n", "binder", "scale", "deployment", "binder", "--replicas=3")
	kubectl(t, "-n", "binder", "delete", "configmap", "hub")
	today := time.Now().UTC().Format("2006-01-02")
	r := w.hubcap(reader, 2, "drift")
	r.has(t, "memory", "kubectl-edit", today, "replicas", "ConfigMap/hub")
	asJSON := w.hubcap(reader, 2, "drift", "-o", "json")
	if !json.Valid([]byte(asJSON.out)) {
		t.Errorf("drift -o json is not JSON: %s", asJSON)
	}
	w.hubcap(applier, 0, "apply", "--auto-approve")
	w.hubcap(reader, 0, "drift")
	w.hubcap(reader, 0, "plan", "--detailed-exitcode")
	w.hubcap(reader, 0, "history").has(t, "rolled back", "succeeded")
}

// everyView prints whatever there is to print; what the world's end greps.
func everyView(t *testing.T, w *world) {
	file := filepath.Join(w.dir, "views.plan")
	change := withImage("4.9.9", "2m")
	with := func(args ...string) []string { return append(args, change...) }
	w.hubcap(reader, 0, with("plan", "--out="+file)...)
	w.hubcap(reader, 0, with("plan", "-v")...)
	for _, format := range []string{"json", "markdown"} {
		w.hubcap(reader, 0, with("plan", "-v", "-o", format)...)
		w.hubcap(reader, 0, "show", file, "-o", format)
	}
	w.hubcap(reader, 0, with("drift")...)
	w.hubcap(reader, 0, "status")
	w.hubcap(reader, 0, "status", "-o", "json")
	w.hubcap(reader, 0, "history", "-v")
	w.hubcap(reader, 0, "history", "-o", "json")
	w.hubcap(applier, 0, with("apply", file, "-v")...)
	w.hubcap(reader, 0, with("plan", "--detailed-exitcode")...)
	// The upgrade took the database along: the way back is held until the backup is restored.
	w.unchangedHub(func() {
		w.hubcap(applier, 6, "rollback", "--auto-approve", "-v").has(t, "one_way.hub.binder", "restore its backup first")
	})
	w.hubcap(applier, 0, "rollback", "--auto-approve", "-v", "--override", "one_way.hub.binder=restored")
	w.hubcap(reader, 0, "plan", "--detailed-exitcode")
}

// unchangedHub runs act and fails the test if the hub has another image after it.
func (w *world) unchangedHub(act func()) {
	w.t.Helper()
	before := hubImage(w.t)
	act()
	if now := hubImage(w.t); now != before {
		w.t.Errorf("the hub runs %s and ran %s", now, before)
	}
}
