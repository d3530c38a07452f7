package kube

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"hubcap/engine/resource"
	"hubcap/engine/seal"
)

// fakeKey is the same in every test; foreignKey is somebody else's.
var (
	fakeKey    = mustKey("0123456789abcdef0123456789abcdef")
	foreignKey = mustKey("fedcba9876543210fedcba9876543210")
)

func mustKey(seed string) seal.Key {
	k, err := seal.ParseKey([]byte(seed))
	if err != nil {
		panic(err)
	}
	return k
}

// fakeSeals are a cluster's key pair; for a reader, only its public half.
type fakeSeals struct {
	readOnly  bool
	published *seal.Public // nil: the key's own
	err       error
}

func (f fakeSeals) SigningKey(context.Context) (seal.Key, error) {
	if f.readOnly {
		return seal.Key{}, errors.New("forbidden")
	}
	return fakeKey, f.err
}

func (f fakeSeals) PublicKey(context.Context) (seal.Public, error) {
	if f.published != nil {
		return *f.published, f.err
	}
	return fakeKey.Public(), f.err
}

func unseal(u *unstructured.Unstructured) { note(u, resource.AnnotationSeal, "") }

// note sets an annotation, or takes it off when it is empty.
func note(u *unstructured.Unstructured, name, text string) {
	notes := u.GetAnnotations()
	if notes[name] = text; text == "" {
		delete(notes, name)
	}
	u.SetAnnotations(notes)
}

// TestDoubt is about what bears our label and nothing desires: only what the cluster's
// key sealed there, as it is, is ours to delete.
func TestDoubt(t *testing.T) {
	p := offline()
	for _, tc := range []struct {
		reason string
		change func(u *unstructured.Unstructured)
		says   string // empty: it is ours
	}{
		{"as it was written", func(*unstructured.Unstructured) {}, ""},
		{"others wrote into it", func(u *unstructured.Unstructured) {
			note(u, "example.org/theirs", "x")
			u.SetLabels(map[string]string{LabelConfig: "conf", "app": "x"})
		}, ""},
		{"a copy under another name", func(u *unstructured.Unstructured) { u.SetName("copy") }, "of another object"},
		{"a copy in another namespace", func(u *unstructured.Unstructured) { u.SetNamespace("other") }, "of another object"},
		{"of another kind", func(u *unstructured.Unstructured) { u.SetKind("StatefulSet") }, "of another object"},
		{"of another group", func(u *unstructured.Unstructured) { u.SetAPIVersion("example.org/v1") }, "of another object"},
		{"no seal", unseal, "no seal"},
		{"another key's seal", func(u *unstructured.Unstructured) {
			note(u, resource.AnnotationSeal, foreignKey.Sign(p.statement(p.id(u), u.Object)))
		}, "another key"},
		{"another cluster's", func(u *unstructured.Unstructured) {
			there := offline()
			there.Identity = "elsewhere"
			note(u, resource.AnnotationSeal, fakeKey.Sign(there.statement(p.id(u), u.Object)))
		}, "of another object"},
		{"another config's", func(u *unstructured.Unstructured) {
			theirs := offline()
			theirs.Owner = "other"
			note(u, resource.AnnotationSeal, fakeKey.Sign(theirs.statement(p.id(u), u.Object)))
		}, "of another object"},
		{"its block was changed", func(u *unstructured.Unstructured) { note(u, AnnotationAddress, "hub.other/Deployment/web") }, "marks were changed"},
		{"its component was changed", func(u *unstructured.Unstructured) { note(u, AnnotationComponent, "hub.other/web") }, "marks were changed"},
		{"its protection was taken off, or put on", func(u *unstructured.Unstructured) { note(u, AnnotationProtected, "true") }, "marks were changed"},
		{"it was made to look like a hook's", func(u *unstructured.Unstructured) { note(u, resource.AnnotationHook, "post-delete") }, "marks were changed"},
		{"its record of the last write was changed", func(u *unstructured.Unstructured) { note(u, AnnotationApplied, "{}") }, "marks were changed"},
		{"it was made to look like a record", func(u *unstructured.Unstructured) { note(u, resource.AnnotationRecord, "hooks") }, "of another object"},
		{"none of its fields are ours", func(u *unstructured.Unstructured) { u.SetManagedFields(nil) }, "managed fields"},
		{"its fields are somebody else's", func(u *unstructured.Unstructured) {
			set, _ := ownedBy(u, "hubcap")
			u.SetManagedFields([]metav1.ManagedFieldsEntry{fieldsEntry(t, "kubectl", metav1.ManagedFieldsOperationApply, set)})
		}, "managed fields"},
	} {
		u := stored(t, p, webDesired(t))
		tc.change(u)
		got := p.doubt(u, fakeKey.Public())
		if (got == "") != (tc.says == "") || !strings.Contains(got, tc.says) {
			t.Errorf("%s: %q, want %q in it", tc.reason, got, tc.says)
		}
		if got := p.doubt(u, seal.Public{}); got == "" {
			t.Errorf("%s: ours although there is no key", tc.reason)
		}
	}
}

// TestSort sorts what bears our label and nothing desires.
func TestSort(t *testing.T) {
	p := offline()
	ours, copied := stored(t, p, webDesired(t)), stored(t, p, webDesired(t))
	copied.SetName("copy")
	s := &survey{p: p, key: fakeKey.Public(), strays: nil}
	for _, u := range []*unstructured.Unstructured{ours, copied} {
		s.take(u)
	}
	s.sort()
	if len(s.orphans) != 1 || s.orphans[0].ID.Name != "web" || s.orphans[0].Address.String() != "hub.prod/Deployment/web" {
		t.Errorf("orphans = %+v", s.orphans)
	}
	if len(s.unsealed) != 1 || s.unsealed[0].ID.Name != "copy" || s.unsealed[0].Reason == "" {
		t.Errorf("unsealed = %+v", s.unsealed)
	}
}

// TestRecordIsSealedWhole: of a record all data counts, of another object none.
func TestRecordIsSealedWhole(t *testing.T) {
	p := offline()
	for _, record := range []bool{true, false} {
		d := resource.Desired{
			ID: resource.ID{Cluster: "prod", Kind: "ConfigMap", Namespace: "prod", Name: "x"}, Presence: resource.Managed,
			Object: resource.Object(tree(t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x, namespace: prod}\ndata: {a: b}\n")),
		}
		if record {
			setAnnotation(d.Object, resource.AnnotationRecord, "hooks")
		}
		for reason, change := range map[string]func(data map[string]any){
			"a value":   func(data map[string]any) { data["a"] = "c" },
			"a key":     func(data map[string]any) { data["c"] = "d" },
			"all of it": func(data map[string]any) { delete(data, "a") },
		} {
			u := stored(t, p, d)
			if why := p.doubt(u, fakeKey.Public()); why != "" {
				t.Fatalf("as it was written: %s", why)
			}
			change(u.Object["data"].(map[string]any))
			if why := p.doubt(u, fakeKey.Public()); (why != "") != record {
				t.Errorf("%s changed, record %v: %q", reason, record, why)
			}
			if p.bearsSeal(u, fakeKey.Public()) == record {
				t.Errorf("%s changed, record %v: wanted, the next write seals it: %v", reason, record, !record)
			}
		}
	}
}

// TestLacksSeal: what is written before there were seals, or with another key, is
// sealed by the next write; nothing is said where the key cannot be read.
func TestLacksSeal(t *testing.T) {
	p := offline()
	sealed, bare := stored(t, p, webDesired(t)), stored(t, p, webDesired(t))
	unseal(bare)
	for _, tc := range []struct {
		reason string
		live   *unstructured.Unstructured
		survey *survey
		want   bool
	}{
		{"sealed", sealed, &survey{p: p, key: fakeKey.Public()}, false},
		{"without a seal", bare, &survey{p: p, key: fakeKey.Public()}, true},
		{"sealed by another key", sealed, &survey{p: p, key: foreignKey.Public()}, true},
		{"the key was lost", sealed, &survey{p: p}, true},
		{"the key cannot be read", bare, &survey{p: p, keyless: true}, false},
		{"it does not exist", nil, &survey{p: p, key: fakeKey.Public()}, false},
		{"nothing is sealed here", bare, &survey{p: &Provider{}, key: fakeKey.Public()}, false},
	} {
		tc.survey.live = []*unstructured.Unstructured{tc.live}
		if got := tc.survey.lacksSeal(0); got != tc.want {
			t.Errorf("%s: %v", tc.reason, got)
		}
	}
}

// TestSealIsAllThatChanges: an object that lacks only its seal is a change without
// fields, asks for no dry run, and stands before it until it bears the seal.
func TestSealIsAllThatChanges(t *testing.T) {
	p := offline()
	live := stored(t, p, webDesired(t))
	unseal(live)
	d := webDesired(t)
	d.Object = p.prepare(d)
	c := &comparison{p: p, kind: &kind{}, desired: d, live: live, lacksSeal: true}
	o, err := c.observe(t.Context()) // without a server it would fail to ask it
	if err != nil || o.Same || !o.Seals || !resource.Equal(map[string]any(o.Before), map[string]any(o.Preview)) {
		t.Fatalf("observation = %+v, %v", o, err)
	}
	change := resource.Change{ID: d.ID, Action: resource.Update, Before: o.Before, After: d.Object, Seals: true}
	if p.hasChangedHands(live, change) {
		t.Error("the seal is taken for made before it is")
	}
	if !p.hasChangedHands(stored(t, p, webDesired(t)), change) {
		t.Error("the seal is there, and is not seen")
	}
}

// TestRenamedManager: what another field manager of ours wrote is ours where a valid
// seal says so, and changes hands; what anybody says is not.
func TestRenamedManager(t *testing.T) {
	before := offline()
	u := stored(t, before, webDesired(t))
	p := offline()
	p.FieldManager = "hubcap2"
	got := p.claim(u, webDesired(t))
	if !got.ours || got.from == nil || !got.from.Again || len(got.from.Managers) != 1 || got.from.Managers[0] != applierOf("hubcap") {
		t.Fatalf("claim = %+v", got)
	}
	for reason, change := range map[string]func(*unstructured.Unstructured){
		"no seal":    unseal,
		"other name": func(u *unstructured.Unstructured) { u.SetName("copy") },
		"forged record": func(u *unstructured.Unstructured) {
			text, err := json.Marshal(appliedMark{Manager: "kubectl"})
			if err != nil {
				t.Fatal(err)
			}
			note(u, AnnotationApplied, string(text))
		},
	} {
		forged := u.DeepCopy()
		change(forged)
		if got := p.claim(forged, webDesired(t)); got.ours || got.reason == "" {
			t.Errorf("%s: claim = %+v", reason, got)
		}
	}
}

// TestUnreadablePublicKey: a plan without the key is incomplete, and takes nothing for
// ours that nothing desires.
func TestUnreadablePublicKey(t *testing.T) {
	p := offline()
	p.signing, p.Seals = seal.Key{}, fakeSeals{readOnly: true, err: errors.New("no")}
	s := &survey{p: p}
	if err := s.readKey(t.Context()); err != nil || len(s.unreadable) != 1 {
		t.Fatalf("readKey = %v, unreadable %v", err, s.unreadable)
	}
	s.take(stored(t, offline(), webDesired(t)))
	s.sort()
	if len(s.orphans) != 0 || len(s.unsealed) != 1 {
		t.Errorf("orphans %v, unsealed %v", s.orphans, s.unsealed)
	}
}
