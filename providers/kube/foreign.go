package kube

import (
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"hubcap/engine/resource"
)

// A writer is somebody else's entry in the managed fields.
type writer struct {
	name string // "kubectl-edit", "kubectl (scale)"
	time time.Time
	set  *fieldpath.Set
}

// String names the writer, and says when it wrote, which the server does not note
// of who scaled a workload.
func (w writer) String() string {
	if w.time.IsZero() {
		return w.name
	}
	return w.name + " at " + w.time.Format("2006-01-02T15:04:05Z")
}

// foreign returns the fields that hubcap wants one way and that somebody else
// wrote since hubcap last applied. Giving a field another value takes it out of
// our managed fields, whoever does it, so only fields outside them can be foreign.
//
// When the config has not moved since (the digests agree), every wanted field
// that is not ours any more and has another value is foreign, removed ones too.
// When it has, only what somebody wrote after us is: the rest is the config's own
// news.
func (c *comparison) foreign(last *resource.Applied) []resource.Foreign {
	if c.wants == nil || last == nil {
		return nil
	}
	unmoved := c.unmoved(last)
	others, admitted := c.writers()
	wanted := canonical(c.plain)
	var found []resource.Foreign
	for _, path := range leaves(c.wants.Difference(c.owns)) {
		raw, _ := at(c.plain, path)
		spelled, known := at(wanted, path)
		if !known {
			spelled = raw
		}
		live, exists := at(c.live.Object, path)
		if path.Equals(sensitiveField) && !c.isTampered() {
			continue
		}
		if exists && covers(live, spelled) || !exists && isEmpty(spelled) || ownsPath(admitted, path) {
			continue
		}
		w, since := lastWriter(others, path, last.Time)
		if !unmoved && (!since || !ownsPath(w.set, path)) {
			continue
		}
		found = append(found, c.foreignField(present(c.live.Object, path), w, live))
	}
	if c.from != nil && c.from.Again {
		found = append(found, c.restored(others)...)
	}
	slices.SortFunc(found, func(a, b resource.Foreign) int { return strings.Compare(a.Path, b.Path) })
	return slices.CompactFunc(found, func(a, b resource.Foreign) bool { return a.Path == b.Path })
}

// unmoved reports whether what is wanted is what was applied last.
func (c *comparison) unmoved(last *resource.Applied) bool {
	return last != nil && (last.Digest == resource.Digest(c.desired.Object) || last.Digest == resource.Digest(c.asked()))
}

// restored returns the fields that nobody wants and that the release which the
// object came from put back.
func (c *comparison) restored(others []writer) []resource.Foreign {
	var found []resource.Foreign
	for _, path := range leaves(c.gains.Difference(c.wants)) {
		live, exists := at(c.live.Object, path)
		if !exists || isEmpty(live) || hasBelow(c.wants, path) {
			continue
		}
		for _, w := range others {
			if ownsPath(w.set, path) {
				found = append(found, c.foreignField(path, w, live))
				break
			}
		}
	}
	return found
}

// hasBelow reports whether set holds anything at path or below it.
func hasBelow(set *fieldpath.Set, path fieldpath.Path) bool {
	if set.Has(path) {
		return true
	}
	for _, element := range path {
		below, has := set.Children.Get(element)
		if !has {
			return false
		}
		set = below
	}
	return !set.Empty()
}

func (c *comparison) foreignField(path fieldpath.Path, w writer, live any) resource.Foreign {
	wanted, _ := at(c.desired.Object, path)
	if c.veiled == nil {
		c.veiled = c.p.veiled(c.live, c.desired.Object)
	}
	hidden, _ := at(c.veiled, path)
	inSecret := isSecret(c.live) && path[0].FieldName != nil && *path[0].FieldName == "data"
	if inSecret || resource.HasSensitive(wanted) || resource.HasSensitive(hidden) {
		live = c.p.hide(live)
		if _, secret := wanted.(resource.Sensitive); !secret {
			wanted = c.p.hide(wanted)
		}
	}
	return resource.Foreign{
		Path: pathText(path), Manager: w.name, Time: w.time,
		Wanted: resource.CopyValue(wanted), Live: resource.CopyValue(live),
	}
}

// writers returns everybody else who wrote to the object itself, the latest
// first. Whoever only reports status is left out. What an admission plugin made of
// our own writes goes by our name, and is nobody's doing: admitted.
func (c *comparison) writers() (others []writer, admitted *fieldpath.Set) {
	admitted = fieldpath.NewSet()
	for _, entry := range c.live.GetManagedFields() {
		set, err := entrySet(entry)
		if err != nil || entry.Subresource == "status" {
			continue
		}
		if entry.Manager == c.p.manager() {
			if entry.Operation == metav1.ManagedFieldsOperationUpdate {
				admitted = admitted.Union(set)
			}
			continue
		}
		others = append(others, writer{name: managerText(entry), time: entryTime(entry), set: set})
	}
	slices.SortStableFunc(others, func(a, b writer) int { return b.time.Compare(a.time) })
	return others, admitted
}

func managerText(entry metav1.ManagedFieldsEntry) string {
	if entry.Subresource != "" {
		return entry.Manager + " (" + entry.Subresource + ")"
	}
	return entry.Manager
}

func entryTime(entry metav1.ManagedFieldsEntry) time.Time {
	if entry.Time == nil {
		return time.Time{}
	}
	return entry.Time.UTC()
}

// lastWriter returns who wrote path. A field that was removed has no owner, and
// who only removed leaves no trace at all: then whoever wrote last is named as a
// guess. since reports whether that was after we applied; managed fields count in
// seconds, and those of the scale subresource have no time.
func lastWriter(others []writer, path fieldpath.Path, ours time.Time) (w writer, since bool) {
	ours = ours.Truncate(time.Second)
	for _, o := range others {
		if ownsPath(o.set, path) {
			return o, o.time.IsZero() || !o.time.Before(ours)
		}
	}
	for _, o := range others {
		if !o.time.IsZero() && !o.time.Before(ours) {
			return writer{name: "unknown (perhaps " + o.name + ")", time: o.time, set: o.set}, true
		}
	}
	return writer{name: "unknown"}, false
}

// ownsPath reports whether set holds path, or all of what path lies in (an atomic
// list).
func ownsPath(set *fieldpath.Set, path fieldpath.Path) bool {
	for _, element := range path {
		below, has := set.Children.Get(element)
		if !has || below.Empty() {
			return set.Members.Has(element)
		}
		if set.Members.Has(element) && len(path) == 1 {
			return true
		}
		set = below
	}
	return false
}

// present shortens path to the first part of it that is not in tree: an item of a
// list that was removed is one field, not one for each field in it.
func present(tree any, path fieldpath.Path) fieldpath.Path {
	for n := 1; n < len(path); n++ {
		if _, exists := at(tree, path[:n]); !exists {
			return path[:n]
		}
	}
	return path
}
