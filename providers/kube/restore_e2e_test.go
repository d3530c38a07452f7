//go:build e2e

package kube

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"hubcap/engine/resource"
)

// admin is who acts behind hubcap's back, in one namespace.
type admin struct {
	*bench
	objects func(o resource.Object) dynamic.ResourceInterface
}

func (b *bench) admin() admin {
	b.t.Helper()
	client, err := Connect(Options{Kubeconfig: b.sandbox.Kubeconfig})
	if err != nil {
		b.t.Fatal(err)
	}
	return admin{b, func(o resource.Object) dynamic.ResourceInterface {
		m, err := client.mapping(gvkOf(o))
		if err != nil {
			b.t.Fatal(err)
		}
		return client.Dynamic.Resource(m.Resource).Namespace(b.namespace)
	}}
}

// create makes an object as manager does who creates it whole.
func (a admin) create(o resource.Object, manager string, options metav1.CreateOptions) *unstructured.Unstructured {
	a.t.Helper()
	options.FieldManager = manager
	u, err := a.objects(o).Create(a.t.Context(), &unstructured.Unstructured{Object: o.Copy()}, options)
	if err != nil {
		a.t.Fatal(err)
	}
	return u
}

// makers make an object of a manifest as others do.
var makers = []struct {
	name string
	make func(a admin, d resource.Desired)
}{
	{"hubcap", func(a admin, d resource.Desired) { a.apply([]resource.Desired{d}) }},
	{"kubectl create", func(a admin, d resource.Desired) { a.create(d.Object, "kubectl-create", metav1.CreateOptions{}) }},
	{"kubectl apply", func(a admin, d resource.Desired) {
		text, err := json.Marshal(d.Object)
		if err != nil {
			a.t.Fatal(err)
		}
		o := d.Object.Copy()
		setAnnotation(o, annotationKubectl, string(text))
		a.create(o, "kubectl-client-side-apply", metav1.CreateOptions{})
	}},
	{"kubectl apply --server-side", func(a admin, d resource.Desired) {
		u := &unstructured.Unstructured{Object: d.Object.Copy()}
		if _, err := a.objects(d.Object).Apply(a.t.Context(), d.ID.Name, u, metav1.ApplyOptions{FieldManager: "kubectl"}); err != nil {
			a.t.Fatal(err)
		}
	}},
}

// get returns the spec of an object, without what the server draws for each, and who owns
// anything of it.
func (a admin) get(o resource.Object) (spec any, owners []resource.Manager) {
	a.t.Helper()
	u, err := a.objects(o).Get(a.t.Context(), o.Text("metadata", "name"), metav1.GetOptions{})
	if err != nil {
		a.t.Fatal(err)
	}
	return specOf(u), managersOf(u, func(e entry) bool { return e.fields["f:spec"] != nil })
}

func specOf(u *unstructured.Unstructured) any {
	spec := treeOf(u.Object["spec"])
	delete(spec, "clusterIP")
	delete(spec, "clusterIPs")
	return spec
}

// fresh is the spec that an object of the manifest has that never was another.
func (a admin) fresh(o resource.Object) any {
	o = o.Copy()
	o.Set("fresh", "metadata", "name")
	return specOf(a.create(o, "fresh", metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}))
}

func (a admin) delete(o resource.Object) {
	a.t.Helper()
	if err := a.objects(o).Delete(a.t.Context(), o.Text("metadata", "name"), metav1.DeleteOptions{}); err != nil {
		a.t.Fatal(err)
	}
}

// restore makes an object what it was before the change, as a rollback wants it.
func (b *bench) restore(d resource.Desired, c resource.Change) {
	b.t.Helper()
	d.Object, d.Defaults, d.Owners, d.GivesBack, d.Adopt = c.Before, c.Defaults, c.Owners, c.TakesOver, false
	b.apply([]resource.Desired{d})
}

// TestRestoreListKeys renames what lists are told apart by, in what is hubcap's and in
// what it takes over, and restores what was before: the object is exactly that again, and
// whose it was.
func TestRestoreListKeys(t *testing.T) {
	const base = `apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 0
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      initContainers: [{name: first, image: "example.org/first:1"}]
      containers:
      - name: web
        image: "example.org/web:1"
        args: [serve]
        env: [{name: A, value: a}, {name: B, value: b}]
        ports: [{name: http, containerPort: 80}]
        volumeMounts: [{name: data, mountPath: /data}]
      volumes: [{name: data, emptyDir: {}}]
`
	const service = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: 8000}]}\n"
	variants := []struct {
		name, base string
		edits      []string
	}{
		{"container", base, []string{"- name: web", "- name: site"}},
		{"container and its image", base, []string{"- name: web", "- name: site", "web:1", "site:2"}},
		{"init container", base, []string{"name: first", "name: prepare"}},
		{"container port", base, []string{"containerPort: 80", "containerPort: 8080"}},
		{"protocol of a port", base, []string{"containerPort: 80", "containerPort: 80, protocol: UDP"}},
		{"env", base, []string{"name: A, value: a", "name: C, value: c"}},
		{"volume and its mount", base, []string{"name: data", "name: store"}},
		{"mount path", base, []string{"mountPath: /data", "mountPath: /store"}},
		{"all of them", base, []string{"- name: web", "- name: site", "name: first", "name: prepare", "containerPort: 80", "containerPort: 81", "name: A", "name: D", "name: data", "name: store"}},
		{"service port", service, []string{"port: 80,", "port: 81,"}},
		{"name of a service port", service, []string{"name: http", "name: web"}},
	}
	a := newBench(t).makeNamespace().admin()
	for _, maker := range makers {
		for _, v := range variants {
			for _, way := range []string{"", " back"} {
				t.Run(maker.name+"/"+v.name+way, func(t *testing.T) {
					a.bench.t = t
					before, after := a.desire("hub", v.base)[0], a.desire("hub", strings.NewReplacer(v.edits...).Replace(v.base))[0]
					if way != "" {
						before, after = after, before
					}
					after.Adopt = maker.name != "hubcap"
					maker.make(a, before)
					defer a.delete(before.Object)
					was, owners := a.get(before.Object)
					changes := a.apply([]resource.Desired{after})
					if len(changes) != 1 || changes[0].Action != resource.Update {
						t.Fatalf("changes: %+v, want one in place", changes)
					}
					a.settled([]resource.Desired{after})
					spec, _ := a.get(after.Object)
					if diff := cmp.Diff(a.fresh(after.Object), spec); diff != "" {
						t.Errorf("after the change (-want +got):\n%s", diff)
					}
					a.restore(before, changes[0])
					now, nowOwners := a.get(before.Object)
					if diff := cmp.Diff(was, now); diff != "" {
						t.Errorf("restored (-before +now):\n%s", diff)
					}
					if diff := cmp.Diff(owners, nowOwners); diff != "" {
						t.Errorf("owners (-before +now):\n%s", diff)
					}
				})
			}
		}
	}
}

// TestRestoreOwners overrules what others set in an object, and restores what was before:
// each field is of who had it, and hubcap's plan says what it said before.
func TestRestoreOwners(t *testing.T) {
	const deployment = `apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {team: a}}
spec:
  replicas: 0
  strategy: {rollingUpdate: {maxSurge: 1}}
  selector: {matchLabels: {app: web}}
  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: web, image: "example.org/web:1", env: [{name: A, value: a}]}]}}`
	patch := func(manager string, kind types.PatchType, text, subresource string) func(a admin, o resource.Object) {
		return func(a admin, o resource.Object) {
			var at []string
			if subresource != "" {
				at = append(at, subresource)
			}
			options := metav1.PatchOptions{FieldManager: manager}
			if kind == types.ApplyPatchType {
				options.Force = &forced
			}
			if _, err := a.objects(o).Patch(a.t.Context(), "web", kind, []byte(text), options, at...); err != nil {
				a.t.Fatal(err)
			}
		}
	}
	const applied = `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","labels":{"team":"%s"}},"spec":{"template":{"spec":{"containers":[{"name":"web","image":"example.org/web:%s"}]}}}}`
	for _, test := range []struct {
		name string
		hand func(a admin, o resource.Object)
	}{
		{"a label", patch("kubectl-label", types.MergePatchType, `{"metadata":{"labels":{"team":"b"}}}`, "")},
		{"an image", patch("kubectl-set", types.StrategicMergePatchType, `{"spec":{"template":{"spec":{"containers":[{"name":"web","image":"example.org/web:hand"}]}}}}`, "")},
		{"replicas by scaling", patch("kubectl", types.MergePatchType, `{"spec":{"replicas":2}}`, "scale")},
		{"an alternative", patch("kubectl-edit", types.MergePatchType, `{"spec":{"strategy":{"type":"Recreate","rollingUpdate":null}}}`, "")},
		{"by server-side apply", patch("argocd", types.ApplyPatchType, fmt.Sprintf(applied, "b", "2"), "")},
		{"one of two that are shared", patch("argocd", types.ApplyPatchType, fmt.Sprintf(applied, "a", "2"), "")},
		{"several people", func(a admin, o resource.Object) {
			patch("kubectl-label", types.MergePatchType, `{"metadata":{"labels":{"team":"b"}}}`, "")(a, o)
			patch("kubectl-edit", types.StrategicMergePatchType, `{"spec":{"template":{"spec":{"containers":[{"name":"web","env":[{"name":"A","value":"theirs"}]}]}}}}`, "")(a, o)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := newBench(t).makeNamespace().admin()
			first := a.desire("hub", deployment)[0]
			second := a.desire("hub", strings.NewReplacer("team: a", "team: c", "web:1", "web:3", "value: a", "value: c", "replicas: 0", "replicas: 1").Replace(deployment))[0]
			a.apply([]resource.Desired{first})
			test.hand(a, first.Object)
			was, owned := a.read([]resource.Desired{first}).Observations[0], a.owned(first.Object)
			changes := a.apply([]resource.Desired{second})
			a.settled([]resource.Desired{second})
			a.restore(first, changes[0])

			if diff := cmp.Diff(owned, a.owned(first.Object)); diff != "" {
				t.Errorf("whose fields are whose (-before +now):\n%s", diff)
			}
			is := a.read([]resource.Desired{first}).Observations[0]
			paths := func(o resource.Observation) (all []string) {
				for _, f := range o.Foreign {
					all = append(all, f.Path+" by "+f.Manager)
				}
				return all
			}
			if diff := cmp.Diff(paths(was), paths(is)); diff != "" {
				t.Errorf("drift (-before +now):\n%s", diff)
			}
			again := first
			again.Object, again.Defaults, again.Owners = changes[0].Before, changes[0].Defaults, changes[0].Owners
			a.settled([]resource.Desired{again})
			a.cutOff(again)
		})
	}
}

// owned is which fields of an object each manager owns.
func (a admin) owned(o resource.Object) map[string]string {
	a.t.Helper()
	u, err := a.objects(o).Get(a.t.Context(), o.Text("metadata", "name"), metav1.GetOptions{})
	if err != nil {
		a.t.Fatal(err)
	}
	all := map[string]string{}
	for _, e := range u.GetManagedFields() {
		set, err := entrySet(e)
		if err != nil {
			a.t.Fatal(err)
		}
		if e.Subresource != "status" {
			all[managerText(e)+"/"+string(e.Operation)] = setText(set)
		}
	}
	return all
}

// cutOff takes the fields of others once more, as a run does that dies before it gives
// them back: the object is not as it was, and the same way back ends there.
func (a admin) cutOff(d resource.Desired) {
	a.t.Helper()
	taken := d
	taken.Owners = nil
	a.apply([]resource.Desired{taken})
	changes := a.apply([]resource.Desired{d})
	if len(changes) != 1 || len(changes[0].Returns) == 0 {
		a.t.Errorf("changes after a run was cut off: %+v, want the fields given back", changes)
	}
	a.settled([]resource.Desired{d})
}
