//go:build e2e

package kube

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hubcap/engine/resource"
)

// spelled is a set of objects that are spelled otherwise than the server keeps
// them. Each line that matters is one that a naive comparison calls a difference.
const spelled = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  creationTimestamp: null
  annotations: {}
spec:
  replicas: 0
  minReadySeconds: 0
  selector: {matchLabels: {app: web}}
  strategy: {rollingUpdate: null, type: Recreate}
  template:
    metadata:
      labels: {app: web}
      annotations: {checksum/config: abc}
    spec:
      hostNetwork: false
      nodeSelector: {}
      tolerations: []
      affinity: {}
      volumes:
      - {name: scratch, emptyDir: {}}
      - {name: config, configMap: {name: config}}
      containers:
      - name: web
        image: example.org/web:1
        lifecycle: {}
        resources: {requests: {cpu: 0.1, memory: 512Mi}, limits: {cpu: "1.0", memory: 1Gi, ephemeral-storage: 1073741824}}
        ports: [{name: http, containerPort: 8000}, {name: dns, containerPort: 53, protocol: TCP}, {name: dnsu, containerPort: 53, protocol: UDP}]
        env:
        - {name: EMPTY, value: ""}
        - {name: NOTHING, value: null}
        - {name: POD, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
        volumeMounts: [{name: scratch, mountPath: /scratch, subPath: ""}]
        readinessProbe: {initialDelaySeconds: 0, httpGet: {path: /health, port: http}}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: http}, {name: dns, port: 53, protocol: TCP}, {name: dnsu, port: 53, protocol: UDP}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web}
spec:
  podSelector: {}
  policyTypes: [Ingress, Egress]
  ingress: []
  egress: [{ports: [{port: 53}], to: [{ipBlock: {cidr: 10.0.0.0/8}}]}]
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: web}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: web}
rules: []
---
apiVersion: v1
kind: Secret
metadata: {name: web}
stringData: {password: "hush-hush-hush"}
data: {token: c29tZS10b2tlbi1oZXJl}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: config, labels: null}
data: {}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web}
spec: {maxUnavailable: 1, selector: {matchLabels: {app: web}}}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: prune}
spec:
  schedule: "*/5 * * * *"
  jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: prune, image: "example.org/prune:1"}]}}}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: db}
spec: {accessModes: [ReadWriteOnce], volumeName: null, resources: {requests: {storage: 1024Mi}}}`

func TestSpellingIsNoDifference(t *testing.T) {
	b := newBench(t).makeNamespace()
	desired := b.desire("web", spelled)
	b.apply(desired)
	b.settled(desired)

	r := b.read(nil)
	if len(r.Orphans) != len(desired) {
		t.Errorf("%d orphans of %d objects", len(r.Orphans), len(desired))
	}
	for _, l := range r.Orphans {
		if l.Applied == nil || l.Owner != b.p.Owner || l.Component.String() != "hub.prod/web" {
			t.Errorf("orphan %s: owner %q, component %s, applied %v", l.ID, l.Owner, l.Component, l.Applied)
		}
	}
}

func TestOneFieldIsOneDryRun(t *testing.T) {
	b := newBench(t).makeNamespace()
	desired := b.desire("web", spelled)
	b.apply(desired)
	changed := b.desire("web", strings.Replace(spelled, "example.org/web:1", "example.org/web:2", 1))
	before := b.count.dryRun.Load()
	changes := b.changes(changed)
	if len(changes) != 1 || b.count.dryRun.Load()-before != 1 {
		t.Fatalf("%d changes, %d dry runs, want one of each", len(changes), b.count.dryRun.Load()-before)
	}
	want := []resource.Field{{Path: "spec.template.spec.containers[web].image", Before: "example.org/web:1", After: "example.org/web:2"}}
	if d := cmp.Diff(want, changes[0].Fields); d != "" {
		t.Errorf("fields (-want +got):\n%s", d)
	}
	b.apply(changed)
	b.settled(changed)
}

// A dropped field is removed, and what the server puts in its place shows.
func TestDroppedField(t *testing.T) {
	b := newBench(t).makeNamespace()
	full := `apiVersion: v1
kind: Service
metadata: {name: web, labels: {gone: soon}}
spec: {selector: {app: web}, sessionAffinity: ClientIP, ports: [{port: 80}]}`
	b.apply(b.desire("web", full))
	less := b.desire("web", strings.NewReplacer(", labels: {gone: soon}", "", "sessionAffinity: ClientIP, ", "").Replace(full))
	changes := b.apply(less)
	got := map[string]any{}
	for _, f := range changes[0].Fields {
		got[f.Path] = f.After
	}
	if v, has := got["metadata.labels.gone"]; !has || v != nil || got["spec.sessionAffinity"] != "None" {
		t.Errorf("fields: %v", changes[0].Fields)
	}
	b.settled(less)
}

func TestRequestsDoNotGrow(t *testing.T) {
	var reads []int64
	for _, n := range []int{10, 300} {
		b := newBench(t).makeNamespace()
		var documents []string
		for i := range n {
			documents = append(documents, fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c%d}\ndata: {n: \"%d\"}", i, i))
		}
		desired := b.desire("web", strings.Join(documents, "\n---\n"))
		b.apply(desired)
		before := b.count.reads.Load()
		b.settled(desired)
		reads = append(reads, b.count.reads.Load()-before)
	}
	if reads[0] != reads[1] {
		t.Errorf("%d reads for 10 objects, %d for 300", reads[0], reads[1])
	}
	t.Logf("%d reads", reads[0])
}

// Many objects that are not ours are found by one LIST, few by GETs.
func TestManyMissingAreListed(t *testing.T) {
	b := newBench(t).makeNamespace()
	b.read(nil) // discovery
	for _, n := range []int{8, 200} {
		var documents []string
		for i := range n {
			documents = append(documents, fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c%d}", i))
		}
		desired := b.desire("web", strings.Join(documents, "\n---\n"))
		before := b.count.reads.Load()
		b.read(nil)
		without := b.count.reads.Load() - before
		b.read(desired)
		extra := b.count.reads.Load() - before - 2*without
		if want := int64(map[int]int{8: 8, 200: 1}[n]); extra != want {
			t.Errorf("%d new objects took %d more reads, want %d", n, extra, want)
		}
	}
}

func TestNamespaces(t *testing.T) {
	b := newBench(t)
	config := b.desire("web", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}")
	r := b.read(config)
	if o := r.Observations[0]; !strings.Contains(o.Refused, "does not exist, and no block makes it") {
		t.Errorf("in a namespace that nobody makes: %q", o.Refused)
	}
	namespace := b.desire("", "apiVersion: v1\nkind: Namespace\nmetadata: {name: "+b.namespace+"}")
	namespace[0].Presence = resource.Ensured
	both := slices.Concat(namespace, config)
	if changes := b.apply(both); len(changes) != 2 {
		t.Errorf("%d changes, want the namespace and what is in it", len(changes))
	}
	b.settled(both)
	if r := b.read(config); len(r.Orphans) != 0 {
		t.Errorf("an ensured namespace is an orphan: %v", r.Orphans)
	}
}

func TestOthersObjectsAreRefused(t *testing.T) {
	b := newBench(t).makeNamespace()
	b.sandbox.Apply(t, fmt.Sprintf(`
apiVersion: v1
kind: ConfigMap
metadata: {name: theirs, namespace: %[1]s, labels: {hubcap.dev/config: other}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: helms, namespace: %[1]s, annotations: {meta.helm.sh/release-name: hub, meta.helm.sh/release-namespace: prod}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: nobodys, namespace: %[1]s}
data: {a: b}
`, b.namespace))
	desired := b.desire("web", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: theirs}\n---\n"+
		"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: helms}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: nobodys}")
	want := []string{`belongs to config "other"`, "Helm release prod/hub", "kubectl made it"}
	for i, o := range b.read(desired).Observations {
		if !strings.Contains(o.Refused, want[i]) {
			t.Errorf("%s refused: %q, want %q", o.Desired.ID.Name, o.Refused, want[i])
		}
		c := resource.Change{ID: o.Desired.ID, Address: o.Desired.Address, Action: resource.Delete, Before: o.Desired.Object}
		s, err := b.p.Look(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.p.Write(t.Context(), c, s); err == nil || !strings.Contains(err.Error(), "deletes only what is its own") {
			t.Errorf("delete %s: %v, want a refusal", o.Desired.ID.Name, err)
		}
	}
}

func TestImmutableFieldsReplace(t *testing.T) {
	const set = `apiVersion: apps/v1
kind: StatefulSet
metadata: {name: set}
spec:
  serviceName: set
  replicas: 0
  podManagementPolicy: %s
  selector: {matchLabels: {app: set}}
  template: {metadata: {labels: {app: set}}, spec: {containers: [{name: c, image: example.org/c:1}]}}`
	const deployment = `apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 0
  selector: {matchLabels: {app: web, v: "%[1]s"}}
  template: {metadata: {labels: {app: web, v: "%[1]s"}}, spec: {containers: [{name: c, image: example.org/c:1}]}}`
	b := newBench(t).makeNamespace()
	b.apply(b.desire("web", fmt.Sprintf(set, "Parallel")+"\n---\n"+fmt.Sprintf(deployment, "1")))
	after := b.desire("web", fmt.Sprintf(set, "OrderedReady")+"\n---\n"+fmt.Sprintf(deployment, "2"))
	want := [][]string{{"spec.podManagementPolicy"}, {"spec.selector"}}
	for i, o := range b.read(after).Observations {
		if d := cmp.Diff(want[i], o.Replace); d != "" {
			t.Errorf("%s (-want +got):\n%s%s", o.Desired.ID.Name, d, o.Refused)
		}
	}
	for _, c := range b.apply(after) {
		if c.Action != resource.Replace || len(c.Fields) == 0 {
			t.Errorf("%s: %s %v", c.ID, c.Action, c.Fields)
		}
	}
	b.settled(after)
}

// Every kind has its own words for a field that stays as it was made.
func TestImmutableWords(t *testing.T) {
	b := newBench(t).makeNamespace()
	for name, tc := range map[string]struct{ document, old, new, field string }{
		"RoleBinding": {`apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: x}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}
subjects: [{kind: ServiceAccount, name: default}]`, "name: view", "name: edit", "roleRef"},
		"Job": {`apiVersion: batch/v1
kind: Job
metadata: {name: x}
spec: {suspend: true, template: {spec: {restartPolicy: Never, containers: [{name: c, image: "example.org/c:1"}]}}}`, "c:1", "c:2", "spec.template"},
		"PriorityClass": {"apiVersion: scheduling.k8s.io/v1\nkind: PriorityClass\nmetadata: {name: NAME}\nvalue: 10", "value: 10", "value: 11", "value"},
		"ConfigMap":     {"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\nimmutable: true\ndata: {a: b}", "a: b", "a: c", "data"},
		"DaemonSet": {`apiVersion: apps/v1
kind: DaemonSet
metadata: {name: x}
spec:
  selector: {matchLabels: {app: one}}
  template: {metadata: {labels: {app: one}}, spec: {containers: [{name: c, image: "example.org/c:1"}]}}`, "app: one", "app: two", "spec.selector"},
		"Service": {"apiVersion: v1\nkind: Service\nmetadata: {name: x}\nspec: {clusterIP: 10.0.0.76, ports: [{port: 80}]}", "10.0.0.76", "10.0.0.77", "spec.clusterIP"},
	} {
		document := strings.Replace(tc.document, "NAME", b.namespace, 1)
		b.apply(b.desire("web", document))
		o := b.read(b.desire("web", strings.ReplaceAll(document, tc.old, tc.new))).Observations[0]
		if len(o.Replace) == 0 || !strings.HasPrefix(o.Replace[0], tc.field) {
			t.Errorf("%s: replace %q, refused %q; want %s", name, o.Replace, o.Refused, tc.field)
		}
		b.apply(nil)
	}
}

func TestClaimsAreKept(t *testing.T) {
	const claim = `apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: db}
spec: {accessModes: [%s], resources: {requests: {storage: 1Gi}}}`
	b := newBench(t).makeNamespace()
	b.apply(b.desire("hub", fmt.Sprintf(claim, "ReadWriteOnce")))
	o := b.read(b.desire("hub", fmt.Sprintf(claim, "ReadWriteMany"))).Observations[0]
	if !strings.Contains(o.Refused, "never made anew") {
		t.Errorf("refused: %q", o.Refused)
	}
	c := b.changes(nil)[0]
	s, err := b.p.Look(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.p.Write(t.Context(), c, s); err == nil || !strings.Contains(err.Error(), "deleted only by name") {
		t.Errorf("delete: %v", err)
	}
	b.p.Deletable = func(id resource.ID) bool { return id == c.ID }
	if _, err := b.p.Write(t.Context(), c, s); !errors.Is(err, ErrForbidden) { // nor does the role permit it
		t.Errorf("delete by name: %v", err)
	}
}

func TestInvalidIsRefused(t *testing.T) {
	b := newBench(t).makeNamespace()
	for name, tc := range map[string]struct{ document, want, reason string }{
		"unknown field":  {"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndatum: {}", "datum", "no such field in the schema"},
		"not a string":   {"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a: 1}", "data", "data holds strings"},
		"invalid":        {"apiVersion: v1\nkind: Service\nmetadata: {name: c}\nspec: {ports: [{port: 70000}]}", "70000", "validation"},
		"no such kind":   {"apiVersion: example.org/v1\nkind: Thing\nmetadata: {name: c}", "knows no kind Thing", "no CRD"},
		"duplicate keys": {"apiVersion: v1\nkind: Service\nmetadata: {name: c}\nspec: {ports: [{port: 80, name: a}, {port: 80, name: b}]}", "duplicate", "server-side apply refuses it"},
	} {
		o := b.read(b.desire("web", tc.document)).Observations[0]
		if !strings.Contains(o.Refused, tc.want) || o.Preview != nil {
			t.Errorf("%s (%s): refused %q, want %q", name, tc.reason, o.Refused, tc.want)
		}
	}
}

func TestCustomResources(t *testing.T) {
	b := newBench(t).makeNamespace()
	group := b.namespace + ".example.org"
	b.sandbox.Apply(t, fmt.Sprintf(`
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: %[1]s}
rules: [{apiGroups: [%[1]s], resources: [things], verbs: [get, list, create, patch]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: %[1]s}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: %[1]s}
subjects: [{kind: ServiceAccount, name: applier, namespace: hubcap}]
`, group))
	desired := b.desire("web", fmt.Sprintf(`apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.%[1]s}
spec:
  group: %[1]s
  scope: Namespaced
  names: {plural: things, singular: thing, kind: Thing, listKind: ThingList}
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            properties:
              size: {type: number, default: 3}
              colour: {type: string}
              ports:
                type: array
                x-kubernetes-list-type: map
                x-kubernetes-list-map-keys: [name]
                items: {type: object, required: [name], properties: {name: {type: string}, port: {type: integer}}}
---
apiVersion: %[1]s/v1
kind: Thing
metadata: {name: one}
spec: {colour: blue, ports: [{name: http, port: 80}]}`, group))
	b.apply(desired)
	b.awaitSchema(desired[1])
	b.settled(desired)
	b.kubectl("patch", "things."+group, "one", "--type=merge", "--field-manager=somebody", `-p={"spec":{"colour":"red"}}`)
	changes := b.changes(desired)
	if len(changes) != 1 || len(changes[0].Foreign) != 1 || changes[0].Foreign[0].Manager != "somebody" {
		t.Errorf("after somebody's change: %+v", changes)
	}
}

// awaitSchema waits until the server has published the type of a kind that was
// just defined.
func (b *bench) awaitSchema(d resource.Desired) {
	b.t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(30 * time.Second)
	for {
		if _, err := b.p.Client.types.fieldSet(d.Object.Copy()); err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-limit:
			b.t.Fatal("the server publishes no schema")
		}
	}
}

func TestForeign(t *testing.T) {
	b := newBench(t).makeNamespace()
	desired := b.desire("web", `apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 0
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "example.org/web:1", env: [{name: A, value: a}, {name: B, value: b}]}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: config}
data: {jupyterhub_config.py: "x = 1", other: why}
---
apiVersion: v1
kind: Secret
metadata: {name: secret}
stringData: {password: the-first-password}`)
	b.apply(desired)
	b.kubectl("set", "image", "deployment/web", "web=example.org/web:hot", "--field-manager=hotfix")
	b.kubectl("set", "env", "deployment/web", "B-")
	b.kubectl("set", "env", "deployment/web", "EXTRA=1")
	b.kubectl("scale", "deployment/web", "--replicas=1")
	b.kubectl("patch", "configmap", "config", "--type=merge", "--field-manager=editor", `-p={"data":{"jupyterhub_config.py":"x = 2"}}`)
	b.kubectl("patch", "configmap", "config", "--type=json", "--field-manager=remover", `-p=[{"op":"remove","path":"/data/other"}]`)
	b.kubectl("patch", "secret", "secret", "--type=merge", "--field-manager=thief", `-p={"stringData":{"password":"another-password"}}`)

	got := map[string]string{}
	for _, o := range b.read(desired).Observations {
		for _, f := range o.Foreign {
			who, _, _ := strings.Cut(f.Manager, " (perhaps") // who is guessed depends on the second
			got[o.Desired.ID.Kind+" "+f.Path] = fmt.Sprintf("%s: %v, wanted %v", who, f.Live, f.Wanted)
			if f.Time.IsZero() && f.Path != "spec.replicas" { // the scale subresource notes no time
				t.Errorf("%s: no time", f.Path)
			}
		}
	}
	want := map[string]string{
		"Deployment spec.replicas":                             "kubectl (scale): 1, wanted 0",
		"Deployment spec.template.spec.containers[web].image":  "hotfix: example.org/web:hot, wanted example.org/web:1",
		"Deployment spec.template.spec.containers[web].env[B]": "unknown: <nil>, wanted map[name:B value:b]",
		`ConfigMap data["jupyterhub_config.py"]`:               "editor: x = 2, wanted x = 1",
		"ConfigMap data.other":                                 "unknown: <nil>, wanted why",
		"Secret data.password":                                 "thief: (sensitive), wanted (sensitive)",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("foreign (-want +got):\n%s", d)
	}
	b.apply(desired)
	b.settled(desired)
}

// What the config itself changed is not somebody's doing.
func TestOwnNewsAreNotForeign(t *testing.T) {
	const text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: config}\ndata: {a: \"1\", b: \"1\"%s}"
	b := newBench(t).makeNamespace()
	b.apply(b.desire("web", fmt.Sprintf(text, "")))
	desired := b.desire("web", fmt.Sprintf(text, ", c: \"1\""))
	if o := b.read(desired).Observations[0]; len(o.Foreign) != 0 || o.Same {
		t.Errorf("a new key of ours: %+v", o.Foreign)
	}
	b.kubectl("patch", "configmap", "config", "--type=merge", "--field-manager=editor", `-p={"data":{"a":"2"}}`)
	if o := b.read(desired).Observations[0]; len(o.Foreign) != 1 || o.Foreign[0].Path != "data.a" {
		t.Errorf("a new key of ours and an old one of theirs: %+v", o.Foreign)
	}
}
