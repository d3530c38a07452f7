package kube

import (
	"context"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"hubcap/engine/resource"
)

// gained returns the fields that a take-over makes ours: of what the former owners
// own, what we want too, and what they wrote. What else is theirs are defaults,
// which nobody wrote and which stay.
func (c *comparison) gained() *fieldpath.Set {
	theirs := remnant(c.live, c.p.manager(), c.from.Managers)
	wrote := c.p.setOf(c.plain)
	if c.written != nil {
		wrote = wrote.Union(c.p.setOf(c.written))
	}
	for _, e := range entriesOf(c.live) {
		if e.Operation == applierOf("").Operation && slices.Contains(c.from.Managers, e.Manager) {
			if set, err := treeSet(e.fields); err == nil {
				wrote = wrote.Union(set) // an apply owns what it wrote, and no more
			}
		}
	}
	return theirs.Intersection(wrote.Union(otherItems(theirs, c.p.setOf(c.plain))))
}

// otherItems returns the items in theirs of lists that are wanted with other items. None
// of an item that is told from others by its keys is a default: who owns it put it there,
// and beside what is wanted it would be one container, port or volume more.
func otherItems(theirs, wants *fieldpath.Set) *fieldpath.Set {
	lists, items := map[string]bool{}, fieldpath.NewSet()
	wants.Iterate(func(path fieldpath.Path) {
		for n, e := range path {
			if e.Key != nil {
				lists[path[:n].String()] = true
			}
		}
	})
	theirs.Iterate(func(path fieldpath.Path) {
		for n, e := range path {
			if e.Key != nil && lists[path[:n].String()] && !hasBelow(wants, path[:n+1]) {
				items.Insert(path.Copy())
				return
			}
		}
	})
	return items
}

// mostOverruled is how many fields of one object are named.
const mostOverruled = 3

// overruled names the fields that somebody else than their former owner wrote into
// objects that are taken over, and that get the config's value.
func (c *comparison) overruled() []string {
	if c.from == nil || c.from.Again || c.wants == nil {
		return nil
	}
	others, _ := c.writers()
	others = slices.DeleteFunc(others, func(w writer) bool {
		return slices.ContainsFunc(c.from.Managers, func(m resource.Manager) bool { return m.Name == w.name })
	})
	wanted := canonical(c.plain)
	var notes []string
	for _, path := range leaves(c.wants) {
		want, _ := at(wanted, path)
		live, exists := at(c.live.Object, path)
		if !exists || covers(live, want) {
			continue
		}
		for _, w := range others {
			if ownsPath(w.set, path) && len(notes) < mostOverruled {
				notes = append(notes, fmt.Sprintf("%s was written by %s, and not by %s", pathText(path), w, c.from.From))
				break
			}
		}
	}
	return notes
}

// dropGained takes from result, the dry run of an apply, what applying removes
// once the fields of a take-over are ours: the dry run itself still sees them as
// somebody else's. becomes is what the apply makes ours.
func (c *comparison) dropGained(result *unstructured.Unstructured, becomes *fieldpath.Set) {
	if c.from == nil {
		return
	}
	kept := c.staying(becomes)
	dropped := c.held().Difference(kept)
	prune(result.Object, dropped, kept)
}

// staying returns what an apply leaves of an object that is taken over: what the apply
// makes ours, and what others than the former owners own.
func (c *comparison) staying(becomes *fieldpath.Set) *fieldpath.Set {
	kept := becomes
	for _, e := range entriesOf(c.live) {
		if slices.Contains(c.from.Managers, e.Manager) || e.Manager == applierOf(c.p.manager()) {
			continue
		}
		if set, err := treeSet(e.fields); err == nil {
			kept = kept.Union(set)
		}
	}
	return kept
}

// prune removes from tree, in place, what dropped names and nothing in kept lies
// in, and returns what is left.
func prune(tree any, dropped, kept *fieldpath.Set) any {
	switch tree := tree.(type) {
	case map[string]any:
		for key, v := range tree {
			if left, stays := pruneChild(v, fieldpath.PathElement{FieldName: &key}, dropped, kept); stays {
				tree[key] = left
			} else {
				delete(tree, key)
			}
		}
		return tree
	case []any:
		elements := listElements(dropped)
		left := tree[:0]
		for i, item := range tree {
			stays := true
			for _, element := range elements {
				if element.matches(item, i) {
					item, stays = pruneChild(item, element.PathElement, dropped, kept)
					break
				}
			}
			if stays {
				left = append(left, item)
			}
		}
		return left
	}
	return tree
}

// pruneChild returns what is left of v, which lies at element, and whether
// anything is.
func pruneChild(v any, element fieldpath.PathElement, dropped, kept *fieldpath.Set) (any, bool) {
	below, has := dropped.Children.Get(element)
	has = has && !below.Empty()
	if !has && !dropped.Members.Has(element) {
		return v, true
	}
	stays, isKept := kept.Children.Get(element)
	isKept = isKept && !stays.Empty()
	switch {
	case !isKept && !kept.Members.Has(element):
		return nil, false
	case !has:
		return v, true
	case !isKept:
		stays = fieldpath.NewSet()
	}
	return prune(v, below, stays), true
}

// observeReturn compares an object with what it was before it was taken over: the
// same values, and nothing of it ours.
func (c *comparison) observeReturn(ctx context.Context, o *resource.Observation) error {
	c.measure()
	if owner := c.live.GetLabels()[LabelConfig]; owner != "" && owner != c.p.Owner {
		o.Refused = "it belongs to config " + owner
		return nil
	}
	c.fields = c.owns.Union(c.p.setOf(c.plain))
	if returned(c.live, c.p.manager()) && covers(restrict(c.live, c.p.setOf(c.plain)), canonical(c.plain)) {
		o.Same = true
		return nil
	}
	o.Before, o.Preview = c.part(c.live), c.desired.Object.Copy()
	if c.p.isMuted(c.kind) {
		return nil
	}
	result, err := c.dryRun(ctx)
	if err != nil {
		return c.rejected(ctx, o, err)
	}
	o.Preview = c.part(result)
	return nil
}

// returned reports whether nothing of u is ours.
func returned(u *unstructured.Unstructured, ours string) bool {
	_, known := ownedBy(u, ours)
	return !known && u.GetLabels()[LabelConfig] == ""
}
