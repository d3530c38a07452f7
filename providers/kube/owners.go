package kube

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"hubcap/engine/resource"
)

// A field that somebody else set, and that an apply overrules, is no longer theirs: giving
// it another value takes it out of their managed fields. The way back restores the value,
// and then their entry, with the same patch of managed fields that a take-over needs.

// ownerOf returns whose an entry is.
func ownerOf(e metav1.ManagedFieldsEntry) resource.FieldOwner {
	return resource.FieldOwner{Manager: managerOf(e), Subresource: e.Subresource}
}

// sameOwner reports whether an entry is of a field owner.
func sameOwner(e metav1.ManagedFieldsEntry, o resource.FieldOwner) bool {
	return managerOf(e) == o.Manager && e.Subresource == o.Subresource
}

// owners returns who else owns fields that the write gives another value, or removes.
// Those whose fields are taken over get them back as a whole, and who reports status
// writes nothing that is wanted.
func (c *comparison) owners() []resource.FieldOwner {
	if c.wants == nil {
		return nil
	}
	changed := fieldpath.NewSet()
	wanted := canonical(c.plain)
	for _, path := range leaves(c.wants) {
		want, _ := at(wanted, path)
		if live, exists := at(c.live.Object, path); exists && !covers(live, want) {
			changed.Insert(path)
		}
	}
	if c.arms != nil {
		changed = changed.Union(c.arms)
	}
	var all []resource.FieldOwner
	for _, e := range c.live.GetManagedFields() {
		set, err := entrySet(e)
		isOurs := e.Manager == c.p.manager() || c.from != nil && slices.Contains(c.from.Managers, managerOf(e))
		if err != nil || isOurs || e.Subresource == "status" {
			continue
		}
		set, o := set.Intersection(changed), ownerOf(e)
		o.Fields, o.Shared = setText(set.Difference(c.owns)), setText(set.Intersection(c.owns))
		if o.Fields != "" || o.Shared != "" {
			all = append(all, o)
		}
	}
	return all
}

// setText writes a set as managed fields do; an empty one is an empty text.
func setText(set *fieldpath.Set) string {
	if set.Empty() {
		return ""
	}
	text, err := set.ToJSON()
	if err != nil {
		return ""
	}
	return string(text)
}

// textSet is the inverse of setText. What cannot be read is an empty set.
func textSet(text string) *fieldpath.Set {
	if text == "" {
		return fieldpath.NewSet()
	}
	set, err := entrySet(metav1.ManagedFieldsEntry{FieldsV1: metav1.NewFieldsV1(text)})
	if err != nil {
		return fieldpath.NewSet()
	}
	return set
}

// notOurs returns the fields that are to be others' alone.
func notOurs(owners []resource.FieldOwner) *fieldpath.Set {
	all := fieldpath.NewSet()
	for _, o := range owners {
		all = all.Union(textSet(o.Fields))
	}
	return all
}

// haveTheirs reports whether the fields of owners are theirs in u, and not ours where
// they are theirs alone.
func haveTheirs(u *unstructured.Unstructured, ours string, owners []resource.FieldOwner) bool {
	owns, _ := ownedBy(u, ours)
	if !owns.Intersection(notOurs(owners)).Empty() {
		return false
	}
	entries := u.GetManagedFields()
	return !slices.ContainsFunc(owners, func(o resource.FieldOwner) bool {
		theirs := textSet(o.Fields).Union(textSet(o.Shared))
		return !slices.ContainsFunc(entries, func(e metav1.ManagedFieldsEntry) bool {
			set, err := entrySet(e)
			return err == nil && sameOwner(e, o) && theirs.Difference(set).Empty()
		})
	})
}

// returnTo returns the managed fields of u with the fields of owners in their entries, and
// whether anything changes hands.
func (p *Provider) returnTo(u *unstructured.Unstructured, owners []resource.FieldOwner) ([]metav1.ManagedFieldsEntry, bool, error) {
	if haveTheirs(u, p.manager(), owners) {
		return nil, false, nil
	}
	entries, version := u.GetManagedFields(), commonVersion(entriesOf(u), p.manager(), nil)
	now := metav1.NewTime(p.now())
	put := func(o resource.FieldOwner, change func(*fieldpath.Set) *fieldpath.Set) error {
		i := slices.IndexFunc(entries, func(e metav1.ManagedFieldsEntry) bool { return sameOwner(e, o) })
		if i < 0 {
			i = len(entries)
			entries = append(entries, metav1.ManagedFieldsEntry{
				Manager: o.Manager.Name, Operation: metav1.ManagedFieldsOperationType(o.Manager.Operation), Subresource: o.Subresource,
				APIVersion: version, FieldsType: "FieldsV1",
			})
		}
		if o.Manager != applierOf(p.manager()) {
			entries[i].Time = &now
		}
		set, err := entrySet(entries[i])
		if err == nil {
			entries[i].FieldsV1, err = fieldsOf(change(set))
		}
		return err
	}
	for _, o := range owners {
		theirs := textSet(o.Fields).Union(textSet(o.Shared))
		if err := put(o, theirs.Union); err != nil {
			return nil, false, err
		}
	}
	taken := notOurs(owners)
	err := put(resource.FieldOwner{Manager: applierOf(p.manager())}, func(set *fieldpath.Set) *fieldpath.Set { return set.Difference(taken) })
	return entries, true, err
}
