// Package diff compares what is wanted with what exists.
//
// Place in the pipeline: after observe, before plan. It is pure: what a write
// would do was found out while observing.
package diff

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"hubcap/engine/resource"
)

// Compare returns the changes that turn what was read into what is desired,
// ordered by ID. What is as desired yields no change, nor does what may not be
// written. Every orphan yields a deletion; whether it is carried out is the
// planner's to decide. Class and Impact are left to the planner too.
func Compare(r resource.Reading) []resource.Change {
	changes := []resource.Change{}
	for _, o := range r.Observations {
		if c, differs := compare(o, r.Orphans); differs {
			changes = append(changes, c)
		}
	}
	for _, l := range r.Orphans {
		changes = append(changes, remove(l))
	}
	slices.SortFunc(changes, func(a, b resource.Change) int {
		return cmp.Compare(a.ID.String(), b.ID.String())
	})
	return changes
}

func compare(o resource.Observation, orphans []resource.Live) (resource.Change, bool) {
	d := o.Desired
	settled := o.Same || o.Refused != "" || d.Presence == resource.Ensured && o.Live != nil
	if settled {
		return resource.Change{}, false
	}
	c := resource.Change{
		ID: d.ID, Address: d.Address, Component: d.Component, Origin: d.Origin,
		After: d.Object, Foreign: o.Foreign, Notes: slices.Clone(o.Notes), Needs: d.Needs,
		TakesOver: o.TakesOver, GivesBack: d.GivesBack, Returns: d.Owners, Seals: o.Seals,
	}
	c.Alternatives = o.Alternatives
	if o.Wanted != nil {
		c.After = o.Wanted
	}
	switch {
	case o.Live == nil:
		c.Action = resource.Create
		if old := superseded(d, orphans); old != nil {
			c.Action, c.Replaces = resource.Replace, &old.ID
			c.Fields = shape(old.Object, d.Object)
		}
	case len(o.Replace) > 0:
		c.Action, c.Before = resource.Replace, o.Before
		c.Fields = Fields(o.Before, o.Preview)
		c.Notes = append(c.Notes, "recreated in one step, since it cannot be changed in place: "+strings.Join(o.Replace, ", "))
	case c.TakesOver != nil || c.GivesBack != nil: // that our marks come or go is what this is about
		c.Action, c.Before = resource.Update, o.Before
		c.Fields = Fields(o.Before.Unmarked(), o.Preview.Unmarked())
	default:
		c.Action, c.Before = resource.Update, o.Before
		c.Fields = withoutMemory(Fields(o.Before, o.Preview))
	}
	if c.Before != nil {
		c.Defaults, c.Owners = o.Defaults, o.Owners
	}
	return c, true
}

// withoutMemory leaves out that an object remembers other fields as sensitive, which
// goes without saying where the fields themselves change.
func withoutMemory(fields []resource.Field) []resource.Field {
	rest := slices.DeleteFunc(slices.Clone(fields), func(f resource.Field) bool {
		return strings.Contains(f.Path, resource.AnnotationSensitive)
	})
	if len(rest) == 0 {
		return fields
	}
	return rest
}

// superseded returns the node pool of the same block that d comes beside: a new
// shape has a new name.
func superseded(d resource.Desired, orphans []resource.Live) *resource.Live {
	if d.ID.Kind != resource.KindNodePool {
		return nil
	}
	for i, l := range orphans {
		same := l.ID.Kind == resource.KindNodePool && l.ID.Cluster == d.ID.Cluster &&
			!l.Address.IsZero() && l.Address.Block() == d.Address.Block()
		if same {
			return &orphans[i]
		}
	}
	return nil
}

// shape returns what is different about the new shape: of the old object only
// what the new one says something about, and not its name.
func shape(old, wanted resource.Object) []resource.Field {
	before, after := within(old, wanted), wanted.Copy()
	delete(before, "name")
	delete(after, "name")
	return Fields(before, after)
}

// within returns the part of o that lies at the map keys of mask.
func within(o, mask map[string]any) map[string]any {
	part := map[string]any{}
	for k, m := range mask {
		v, has := o[k]
		if !has {
			continue
		}
		inner, isMap := v.(map[string]any)
		innerMask, masked := m.(map[string]any)
		if isMap && masked {
			part[k] = within(inner, innerMask)
		} else {
			part[k] = resource.CopyValue(v)
		}
	}
	return part
}

func remove(l resource.Live) resource.Change {
	c := resource.Change{
		ID: l.ID, Address: l.Address, Component: l.Component,
		Action: resource.Delete, Before: l.Object.Image(),
	}
	if c.Address.IsZero() {
		c.Address = resource.Address{Kind: strings.ToLower(l.ID.Kind), Name: l.ID.Name}
	}
	if c.Component.Block.IsZero() {
		c.Component.Block = c.Address.Block()
	}
	return c
}

// Fields returns the leaves in which two objects differ, in the order of their
// paths, without what the API server fills in.
func Fields(before, after resource.Object) []resource.Field {
	f := &finder{}
	f.maps("", before.Image(), after.Image())
	return f.fields
}

// A finder gathers the leaves that differ.
type finder struct{ fields []resource.Field }

// absent stands for a value that is not there, which null is not.
type absent struct{}

func (f *finder) maps(path string, before, after map[string]any) {
	keys := make(map[string]bool, len(before)+len(after))
	for k := range before {
		keys[k] = true
	}
	for k := range after {
		keys[k] = true
	}
	for _, k := range sortedKeys(keys) {
		f.values(join(path, k), at(before, k), at(after, k))
	}
}

func at(m map[string]any, key string) any {
	if v, has := m[key]; has {
		return v
	}
	return absent{}
}

// values compares two values. Where one side is not there, the other is taken
// apart as well, so that every field is a leaf.
func (f *finder) values(path string, before, after any) {
	if same(before, after) {
		return
	}
	bm, bIsMap := asMap(before)
	am, aIsMap := asMap(after)
	if bIsMap && aIsMap && len(bm)+len(am) > 0 && !lone(before, after) {
		f.maps(path, bm, am)
		return
	}
	bl, bIsList := asList(before)
	al, aIsList := asList(after)
	if bIsList && aIsList && len(bl)+len(al) > 0 && f.lists(path, bl, al) {
		return
	}
	f.leaf(path, before, after)
}

// lone reports an empty map that comes or goes: it has no leaves to show.
func lone(before, after any) bool {
	bm, bIsMap := before.(map[string]any)
	am, aIsMap := after.(map[string]any)
	return bIsMap && len(bm) == 0 && !aIsMap || aIsMap && len(am) == 0 && !bIsMap
}

// asMap returns v as a map; what is absent is an empty one.
func asMap(v any) (map[string]any, bool) {
	if _, isAbsent := v.(absent); isAbsent {
		return nil, true
	}
	m, isMap := v.(map[string]any)
	return m, isMap
}

func asList(v any) ([]any, bool) {
	if _, isAbsent := v.(absent); isAbsent {
		return nil, true
	}
	l, isList := v.([]any)
	return l, isList
}

// lists compares two lists element by element: by their keys when they are lists
// of named maps, by position when they are equally long. It reports whether
// either was possible.
func (f *finder) lists(path string, before, after []any) bool {
	key := listKey(before, after)
	if key == "" {
		if len(before) != len(after) {
			return false
		}
		for i := range before {
			f.values(fmt.Sprintf("%s[%d]", path, i), before[i], after[i])
		}
		return true
	}
	b, bNames := keyed(before, key)
	a, aNames := keyed(after, key)
	names := make(map[string]bool, len(b)+len(a))
	for _, n := range append(slices.Clone(bNames), aNames...) {
		names[n] = true
	}
	found := len(f.fields)
	for _, n := range sortedKeys(names) {
		f.values(fmt.Sprintf("%s[%s]", path, n), at(b, n), at(a, n))
	}
	if len(f.fields) == found { // only the order differs
		f.leaf(path, texts(bNames), texts(aNames))
	}
	return true
}

func (f *finder) leaf(path string, before, after any) {
	_, hidBefore := before.(resource.Sensitive)
	_, hidAfter := after.(resource.Sensitive)
	if hidBefore && hidAfter && f.opened(path, before, after) {
		return
	}
	if hidBefore || hidAfter { // a value that was plain and is secret now stays hidden
		before, after = hide(before), hide(after)
	}
	f.fields = append(f.fields, resource.Field{Path: path, Before: present(before), After: present(after)})
}

func hide(v any) any {
	if s, isText := v.(string); isText {
		return resource.Secret(s)
	}
	return v
}

func present(v any) any {
	if _, isAbsent := v.(absent); isAbsent {
		return nil
	}
	return resource.CopyValue(v)
}

// same reports whether two values are the same, whether they are marked as
// sensitive or not. What is absent is the same only as itself.
func same(a, b any) bool {
	_, noA := a.(absent)
	_, noB := b.(absent)
	if noA || noB {
		return noA && noB
	}
	return resource.Equal(resource.Reveal(a), resource.Reveal(b))
}
