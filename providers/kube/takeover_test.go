package kube

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"hubcap/engine/resource"
	"hubcap/engine/run"
)

var (
	helm3     = resource.Manager{Name: "helm", Operation: "Update"}
	helm4     = resource.Manager{Name: "helm", Operation: "Apply"}
	release   = resource.Release{Namespace: "prod", Name: "hub"}
	dnsPolicy = path("spec", "template", "spec", "dnsPolicy")
	namePath  = path("metadata", "annotations", annotationRelease)
	nsPath    = path("metadata", "annotations", annotationReleaseNS)
	byPath    = path("metadata", "labels", labelManagedBy)
)

// helmed returns the deployment web as Helm made it by manager: with the marks of
// the release, with a default that the manager owns because it made the object,
// and with what others own.
func helmed(t *testing.T, manager resource.Manager, others ...metav1.ManagedFieldsEntry) *unstructured.Unstructured {
	t.Helper()
	plain := resourceCopy(canonical(resource.Reveal(webDesired(t).Object).(map[string]any)))
	u := &unstructured.Unstructured{Object: plain}
	u.SetAnnotations(map[string]string{annotationRelease: release.Name, annotationReleaseNS: release.Namespace})
	u.SetLabels(map[string]string{labelManagedBy: "Helm"})
	set(u, "ClusterFirst", "spec", "template", "spec", "dnsPolicy")
	u.SetResourceVersion("7")
	u.SetUID("uid")
	fields, err := offline().Client.types.fieldSet(plain)
	if err != nil {
		t.Fatal(err)
	}
	fields = fields.Union(fieldpath.NewSet(path("metadata", "annotations"), path("metadata", "labels")))
	u.SetManagedFields(append([]metav1.ManagedFieldsEntry{entryOfVersion(t, manager, fields)}, others...))
	return u
}

func entryOfVersion(t *testing.T, m resource.Manager, fields *fieldpath.Set) metav1.ManagedFieldsEntry {
	t.Helper()
	e := fieldsEntry(t, m.Name, metav1.ManagedFieldsOperationType(m.Operation), fields)
	e.APIVersion = "apps/v1"
	return e
}

// holders returns who owns what, in entries.
func holders(t *testing.T, entries []metav1.ManagedFieldsEntry) map[resource.Manager]*fieldpath.Set {
	t.Helper()
	all := map[resource.Manager]*fieldpath.Set{}
	for _, e := range entries {
		fields, err := entrySet(e)
		if err != nil {
			t.Fatal(err)
		}
		m := managerOf(e)
		m.Name += e.Subresource
		all[m] = fields
	}
	return all
}

func TestHandOver(t *testing.T) {
	wanted, err := offline().Client.types.fieldSet(resource.Reveal(webDesired(t).Object).(map[string]any))
	if err != nil {
		t.Fatal(err)
	}
	scale := fieldsEntry(t, "helm", "Update", fieldpath.NewSet(path("spec", "replicas")))
	scale.Subresource, scale.APIVersion = "scale", "apps/v1"
	old := entryOfVersion(t, resource.Manager{Name: "helm", Operation: "Update"}, fieldpath.NewSet(path("spec", "paused")))
	old.APIVersion = "apps/v1beta1"
	before := metav1.NewTime(appliedAt.Add(-time.Hour))
	old.Time = &before
	for _, tc := range []struct {
		reason  string
		manager resource.Manager
		others  []metav1.ManagedFieldsEntry
		ours    int // further fields that are ours then
		left    []resource.Manager
	}{
		{"Helm 3", helm3, nil, 0, []resource.Manager{helm3}},
		{"Helm 4", helm4, nil, 0, []resource.Manager{helm4}},
		{"we own something already", helm3, []metav1.ManagedFieldsEntry{entryOfVersion(t, applierOf("hubcap"), fieldpath.NewSet(path("spec", "paused")))}, 1, []resource.Manager{helm3}},
		{"others and subresources are left alone", helm3, []metav1.ManagedFieldsEntry{scale, entryOfVersion(t, resource.Manager{Name: "kubectl-edit", Operation: "Update"}, fieldpath.NewSet(path("spec", "paused")))}, 0,
			[]resource.Manager{helm3, {Name: "helmscale", Operation: "Update"}, {Name: "kubectl-edit", Operation: "Update"}}},
	} {
		u := helmed(t, tc.manager, tc.others...)
		entries, turns, err := handOver(u, "hubcap", []resource.Manager{tc.manager}, wanted)
		if err != nil || !turns {
			t.Fatalf("%s: %v, turns %v", tc.reason, err, turns)
		}
		have := holders(t, entries)
		ours := have[applierOf("hubcap")]
		if ours == nil || !ours.Has(imagePath) || ours.Has(dnsPolicy) || ours.Has(namePath) {
			t.Errorf("%s: ours is %v: want the image, no default and no mark of Helm's", tc.reason, ours)
		}
		if got := ours.Difference(wanted).Size(); got != tc.ours {
			t.Errorf("%s: %d further fields are ours, want %d", tc.reason, got, tc.ours)
		}
		delete(have, applierOf("hubcap"))
		for _, m := range tc.left {
			if have[m] == nil {
				t.Errorf("%s: %v owns nothing any more", tc.reason, m)
			}
			delete(have, m)
		}
		if len(have) > 0 {
			t.Errorf("%s: also there: %v", tc.reason, have)
		}
		marks := holders(t, entries)[tc.manager]
		if !marks.Has(namePath) || !marks.Has(nsPath) || !marks.Has(byPath) || marks.Leaves().Size() != 3 {
			t.Errorf("%s: Helm keeps %v, want its three marks", tc.reason, marks)
		}
		u.SetManagedFields(entries)
		if again, turns, _ := handOver(u, "hubcap", []resource.Manager{tc.manager}, wanted); turns {
			t.Errorf("%s: handing over again turns %v", tc.reason, again)
		}
	}
	u := helmed(t, helm3, old)
	if got := remnant(u, "hubcap", []resource.Manager{helm3}); got.Has(path("spec", "paused")) {
		t.Error("fields of another API version change hands")
	}
}

func TestHandBack(t *testing.T) {
	u := helmed(t, helm3)
	wanted := remnant(u, "hubcap", []resource.Manager{helm3})
	entries, _, err := handOver(u, "hubcap", []resource.Manager{helm3}, wanted)
	if err != nil {
		t.Fatal(err)
	}
	was := holders(t, u.GetManagedFields())
	u.SetManagedFields(entries)
	entries, turns, err := handBack(u, "hubcap", helm3)
	if err != nil || !turns {
		t.Fatalf("%v, turns %v", err, turns)
	}
	is := holders(t, entries)
	if len(is) != 1 || !is[helm3].Leaves().Equals(was[helm3].Leaves()) {
		t.Errorf("given back: %v, was %v", is, was)
	}
	u.SetManagedFields(entries)
	if _, turns, _ := handBack(u, "hubcap", helm3); turns || !returned(u, "hubcap") {
		t.Error("there is something left to give back")
	}
	u = helmed(t, applierOf("hubcap"))
	if entries, turns, err := handBack(u, "hubcap", resource.Manager{}); err != nil || !turns || len(entries) > 0 {
		t.Errorf("given to nobody: %v, turns %v, %v", entries, turns, err)
	}
}

func TestClaimOfOthers(t *testing.T) {
	p := offline()
	mine := webDesired(t)
	mine.Release = &release
	adopting := webDesired(t)
	adopting.Adopt = true
	byHand := func(u *unstructured.Unstructured) {
		u.SetAnnotations(nil)
		u.SetLabels(nil)
		entries := u.GetManagedFields()
		entries[0].Manager = "kubectl-client-side-apply"
		u.SetManagedFields(entries)
	}
	yes := true
	for _, tc := range []struct {
		reason  string
		desired resource.Desired
		edit    func(*unstructured.Unstructured)
		from    string // whose it is taken over from
		says    string // why it is not
	}{
		{"of the block's own release", mine, func(*unstructured.Unstructured) {}, "Helm release prod/hub", ""},
		{"of another release", mine, func(u *unstructured.Unstructured) {
			u.SetAnnotations(map[string]string{annotationRelease: "other", annotationReleaseNS: "prod"})
		}, "", "belongs to Helm release prod/other, and hub.prod is release prod/hub"},
		{"of a release in another namespace", mine, func(u *unstructured.Unstructured) {
			u.SetAnnotations(map[string]string{annotationRelease: "hub", annotationReleaseNS: "staging"})
		}, "", "Helm release staging/hub"},
		{"without Helm's label Helm would not own it either", mine, func(u *unstructured.Unstructured) { u.SetLabels(nil) }, "", "adopt = true"},
		{"of a release, for a manifest", adopting, func(*unstructured.Unstructured) {}, "", "only a hub or chart block"},
		{"of another config", mine, func(u *unstructured.Unstructured) {
			u.SetLabels(map[string]string{LabelConfig: "other", labelManagedBy: "Helm"})
		}, "", `config "other"`},
		{"made by hand, and asked for", adopting, byHand, "kubectl-client-side-apply", ""},
		{"made by hand, and not asked for", mine, byHand, "", "adopt = true in hub.prod"},
		{"of a controller, though asked for", adopting, func(u *unstructured.Unstructured) {
			byHand(u)
			u.SetOwnerReferences([]metav1.OwnerReference{{Kind: "Robot", Name: "r", Controller: &yes}})
		}, "", "Robot r controls it"},
	} {
		u := helmed(t, helm3)
		tc.edit(u)
		got := p.claim(u, tc.desired)
		if tc.from != "" && (got.from == nil || got.from.From != tc.from || got.from.Again || got.ours) {
			t.Errorf("%s: %+v, want it taken over from %s", tc.reason, got, tc.from)
		}
		if tc.from == "" && (got.from != nil || got.ours || !strings.Contains(got.reason, tc.says)) {
			t.Errorf("%s: %+v, want it refused: %s", tc.reason, got, tc.says)
		}
	}
}

// A program with Helm inside has a name of its own: it is told by what it wrote.
func TestClaimOfProgramsWithHelm(t *testing.T) {
	d := webDesired(t)
	d.Release = &release
	u := helmed(t, resource.Manager{Name: "terraform-provider-helm_v2", Operation: "Update"})
	got := offline().claim(u, d)
	want := []resource.Manager{{Name: "terraform-provider-helm_v2", Operation: "Update"}}
	if got.from == nil || !cmp.Equal(want, got.from.Managers) {
		t.Errorf("%+v", got)
	}
}

func TestClaimOfHooks(t *testing.T) {
	d := webDesired(t)
	d.Release = &release
	d.Object.Set("pre-install", "metadata", "annotations", annotationHelmHook)
	u := helmed(t, helm3)
	u.SetLabels(nil)
	u.SetAnnotations(map[string]string{annotationHelmHook: "pre-install"})
	if got := offline().claim(u, d); got.from == nil {
		t.Errorf("a hook's object that stays: %+v", got)
	}
	handed, turns, err := handOver(u, "hubcap", []resource.Manager{helm3}, offline().setOf(u.Object))
	if err != nil || !turns {
		t.Fatalf("%v, turns %v", err, turns)
	}
	u.SetManagedFields(handed)
	if got := offline().claim(u, d); got.from == nil {
		t.Errorf("one whose fields have changed hands before a run was cut off: %+v", got)
	}
	u.SetNamespace("elsewhere")
	if got := offline().claim(u, d); got.from != nil {
		t.Errorf("a hook's object in another namespace: %+v", got)
	}
}

// taken returns web as it is after the take-over, with what Helm wrote since.
func taken(t *testing.T, since ...fieldpath.Path) *unstructured.Unstructured {
	t.Helper()
	p, d := offline(), webDesired(t)
	d.Release = &release
	u := stored(t, p, d)
	for name, v := range map[string]string{annotationRelease: release.Name, annotationReleaseNS: release.Namespace} {
		set(u, v, "metadata", "annotations", name)
	}
	set(u, "Helm", "metadata", "labels", labelManagedBy)
	fields := fieldpath.NewSet(append(since, namePath, nsPath, byPath)...)
	theirs := entryOfVersion(t, helm3, fields)
	at := metav1.NewTime(appliedAt.Add(time.Hour))
	theirs.Time = &at
	entries := u.GetManagedFields()
	entries[0].APIVersion = "apps/v1"
	u.SetManagedFields(append(entries, theirs))
	return u
}

func TestTakenOver(t *testing.T) {
	d := webDesired(t)
	d.Release = &release
	t.Run("Helm's marks alone are nothing", func(t *testing.T) {
		p, u := offline(), taken(t)
		c := &comparison{p: p, desired: d, live: u}
		c.desired.Object = p.prepare(d)
		claim := p.claim(u, d)
		if !claim.ours || claim.from != nil {
			t.Fatalf("%+v", claim)
		}
		if !c.measure() || !c.same() {
			t.Error("an object that is as desired differs")
		}
	})
	t.Run("marks that the chart renders itself are ours too", func(t *testing.T) {
		p, u := offline(), taken(t)
		entries := u.GetManagedFields()
		ours, err := entrySet(entries[0])
		if err != nil {
			t.Fatal(err)
		}
		if entries[0].FieldsV1, err = fieldsOf(ours.Union(fieldpath.NewSet(namePath, nsPath, byPath))); err != nil {
			t.Fatal(err)
		}
		u.SetManagedFields(entries)
		if claim := p.claim(u, d); !claim.ours || claim.from != nil {
			t.Errorf("taken back from ourselves: %+v", claim.from)
		}
	})
	t.Run("what Helm puts back is drift by its name", func(t *testing.T) {
		p, u := offline(), taken(t, path("spec", "paused"))
		set(u, true, "spec", "paused")
		claim := p.claim(u, d)
		if !claim.ours || claim.from == nil || !claim.from.Again {
			t.Fatalf("%+v", claim)
		}
		c := &comparison{p: p, desired: d, live: u, from: claim.from, written: map[string]any{
			"apiVersion": "apps/v1", "kind": "Deployment", "spec": map[string]any{"paused": true},
		}}
		c.desired.Object = p.prepare(d)
		c.measure()
		found := c.foreign(applied(u))
		if len(found) != 1 || found[0].Path != "spec.paused" || found[0].Manager != "helm" || found[0].Wanted != nil || found[0].Live != true {
			t.Errorf("foreign: %+v", found)
		}
	})
}

// Looking at a take-over, every state that a run can die in counts as before,
// until both the fields and the values have changed hands.
func TestLookAtTakeover(t *testing.T) {
	p, d := offline(), webDesired(t, "example.org/web:1", "example.org/web:2")
	d.Release = &release
	u := helmed(t, helm3)
	change := resource.Change{
		ID: d.ID, Address: d.Address, Component: d.Component, Action: resource.Update,
		TakesOver: &resource.Takeover{From: "Helm release prod/hub", Release: &release, Managers: []resource.Manager{helm3}},
		Before:    webDesired(t).Object, After: p.prepare(d),
	}
	state := func(reason string, want run.State) {
		t.Helper()
		if got := p.judge(change, u); got.State != want {
			t.Errorf("%s: state %d (%s), want %d", reason, got.State, got.Moved, want)
		}
	}
	state("as Helm left it", run.AtBefore)
	entries, _, err := handOver(u, p.manager(), change.TakesOver.Managers, p.setOf(resource.Reveal(change.After).(map[string]any)))
	if err != nil {
		t.Fatal(err)
	}
	u.SetManagedFields(entries)
	state("migrated, and not applied", run.AtBefore)
	u = taken(t)
	setContainer(u, "image", "example.org/web:2")
	state("applied", run.AtAfter)
	u = taken(t, imagePath)
	setContainer(u, "image", "example.org/web:2")
	state("applied, and Helm wrote the same since", run.AtBefore)
	u = helmed(t, helm3)
	setContainer(u, "image", "example.org/web:3")
	state("upgraded by Helm since the plan", run.Elsewhere)

	back := resource.Change{
		ID: d.ID, Action: resource.Update, GivesBack: change.TakesOver, Before: change.After, After: change.Before,
	}
	u = taken(t)
	if got := p.judge(back, u); got.State != run.AtBefore {
		t.Errorf("values as before, and still ours: %+v", got)
	}
	u = helmed(t, helm3)
	if got := p.judge(back, u); got.State != run.AtAfter {
		t.Errorf("Helm's again: %+v", got)
	}
}

func TestPrune(t *testing.T) {
	p := offline()
	u := helmed(t, helm3)
	set(u, map[string]any{"a": "1", "b": "2"}, "spec", "template", "spec", "nodeSelector")
	set(u, true, "spec", "paused")
	dropped := fieldpath.NewSet(
		path("spec", "paused"), envB, below(envB, "name"), below(envB, "value"),
		path("spec", "template", "spec", "nodeSelector"), path("spec", "template", "spec", "nodeSelector", "a"),
	)
	kept := p.setOf(u.Object).Difference(dropped).Union(fieldpath.NewSet(path("spec", "template", "spec", "nodeSelector", "b")))
	prune(u.Object, dropped, kept)
	if _, has := at(u.Object, path("spec", "paused")); has {
		t.Error("a dropped leaf is there")
	}
	if _, has := at(u.Object, envB); has {
		t.Error("a dropped item is there")
	}
	left, _ := at(u.Object, path("spec", "template", "spec", "nodeSelector"))
	if !cmp.Equal(left, any(map[string]any{"b": "2"})) {
		t.Errorf("of a map in which somebody else owns a key is left: %v", left)
	}
	if _, has := at(u.Object, imagePath); !has {
		t.Error("the image went too")
	}
}
