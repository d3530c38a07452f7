package plan

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"hubcap/engine/resource"
)

// maskKey is the only key of the object that stands for a sensitive value in a
// plan's document.
const maskKey = "$sensitive"

// A Mask turns sensitive values into keyed digests.
type Mask struct {
	Key []byte // empty: values leave no digest
}

// Masked is what a decoded plan holds where there was a sensitive value.
type Masked struct {
	Digest string // HMAC-SHA256 in hex; empty when the value is made anew by each rendering, or there was no key
}

// String returns a mask.
func (Masked) String() string { return "(sensitive)" }

// MarshalJSON returns the form in which a document holds the value.
func (m Masked) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]string{maskKey: m.Digest})
}

// ErrSecretMoved says that a sensitive value is not the one that was planned.
var ErrSecretMoved = errors.New("a sensitive value is not the one that was planned")

// errMaskKey says that an object cannot be told from a masked value.
var errMaskKey = errors.New(`an object has the key "` + maskKey + `", which plans keep for themselves`)

func (m Mask) digest(s resource.Sensitive) string {
	if len(m.Key) == 0 || s.Generated {
		return ""
	}
	h := hmac.New(sha256.New, m.Key)
	h.Write([]byte(s.Reveal()))
	return hex.EncodeToString(h.Sum(nil))
}

// Place names the place of a sensitive value in a plan: the object, whether it is
// as before or as after, and a JSON pointer.
func place(id resource.ID, side, pointer string) string {
	return id.String() + "#" + side + "#" + pointer
}

// The sides of a change.
const (
	sideBefore = "before"
	sideAfter  = "after"
)

// Places returns the sensitive values of an object by the place that they have in
// a plan: those of the object before the change, or after it.
func Places(id resource.ID, beforeImage, afterImage resource.Object) map[string]string {
	places := make(map[string]string)
	gather := func(side string, o resource.Object) {
		_, err := replace(map[string]any(o), "", func(pointer string, v any) (any, error) {
			if s, isSensitive := v.(resource.Sensitive); isSensitive {
				places[place(id, side, pointer)] = s.Reveal()
			}
			return v, nil
		})
		if err != nil {
			panic("plan.Places: gathering cannot fail: " + err.Error())
		}
	}
	gather(sideBefore, beforeImage)
	gather(sideAfter, afterImage)
	return places
}

// replace returns a copy of v in which every leaf is what leaf makes of it.
func replace(v any, pointer string, leaf func(pointer string, v any) (any, error)) (any, error) {
	switch v := v.(type) {
	case map[string]any:
		c := make(map[string]any, len(v))
		for key, e := range v {
			next, err := replace(e, pointer+"/"+escape.Replace(key), leaf)
			if err != nil {
				return nil, err
			}
			c[key] = next
		}
		return c, nil
	case resource.Object:
		return replace(map[string]any(v), pointer, leaf)
	case []any:
		c := make([]any, len(v))
		for i, e := range v {
			next, err := replace(e, pointer+"/"+strconv.Itoa(i), leaf)
			if err != nil {
				return nil, err
			}
			c[i] = next
		}
		return c, nil
	}
	return leaf(pointer, v)
}

var escape = strings.NewReplacer("~", "~0", "/", "~1")

// mask returns a copy of p without sensitive values, and these by their places.
func (m Mask) mask(p *Plan) (*Plan, map[string]string, error) {
	secrets := make(map[string]string)
	masked, err := mapPlan(p, func(at string, v any) (any, error) {
		s, isSensitive := v.(resource.Sensitive)
		if !isSensitive {
			return v, nil
		}
		if at != "" {
			secrets[at] = s.Reveal()
		}
		return Masked{Digest: m.digest(s)}, nil
	})
	return masked, secrets, err
}

// Unmask puts the sensitive values back into the changes of a decoded plan.
// lookup finds one by its place. A value that is not found, or whose digest
// under m is another, is an [ErrSecretMoved] that names the place. What p shows
// besides its changes stays masked. p is not changed when an error is returned.
func Unmask(p *Plan, m Mask, lookup func(place string) (string, bool)) error {
	whole, err := mapPlan(p, func(at string, v any) (any, error) {
		hidden, isMasked := v.(Masked)
		if !isMasked || at == "" {
			return v, nil
		}
		text, found := lookup(at)
		if !found {
			return nil, fmt.Errorf("%s: %w: there is none any more", at, ErrSecretMoved)
		}
		s := resource.Secret(text)
		if hidden.Digest == "" {
			s.Generated = true
			return s, nil
		}
		if len(m.Key) > 0 && !hmac.Equal([]byte(m.digest(s)), []byte(hidden.Digest)) {
			return nil, fmt.Errorf("%s: %w", at, ErrSecretMoved)
		}
		return s, nil
	})
	if err != nil {
		return err
	}
	*p = *whole
	return nil
}

// mapPlan returns a deep copy of p in which every leaf of every value is what
// leaf makes of it. at is the place of a leaf in the objects of a change, and
// empty elsewhere.
func mapPlan(p *Plan, leaf func(at string, v any) (any, error)) (*Plan, error) {
	m := &mapper{leaf: leaf}
	c := *p
	c.Waves = make([]Wave, len(p.Waves))
	for i, w := range p.Waves {
		c.Waves[i] = w
		c.Waves[i].Steps = make([]Step, len(w.Steps))
		for j, s := range w.Steps {
			changes := make([]resource.Change, len(s.Changes))
			for k := range s.Changes {
				changes[k] = m.change(s.Changes[k])
			}
			s.Changes = changes
			c.Waves[i].Steps[j] = s
		}
	}
	c.Drift = nil
	for _, d := range p.Drift {
		d.Fields = m.foreign(d.Fields)
		c.Drift = append(c.Drift, d)
	}
	if p.Outputs != nil {
		c.Outputs = m.value("", "", map[string]any(p.Outputs)).(map[string]any)
	}
	return &c, m.err
}

// A mapper maps values and remembers the first error.
type mapper struct {
	leaf func(at string, v any) (any, error)
	err  error
}

// value maps one value; base is what its places begin with.
func (m *mapper) value(base, pointer string, v any) any {
	mapped, err := replace(v, pointer, func(pointer string, v any) (any, error) {
		at := ""
		if base != "" {
			at = base + pointer
		}
		return m.leaf(at, v)
	})
	if err != nil && m.err == nil {
		m.err = err
	}
	if err != nil {
		return v
	}
	return mapped
}

func (m *mapper) change(c resource.Change) resource.Change {
	c.Before = m.object(place(c.ID, sideBefore, ""), c.Before)
	c.After = m.object(place(c.ID, sideAfter, ""), c.After)
	var fields []resource.Field
	for _, f := range c.Fields {
		f.Before, f.After = m.value("", "", f.Before), m.value("", "", f.After)
		fields = append(fields, f)
	}
	c.Fields = fields
	c.Foreign = m.foreign(c.Foreign)
	return c
}

func (m *mapper) object(base string, o resource.Object) resource.Object {
	if o == nil {
		return nil
	}
	mapped, isMap := m.value(base, "", map[string]any(o)).(map[string]any)
	if !isMap {
		return o
	}
	return mapped
}

func (m *mapper) foreign(fields []resource.Foreign) []resource.Foreign {
	var mapped []resource.Foreign
	for _, f := range fields {
		f.Wanted, f.Live = m.value("", "", f.Wanted), m.value("", "", f.Live)
		mapped = append(mapped, f)
	}
	return mapped
}
