//go:build e2e

package e2e

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A config with a Secret in a namespace of its own, whose journal lies elsewhere.
const guarded = `
hubcap {
  name              = "%[1]s"
  journal_namespace = "%[1]s-runs"
  field_manager     = var.manager
}

variable "manager" { default = "hubcap" }
variable "more" { default = "" }
variable "closed" { default = false }
variable "gone" { default = false }
variable "token" {
  default   = "%[2]s"
  sensitive = true
}

cluster "c" {}

manifest "app" {
  namespace = "%[1]s"
  objects = [
    { apiVersion = "v1", kind = "Namespace", metadata = { name = "%[1]s" } },
    { apiVersion = "v1", kind = "Secret", metadata = { name = "app" }, stringData = { token = var.token } },
    { apiVersion = "v1", kind = "ConfigMap", metadata = { name = "app" }, data = { for k, v in { keep = "1", goes = var.more } : k => v if v != "" } },
  ]
}

manifest "second" {
  for_each  = toset(var.gone ? [] : ["second"])
  namespace = "%[1]s"
  object    = { apiVersion = "v1", kind = "ConfigMap", metadata = { name = each.key }, data = { x = "1" } }
}

manifest "closed" {
  for_each  = toset(var.closed ? ["closed"] : [])
  namespace = "%[1]s-closed"
  objects = [
    { apiVersion = "v1", kind = "Namespace", metadata = { name = "%[1]s-closed" } },
    { apiVersion = "v1", kind = "Secret", metadata = { name = each.key }, stringData = { token = var.token } },
  ]
}
`

const guardedToken = "a-token-that-nobody-sees"

func newGuarded(t *testing.T, name string) *world {
	w := newWorld(t, name, name+"-runs", map[string]string{"main.hcl": fmt.Sprintf(guarded, name, guardedToken)})
	w.closed, w.hidden = name+"-closed", []string{guardedToken}
	return w
}

// canI asks the API server whether an account of ours may do something.
func canI(t *testing.T, who role, a authorizationv1.ResourceAttributes) bool {
	t.Helper()
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: "system:serviceaccount:hubcap:" + string(who), Groups: []string{"system:serviceaccounts", "system:authenticated"}, ResourceAttributes: &a,
	}}
	answer, err := site.admin.AuthorizationV1().SubjectAccessReviews().Create(t.Context(), review, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return answer.Status.Allowed
}

// TestReadOnlyRole acts under the shipped read-only role: all that reads works, the
// signing key is denied, and a Secret that is wanted and cannot be read makes a plan
// incomplete rather than empty.
func TestReadOnlyRole(t *testing.T) {
	w := newGuarded(t, "readonly")
	w.hubcap(reader, 2, "plan", "--detailed-exitcode").has(t, "Plan: 4 to add") // its namespace does not exist yet
	w.hubcap(applier, 0, "apply", "--auto-approve")
	w.hubcap(reader, 0, "plan", "--detailed-exitcode").has(t, "No changes")
	w.hubcap(reader, 0, "drift")
	w.hubcap(reader, 0, "status")
	run := w.runs()[0].ID
	w.hubcap(reader, 0, "history").has(t, run)
	w.hubcap(reader, 0, "history", run).has(t, "succeeded")
	file := filepath.Join(t.TempDir(), "plan.json")
	w.hubcap(reader, 2, "plan", "--detailed-exitcode", "--out="+file, "--var=more=1", "--var=token=another-token-of-no-use")
	w.hubcap(reader, 0, "show", file).has(t, "manifest.app")

	for _, tc := range []struct {
		who                      role
		verb, resource, name, in string
		want                     bool
	}{
		{reader, "get", "secrets", "hubcap-seal", w.journal, false},
		{reader, "list", "secrets", "", w.journal, false},
		{reader, "get", "secrets", "", "", false},
		{reader, "get", "secrets", "hubcap-key", w.journal, true},
		{reader, "get", "configmaps", "hubcap-seal", w.journal, true},
		{reader, "patch", "configmaps", "hubcap-seal", w.journal, false},
		{reader, "list", "secrets", "", w.name, true},
		{applier, "get", "secrets", "hubcap-seal", w.journal, true},
	} {
		got := canI(t, tc.who, authorizationv1.ResourceAttributes{Verb: tc.verb, Resource: tc.resource, Name: tc.name, Namespace: tc.in})
		if got != tc.want {
			t.Errorf("%s may %s %s %q in namespace %q: %v", tc.who, tc.verb, tc.resource, tc.name, tc.in, got)
		}
	}

	w.hubcap(applier, 0, "apply", "--auto-approve", "--var=closed=true")
	w.hubcap(reader, 3, "plan", "--detailed-exitcode", "--var=closed=true").has(t, "secrets in namespace "+w.closed, "incomplete")
	w.hubcap(reader, 3, "drift", "--var=closed=true")
	w.hubcap(reader, 3, "plan", "--detailed-exitcode").has(t, "secrets in namespace "+w.closed) // what is left there is not missed
}

// TestCopiedLabels: what bears our label and all our marks, and is not what hubcap
// wrote there, is named and stays.
func TestCopiedLabels(t *testing.T) {
	w := newGuarded(t, "copies")
	w.hubcap(applier, 0, "apply", "--auto-approve")
	site.sandbox.Apply(t, "apiVersion: v1\nkind: Namespace\nmetadata: {name: copies-tenant}\n")
	text := kubectl(t, "-n", w.name, "get", "configmap", "second", "-o", "yaml", "--show-managed-fields")
	var lines []string
	for _, line := range strings.Split(text, "\n") {
		if at := strings.TrimSpace(line); strings.HasPrefix(at, "uid:") || strings.HasPrefix(at, "resourceVersion:") || strings.HasPrefix(at, "creationTimestamp:") {
			continue
		}
		lines = append(lines, line)
	}
	text = strings.Join(lines, "\n")
	for _, copied := range []string{
		strings.ReplaceAll(text, "  name: second", "  name: my-backup"),
		strings.ReplaceAll(text, "  namespace: copies", "  namespace: copies-tenant"),
	} {
		file := filepath.Join(t.TempDir(), "copy.yaml")
		if err := os.WriteFile(file, []byte(copied), 0o600); err != nil {
			t.Fatal(err)
		}
		kubectl(t, "create", "-f", file)
	}
	w.hubcap(reader, 0, "plan", "--detailed-exitcode").has(t, "No changes", "copies/ConfigMap/my-backup", "copies-tenant/ConfigMap/second", "its seal is of another object")
	w.hubcap(applier, 0, "apply", "--auto-approve", "--var=gone=true")
	for _, still := range [][]string{{"copies", "my-backup"}, {"copies-tenant", "second"}} {
		kubectl(t, "-n", still[0], "get", "configmap", still[1])
	}
	if left := kubectl(t, "-n", w.name, "get", "configmap", "second", "--ignore-not-found"); strings.TrimSpace(left) != "" {
		t.Errorf("what hubcap wrote and nothing desires is there still: %s", left)
	}
	w.hubcap(reader, 0, "plan", "--detailed-exitcode", "--var=gone=true")
}

// TestHookRecordEscalation: who may create a ConfigMap in one namespace gets nothing
// else by it.
func TestHookRecordEscalation(t *testing.T) {
	w := newGuarded(t, "escalation")
	w.hubcap(applier, 0, "apply", "--auto-approve")
	hooks := `[{"id":{"cluster":"c","group":"rbac.authorization.k8s.io","kind":"ClusterRoleBinding","name":"escalation"},` +
		`"address":"hub.gone/ClusterRoleBinding/evil","object":{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"ClusterRoleBinding","metadata":{"name":"escalation"},` +
		`"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"cluster-admin"},"subjects":[{"apiGroup":"rbac.authorization.k8s.io","kind":"User","name":"mallory"}]},` +
		`"hook":{"event":"post-delete","weight":0}}]`
	places := `[{"cluster":"c","group":"rbac.authorization.k8s.io","kind":"ClusterRoleBinding"}]`
	encoded := base64.StdEncoding.EncodeToString
	seal := kubectl(t, "-n", w.name, "get", "configmap", "second", "-o", `jsonpath={.metadata.annotations.hubcap\.dev/seal}`)
	site.sandbox.Apply(t, fmt.Sprintf(`apiVersion: v1
kind: Namespace
metadata: {name: escalation-tenant}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: innocent
  namespace: escalation-tenant
  labels: {hubcap.dev/config: escalation}
  annotations: {hubcap.dev/record: hooks, hubcap.dev/address: hub.gone/ConfigMap/innocent, hubcap.dev/component: hub.gone/release, hubcap.dev/seal: %q}
data: {hooks.json: %s, places.json: %s}
`, seal, encoded([]byte(hooks)), encoded([]byte(places))))
	w.hubcap(reader, 0, "plan", "--detailed-exitcode").has(t, "No changes", "escalation-tenant/ConfigMap/innocent")
	w.hubcap(applier, 0, "apply", "--auto-approve", "--var=more=1")
	if left := kubectl(t, "get", "clusterrolebinding", "escalation", "--ignore-not-found"); strings.TrimSpace(left) != "" {
		t.Errorf("the tenant is cluster-admin now: %s", left)
	}
	kubectl(t, "-n", "escalation-tenant", "get", "configmap", "innocent")
}

// TestFieldManagerChanges: what hubcap wrote under its former field manager is its own
// still, so that a value that the config drops goes.
func TestFieldManagerChanges(t *testing.T) {
	w := newGuarded(t, "manager")
	w.hubcap(applier, 0, "apply", "--auto-approve", "--var=more=1")
	w.hubcap(applier, 0, "apply", "--auto-approve", "--var=manager=hubcap2")
	if data := kubectl(t, "-n", w.name, "get", "configmap", "app", "-o", "jsonpath={.data}"); strings.Contains(data, "goes") {
		t.Errorf("a value that the config dropped is there still: %s", data)
	}
	for _, name := range []string{"app", "second"} {
		entries := kubectl(t, "-n", w.name, "get", "configmap", name, "-o", "jsonpath={.metadata.managedFields[*].manager}", "--show-managed-fields")
		if strings.TrimSpace(entries) != "hubcap2" {
			t.Errorf("configmap %s has the managers %s", name, entries)
		}
	}
	w.hubcap(reader, 0, "plan", "--detailed-exitcode", "--var=manager=hubcap2").has(t, "No changes")
}

// TestOlderObjectsAreSealed: what has no seal and the config renders gets one, in one
// line of the plan, and nothing else changes; what nothing desires is kept.
func TestOlderObjectsAreSealed(t *testing.T) {
	w := newGuarded(t, "older")
	w.hubcap(applier, 0, "apply", "--auto-approve")
	for _, name := range []string{"app", "second"} {
		kubectl(t, "-n", w.name, "annotate", "configmap", name, "hubcap.dev/seal-")
	}
	w.hubcap(reader, 2, "plan", "--detailed-exitcode", "--var=gone=true").has(t, "1 object of hubcap's gets a seal", "restarts nothing", "0 to change, 0 to remove, 1 to seal", "bears hubcap's label and no seal")
	w.hubcap(reader, 0, "drift", "--var=gone=true")
	before := kubectl(t, "-n", w.name, "get", "configmap", "app", "-o", "jsonpath={.data}")
	w.hubcap(applier, 0, "apply", "--auto-approve", "--var=gone=true")
	if after := kubectl(t, "-n", w.name, "get", "configmap", "app", "-o", "jsonpath={.data}"); after != before {
		t.Errorf("data was %s, is %s", before, after)
	}
	w.hubcap(reader, 0, "plan", "--detailed-exitcode", "--var=gone=true").has(t, "No changes", "older/ConfigMap/second")
	kubectl(t, "-n", w.name, "get", "configmap", "second")
}
