package resource

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// An Object is a tree as the Kubernetes JSON decoder makes it: every value is
// nil, bool, int64, float64, string, [Sensitive], []any or map[string]any.
type Object map[string]any

// Copy returns a deep copy of o.
func (o Object) Copy() Object {
	if o == nil {
		return nil
	}
	return Object(CopyValue(map[string]any(o)).(map[string]any))
}

// CopyValue returns a deep copy of a value of an [Object].
func CopyValue(v any) any { return MapLeaves(v, func(leaf any) any { return leaf }) }

// Value returns what lies at the path of map keys, and whether anything does.
func (o Object) Value(path ...string) (any, bool) {
	var v any = map[string]any(o)
	for _, key := range path {
		m, isMap := v.(map[string]any)
		if !isMap {
			return nil, false
		}
		if v, isMap = m[key]; !isMap {
			return nil, false
		}
	}
	return v, true
}

// Text returns the string at path, or "" when there is none. A [Sensitive] value
// is not text.
func (o Object) Text(path ...string) string {
	v, _ := o.Value(path...)
	s, _ := v.(string)
	return s
}

// Set puts v at the path of map keys and makes the maps on the way.
func (o Object) Set(v any, path ...string) {
	m := map[string]any(o)
	for _, key := range path[:len(path)-1] {
		next, isMap := m[key].(map[string]any)
		if !isMap {
			next = map[string]any{}
			m[key] = next
		}
		m = next
	}
	m[path[len(path)-1]] = v
}

// AnnotationApplied is where the Kubernetes provider keeps an [Applied].
const AnnotationApplied = "hubcap.dev/applied"

// serverKeys are the keys of metadata that only an API server writes.
var serverKeys = []string{
	"creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation",
	"managedFields", "resourceVersion", "selfLink", "uid",
}

// Image returns a copy of o without what the API server fills in and without
// hubcap's record and seal of the last write: what is left can be written again.
func (o Object) Image() Object {
	image := o.Copy()
	delete(image, "status")
	if meta, isMap := image["metadata"].(map[string]any); isMap {
		for _, key := range serverKeys {
			delete(meta, key)
		}
		if notes, isMap := meta["annotations"].(map[string]any); isMap {
			delete(notes, AnnotationApplied)
			delete(notes, AnnotationSeal)
			if len(notes) == 0 {
				delete(meta, "annotations")
			}
		}
	}
	return image
}

// Equal reports whether two values of an [Object] are the same; numbers are
// compared by value, sensitive ones by what they hide.
func Equal(a, b any) bool {
	switch a := a.(type) {
	case map[string]any:
		bm, isMap := b.(map[string]any)
		return isMap && maps.EqualFunc(a, bm, Equal)
	case []any:
		bs, isSlice := b.([]any)
		return isSlice && slices.EqualFunc(a, bs, Equal)
	case int64:
		if f, isFloat := b.(float64); isFloat {
			return float64(a) == f
		}
	case float64:
		if i, isInt := b.(int64); isInt {
			return a == float64(i)
		}
	case Sensitive:
		s, isSensitive := b.(Sensitive)
		return isSensitive && a.value == s.value
	}
	return reflect.DeepEqual(a, b)
}

// A Sensitive value is a string that must not leave the process. Formatting it
// in any way yields a mask, and it cannot be encoded: whoever writes a plan, a
// journal or output must replace it first, and fails if it forgot.
type Sensitive struct {
	value string

	// Generated says that the value was made up while rendering (a token drawn
	// at random) or depends on one that was: another rendering gives another.
	Generated bool

	pieces string // joined by NUL, so that values can be compared
}

// ErrSensitive is what encoding a [Sensitive] value returns.
var ErrSensitive = errors.New("a sensitive value must not be encoded")

// Secret marks value as sensitive.
func Secret(value string) Sensitive { return Sensitive{value: value} }

// SecretOf marks value as sensitive because of the pieces in it that are: what must
// not appear in a message is each of them, and not only the whole.
func SecretOf(value string, pieces ...string) Sensitive {
	return Sensitive{value: value, pieces: strings.Join(pieces, "\x00")}
}

// Pieces returns what [SecretOf] was given, or the value itself.
func (s Sensitive) Pieces() []string {
	if s.pieces == "" {
		return []string{s.value}
	}
	return strings.Split(s.pieces, "\x00")
}

// Reveal returns the value. Call it only where the value is handed to the system
// it is meant for, or compared.
func (s Sensitive) Reveal() string { return s.value }

// String returns a mask.
func (Sensitive) String() string { return "(sensitive)" }

// GoString returns a mask.
func (Sensitive) GoString() string { return "resource.Sensitive{…}" }

// Format writes a mask, whatever the verb: without it, one that is not made for
// text ("%d") would show the value.
func (s Sensitive) Format(f fmt.State, verb rune) {
	text := s.String()
	if verb == 'v' && f.Flag('#') {
		text = s.GoString()
	}
	_, _ = io.WriteString(f, text)
}

// MarshalText always fails, see [ErrSensitive].
func (Sensitive) MarshalText() ([]byte, error) { return nil, ErrSensitive }

// MarshalJSON always fails, see [ErrSensitive].
func (Sensitive) MarshalJSON() ([]byte, error) { return nil, ErrSensitive }

// Reveal returns a deep copy of v in which every [Sensitive] value is plain.
func Reveal(v any) any {
	return MapLeaves(v, func(leaf any) any {
		if secret, isSensitive := leaf.(Sensitive); isSensitive {
			return secret.value
		}
		return leaf
	})
}

// Hide returns a deep copy of v in which every text is [Sensitive].
func Hide(v any) any {
	return MapLeaves(v, func(leaf any) any {
		if text, isText := leaf.(string); isText {
			return Secret(text)
		}
		return leaf
	})
}

// MapLeaves returns a deep copy of v in which each value that is neither a map nor a
// list is what leaf makes of it.
func MapLeaves(v any, leaf func(any) any) any {
	switch v := v.(type) {
	case map[string]any:
		c := make(map[string]any, len(v))
		for k, e := range v {
			c[k] = MapLeaves(e, leaf)
		}
		return c
	case Object:
		return MapLeaves(map[string]any(v), leaf)
	case []any:
		c := make([]any, len(v))
		for i, e := range v {
			c[i] = MapLeaves(e, leaf)
		}
		return c
	}
	return leaf(v)
}

// versionKey matches the keys under which charts are given versions.
var versionKey = regexp.MustCompile(`(?i)(tag|version|release|revision|commit|sha)$`)

// IsVersionKey reports whether a key names a version or the like: what is printed as
// it stands, and is no number even where it looks like one.
func IsVersionKey(key string) bool { return versionKey.MatchString(key) }
