package kube

import (
	"fmt"
	"maps"
	"slices"

	apiresource "k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"hubcap/engine/resource"
)

// Live may be ahead of the config in some fields: replicas that an autoscaler set, the
// size of a claim that somebody enlarged and that cannot shrink. Such a field is given
// up: the object is written without it, and all else of it goes on.

// A lead is one field of a live object that is ahead of what is wanted.
type lead struct {
	holder []string // keys of the object to the list that the field is in; empty: it is in none
	item   string   // name of the item of that list
	path   []string // keys to the field, from the item or from the object
	asked  any      // what the config says
	live   any
	note   string // what to do about it; empty: live is right, and it is no drift
}

// at returns the table that the lead's path starts from; nil when there is none.
func (l lead) at(o map[string]any) resource.Object {
	if len(l.holder) == 0 {
		return o
	}
	return itemsByName(o, l.holder)[l.item]
}

// fieldPath is where the lead is, as managed fields see it: a list without keys is one
// field.
func (l lead) fieldPath() fieldpath.Path {
	keys := l.path
	if len(l.holder) > 0 {
		keys = l.holder
	}
	var path fieldpath.Path
	for _, key := range keys {
		path = append(path, fieldpath.PathElement{FieldName: &key})
	}
	return path
}

// text is where the lead is, as plans write it.
func (l lead) text() string {
	var path fieldpath.Path
	for _, key := range l.path {
		path = append(path, fieldpath.PathElement{FieldName: &key})
	}
	if len(l.holder) == 0 {
		return pathText(path)
	}
	return pathText(l.fieldPath()) + "[" + l.item + "]." + pathText(path)
}

// giveUp leaves a field of the i-th desired object to whoever is ahead in it. A field of
// a list that is written as a whole is wanted as it is.
func (s *survey) giveUp(i int, l lead) {
	at := l.at(s.desired[i].Object)
	l.asked, _ = at.Value(l.path...)
	if len(l.holder) > 0 {
		at.Set(l.live, l.path...)
	} else {
		drop(at, l.path)
	}
	if s.leads == nil {
		s.leads = make(map[int][]lead)
	}
	s.leads[i] = append(s.leads[i], l)
}

// drop removes what lies at path, and the tables that are empty without it: writing
// them would make them ours.
func drop(o map[string]any, path []string) {
	if inner, isMap := o[path[0]].(map[string]any); isMap && len(path) > 1 {
		if drop(inner, path[1:]); len(inner) > 0 {
			return
		}
	}
	delete(o, path[0])
}

// asked returns the wanted object with what the config says in the fields that were
// given up.
func (c *comparison) asked() resource.Object {
	if len(c.leads) == 0 {
		return c.desired.Object
	}
	o := c.desired.Object.Copy()
	for _, l := range c.leads {
		l.at(o).Set(l.asked, l.path...)
	}
	return o
}

// aheadOf returns the fields in which live is ahead of the config, and should not be.
func (c *comparison) aheadOf() []resource.Foreign {
	var found []resource.Foreign
	for _, l := range c.leads {
		if l.note == "" {
			continue
		}
		f := resource.Foreign{Path: l.text(), Manager: "unknown", Wanted: l.asked, Live: l.live, Note: l.note}
		others, _ := c.writers()
		for _, w := range others {
			if ownsPath(w.set, l.fieldPath()) {
				f.Manager, f.Time = w.name, w.time
				break
			}
		}
		found = append(found, f)
	}
	return found
}

// A sizeField is a field of a kind that grows and never shrinks.
type sizeField struct {
	holder, path []string
	never        string // what does not shrink
}

// sizeFields are those of the built-in kinds. The claims of a StatefulSet are made from
// its templates, which cannot be changed in place: whoever enlarged them did so with
// another StatefulSet of that name.
var sizeFields = map[schema.GroupKind][]sizeField{
	claimKind:                  {{path: []string{"spec", "resources", "requests", "storage"}, never: "a claim cannot shrink"}},
	{Kind: "PersistentVolume"}: {{path: []string{"spec", "capacity", "storage"}, never: "a volume cannot shrink"}},
	{Group: "apps", Kind: "StatefulSet"}: {{
		holder: []string{"spec", "volumeClaimTemplates"}, path: []string{"spec", "resources", "requests", "storage"},
		never: "the claims made from it cannot shrink",
	}},
}

// leaveGrown gives up the sizes of claims and volumes that somebody else enlarged, by
// hand or by a controller. What hubcap itself wrote is not ahead: a config that asks for
// less means it, and the server decides.
func (s *survey) leaveGrown() {
	for i, d := range s.desired {
		live := s.live[i]
		if live == nil || d.GivesBack != nil || d.Presence == resource.Ensured {
			continue
		}
		for _, f := range sizeFields[groupKind(d.ID)] {
			for _, l := range f.leads(d.Object, live) {
				if s.isOthers(i, l) && !s.isLowered(i, l) {
					s.giveUp(i, l)
				}
			}
		}
	}
}

// items returns the names of the items of o that have the field, sorted.
func (f sizeField) items(o resource.Object) []string {
	if len(f.holder) == 0 {
		return []string{""}
	}
	return slices.Sorted(maps.Keys(itemsByName(o, f.holder)))
}

// leads returns where live is larger than want.
func (f sizeField) leads(want resource.Object, live *unstructured.Unstructured) []lead {
	var found []lead
	for _, name := range f.items(want) {
		l := lead{holder: f.holder, item: name, path: f.path}
		asked, _ := l.at(want).Value(f.path...)
		has, _ := l.at(live.Object).Value(f.path...)
		if l.live = has; isMore(has, asked) {
			l.note = fmt.Sprintf("live has %v, config %v: %s; write %v", has, asked, f.never, has)
			found = append(found, l)
		}
	}
	return found
}

// isMore reports whether a is a larger quantity than b.
func isMore(a, b any) bool {
	x, errX := apiresource.ParseQuantity(fmt.Sprint(a))
	y, errY := apiresource.ParseQuantity(fmt.Sprint(b))
	return errX == nil && errY == nil && x.Cmp(y) > 0
}

// isOthers reports whether somebody else set a field of the i-th object, and not one
// whose fields are taken over.
func (s *survey) isOthers(i int, l lead) bool {
	if owns, _ := ownedBy(s.live[i], s.p.manager()); ownsPath(owns, l.fieldPath()) {
		return false
	}
	from := s.p.claim(s.live[i], s.desired[i]).from
	return from == nil || !ownsPath(remnant(s.live[i], s.p.manager(), from.Managers), l.fieldPath())
}

// isLowered reports whether the config asks for less than hubcap wrote last, where that
// is known.
func (s *survey) isLowered(i int, l lead) bool {
	last := applied(s.live[i])
	asked, _ := l.at(s.desired[i].Object).Value(l.path...)
	return last != nil && isMore(last.Sizes[l.text()], asked)
}

// sizesOf returns the sizes that o asks for, by their places.
func sizesOf(o resource.Object) map[string]string {
	sizes := map[string]string{}
	for _, f := range sizeFields[gvkOf(o).GroupKind()] {
		for _, name := range f.items(o) {
			l := lead{holder: f.holder, item: name, path: f.path}
			if v, has := l.at(o).Value(f.path...); has {
				sizes[l.text()] = fmt.Sprint(v)
			}
		}
	}
	return sizes
}

// itemsByName returns the items of a list by the names in their metadata.
func itemsByName(o resource.Object, list []string) map[string]resource.Object {
	v, _ := o.Value(list...)
	items, _ := v.([]any)
	byName := make(map[string]resource.Object, len(items))
	for _, item := range items {
		if table := resource.Object(treeOf(item)); table != nil {
			byName[table.Text("metadata", "name")] = table
		}
	}
	return byName
}
