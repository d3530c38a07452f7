package kube

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"hubcap/engine/resource"
)

// TestOwnersComeBack overrules a field that somebody set by hand, and gives it back.
func TestOwnersComeBack(t *testing.T) {
	p := offline()
	live := stored(t, p, webDesired(t))
	somebodys(t, live, "kubectl-set", time.Minute, imagePath)
	setContainer(live, "image", "theirs:1")
	next := p.prepareAll([]resource.Desired{webDesired(t, "web:1", "web:2")})[0]
	c := &comparison{p: p, desired: next, live: live}
	c.measure()
	theirs := resource.Manager{Name: "kubectl-set", Operation: "Update"}
	owners := c.owners()
	want := []resource.FieldOwner{{Manager: theirs, Fields: setText(fieldpath.NewSet(imagePath))}}
	if diff := cmp.Diff(want, owners); diff != "" {
		t.Fatalf("owners (-want +got):\n%s", diff)
	}

	after := stored(t, p, webDesired(t, "web:1", "web:2"))
	if haveTheirs(after, p.manager(), owners) {
		t.Error("what was overruled is said to be theirs")
	}
	entries, turns, err := p.returnTo(after, owners)
	if err != nil || !turns {
		t.Fatalf("returned %v, %v", turns, err)
	}
	after.SetManagedFields(entries)
	if ours, _ := ownedBy(after, p.manager()); ours.Has(imagePath) || ours.Empty() || !haveTheirs(after, p.manager(), owners) {
		t.Errorf("fields of hubcap after it gave them back: %v", ours)
	}
	if _, turns, err := p.returnTo(after, owners); turns || err != nil {
		t.Errorf("given back twice: %v, %v", turns, err)
	}
	if p.ownsAll(after, next.Object, fieldpath.NewSet()) || !p.ownsAll(after, next.Object, notOurs(owners)) {
		t.Error("what is others' alone counts as hubcap's")
	}
}

// TestOtherItems tells items of lists that the config has with other items from all else
// that its former owner owns.
func TestOtherItems(t *testing.T) {
	sidecar := path("spec", "template", "spec", "containers", fieldpath.KeyByFields("name", "sidecar"))
	volume := path("spec", "template", "spec", "volumes", fieldpath.KeyByFields("name", "data"))
	theirs := fieldpath.NewSet(
		imagePath, sidecar, below(sidecar, "image"), envB, below(envB, "value"), below(container, "imagePullPolicy"),
		volume, path("spec", "strategy", "type"), path("metadata", "labels", "theirs"),
	)
	wants := fieldpath.NewSet(imagePath, below(container, "env", fieldpath.KeyByFields("name", "A"), "value"))
	got, want := otherItems(theirs, wants), fieldpath.NewSet(sidecar, below(sidecar, "image"), envB, below(envB, "value"))
	if !got.Equals(want) {
		t.Errorf("other items: %v, want %v", got, want)
	}
}
