package memory

import (
	"maps"
	"slices"

	"hubcap/engine/resource"
)

// plain returns o without marks of sensitivity.
func plain(o resource.Object) resource.Object {
	if o == nil {
		return nil
	}
	m, _ := resource.Reveal(o).(map[string]any)
	return m
}

// project returns the part of o that lies under the leaves of any of masks. A
// list is a leaf.
func project(o resource.Object, masks ...resource.Object) resource.Object {
	part := resource.Object{}
	for _, mask := range masks {
		merge(part, cut(o, mask))
	}
	return part
}

// cut returns the part of o that lies under the leaves of mask.
func cut(o, mask map[string]any) map[string]any {
	part := map[string]any{}
	for key, m := range mask {
		v, has := o[key]
		if !has {
			continue
		}
		vm, vIsMap := v.(map[string]any)
		mm, mIsMap := m.(map[string]any)
		if vIsMap && mIsMap && len(mm) > 0 {
			if inner := cut(vm, mm); len(inner) > 0 {
				part[key] = inner
			}
			continue
		}
		part[key] = resource.CopyValue(v)
	}
	return part
}

// merge writes every leaf of from into to.
func merge(to, from map[string]any) {
	for key, v := range from {
		vm, isMap := v.(map[string]any)
		tm, both := to[key].(map[string]any)
		if isMap && both && len(vm) > 0 {
			merge(tm, vm)
			continue
		}
		to[key] = resource.CopyValue(v)
	}
}

// remove takes out of o the leaves of gone that still does not hold, and the maps
// that become empty by it.
func remove(o, gone, still map[string]any) {
	for key, g := range gone {
		s, stays := still[key]
		gm, gIsMap := g.(map[string]any)
		om, oIsMap := o[key].(map[string]any)
		if gIsMap && oIsMap && len(gm) > 0 {
			sm, _ := s.(map[string]any)
			remove(om, gm, sm)
			if len(om) == 0 && !stays {
				delete(o, key)
			}
			continue
		}
		if !stays {
			delete(o, key)
		}
	}
}

// applied returns live after hubcap, which last wrote was, writes want.
func applied(live, was, want resource.Object) resource.Object {
	next := live.Copy()
	if next == nil {
		next = resource.Object{}
	}
	remove(next, was, want)
	merge(next, want)
	return next
}

// holds reports whether every leaf of part is in whole.
func holds(whole, part map[string]any) bool {
	return resource.Equal(map[string]any(cut(whole, part)), pruned(part))
}

// pruned returns m without maps that hold nothing but maps.
func pruned(m map[string]any) map[string]any {
	p := map[string]any{}
	for key, v := range m {
		if vm, isMap := v.(map[string]any); isMap && len(vm) > 0 {
			if inner := pruned(vm); len(inner) > 0 {
				p[key] = inner
			}
			continue
		}
		p[key] = v
	}
	return p
}

// differing returns the first path, in order, where two objects differ, or "".
func differing(a, b map[string]any, path string) string {
	keys := slices.Collect(maps.Keys(a))
	for key := range b {
		if _, has := a[key]; !has {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	for _, key := range keys {
		av, inA := a[key]
		bv, inB := b[key]
		at := key
		if path != "" {
			at = path + "." + key
		}
		am, aIsMap := av.(map[string]any)
		bm, bIsMap := bv.(map[string]any)
		switch {
		case aIsMap && bIsMap:
			if found := differing(am, bm, at); found != "" {
				return found
			}
		case inA != inB, !resource.Equal(av, bv):
			return at
		}
	}
	return ""
}

// leaves calls visit with every leaf of m and its path.
func leaves(m map[string]any, path []string, visit func(path []string, v any)) {
	for key, v := range m {
		at := append(slices.Clone(path), key)
		if vm, isMap := v.(map[string]any); isMap && len(vm) > 0 {
			leaves(vm, at, visit)
			continue
		}
		visit(at, v)
	}
}

// hide marks what is sensitive in a part of the live object: the data of Secrets, what
// like marks in the same place, and what the object remembers.
func (r *record) hide(part, like resource.Object) resource.Object {
	hidden, _ := hideValue(map[string]any(part), map[string]any(like)).(map[string]any)
	paths, digest := resource.Remembered(r.Object)
	resource.HideRemembered(hidden, paths, resource.Hide)
	if r.Stamp != nil && r.Stamp.Sensitive != digest {
		resource.HideUnknown(hidden, like, resource.Hide)
	}
	if r.ID.Kind == "Secret" {
		for _, key := range []string{"data", "stringData"} {
			if data, isMap := hidden[key].(map[string]any); isMap {
				for k, v := range data {
					if text, isText := v.(string); isText {
						data[k] = resource.Secret(text)
					}
				}
			}
		}
	}
	return hidden
}

func hideValue(v, like any) any {
	switch v := v.(type) {
	case map[string]any:
		c, lm := make(map[string]any, len(v)), asMap(like)
		for k, e := range v {
			c[k] = hideValue(e, lm[k])
		}
		return c
	case []any:
		c, ll := make([]any, len(v)), asList(like)
		for i, e := range v {
			var l any
			if i < len(ll) {
				l = ll[i]
			}
			c[i] = hideValue(e, l)
		}
		return c
	case string:
		if _, secret := like.(resource.Sensitive); secret {
			return resource.Secret(v)
		}
	}
	return v
}

func asMap(v any) map[string]any {
	switch v := v.(type) {
	case map[string]any:
		return v
	case resource.Object:
		return v
	}
	return nil
}

func asList(v any) []any {
	l, _ := v.([]any)
	return l
}
