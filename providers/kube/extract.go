package kube

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/value"

	"hubcap/engine/resource"
)

// nothing stands for what is not there, which null is not.
type nothing struct{}

// restrict returns a copy of the part of u that set names, with what identifies
// the object.
func restrict(u *unstructured.Unstructured, set *fieldpath.Set) map[string]any {
	o, isMap := extract(u.Object, set).(map[string]any)
	if !isMap {
		o = map[string]any{}
	}
	o["apiVersion"], o["kind"] = u.GetAPIVersion(), u.GetKind()
	metadata, isMap := o["metadata"].(map[string]any)
	if !isMap {
		metadata = map[string]any{}
		o["metadata"] = metadata
	}
	metadata["name"] = u.GetName()
	if namespace := u.GetNamespace(); namespace != "" {
		metadata["namespace"] = namespace
	}
	return o
}

// extract returns a copy of the part of tree that set names. A leaf of the set
// takes all that lies below it. It needs no schema: the set says which lists have
// keys.
func extract(tree any, set *fieldpath.Set) any {
	switch tree := tree.(type) {
	case map[string]any:
		return extractMap(tree, set)
	case []any:
		return extractList(tree, set)
	}
	return nothing{}
}

func extractMap(tree map[string]any, set *fieldpath.Set) any {
	part := map[string]any{}
	for key, v := range tree {
		element := fieldpath.PathElement{FieldName: &key}
		if e := extractChild(v, element, set); e != (nothing{}) {
			part[key] = e
		}
	}
	if len(part) == 0 {
		return nothing{}
	}
	return part
}

// extractChild returns the part of v, which lies at element, that set names.
func extractChild(v any, element fieldpath.PathElement, set *fieldpath.Set) any {
	below, has := set.Children.Get(element)
	if has && !below.Empty() {
		if part := extract(v, below); part != (nothing{}) {
			return part
		}
		if !set.Members.Has(element) {
			return nothing{}
		}
		return hollow(v)
	}
	if set.Members.Has(element) {
		return resource.CopyValue(v)
	}
	return nothing{}
}

// hollow is what remains of a value that is ours while nothing in it is.
func hollow(v any) any {
	switch v.(type) {
	case map[string]any:
		return map[string]any{}
	case []any:
		return []any{}
	}
	return v
}

func extractList(tree []any, set *fieldpath.Set) any {
	elements := listElements(set)
	part := []any{}
	for i, item := range tree {
		for _, element := range elements {
			if !element.matches(item, i) {
				continue
			}
			if e := extractChild(item, element.PathElement, set); e != (nothing{}) {
				part = append(part, e)
			}
			break
		}
	}
	if len(part) == 0 {
		return nothing{}
	}
	return part
}

// An itemElement is a path element that names an item of a list.
type itemElement struct{ fieldpath.PathElement }

// listElements returns the elements directly below set.
func listElements(set *fieldpath.Set) []itemElement {
	var elements []itemElement
	for e := range set.Members.All() {
		elements = append(elements, itemElement{e})
	}
	for e := range set.Children.All() {
		if !set.Members.Has(e) {
			elements = append(elements, itemElement{e})
		}
	}
	return elements
}

// matches reports whether e names the item at index i. A key field that the item
// lacks has its default there, which is in the set (a port's protocol).
func (e itemElement) matches(item any, i int) bool {
	switch {
	case e.Key != nil:
		m, isMap := item.(map[string]any)
		if !isMap {
			return false
		}
		found := false
		for _, field := range *e.Key {
			v, has := m[field.Name]
			if !has {
				continue
			}
			if !value.Equals(value.NewValueInterface(v), field.Value) {
				return false
			}
			found = true
		}
		return found
	case e.Value != nil:
		return value.Equals(value.NewValueInterface(item), *e.Value)
	case e.Index != nil:
		return *e.Index == i
	}
	return false
}

// fillHoles puts null where a field is ours but not in the live object: it was
// applied with its zero value, which the server does not keep. Without it, going
// back to tree would give the field up.
func (c *comparison) fillHoles(tree map[string]any) {
	if c.live == nil || c.owns == nil {
		return
	}
	for _, path := range leaves(c.held()) {
		if _, exists := at(c.live.Object, path); !exists {
			fill(tree, path)
		}
	}
}

// fill puts null at path, unless something is there or it would take a new item
// of a list.
func fill(tree any, path fieldpath.Path) {
	for i, element := range path {
		m, isMap := tree.(map[string]any)
		next, exists := child(tree, element)
		switch {
		case exists:
			tree = next
		case !isMap || element.FieldName == nil:
			return
		case i == len(path)-1:
			m[*element.FieldName] = nil
		default:
			if path[i+1].FieldName == nil {
				return
			}
			below := map[string]any{}
			m[*element.FieldName] = below
			tree = below
		}
	}
}

// at returns what lies at path in tree.
func at(tree any, path fieldpath.Path) (any, bool) {
	for _, element := range path {
		next, exists := child(tree, element)
		if !exists {
			return nil, false
		}
		tree = next
	}
	return tree, true
}

func child(tree any, element fieldpath.PathElement) (any, bool) {
	switch tree := tree.(type) {
	case resource.Object:
		return child(map[string]any(tree), element)
	case map[string]any:
		if element.FieldName == nil {
			return nil, false
		}
		v, exists := tree[*element.FieldName]
		return v, exists
	case []any:
		for i, item := range tree {
			if (itemElement{element}).matches(item, i) {
				return item, true
			}
		}
	}
	return nil, false
}

// leaves returns the leaf paths of set in order. The set's own iterator neither
// stands being left early nor lets its paths be kept.
func leaves(set *fieldpath.Set) []fieldpath.Path {
	var paths []fieldpath.Path
	set.Leaves().Iterate(func(path fieldpath.Path) { paths = append(paths, path.Copy()) })
	return paths
}
