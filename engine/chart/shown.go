package chart

import (
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strings"
	"unicode"

	"hubcap/engine/resource"
)

// Names, kinds, namespaces and keys are shown and cannot be hidden. One in which a part
// of a sensitive value can be read, in whatever spelling, is refused; one that is otherwise
// made of it, such as a digest, is told.

// identity checks what tells an object from others against its twin.
func (d *dependent) identity(o, twin Object) error {
	for _, field := range [][]string{{"metadata", "name"}, {"metadata", "namespace"}, {"kind"}, {"apiVersion"}} {
		text, other := o.Object.Text(field...), twin.Object.Text(field...)
		if d.shows(text, other) {
			what := field[len(field)-1]
			if what == "name" {
				what += " of a " + o.Object.Text("kind")
			}
			return &TemplateError{File: o.Source, Cause: "makes the " + what + " of a sensitive value, and a name cannot be hidden", Shown: d.source(text)}
		}
	}
	return nil
}

// keys checks the keys of a table that its twin has not.
func (d *dependent) keys(table, twin map[string]any, at string) {
	var others []string
	for key := range twin {
		if _, has := table[key]; !has {
			others = append(others, key)
		}
	}
	for _, key := range sortedKeys(table) {
		if _, has := twin[key]; has {
			continue
		}
		if d.spells(key) || slices.ContainsFunc(others, func(other string) bool { return d.shows(key, other) }) {
			if d.shown == nil {
				d.shown = &TemplateError{Cause: "makes a key in " + at + " of a sensitive value, and a key cannot be hidden", Shown: d.source(key)}
			}
		} else if len(others) > 0 {
			d.named = append(d.named, "a key in "+at)
		}
	}
}

// shows reports whether what is otherwise in two names is a part of a secret, and not
// a digest of one.
func (d *dependent) shows(name, twin string) bool {
	if name == twin {
		return false
	}
	if resource.Spelled(name, twin) && !d.ordinary(name, twin) {
		return true
	}
	for _, piece := range resource.Spellings(name, twin) {
		p := bare(piece)
		for _, secret := range d.rendering.request.Unnamed {
			whole := bare(secret)
			if len(p) >= leastPiece && strings.Contains(whole, p) || shares(p, whole) {
				return true
			}
		}
		if d.spells(piece) {
			return true
		}
	}
	return false
}

const (
	leastPiece = 4 // how long the whole of what differs is, to be found in a secret
	leastShare = 6 // how long a part of it is
)

// shares reports whether two texts have a part in common that is no accident.
func shares(a, b string) bool {
	for i := 0; i+leastShare <= len(a); i++ {
		if strings.Contains(b, a[i:i+leastShare]) {
			return true
		}
	}
	return false
}

// ordinary reports whether what is otherwise in two names is a word of an encrypted
// file, as it stands there: these hold ordinary words too.
func (d *dependent) ordinary(name, twin string) bool {
	pieces := resource.Spellings(name, twin)
	if len(pieces) != 1 {
		return false
	}
	isWord := false
	resource.MapLeaves(d.rendering.request.Values, func(leaf any) any {
		if s, is := leaf.(resource.Sensitive); is && strings.Contains(s.Reveal(), pieces[0]) && !slices.Contains(d.rendering.request.Unnamed, s.Reveal()) {
			isWord = true
		}
		return leaf
	})
	return isWord
}

// spells reports whether a whole secret stands in a text, in one of the spellings that
// need no second rendering to be known.
func (d *dependent) spells(text string) bool {
	in := bare(text)
	for _, secret := range d.rendering.request.Unnamed {
		if plain := bare(secret); strings.Contains(in, plain) && plain != "" || strings.Contains(in, reversed(plain)) && plain != "" {
			return true
		}
		if strings.Contains(in, bare(base64.StdEncoding.EncodeToString([]byte(secret)))) || strings.Contains(in, hex.EncodeToString([]byte(secret))) {
			return true
		}
	}
	return false
}

// source returns the sensitive value that stands in a text, zero when it is made
// otherwise of one.
func (d *dependent) source(text string) (found resource.Sensitive) {
	resource.MapLeaves(d.rendering.request.Values, func(leaf any) any {
		if s, is := leaf.(resource.Sensitive); is && len(s.Reveal()) > len(found.Reveal()) && strings.Contains(bare(text), bare(s.Reveal())) {
			found = s
		}
		return leaf
	})
	return found
}

func reversed(text string) string {
	r := []rune(text)
	slices.Reverse(r)
	return string(r)
}

// bare is a text with its letters and digits alone, in lower case: what is left of it
// in a name.
func bare(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, text)
}

// hideWhole marks every text of an object but what tells it from others, and the labels by which
// its parts are found.
func (d *dependent) hideWhole(o Object) error {
	for _, field := range [][]string{{"metadata", "name"}, {"metadata", "namespace"}, {"kind"}, {"apiVersion"}} {
		if d.spells(o.Object.Text(field...)) {
			return &TemplateError{File: o.Source, Cause: "makes the " + field[len(field)-1] + " of an object of a sensitive value, and a name cannot be hidden", Shown: d.source(o.Object.Text(field...))}
		}
	}
	if d.spellsKey(map[string]any(o.Object)) {
		return &TemplateError{File: o.Source, Cause: keyCause}
	}
	for key, value := range o.Object {
		switch key {
		case "apiVersion", "kind":
		case "metadata":
			meta, _ := value.(map[string]any)
			for field, e := range meta {
				switch field {
				case "name", "namespace":
				case "labels":
					meta[field] = resource.MapLeaves(e, func(leaf any) any {
						if text, isText := leaf.(string); isText && d.spells(text) {
							return resource.Secret(text)
						}
						return leaf
					})
				default:
					meta[field] = resource.Hide(e)
				}
			}
		default:
			o.Object[key] = resource.Hide(value)
		}
	}
	return nil
}

const keyCause = "makes a key of a sensitive value, and a key cannot be hidden"

// spellsKey reports whether a key below v spells a secret.
func (d *dependent) spellsKey(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		for key, e := range v {
			if d.spells(key) || d.spellsKey(e) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(v, d.spellsKey)
	}
	return false
}
