package diff

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// listKeys are the keys by which the elements of a list are told apart, the
// first that every element has and no two share.
var listKeys = []string{"name", "pattern", "mountPath", "containerPort", "port", "key", "type", "ip", "host", "path"}

// listKey returns the key that names the elements of both lists, or "" when they
// are not lists of named maps.
func listKey(before, after []any) string {
	for _, key := range listKeys {
		if names(before, key) && names(after, key) {
			return key
		}
	}
	return ""
}

// names reports whether every element of list is a map with a value of its own
// at key.
func names(list []any, key string) bool {
	seen := make(map[string]bool, len(list))
	for _, e := range list {
		name, has := nameOf(e, key)
		if !has || seen[name] {
			return false
		}
		seen[name] = true
	}
	return true
}

func nameOf(element any, key string) (string, bool) {
	m, isMap := element.(map[string]any)
	if !isMap {
		return "", false
	}
	switch v := m[key].(type) {
	case string:
		return v, v != ""
	case int64, float64:
		return fmt.Sprint(v), true
	}
	return "", false
}

// keyed returns the elements by name, and the names in the order of the list.
func keyed(list []any, key string) (map[string]any, []string) {
	byName, order := make(map[string]any, len(list)), make([]string, 0, len(list))
	for _, e := range list {
		name, _ := nameOf(e, key)
		byName[name] = without(e, key)
		order = append(order, name)
	}
	return byName, order
}

// without returns the element without its name, which the path says, unless it
// has nothing else.
func without(element any, key string) any {
	m, _ := element.(map[string]any)
	if len(m) < 2 {
		return element
	}
	rest := maps.Clone(m)
	delete(rest, key)
	return rest
}

func texts(list []string) []any {
	values := make([]any, len(list))
	for i, s := range list {
		values[i] = s
	}
	return values
}

func sortedKeys(m map[string]bool) []string { return slices.Sorted(maps.Keys(m)) }

// join appends a key to a path: "spec.replicas", `data["a.py"]`.
func join(path, key string) string {
	switch {
	case !plain(key):
		return path + "[" + strconv.Quote(key) + "]"
	case path == "":
		return key
	default:
		return path + "." + key
	}
}

func plain(key string) bool {
	for _, r := range key {
		ok := r == '_' || r == '-' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		if !ok {
			return false
		}
	}
	return key != ""
}
