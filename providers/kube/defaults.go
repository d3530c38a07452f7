package kube

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"hubcap/engine/resource"
)

// A pre-image holds fields that nobody owned: the server filled them in. Written with
// the rest of it they would become ours, and the next plan, whose config never asked for
// them, would give them up again. So a pre-image is restored without them, where the
// server fills in the same again.

// defaults returns which fields of set live has and nobody owns, as managed fields are
// written; empty: none, or that is not known.
func defaults(live *unstructured.Unstructured, set *fieldpath.Set) string {
	owned, none := fieldpath.NewSet(), fieldpath.NewSet()
	for _, e := range live.GetManagedFields() { // a subresource's writer owns what it wrote, too
		fields, err := entrySet(e)
		if err != nil {
			return ""
		}
		owned = owned.Union(fields)
	}
	if owned.Empty() {
		return ""
	}
	for _, path := range leaves(set) {
		if _, exists := at(live.Object, path); exists && !ownsPath(owned, path) && !namesValue(path) {
			none.Insert(path)
		}
	}
	if none.Empty() {
		return ""
	}
	text, err := none.ToJSON()
	if err != nil {
		return ""
	}
	return string(text)
}

// namesValue reports a path that holds a value itself, as an item of a set.
func namesValue(path fieldpath.Path) bool {
	for _, e := range path {
		if e.Value != nil {
			return true
		}
	}
	return false
}

// compare observes desired, which may be a pre-image, beside what lives. Of its defaults
// those are written after all that the server would not fill in again, and all of them
// where it refuses the rest.
func (c *comparison) compare(ctx context.Context) (*resource.Observation, error) {
	left, err := entrySet(metav1.ManagedFieldsEntry{Manager: "defaults", FieldsV1: metav1.NewFieldsV1(c.desired.Defaults)})
	if c.desired.Defaults == "" || err != nil || c.desired.GivesBack != nil {
		return c.observe(ctx)
	}
	whole, fresh := c.desired, *c
	for {
		c.desired.Object = c.p.without(whole.Object, left)
		o, err := c.observe(ctx)
		if err != nil {
			return o, err
		}
		if o.Same {
			c.answer = c.live
		}
		lost := left
		if o.Refused == "" && len(o.Replace) == 0 && c.answer != nil {
			lost = c.notFilledIn(left, whole.Object)
		}
		if lost.Empty() {
			return o, nil
		}
		left = left.Difference(lost)
		*c = fresh
	}
}

// without returns want without the fields in left.
func (p *Provider) without(want resource.Object, left *fieldpath.Set) resource.Object {
	o := want.Copy()
	kept := p.setOf(resource.Reveal(clean(want)).(map[string]any)).Difference(left)
	prune(map[string]any(o), left, kept)
	return o
}

// notFilledIn returns the fields in left that are not as whole has them in what the
// server answered to the dry run.
func (c *comparison) notFilledIn(left *fieldpath.Set, whole resource.Object) *fieldpath.Set {
	lost := fieldpath.NewSet()
	plain := canonical(resource.Reveal(whole).(map[string]any))
	for _, path := range leaves(left) {
		want, wanted := at(plain, path)
		have, _ := at(c.answer.Object, path)
		if wanted && !covers(have, want) {
			lost.Insert(path)
		}
	}
	return lost
}
