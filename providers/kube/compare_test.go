package kube

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/value"

	"hubcap/engine/resource"
	"hubcap/engine/run"
)

var appliedAt = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// offline is a provider without a server: what it decides it decides alone.
func offline() *Provider {
	return &Provider{
		Client: &Client{types: newTypeIndex(nil)}, Cluster: "prod", Owner: "conf", Identity: "uid-of-kube-system",
		Seals: fakeSeals{}, signing: fakeKey, Now: func() time.Time { return appliedAt },
	}
}

// stored returns the object as a server would keep it after hubcap applied it:
// with marks and a managed fields entry. The entries of others are added to it.
func stored(t *testing.T, p *Provider, desired resource.Desired, others ...metav1.ManagedFieldsEntry) *unstructured.Unstructured {
	t.Helper()
	o := p.prepare(desired)
	plain := resource.Reveal(o).(map[string]any)
	set, err := p.Client.types.fieldSet(plain)
	if err != nil {
		t.Fatal(err)
	}
	entry := fieldsEntry(t, "hubcap", metav1.ManagedFieldsOperationApply, set)
	setAnnotation(plain, AnnotationApplied, p.record(o, "run-1"))
	if err := p.sealed(t.Context(), desired.ID, plain); err != nil {
		t.Fatal(err)
	}
	u := &unstructured.Unstructured{Object: resourceCopy(canonical(plain))}
	u.SetResourceVersion("7")
	u.SetUID("uid")
	u.SetManagedFields(append([]metav1.ManagedFieldsEntry{entry}, others...))
	return u
}

func fieldsEntry(t *testing.T, manager string, op metav1.ManagedFieldsOperationType, set *fieldpath.Set) metav1.ManagedFieldsEntry {
	t.Helper()
	text, err := set.ToJSON()
	if err != nil {
		t.Fatal(err)
	}
	at := metav1.NewTime(appliedAt)
	return metav1.ManagedFieldsEntry{Manager: manager, Operation: op, Time: &at, FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(string(text))}
}

// somebodys takes paths out of our entry and gives them to manager, as an update
// with another value does.
func somebodys(t *testing.T, u *unstructured.Unstructured, manager string, after time.Duration, paths ...fieldpath.Path) {
	t.Helper()
	entries := u.GetManagedFields()
	ours, err := entrySet(entries[0])
	if err != nil {
		t.Fatal(err)
	}
	taken := fieldpath.NewSet(paths...)
	entries[0].FieldsV1 = fieldsEntry(t, "hubcap", "Apply", ours.Difference(taken)).FieldsV1
	if manager != "" {
		theirs := fieldsEntry(t, manager, metav1.ManagedFieldsOperationUpdate, taken)
		at := metav1.NewTime(appliedAt.Add(after))
		theirs.Time = &at
		entries = append(entries, theirs)
	}
	u.SetManagedFields(entries)
}

const web = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: prod}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      hostNetwork: false
      containers:
      - name: web
        image: example.org/web:1
        env: [{name: A, value: a}, {name: B, value: b}]
        resources: {limits: {cpu: 0.5}}
`

func webDesired(t *testing.T, edits ...string) resource.Desired {
	t.Helper()
	o := resource.Object(tree(t, strings.NewReplacer(edits...).Replace(web)))
	return resource.Desired{
		ID:      resource.ID{Cluster: "prod", Group: "apps", Kind: "Deployment", Namespace: "prod", Name: "web"},
		Address: resource.ParseAddress("hub.prod/Deployment/web"), Object: o, Presence: resource.Managed,
		Component: resource.Component{Block: resource.ParseAddress("hub.prod"), Name: "web"},
	}
}

func path(parts ...any) fieldpath.Path { return fieldpath.MakePathOrDie(parts...) }

var (
	container = path("spec", "template", "spec", "containers", fieldpath.KeyByFields("name", "web"))
	imagePath = append(container.Copy(), path("image")...)
	envB      = append(container.Copy(), path("env", fieldpath.KeyByFields("name", "B"))...)
)

func below(p fieldpath.Path, parts ...any) fieldpath.Path { return append(p.Copy(), path(parts...)...) }

func set(u *unstructured.Unstructured, v any, parts ...string) {
	resource.Object(u.Object).Set(v, parts...)
}

func setContainer(u *unstructured.Unstructured, field string, v any) {
	containers, _, _ := unstructured.NestedSlice(u.Object, "spec", "template", "spec", "containers")
	containers[0].(map[string]any)[field] = v
	set(u, containers, "spec", "template", "spec", "containers")
}

func TestSameAndForeign(t *testing.T) {
	for _, tc := range []struct {
		reason  string
		edits   []string // of the config, since it was applied
		move    func(t *testing.T, u *unstructured.Unstructured)
		same    bool
		foreign string
	}{
		{"as applied", nil, nil, true, ""},
		{"the server filled in defaults", nil, func(t *testing.T, u *unstructured.Unstructured) {
			set(u, "Always", "spec", "template", "spec", "restartPolicy")
			setContainer(u, "imagePullPolicy", "Always")
		}, true, ""},
		{"the config spells it otherwise", []string{"cpu: 0.5", "cpu: 500m"}, nil, true, ""},
		{"the config moved", []string{"web:1", "web:2"}, nil, false, ""},
		{"the config dropped a field", []string{"hostNetwork: false", ""}, nil, false, ""},
		{"the config added a field", []string{"hostNetwork: false", "hostNetwork: false\n      hostPID: false"}, nil, false, ""},
		{"somebody set the image", nil, func(t *testing.T, u *unstructured.Unstructured) {
			somebodys(t, u, "kubectl-edit", time.Minute, imagePath)
			setContainer(u, "image", "example.org/web:hot")
		}, false, "spec.template.spec.containers[web].image kubectl-edit 12:01:00 example.org/web:1 example.org/web:hot"},
		{"somebody set a value that the server does not keep when it is ours", nil, func(t *testing.T, u *unstructured.Unstructured) {
			somebodys(t, u, "kubectl-edit", time.Minute, path("spec", "template", "spec", "hostNetwork"))
			set(u, true, "spec", "template", "spec", "hostNetwork")
		}, false, "spec.template.spec.hostNetwork kubectl-edit 12:01:00 false true"},
		{"somebody removed an item and left no trace", nil, func(t *testing.T, u *unstructured.Unstructured) {
			somebodys(t, u, "", 0, envB, below(envB, "name"), below(envB, "value"))
			setContainer(u, "env", []any{map[string]any{"name": "A", "value": "a"}})
		}, false, "spec.template.spec.containers[web].env[B] unknown 00:00:00 map[name:B value:b] <nil>"},
		{"an admission plugin made another image of it", nil, func(t *testing.T, u *unstructured.Unstructured) {
			somebodys(t, u, "hubcap", time.Second, imagePath)
			setContainer(u, "image", "mirror.example.org/web:1")
		}, false, ""},
		{"somebody added an item", nil, func(t *testing.T, u *unstructured.Unstructured) {
			setContainer(u, "env", []any{
				map[string]any{"name": "A", "value": "a"}, map[string]any{"name": "B", "value": "b"}, map[string]any{"name": "C", "value": "c"},
			})
		}, true, ""},
		{"somebody set the image long before we applied, and we want another since",
			[]string{"web:1", "web:2"}, func(t *testing.T, u *unstructured.Unstructured) {
				somebodys(t, u, "kubectl-edit", -time.Hour, imagePath)
				setContainer(u, "image", "example.org/web:hot")
			}, false, ""},
		{"somebody and the config both moved it", []string{"web:1", "web:2"}, func(t *testing.T, u *unstructured.Unstructured) {
			somebodys(t, u, "kubectl-edit", time.Minute, imagePath)
			setContainer(u, "image", "example.org/web:hot")
		}, false, "spec.template.spec.containers[web].image kubectl-edit 12:01:00 example.org/web:2 example.org/web:hot"},
		{"somebody took our label off", nil, func(t *testing.T, u *unstructured.Unstructured) { u.SetLabels(nil) }, false, ""},
	} {
		p := offline()
		live := stored(t, p, webDesired(t))
		if tc.move != nil {
			tc.move(t, live)
		}
		d := webDesired(t, tc.edits...)
		d.Object = p.prepare(d)
		c := &comparison{p: p, desired: d, live: live}
		if !c.measure() {
			t.Fatalf("%s: no type", tc.reason)
		}
		if got := c.same(); got != tc.same {
			t.Errorf("%s: same = %v", tc.reason, got)
		}
		var found []string
		for _, f := range c.foreign(applied(live)) {
			found = append(found, strings.Join([]string{f.Path, f.Manager, f.Time.Format(time.TimeOnly), text(f.Wanted), text(f.Live)}, " "))
		}
		if got := strings.Join(found, "; "); got != tc.foreign {
			t.Errorf("%s: foreign\n got %s\nwant %s", tc.reason, got, tc.foreign)
		}
	}
}

func text(v any) string {
	switch v := v.(type) {
	case nil:
		return "<nil>"
	case string:
		return v
	case bool:
		if v {
			return "true"
		}
		return "false"
	case map[string]any:
		return "map[name:" + text(v["name"]) + " value:" + text(v["value"]) + "]"
	}
	return "?"
}

func TestTreeSet(t *testing.T) {
	want := fieldpath.NewSet(
		container, below(container, "name"), imagePath, envB, below(envB, "value"), path("spec", "replicas"),
		path("metadata", "finalizers", fieldpath.ValueElement(value.NewValueInterface("keep"))), path("items", 3),
		path("metadata", "labels"), path("metadata", "labels", "a.b/c"),
		path("spec", "ports", fieldpath.KeyByFields("port", 8000, "protocol", "TCP")),
	)
	text, err := want.ToJSON()
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(text, &fields); err != nil {
		t.Fatal(err)
	}
	got, err := treeSet(fields)
	if err != nil || !got.Equals(want) {
		t.Errorf("%v\n got %s\nwant %s", err, got, want)
	}
	if empty, err := treeSet(nil); err != nil || !empty.Empty() {
		t.Errorf("of nothing: %s, %v", empty, err)
	}
	for _, bad := range []string{"x", "k:{", "q:a"} {
		if _, err := treeSet(map[string]any{"f:spec": map[string]any{bad: map[string]any{}}}); err == nil {
			t.Errorf("%q is read as a field", bad)
		}
	}
}

func TestJudge(t *testing.T) {
	p := offline()
	before, after := webDesired(t), webDesired(t, "web:1", "web:2", "replicas: 1", "minReadySeconds: 5")
	update := resource.Change{Action: resource.Update, Before: p.prepare(before), After: p.prepare(after)}
	imageOnly := resource.Change{Action: resource.Update, Before: p.prepare(before), After: p.prepare(webDesired(t, "web:1", "web:2"))}
	guarded, free := webDesired(t), webDesired(t)
	guarded.Protected, free.Protected = true, false
	freeing := resource.Change{Action: resource.Update, Before: p.prepare(guarded), After: p.prepare(free)}
	creation := resource.Change{Action: resource.Create, After: p.prepare(after)}
	deletion := resource.Change{Action: resource.Delete, Before: p.prepare(before)}
	replacement := resource.Change{Action: resource.Replace, Before: p.prepare(before), After: p.prepare(after)}
	moved := func(t *testing.T) *unstructured.Unstructured {
		u := stored(t, p, before)
		somebodys(t, u, "kubectl-edit", time.Minute, imagePath)
		setContainer(u, "image", "example.org/web:hot")
		return u
	}
	theirs := func(t *testing.T) *unstructured.Unstructured {
		u := stored(t, p, after)
		u.SetLabels(map[string]string{LabelConfig: "other"})
		u.SetManagedFields(nil)
		return u
	}
	dying := func(t *testing.T) *unstructured.Unstructured {
		u := stored(t, p, before)
		at := metav1.NewTime(appliedAt)
		u.SetDeletionTimestamp(&at)
		return u
	}
	unowned := func(t *testing.T) *unstructured.Unstructured {
		u := stored(t, p, before)
		setContainer(u, "image", "example.org/web:2")
		somebodys(t, u, "kubectl-edit", time.Minute, imagePath)
		return u
	}
	is := func(d resource.Desired) func(*testing.T) *unstructured.Unstructured {
		return func(t *testing.T) *unstructured.Unstructured { return stored(t, p, d) }
	}
	for _, tc := range []struct {
		reason string
		change resource.Change
		live   func(*testing.T) *unstructured.Unstructured
		state  run.State
		moved  string
	}{
		{"nothing there yet", creation, nil, run.AtBefore, ""},
		{"created already", creation, is(after), run.AtAfter, ""},
		{"something else is there", creation, is(before), run.Elsewhere, "appeared"},
		{"the same is there, and somebody else's", creation, theirs, run.Elsewhere, "belongs to config"},
		{"as it was", update, is(before), run.AtBefore, ""},
		{"updated already", update, is(after), run.AtAfter, ""},
		{"neither", update, moved, run.Elsewhere, "spec.template.spec.containers[web].image was written by kubectl-edit at 2026-11-21T12:01:00Z"},
		{"as wanted, but not ours", imageOnly, unowned, run.AtBefore, ""},
		{"its protection is to go", freeing, is(guarded), run.AtBefore, ""},
		{"its protection is gone", freeing, is(free), run.AtAfter, ""},
		{"gone", update, nil, run.Elsewhere, "gone"},
		{"about to go", update, dying, run.Elsewhere, "being deleted"},
		{"still there", deletion, is(before), run.AtBefore, ""},
		{"deleted already", deletion, nil, run.AtAfter, ""},
		{"about to be deleted", deletion, dying, run.AtAfter, ""},
		{"moved before it was deleted", deletion, is(after), run.Elsewhere, ""},
		{"not replaced yet", replacement, is(before), run.AtBefore, ""},
		{"cut off between the halves", replacement, nil, run.AtBefore, ""},
		{"the old one is about to go", replacement, dying, run.AtBefore, ""},
		{"replaced already", replacement, is(after), run.AtAfter, ""},
	} {
		var live *unstructured.Unstructured
		if tc.live != nil {
			live = tc.live(t)
		}
		s := p.judge(tc.change, live)
		if s.State != tc.state || !strings.Contains(s.Moved, tc.moved) {
			t.Errorf("%s: state %d (%q), want %d (%q)", tc.reason, s.State, s.Moved, tc.state, tc.moved)
		}
	}
}

func TestClaim(t *testing.T) {
	p := offline()
	for _, tc := range []struct {
		reason string
		change func(u *unstructured.Unstructured)
		ours   bool
		says   string
	}{
		{"our label", func(*unstructured.Unstructured) {}, true, ""},
		{"our label was taken off", func(u *unstructured.Unstructured) { u.SetLabels(nil) }, true, ""},
		{"another config's", func(u *unstructured.Unstructured) { u.SetLabels(map[string]string{LabelConfig: "other"}) }, false, `config "other"`},
		{"our label, and none of our fields", func(u *unstructured.Unstructured) { u.SetManagedFields(nil) }, false, "neither its managed fields nor a seal"},
		{"our label was taken off, and the seal", func(u *unstructured.Unstructured) { u.SetLabels(nil); unseal(u) }, false, "adopt = true in hub.prod"},
		{"our label was taken off, and our fields were", func(u *unstructured.Unstructured) { u.SetLabels(nil); u.SetManagedFields(nil) }, false, "adopt = true"},
		{"written before there were seals", unseal, true, ""},
		{"nobody's", func(u *unstructured.Unstructured) { u.SetLabels(nil); u.SetManagedFields(nil) }, false, "adopt = true in hub.prod"},
		{"Helm's", func(u *unstructured.Unstructured) {
			u.SetLabels(nil)
			u.SetManagedFields(nil)
			u.SetAnnotations(map[string]string{"meta.helm.sh/release-name": "hub", "meta.helm.sh/release-namespace": "prod"})
			u.SetLabels(map[string]string{"app.kubernetes.io/managed-by": "Helm"})
		}, false, "Helm release prod/hub"},
	} {
		u := stored(t, p, webDesired(t))
		tc.change(u)
		if got := p.claim(u, webDesired(t)); got.ours != tc.ours || !strings.Contains(got.reason, tc.says) {
			t.Errorf("%s: %+v", tc.reason, got)
		}
	}
}

func TestPrepare(t *testing.T) {
	p := offline()
	d := resource.Desired{
		Address:   resource.ParseAddress("module.a.hub.prod/Secret/s"),
		Component: resource.Component{Block: resource.ParseAddress("module.a.hub.prod"), Name: "hub"},
		Presence:  resource.Managed, Protected: true,
		Object: resource.Object(tree(t, `
apiVersion: v1
kind: Secret
metadata: {name: s, creationTimestamp: null, resourceVersion: "1", annotations: {hubcap.dev/applied: old}}
data: {old: eA==}
stringData: {new: y1}
status: {}
`)),
	}
	d.Object.Set(resource.Sensitive{}, "stringData", "none")
	o := p.prepare(d)
	want := tree(t, `
apiVersion: v1
kind: Secret
metadata:
  name: s
  labels: {hubcap.dev/config: conf}
  annotations:
    hubcap.dev/address: module.a.hub.prod/Secret/s
    hubcap.dev/component: module.a.hub.prod/hub
    hubcap.dev/protected: "true"
data: {old: eA==, new: eTE=, none: ""}
`)
	if diff := cmp.Diff(want, resource.Reveal(o)); diff != "" {
		t.Errorf("prepared (-want +got):\n%s", diff)
	}
	if got := parseComponent(o.Text("metadata", "annotations", AnnotationComponent)); got != d.Component {
		t.Errorf("component read back: %+v", got)
	}
	again := d
	again.Object = o
	if resource.Digest(p.prepare(again)) != resource.Digest(o) {
		t.Error("preparing twice is not preparing once")
	}
	d.Presence = resource.Ensured
	if v, has := p.prepare(d).Value("metadata", "labels"); has {
		t.Errorf("an ensured object is labelled: %v", v)
	}
}

func TestVeilAndScrub(t *testing.T) {
	p := offline()
	u := &unstructured.Unstructured{Object: tree(t, `
apiVersion: v1
kind: Secret
metadata: {name: s, annotations: {kubectl.kubernetes.io/last-applied-configuration: "{all of it}"}}
data: {password: aHVzaC1odXNo}
`)}
	o := p.veiled(u, nil)
	if _, err := json.Marshal(o); err == nil {
		t.Error("a veiled Secret can be encoded")
	}
	for _, at := range [][]string{{"data", "password"}, {"metadata", "annotations", annotationKubectl}} {
		if v, _ := o.Value(at...); v != resource.Secret(resource.Object(u.Object).Text(at...)) {
			t.Errorf("%v is %v", at, v)
		}
	}
	if got := p.scrub("it said hush-hush, or aHVzaC1odXNo"); got != "it said (sensitive), or (sensitive)" {
		t.Errorf("scrubbed: %s", got)
	}
	like := resource.Object{"spec": map[string]any{"env": []any{map[string]any{"name": "B", "value": resource.Secret("new-secret")}}}}
	other := &unstructured.Unstructured{Object: tree(t, "{apiVersion: v1, kind: Pod, spec: {env: [{name: A, value: plain}, {name: B, value: old}]}}")}
	env, _ := p.veiled(other, like).Value("spec", "env")
	want := []any{map[string]any{"name": "A", "value": "plain"}, map[string]any{"name": "B", "value": resource.Secret("old")}}
	if !resource.Equal(env, want) {
		t.Errorf("veiled like desired: %v", env)
	}
}

func TestPathText(t *testing.T) {
	for want, p := range map[string]fieldpath.Path{
		"spec.template.spec.containers[web].image":  imagePath,
		`data["jupyterhub_config.py"]`:              path("data", "jupyterhub_config.py"),
		"spec.ports[8000].name":                     path("spec", "ports", fieldpath.KeyByFields("port", 8000, "protocol", "TCP"), "name"),
		"spec.ports[53/UDP]":                        path("spec", "ports", fieldpath.KeyByFields("port", 53, "protocol", "UDP")),
		"metadata.finalizers[keep]":                 path("metadata", "finalizers", fieldpath.ValueElement(value.NewValueInterface("keep"))),
		`metadata.labels["app.kubernetes.io/name"]`: path("metadata", "labels", "app.kubernetes.io/name"),
		"items[3]": path("items", 3),
	} {
		if got := pathText(p); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
