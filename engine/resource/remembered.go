package resource

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// AnnotationSensitive is where an object remembers which of its fields hold
// sensitive values: a JSON list of paths, in order, and no values. A field that
// leaves the config is still sensitive by it.
//
// A path is a JSON pointer in which an item of a list is named by its name, as in
// /spec/containers/name=hub/env/name=TOKEN/value. A list whose items have no names
// is one field: its items move.
const AnnotationSensitive = "hubcap.dev/sensitive"

// AnnotationChecksums notes which digests on an object's pods were kept though
// rendering gives others: the JSON of a map from annotation to what is rendered.
const AnnotationChecksums = "hubcap.dev/checksums"

// maxRemembered bounds the annotation in bytes. An object with more has one path,
// the empty one: every text in it is sensitive.
const maxRemembered = 16 << 10

// openKeys are the fields of an object that the empty path leaves open: they tell
// what it is.
var openKeys = [][]string{
	{"apiVersion"}, {"kind"}, {"metadata", "name"}, {"metadata", "namespace"}, {"metadata", "labels"},
	{"metadata", "uid"}, {"metadata", "resourceVersion"}, {"metadata", "creationTimestamp"}, {"metadata", "managedFields"},
	{"metadata", "annotations", AnnotationSensitive}, {"metadata", "annotations", AnnotationApplied}, {"metadata", "annotations", AnnotationSeal},
	{"metadata", "annotations", ownMarks + "address"}, {"metadata", "annotations", ownMarks + "component"},
}

// RememberSensitive writes [AnnotationSensitive] on o, or removes it from one that
// holds nothing sensitive. The data of a Secret needs no remembering.
func RememberSensitive(o Object) {
	forget(o)
	paths := sensitivePaths(o)
	if len(paths) == 0 {
		return
	}
	text, err := json.Marshal(paths)
	if err != nil {
		panic(fmt.Sprintf("resource: encode a list of texts: %v", err))
	}
	if len(text) > maxRemembered {
		text = []byte(`[""]`)
	}
	o.Set(string(text), "metadata", "annotations", AnnotationSensitive)
}

// forget removes [AnnotationSensitive].
func forget(o Object) {
	notes, _ := annotationsOf(o)
	if _, has := notes[AnnotationSensitive]; !has {
		return
	}
	if delete(notes, AnnotationSensitive); len(notes) == 0 {
		delete(o["metadata"].(map[string]any), "annotations")
	}
}

func annotationsOf(o Object) (map[string]any, bool) {
	v, _ := o.Value("metadata", "annotations")
	notes, isMap := v.(map[string]any)
	return notes, isMap
}

// Remembered returns the paths that o remembers, and a digest of them that is not
// empty even where there are none: [Applied] has it, so that an annotation that
// somebody removed or changed is told from none.
func Remembered(o Object) (paths []string, digest string) {
	notes, _ := annotationsOf(o)
	text, _ := Reveal(notes[AnnotationSensitive]).(string)
	sum := sha256.Sum256([]byte(text))
	if json.Unmarshal([]byte(text), &paths) != nil {
		paths = nil
	}
	return paths, hex.EncodeToString(sum[:8])
}

// sensitivePaths returns the paths of the sensitive values of o, in order.
func sensitivePaths(o Object) []string {
	var paths []string
	top := map[string]any(o)
	if IsSecret(o) {
		top = make(map[string]any, len(o))
		for key, v := range o {
			if key != "data" && key != "stringData" {
				top[key] = v
			}
		}
	}
	if !HasSensitive(top) {
		return nil
	}
	walkSensitive(top, "", &paths)
	slices.Sort(paths)
	return slices.Compact(paths)
}

// IsSecret reports whether o is a Secret.
func IsSecret(o Object) bool {
	version := o.Text("apiVersion")
	return o.Text("kind") == "Secret" && (version == "v1" || version == "")
}

func walkSensitive(v any, at string, paths *[]string) {
	switch v := v.(type) {
	case map[string]any:
		for key, e := range v {
			walkSensitive(e, at+"/"+pointerEscape.Replace(key), paths)
		}
	case []any:
		for i, e := range v {
			if name, named := itemName(v, i); named {
				walkSensitive(e, at+"/name="+pointerEscape.Replace(name), paths)
			} else if HasSensitive(e) {
				*paths = append(*paths, at)
				return
			}
		}
	case Sensitive:
		*paths = append(*paths, at)
	}
}

// itemName returns the name of the i-th item of a list, if every item has one of
// its own.
func itemName(list []any, i int) (string, bool) {
	name := func(v any) string {
		m, _ := v.(map[string]any)
		text, _ := m["name"].(string)
		return text
	}
	own := name(list[i])
	for j, e := range list {
		if other := name(e); other == "" || i != j && other == own {
			return "", false
		}
	}
	return own, true
}

// HasSensitive reports whether there is a sensitive value in v.
func HasSensitive(v any) bool {
	switch v := v.(type) {
	case Sensitive:
		return true
	case Object:
		return HasSensitive(map[string]any(v))
	case map[string]any:
		for _, e := range v {
			if HasSensitive(e) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(v, HasSensitive)
	}
	return false
}

var (
	pointerEscape   = strings.NewReplacer("~", "~0", "/", "~1")
	pointerUnescape = strings.NewReplacer("~1", "/", "~0", "~")
)

// HideRemembered replaces, in place, what lies at the paths by what hide makes of
// it. Paths at which o has nothing are ignored.
func HideRemembered(o Object, paths []string, hide func(any) any) {
	for _, path := range paths {
		if path == "" {
			hideAll(map[string]any(o), nil, hide)
			continue
		}
		var keys []string
		for key := range strings.SplitSeq(strings.TrimPrefix(path, "/"), "/") {
			keys = append(keys, pointerUnescape.Replace(key))
		}
		hideAt(map[string]any(o), keys, hide)
	}
}

// KeepSensitive returns desired with every text marked that live remembers as
// sensitive and that is the same in both: a value does not stop to be a secret because
// the config says so no more. It is desired itself when there is none.
func KeepSensitive(desired, live Object) Object {
	paths, _ := Remembered(live)
	if len(paths) == 0 {
		return desired
	}
	hidden := live.Copy()
	HideRemembered(hidden, paths, Hide)
	kept := Object(markSame(map[string]any(desired), map[string]any(hidden)).(map[string]any))
	RememberSensitive(kept)
	return kept
}

// markSame returns a copy of v in which a text is sensitive that is so in like, at the
// same place and with the same value.
func markSame(v, like any) any {
	switch v := v.(type) {
	case map[string]any:
		other, _ := like.(map[string]any)
		c := make(map[string]any, len(v))
		for key, e := range v {
			c[key] = markSame(e, other[key])
		}
		return c
	case []any:
		other, _ := like.([]any)
		c := make([]any, len(v))
		for i, e := range v {
			c[i] = markSame(e, itemLike(v, other, i))
		}
		return c
	case string:
		if s, is := like.(Sensitive); is && s.Reveal() == v {
			return s
		}
	}
	return v
}

// hideAt hides what lies at keys below v. A list that is not as it was, so that
// nobody can tell which item is meant, is hidden whole.
func hideAt(v any, keys []string, hide func(any) any) any {
	if len(keys) == 0 {
		return hide(v)
	}
	switch v := v.(type) {
	case map[string]any:
		if e, has := v[keys[0]]; has {
			v[keys[0]] = hideAt(e, keys[1:], hide)
		}
	case []any:
		name, isNamed := strings.CutPrefix(keys[0], "name=")
		for i := range v {
			own, named := itemName(v, i)
			switch {
			case !isNamed || !named:
				v[i] = hide(v[i])
			case own == name:
				v[i] = hideAt(v[i], keys[1:], hide)
			}
		}
	default: // what was a map or a list is a single value now
		return hide(v)
	}
	return v
}

// hideAll hides every value of an object but those that tell what it is.
func hideAll(m map[string]any, at []string, hide func(any) any) {
	for key, e := range m {
		path := append(slices.Clone(at), key)
		isOpen := slices.ContainsFunc(openKeys, func(open []string) bool { return slices.Equal(open, path) })
		inner, isMap := e.(map[string]any)
		above := slices.ContainsFunc(openKeys, func(open []string) bool {
			return len(open) > len(path) && slices.Equal(open[:len(path)], path)
		})
		switch {
		case isOpen:
		case above && isMap:
			hideAll(inner, path, hide)
		default:
			m[key] = hide(e)
		}
	}
}

// HideUnknown replaces, in place, the texts of o of which nobody knows whether they
// are sensitive: those in fields that hold whatever an author puts there, unless
// desired, which may be nil, has the same text in the same place in the open. It is
// for objects of hubcap's that do not remember, or whose memory somebody changed.
func HideUnknown(o, desired Object, hide func(any) any) {
	builtIn := isBuiltIn(o.Text("apiVersion"))
	var walk func(v, like any, at []string) any
	walk = func(v, like any, at []string) any {
		switch v := v.(type) {
		case map[string]any:
			other, _ := like.(map[string]any)
			for key, e := range v {
				v[key] = walk(e, other[key], append(slices.Clone(at), key))
			}
		case []any:
			other, _ := like.([]any)
			for i, e := range v {
				v[i] = walk(e, itemLike(v, other, i), append(slices.Clone(at), strconv.Itoa(i)))
			}
		case string:
			if v != like && v != "" && isFree(at, builtIn) {
				return hide(v)
			}
		}
		return v
	}
	var like any
	if desired != nil {
		like = map[string]any(desired)
	}
	walk(map[string]any(o), like, nil)
}

// itemLike returns the item of other that is the i-th of list: by its name or,
// where there are none, its place.
func itemLike(list, other []any, i int) any {
	name, named := itemName(list, i)
	if !named {
		if i < len(other) && len(list) == len(other) {
			return other[i]
		}
		return nil
	}
	for j := range other {
		if own, _ := itemName(other, j); own == name {
			return other[j]
		}
	}
	return nil
}

// isBuiltIn reports whether objects of a version are Kubernetes' own, so that it is
// known which of their fields are free.
func isBuiltIn(apiVersion string) bool {
	group, _, has := strings.Cut(apiVersion, "/")
	return !has || !strings.Contains(group, ".") || strings.HasSuffix(group, ".k8s.io")
}

// freeFields are the fields of Kubernetes' own objects that hold whatever an author
// puts there; all that lies below them is free as well.
var freeFields = []string{
	"data", "binaryData", "stringData", "annotations", "command", "args", "httpHeaders", "url", "parameters",
	"value", "options", "volumeAttributes", "content", "literal",
}

// isFree reports whether a text at a path may be any text.
func isFree(at []string, builtIn bool) bool {
	for _, open := range openKeys {
		if len(at) >= len(open) && slices.Equal(open, at[:len(open)]) {
			return false
		}
	}
	if len(at) == 3 && at[1] == "annotations" && strings.HasPrefix(at[2], ownMarks) && at[2] != AnnotationChecksums {
		return false
	}
	return !builtIn || slices.ContainsFunc(at, func(key string) bool { return slices.Contains(freeFields, key) })
}
