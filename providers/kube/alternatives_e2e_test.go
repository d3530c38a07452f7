//go:build e2e

package kube

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"hubcap/engine/resource"
	"hubcap/engine/run"
	"hubcap/providers/providertest"
)

// TestAlternativesBothWays changes fields of which an object may have only one, each
// beside a default or beside what somebody set by hand, and back again.
func TestAlternativesBothWays(t *testing.T) {
	const deployment = `apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 0
  %s
  selector: {matchLabels: {app: web}}
  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: web, image: "example.org/web:1", %s}], volumes: [{name: v, %s}]}}`
	const budget = "apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: web}\nspec: {selector: {matchLabels: {app: web}}, %s}"
	for _, test := range []struct{ name, was, is, hand string }{
		{"strategy", fmt.Sprintf(deployment, "", "", "emptyDir: {}"), fmt.Sprintf(deployment, "strategy: {type: Recreate}", "", "emptyDir: {}"), ""},
		{
			"strategy by hand", fmt.Sprintf(deployment, "", "", "emptyDir: {}"), fmt.Sprintf(deployment, "strategy: {rollingUpdate: {maxSurge: 1}}", "", "emptyDir: {}"),
			`{"spec":{"strategy":{"type":"Recreate","rollingUpdate":null}}}`,
		},
		{
			"env by hand", fmt.Sprintf(deployment, "", "env: [{name: A, value: a}]", "emptyDir: {}"), fmt.Sprintf(deployment, "", "env: [{name: A, value: b}]", "emptyDir: {}"),
			`{"spec":{"template":{"spec":{"containers":[{"name":"web","env":[{"name":"A","value":null,"valueFrom":{"secretKeyRef":{"name":"s","key":"k"}}}]}]}}}}`,
		},
		{
			"volume and probe by hand", fmt.Sprintf(deployment, "", "livenessProbe: {httpGet: {port: 1}}", "emptyDir: {}"), fmt.Sprintf(deployment, "", "livenessProbe: {httpGet: {port: 2}}", "configMap: {name: c}"),
			`{"spec":{"template":{"spec":{"containers":[{"name":"web","livenessProbe":{"httpGet":null,"tcpSocket":{"port":1}}}],"volumes":[{"name":"v","emptyDir":null,"secret":{"secretName":"s"}}]}}}}`,
		},
		{"budget", fmt.Sprintf(budget, "minAvailable: 1"), fmt.Sprintf(budget, "maxUnavailable: 1"), ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t).makeNamespace()
			b.apply(b.desire("web", test.was))
			if test.hand != "" {
				b.kubectl("patch", "deployment", "web", "--field-manager=somebody", "-p="+test.hand)
			}
			changes := b.apply(b.desire("web", test.is))
			if len(changes) != 1 || changes[0].Action != resource.Update {
				t.Fatalf("changes: %+v, want one in place", changes)
			}
			b.settled(b.desire("web", test.is))
			back := b.desire("web", test.was)
			back[0].Object, back[0].Defaults = changes[0].Before, changes[0].Defaults
			b.apply(back)
			if test.hand == "" {
				b.settled(b.desire("web", test.was))
			}
		})
	}
}

// TestRecreated holds the laws for kinds with fields that cannot be changed and that
// nobody's pods depend on while they run.
func TestRecreated(t *testing.T) {
	const binding = "apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: %s}\nroleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: %s}\nsubjects: [{kind: ServiceAccount, name: %s, namespace: default}]"
	const priority = "apiVersion: scheduling.k8s.io/v1\nkind: PriorityClass\nmetadata: {name: %s}\nvalue: %s\ndescription: %s"
	for _, test := range []struct{ kind, text, value, other, name, move string }{
		{"rolebinding", binding, "view", "hubcap-read", "it-", `{"subjects":[{"kind":"ServiceAccount","name":"moved","namespace":"default"}]}`},
		{"priorityclass", priority, "10", "20", "recreated-", `{"description":"moved"}`},
	} {
		t.Run(test.kind, func(t *testing.T) {
			providertest.Run(t, func(t *testing.T, law func(*testing.T, providertest.World)) {
				b := newBench(t).makeNamespace()
				name := test.name + b.namespace // of the cluster, for some
				law(t, providertest.World{
					Provider: b.p,
					Wanted:   b.desire("hub", fmt.Sprintf(test.text, name, test.value, "a"))[0],
					Other:    b.desire("hub", fmt.Sprintf(test.text, name, test.value, "b"))[0],
					Anew:     b.desire("hub", fmt.Sprintf(test.text, name, test.other, "a"))[0],
					Move: func(t *testing.T) {
						b.kubectl("patch", test.kind, name, "--type=merge", "--field-manager=somebody", "-p="+test.move)
					},
					Gone:   func(t *testing.T) { b.kubectl("delete", test.kind, name) },
					Writes: func() int { return int(b.count.writes.Load()) },
				})
			})
		})
	}
}

// TestAdmissionChanges looks at an object that admission changed: what the server
// answered is the after-image, and without one a dry run of what was wanted decides.
func TestAdmissionChanges(t *testing.T) {
	b := newBench(t).makeNamespace()
	b.sandbox.Apply(t, strings.ReplaceAll(`
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicy
metadata: {name: NAME}
spec:
  matchConstraints:
    namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: NAME}}
    resourceRules: [{apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE","UPDATE"], resources: ["configmaps"]}]
  matchConditions: [{name: only, expression: "has(object.data) && !object.data.x.startsWith('mirror/')"}]
  failurePolicy: Fail
  reinvocationPolicy: Never
  mutations:
  - patchType: JSONPatch
    jsonPatch: {expression: '[JSONPatch{op: "replace", path: "/data/x", value: "mirror/" + object.data.x}]'}
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicyBinding
metadata: {name: NAME}
spec: {policyName: NAME}
`, "NAME", b.namespace))
	text := "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {x: %s}\n"
	for deadline := time.Now().Add(time.Minute); ; { // a policy takes a moment to be in force
		out := b.kubectl("create", "configmap", "probe", "--from-literal=x=a", "--dry-run=server", "-o", "jsonpath={.data.x}")
		if out == "mirror/a" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the policy is not in force: %q", out)
		}
	}
	b.apply(b.desire("hub", fmt.Sprintf(text, "a")))
	if left := b.changes(b.desire("hub", fmt.Sprintf(text, "a"))); len(left) > 0 {
		t.Fatalf("still to do: %+v", left)
	}
	c := b.changes(b.desire("hub", fmt.Sprintf(text, "b")))[0]
	s, err := b.p.Look(t.Context(), c)
	if err != nil || s.State != run.AtBefore {
		t.Fatalf("look before: %+v, %v", s, err)
	}
	answer, err := b.p.Write(t.Context(), c, s)
	if err != nil || answer.State != run.AtAfter || answer.Image.Text("data", "x") != "mirror/b" {
		t.Fatalf("write answers %+v, %v; want the after-image", answer, err)
	}
	for _, image := range []resource.Object{nil, answer.Image} {
		c.Image = image
		before := b.count.dryRun.Load()
		if s, err := b.p.Look(t.Context(), c); err != nil || s.State != run.AtAfter || s.Image.Text("data", "x") != "mirror/b" {
			t.Errorf("look after, with the image %v: %+v, %v", image, s, err)
		}
		if asked := b.count.dryRun.Load() > before; asked != (image == nil) {
			t.Errorf("with the image %v the server was asked: %t", image, asked)
		}
	}
	b.kubectl("patch", "configmap", "settings", "--type=merge", "--field-manager=somebody", `-p={"data":{"x":"mirror/theirs"}}`)
	if s, err := b.p.Look(t.Context(), c); err != nil || s.State != run.Elsewhere {
		t.Errorf("look after somebody moved it: %+v, %v", s, err)
	}
}
