package render

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"hubcap/engine/plan"
	"hubcap/engine/resource"
)

// secrets gives each sensitive value of one plan a name that says nothing but
// which values are the same: "secret#1". Names go by order of appearance.
type secrets map[string]string

func (n secrets) name(key string) string {
	name, known := n[key]
	if !known {
		name = "secret#" + strconv.Itoa(len(n)+1)
		n[key] = name
	}
	return name
}

// maskOf returns the name of v if v is sensitive, in memory or as a plan file
// words it.
func (n secrets) maskOf(v any) (string, bool) {
	switch v := v.(type) {
	case resource.Sensitive:
		return n.name(v.Reveal()), true
	case plan.Masked:
		if v.Digest == "" {
			return "secret", true
		}
		return n.name(v.Digest), true
	}
	return "", false
}

// value words one leaf in one line, for people.
func (n secrets) value(v any) string {
	if mask, isMask := n.maskOf(v); isMask {
		return mask
	}
	switch v := v.(type) {
	case nil:
		return "(none)"
	case string:
		return quote(v)
	case bool, int, int64:
		return fmt.Sprint(v)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case map[string]any:
		if len(v) == 0 {
			return "{}"
		}
		var parts []string
		for _, k := range slices.Sorted(maps.Keys(v)) {
			parts = append(parts, clean(k)+": "+n.value(v[k]))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case []any:
		var parts []string
		for _, e := range v {
			parts = append(parts, n.value(e))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	return clean(fmt.Sprint(v))
}

// quote leaves a plain word bare and quotes all else; a text of many lines
// becomes its size.
func quote(s string) string {
	if lines := strings.Count(strings.TrimSuffix(s, "\n"), "\n") + 1; lines > 1 {
		return fmt.Sprintf("(%d lines)", lines)
	}
	if s == "" || strings.ContainsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || r == '"' }) {
		return clean(strconv.Quote(s))
	}
	return clean(s)
}

// mask returns v with every sensitive value replaced by an object that names it,
// fit for encoding as JSON.
func (n secrets) mask(v any) any {
	if mask, isMask := n.maskOf(v); isMask {
		return map[string]any{"sensitive": true, "name": mask}
	}
	switch v := v.(type) {
	case map[string]any:
		c := make(map[string]any, len(v))
		for _, k := range slices.Sorted(maps.Keys(v)) {
			c[k] = n.mask(v[k])
		}
		return c
	case resource.Object:
		if v == nil {
			return nil
		}
		return n.mask(map[string]any(v))
	case []any:
		c := make([]any, len(v))
		for i, e := range v {
			c[i] = n.mask(e)
		}
		return c
	}
	return v
}

// leaf is one value of an object and where it is.
type leaf struct {
	path  string
	value any
}

// leaves flattens v; an empty map or list is a leaf of its own.
func leaves(path string, v any) []leaf {
	switch v := v.(type) {
	case resource.Object:
		return leaves(path, map[string]any(v))
	case map[string]any:
		if len(v) == 0 {
			break
		}
		var out []leaf
		for _, k := range slices.Sorted(maps.Keys(v)) {
			out = append(out, leaves(join(path, k), v[k])...)
		}
		return out
	case []any:
		if len(v) == 0 || isFlat(v) {
			break
		}
		var out []leaf
		for i, e := range v {
			out = append(out, leaves(fmt.Sprintf("%s[%s]", path, element(e, i)), e)...)
		}
		return out
	}
	return []leaf{{path, v}}
}

// element names an element of a list by its name, as Kubernetes merges lists,
// or by its index.
func element(e any, i int) string {
	if m, isMap := e.(map[string]any); isMap {
		if name, isText := m["name"].(string); isText && name != "" {
			return name
		}
	}
	return strconv.Itoa(i)
}

func isFlat(list []any) bool {
	return !slices.ContainsFunc(list, func(e any) bool {
		switch e := e.(type) {
		case map[string]any, []any:
			return true
		case string:
			return strings.Contains(e, "\n")
		}
		return false
	})
}

func join(path, key string) string {
	if strings.ContainsFunc(key, special) {
		return path + "[" + strconv.Quote(key) + "]"
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

// special tells whether a key with r in it stands in brackets, as in a field's
// path.
func special(r rune) bool {
	return r != '_' && r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
}

// segments splits a path into keys and brackets: "spec", "containers", "[hub]".
func segments(path string) []string {
	var out []string
	depth, start := 0, 0
	for i, r := range path {
		switch {
		case r == '[':
			if depth == 0 && i > start {
				out = append(out, path[start:i])
			}
			if depth == 0 {
				start = i
			}
			depth++
		case r == ']':
			if depth--; depth == 0 {
				out = append(out, path[start:i+1])
				start = i + 1
			}
		case r == '.' && depth == 0:
			if i > start {
				out = append(out, path[start:i])
			}
			start = i + 1
		}
	}
	if start < len(path) {
		out = append(out, path[start:])
	}
	return out
}

// keyed are the maps whose keys say enough without the map's name.
var keyed = []string{"data", "binaryData", "stringData", "annotations", "labels"}

// lastName is the shortest name of the field at path that people understand:
// "image", "jupyterhub_config.py", "containers[hub]".
func lastName(path string) string {
	segs := segments(path)
	if len(segs) == 0 {
		return clean(path)
	}
	last := segs[len(segs)-1]
	if !strings.HasPrefix(last, "[") {
		// A key with dots that was not put in brackets, below data.
		for i, seg := range segs[:len(segs)-1] {
			if slices.Contains(keyed, seg) && i <= 1 {
				return clean(strings.Join(segs[i+1:], "."))
			}
		}
		return clean(last)
	}
	inner := strings.Trim(last, `[]"`)
	if len(segs) > 1 && slices.Contains(keyed, segs[len(segs)-2]) {
		return clean(inner)
	}
	switch {
	case len(segs) > 1:
		return clean(segs[len(segs)-2] + last)
	case inner == "":
		return clean(path)
	}
	return clean(inner)
}

// chartValue matches a field inside the text that holds a chart's values.
var chartValue = regexp.MustCompile(`^data\["[^"]+\.ya?ml"\]\.(.+)$`)

// variable matches the value of an environment variable, which its name tells.
var variable = regexp.MustCompile(`\.env\[([^\]]+)\]\.value$`)

// namedElement matches the element of a list that has a name, the last one.
var namedElement = regexp.MustCompile(`\[([^\]]*[^\]0-9][^\]]*)\]\.([^\[]+)$`)

// valueName names a chart's value: its path where that is short, and "quota of
// user/repo" where it belongs to something that has a name.
func valueName(path string) string {
	if m := namedElement.FindStringSubmatch(path); m != nil {
		of := strings.TrimSuffix(strings.TrimSuffix(strings.TrimPrefix(m[1], "^"), ".*"), "/")
		return clean(lastName(m[2]) + " of " + strings.ReplaceAll(of, `\`, ""))
	}
	segs := segments(path)
	return clean(strings.Join(segs[max(0, len(segs)-2):], "."))
}

// shortName is the whole path where that is short and says more than its end:
// "local_ssd.count".
func shortName(path string) string {
	if m := chartValue.FindStringSubmatch(path); m != nil {
		return valueName(m[1])
	}
	if m := variable.FindStringSubmatch(path); m != nil {
		return clean(m[1])
	}
	if segs := segments(path); len(segs) == 2 && segs[0] != "spec" && !slices.Contains(keyed, segs[0]) {
		return clean(path)
	}
	return lastName(path)
}

// encode writes v as indented JSON with a newline at its end. What reorders text
// or cannot be seen is escaped.
func encode(v any) ([]byte, error) {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	var out []byte
	for _, r := range b.String() {
		if r < 0x7f || unicode.IsPrint(r) {
			out = utf8.AppendRune(out, r)
			continue
		}
		for _, unit := range utf16.AppendRune(nil, r) {
			out = fmt.Appendf(out, `\u%04x`, unit)
		}
	}
	return out, nil
}
