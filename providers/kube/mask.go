package kube

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"hubcap/engine/resource"
)

// A veil says what of one live object must not leave the process.
type veil struct {
	isSecret bool
	paths    []string // that the object remembers as sensitive
	unknown  bool     // hubcap wrote the object, and nobody knows what of it is sensitive
}

// veilOf returns the veil of a live object. One of hubcap's whose memory is not the
// one that was written with it (an older version wrote none, or somebody changed it)
// is unknown.
func veilOf(u *unstructured.Unstructured) veil {
	paths, digest := resource.Remembered(resource.Object(u.Object))
	v := veil{isSecret: isSecret(u), paths: paths}
	switch last := applied(u); {
	case last != nil:
		v.unknown = last.Sensitive != digest
	default:
		_, v.unknown = u.GetLabels()[LabelConfig]
	}
	return v
}

// veiled returns what was read, with everything marked that must not leave the
// process: the data of a Secret, what kubectl keeps a copy of it in, whatever desired
// marks at the same place, and what the object remembers. It is a copy only where
// there is something to mark: most objects hold no secret, and there may be many.
func (p *Provider) veiled(u *unstructured.Unstructured, desired resource.Object) resource.Object {
	v := veilOf(u)
	_, byKubectl := u.GetAnnotations()[annotationKubectl]
	if !v.isSecret && !byKubectl && len(v.paths) == 0 && !v.unknown && !resource.HasSensitive(desired) {
		return resource.Object(u.Object)
	}
	return p.veilTree(u.Object, v, desired)
}

// veilTree returns a copy of tree, a part of the object of v, with everything marked
// that must not leave the process.
func (p *Provider) veilTree(tree map[string]any, v veil, desired resource.Object) resource.Object {
	o := resource.Object(resource.CopyValue(tree).(map[string]any))
	if v.isSecret {
		for _, field := range []string{"data", "stringData"} {
			if leaves, isMap := o[field].(map[string]any); isMap {
				for key, v := range leaves {
					leaves[key] = p.hide(v)
				}
			}
		}
	}
	if copied, exists := o.Value("metadata", "annotations", annotationKubectl); exists {
		o.Set(p.hide(copied), "metadata", "annotations", annotationKubectl)
	}
	if desired != nil {
		p.hideLike(map[string]any(o), map[string]any(desired))
	}
	resource.HideRemembered(o, v.paths, p.hide)
	if v.unknown {
		resource.HideUnknown(o, desired, p.hide)
	}
	return o
}

// hide marks a string, and every string inside a list or map.
func (p *Provider) hide(v any) any {
	return resource.MapLeaves(v, func(leaf any) any {
		text, isText := leaf.(string)
		if !isText {
			return leaf
		}
		p.secrets.Add(text)
		return resource.Secret(text)
	})
}

// hideLike marks in tree, in place, what the same place of like marks. Items of
// lists are matched by name where they have one.
func (p *Provider) hideLike(tree, like any) any {
	switch like := like.(type) {
	case resource.Sensitive:
		p.secrets.AddAll(like)
		if text, isText := tree.(string); isText && like.Generated && text == like.Reveal() {
			return like
		}
		return p.hide(tree)
	case map[string]any:
		if m, isMap := tree.(map[string]any); isMap {
			for k, l := range like {
				if e, exists := m[k]; exists {
					m[k] = p.hideLike(e, l)
				}
			}
		}
	case []any:
		if s, isSlice := tree.([]any); isSlice {
			for i, l := range like {
				if at := sameItem(s, l, i); at >= 0 {
					s[at] = p.hideLike(s[at], l)
				}
			}
		}
	}
	return tree
}

// sameItem returns the index of the item of s that has the name of like, or i
// when like has none; -1 when there is no such item.
func sameItem(s []any, like any, i int) int {
	if m, isMap := like.(map[string]any); isMap {
		if name, isText := m["name"].(string); isText {
			for at, e := range s {
				if em, isMap := e.(map[string]any); isMap && em["name"] == name {
					return at
				}
			}
			return -1
		}
	}
	if i < len(s) {
		return i
	}
	return -1
}

// scrub returns text without any secret value this provider has seen: server
// messages, events and logs may repeat what they were given.
func (p *Provider) scrub(text string) string { return p.secrets.Redact(text) }
