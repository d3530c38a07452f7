//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

// fielded makes a world of one config: header, and then blocks.
func fielded(t *testing.T, name, blocks string) *world {
	t.Helper()
	return newWorld(t, name, name, map[string]string{"main.hcl": fmt.Sprintf(`
hubcap {
  name              = %[1]q
  journal_namespace = %[1]q
}
cluster "c" {}
%[2]s
`, name, blocks)})
}

// settings is a namespace and two objects in it.
func settings(namespace string) string {
	return fmt.Sprintf(`
manifest "m" {
  objects = [
    { apiVersion = "v1", kind = "Namespace", metadata = { name = %[1]q } },
    { apiVersion = "v1", kind = "ConfigMap", metadata = { name = "first", namespace = %[1]q }, data = { a = "b" } },
    { apiVersion = "v1", kind = "ConfigMap", metadata = { name = "second", namespace = %[1]q }, data = { a = "b" } },
  ]
}
`, namespace)
}

// TestRefusedAndMissing lets objects go where nothing may be written or tried: drift
// names what is gone and is no success, and no plan says that there is nothing to do.
func TestRefusedAndMissing(t *testing.T) {
	setUp(t)
	for _, c := range []struct{ name, refuses, says string }{
		{"webhook", `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: %[1]s}
webhooks:
- name: down.example.org
  clientConfig: {service: {namespace: %[1]s, name: nowhere, path: /}}
  rules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [configmaps]}]
  namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: %[1]s}}
  sideEffects: None
  admissionReviewVersions: [v1]
  timeoutSeconds: 1
`, "down.example.org"},
		{"policy", `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: %[1]s}
spec:
  matchConstraints: {resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [configmaps]}]}
  validations: [{expression: "false", message: "nobody may write here"}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: %[1]s}
spec:
  policyName: %[1]s
  validationActions: [Deny]
  matchResources: {namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: %[1]s}}}
`, "nobody may write here"},
	} {
		t.Run(c.name, func(t *testing.T) {
			namespace := "refused-" + c.name
			w := fielded(t, namespace+"-runs", settings(namespace))
			w.hubcap(applier, 0, "apply", "--auto-approve")
			kubectl(t, "delete", "configmap", "first", "-n", namespace)
			site.sandbox.Apply(t, fmt.Sprintf(c.refuses, namespace))
			await(t, time.Minute, "the server to refuse", func() string {
				r := w.begin(applier, "plan").wait()
				if !strings.Contains(strings.Join(strings.Fields(r.out+r.err), " "), c.says) {
					return r.String()
				}
				return ""
			})
			r := w.begin(applier, "drift").wait()
			r.says(t, "ConfigMap/"+namespace+"/first")
			if r.code != 2 && r.code != 3 {
				t.Errorf("drift with an object gone: %s", r)
			}
			plan := w.begin(applier, "plan").wait()
			if strings.Contains(plan.out, "No changes") || plan.code == 0 {
				t.Errorf("a plan with an object gone: %s", plan)
			}
			bindReader(t, "")
			w.begin(reader, "drift").wait().says(t, "ConfigMap/"+namespace+"/first")
		})
	}
}

// TestKindThatCannotBeRead breaks the conversion webhook of one definition: its objects
// cannot be read, and everything else is.
func TestKindThatCannotBeRead(t *testing.T) {
	setUp(t)
	const namespace = "converted"
	site.sandbox.Apply(t, `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.converted.example.org}
spec:
  group: converted.example.org
  scope: Namespaced
  names: {kind: Thing, plural: things, singular: thing, listKind: ThingList}
  versions:
  - {name: v1, served: true, storage: false, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}
  - {name: v2, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: converted}
rules: [{apiGroups: [converted.example.org], resources: [things], verbs: ["*"]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: converted}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: converted}
subjects: [{kind: ServiceAccount, name: reader, namespace: hubcap}, {kind: ServiceAccount, name: applier, namespace: hubcap}]
`)
	defer kubectl(t, "delete", "crd", "things.converted.example.org", "--wait=false")
	w := fielded(t, "converted-runs", settings(namespace)+fmt.Sprintf(`
manifest "thing" {
  object = { apiVersion = "converted.example.org/v1", kind = "Thing", metadata = { name = "one", namespace = %q }, size = 1 }
}
`, namespace))
	await(t, time.Minute, "the definition", func() string {
		return strings.TrimSpace(strings.ReplaceAll(kubectl(t, "get", "crd", "things.converted.example.org",
			`-o=jsonpath={.status.conditions[?(@.type=="Established")].status}`), "True", ""))
	})
	w.hubcap(applier, 0, "apply", "--auto-approve")
	kubectl(t, "patch", "crd", "things.converted.example.org", "--type=merge", `-p={"spec":{"conversion":{"strategy":"Webhook","webhook":{
		"conversionReviewVersions":["v1"],"clientConfig":{"service":{"namespace":"converted","name":"nowhere","path":"/"}}}}}}`)
	kubectl(t, "delete", "configmap", "first", "-n", namespace)
	kubectl(t, "patch", "configmap", "second", "-n", namespace, "--type=merge", `-p={"data":{"a":"c"}}`)
	var r result
	await(t, 4*time.Minute, "the server to lose the objects", func() string {
		if r = w.begin(reader, "drift").wait(); strings.Contains(r.out+r.err, "things") {
			return ""
		}
		return r.String()
	})
	r.says(t, "ConfigMap/"+namespace+"/first", "ConfigMap/"+namespace+"/second", "conversion webhook")
	if r.code != 2 && r.code != 3 {
		t.Errorf("drift with an object gone and a kind that cannot be read: %s", r)
	}
	r = w.begin(applier, "plan").wait()
	r.says(t, "ConfigMap/"+namespace+"/first", "things", "conversion webhook")
	if strings.Contains(r.out, "No changes") || (r.code != 3 && r.code != 9) {
		t.Errorf("a plan with an object gone and a kind that cannot be read: %s", r)
	}
}

// TestLeavingNamespace deletes a namespace that something holds: what is gone in it is told.
func TestLeavingNamespace(t *testing.T) {
	w := fielded(t, "leaving-runs", settings("leaving"))
	w.hubcap(applier, 0, "apply", "--auto-approve")
	kubectl(t, "create", "configmap", "held", "-n", "leaving")
	kubectl(t, "patch", "configmap", "held", "-n", "leaving", "--type=merge", `-p={"metadata":{"finalizers":["example.org/held"]}}`)
	kubectl(t, "delete", "namespace", "leaving", "--wait=false")
	defer kubectl(t, "patch", "configmap", "held", "-n", "leaving", "--type=merge", `-p={"metadata":{"finalizers":null}}`)
	await(t, time.Minute, "the objects to go", func() string {
		return kubectl(t, "get", "configmap", "-n", "leaving", "-o=name", "--ignore-not-found", "--field-selector=metadata.name=first")
	})
	r := w.begin(reader, "drift").wait()
	r.says(t, "first", "second", "is being deleted")
	if r.code != 2 && r.code != 3 {
		t.Errorf("drift: %s", r)
	}
	w.hubcap(applier, 9, "apply", "--auto-approve").says(t, "is being deleted")
}

// TestNotYetThere checks objects in a namespace that is made by the same plan.
func TestNotYetThere(t *testing.T) {
	long := strings.Repeat("a", 64)
	w := fielded(t, "notyet-runs", fmt.Sprintf(`
manifest "m" {
  objects = [
    { apiVersion = "v1", kind = "Namespace", metadata = { name = "notyet" } },
    { apiVersion = "v1", kind = "Service", metadata = { name = %q, namespace = "notyet" }, spec = { ports = [{ port = 80 }] } },
    { apiVersion = "v1", kind = "Service", metadata = { name = "twice", namespace = "notyet" }, spec = { ports = [{ name = "a", port = 80 }, { name = "b", port = 80 }] } },
    { apiVersion = "v1", kind = "ConfigMap", metadata = { name = "typed", namespace = "notyet" }, datum = { a = "b" } },
    { apiVersion = "v1", kind = "ConfigMap", metadata = { name = "sound", namespace = "notyet" }, data = { a = "b" } },
  ]
}
`, long))
	r := w.hubcap(applier, 9, "plan")
	r.says(t, "no more than 63 characters", "Service/notyet/twice (missing)", "ConfigMap/notyet/typed (missing)", "datum", "Refused 3 objects")
	if strings.Contains(r.out, "notyet/sound (missing)") {
		t.Errorf("what is sound is refused: %s", r)
	}
	w.hubcap(applier, 9, "apply", "--auto-approve")
	if there := kubectl(t, "get", "namespace", "notyet", "--ignore-not-found", "-o=name"); there != "" {
		t.Error("a refused plan made the namespace")
	}
}

// TestNamedFirst makes what other objects name before these, in one apply from nothing and
// when it is switched on later.
func TestNamedFirst(t *testing.T) {
	const namespace = "named"
	workload := func(priority string) string {
		return fmt.Sprintf(`
manifest "a_workload" {
  objects = [
    { apiVersion = "apps/v1", kind = "Deployment", metadata = { name = "web", namespace = %[1]q }, spec = {
      selector = { matchLabels = { app = "web" } }
      template = { metadata = { labels = { app = "web" } }, spec = merge({
        serviceAccountName = "robot", terminationGracePeriodSeconds = 0
        containers = [{ name = "web", image = "example.org/web:1", volumeMounts = [{ name = "data", mountPath = "/data" }] }]
        volumes = [{ name = "data", persistentVolumeClaim = { claimName = "data" } }]
      }, %[2]s) }
    } },
    { apiVersion = "v1", kind = "PersistentVolumeClaim", metadata = { name = "data", namespace = %[1]q }, spec = {
      accessModes = ["ReadWriteOnce"], storageClassName = "named-class", resources = { requests = { storage = "1Gi" } }
    } },
  ]
}
manifest "b_hook" {
  object = { apiVersion = "admissionregistration.k8s.io/v1", kind = "ValidatingWebhookConfiguration", metadata = { name = "named" }, webhooks = [{
    name = "named.example.org", sideEffects = "None", admissionReviewVersions = ["v1"], failurePolicy = "Ignore", timeoutSeconds = 1
    clientConfig = { service = { namespace = %[1]q, name = "hook" } }
    rules        = [{ apiGroups = ["named.example.org"], apiVersions = ["v1"], operations = ["CREATE"], resources = ["things"] }]
  }] }
}
manifest "z_named" {
  objects = concat([
    { apiVersion = "v1", kind = "Namespace", metadata = { name = %[1]q } },
    { apiVersion = "v1", kind = "ServiceAccount", metadata = { name = "robot", namespace = %[1]q } },
    { apiVersion = "storage.k8s.io/v1", kind = "StorageClass", metadata = { name = "named-class" }, provisioner = "example.org/none", volumeBindingMode = "Immediate" },
    { apiVersion = "v1", kind = "Service", metadata = { name = "hook", namespace = %[1]q }, spec = { ports = [{ port = 443 }] } },
  ], %[3]s)
}
`, namespace, priority, map[bool]string{true: "[]", false: `[{ apiVersion = "scheduling.k8s.io/v1", kind = "PriorityClass", metadata = { name = "named-high" }, value = 1000 }]`}[priority == "{}"])
	}
	setUp(t)
	site.sandbox.Apply(t, `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: named}
rules: [{apiGroups: [admissionregistration.k8s.io], resources: [validatingwebhookconfigurations], verbs: ["*"]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: named}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: named}
subjects: [{kind: ServiceAccount, name: reader, namespace: hubcap}, {kind: ServiceAccount, name: applier, namespace: hubcap}]
`)
	header := "hubcap {\n  name = \"named-runs\"\n  journal_namespace = \"named-runs\"\n}\ncluster \"c\" {}\n"
	w := fielded(t, "named-runs", workload("{}"))
	before := func(r result, first, then string) {
		t.Helper()
		var order []string
		var plan struct {
			Waves []struct {
				Steps []struct{ Changes []struct{ Address string } }
			}
		}
		if err := json.Unmarshal([]byte(r.out), &plan); err != nil {
			t.Fatal(err)
		}
		for _, wave := range plan.Waves {
			for _, step := range wave.Steps {
				for _, c := range step.Changes {
					order = append(order, c.Address)
				}
			}
		}
		at := func(name string) int {
			for i, address := range order {
				if strings.HasSuffix(address, name) {
					return i
				}
			}
			t.Fatalf("%s is not in %v", name, order)
			return 0
		}
		if at(first) > at(then) {
			t.Errorf("%s comes after %s: %v", first, then, order)
		}
	}
	r := w.hubcap(applier, 0, "plan", "-o", "json")
	for _, edge := range [][2]string{
		{"ServiceAccount/named/robot", "Deployment/named/web"}, {"StorageClass/named-class", "PersistentVolumeClaim/named/data"}, {"Service/named/hook", "ValidatingWebhookConfiguration/named"},
	} {
		before(r, edge[0], edge[1])
	}
	w.write("main.hcl", header+workload(`{ priorityClassName = "named-high" }`))
	before(w.hubcap(applier, 0, "plan", "-o", "json"), "PriorityClass/named-high", "Deployment/named/web")
}
