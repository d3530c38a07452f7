package kube

import (
	"encoding/base64"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"hubcap/engine/resource"
)

// minSecret is the length below which a secret value is not looked for in
// messages: shorter ones would blot out ordinary words.
const minSecret = 6

// veil returns what was read, with everything marked that must not leave the
// process: the data of a Secret, what kubectl keeps a copy of it in, and whatever
// desired marks at the same place. It is a copy only where there is something to
// mark: most objects hold no secret, and there may be many.
func (p *Provider) veil(u *unstructured.Unstructured, desired resource.Object) resource.Object {
	_, byKubectl := u.GetAnnotations()[annotationKubectl]
	if !isSecret(u) && !byKubectl && !hasSensitive(map[string]any(desired)) {
		return resource.Object(u.Object)
	}
	return p.veilTree(u.Object, isSecret(u), desired)
}

func hasSensitive(v any) bool {
	switch v := v.(type) {
	case resource.Sensitive:
		return true
	case map[string]any:
		for _, e := range v {
			if hasSensitive(e) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(v, hasSensitive)
	}
	return false
}

func (p *Provider) veilTree(tree map[string]any, isSecret bool, desired resource.Object) resource.Object {
	o := resource.Object(resource.CopyValue(tree).(map[string]any))
	if isSecret {
		for _, field := range []string{"data", "stringData"} {
			if leaves, isMap := o[field].(map[string]any); isMap {
				for key, v := range leaves {
					leaves[key] = p.hide(v)
				}
			}
		}
	}
	if v, exists := o.Value("metadata", "annotations", annotationKubectl); exists {
		o.Set(p.hide(v), "metadata", "annotations", annotationKubectl)
	}
	if desired != nil {
		p.hideLike(map[string]any(o), map[string]any(desired))
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
		p.remember(text)
		return resource.Secret(text)
	})
}

// hideLike marks in tree, in place, what the same place of like marks. Items of
// lists are matched by name where they have one.
func (p *Provider) hideLike(tree, like any) any {
	switch like := like.(type) {
	case resource.Sensitive:
		p.remember(like.Reveal())
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

// remember keeps a secret value so that scrub knows it.
func (p *Provider) remember(secret string) {
	if len(secret) < minSecret {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.secrets == nil {
		p.secrets = map[string]struct{}{}
	}
	p.secrets[secret] = struct{}{}
}

// rememberAll remembers the sensitive leaves of a desired tree.
func (p *Provider) rememberAll(v any) {
	switch v := v.(type) {
	case resource.Sensitive:
		p.remember(v.Reveal())
	case resource.Object:
		p.rememberAll(map[string]any(v))
	case map[string]any:
		for _, e := range v {
			p.rememberAll(e)
		}
	case []any:
		for _, e := range v {
			p.rememberAll(e)
		}
	}
}

// scrub returns text without any secret value this provider has seen: server
// messages, events and logs may repeat what they were given.
func (p *Provider) scrub(text string) string {
	if text == "" {
		return text
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for secret := range p.secrets {
		text = strings.ReplaceAll(text, secret, "(sensitive)")
		if plain, err := base64.StdEncoding.DecodeString(secret); err == nil && len(plain) >= minSecret {
			text = strings.ReplaceAll(text, string(plain), "(sensitive)")
		}
	}
	return text
}
