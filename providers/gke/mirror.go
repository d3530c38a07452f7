package gke

import (
	"slices"

	"hubcap/engine/resource"
)

// mirror returns what live has in the fields that want names, in want's own
// spelling where the two agree, so that mirror equals want exactly when nothing
// differs. A field that live lacks is there with its zero value: wanting the
// mirror again puts it back to zero. owned are entries of live that want lacks
// and that hubcap once wrote; the mirror has them, too.
func mirror(want, live resource.Object, owned []leaf) resource.Object {
	m := reflected(map[string]any(want), map[string]any(live), "").(map[string]any)
	for _, l := range owned {
		addEntry(m, live, l)
	}
	return m
}

func reflected(want, live any, path string) any {
	switch {
	case slices.Contains(ignored, path):
		return resource.CopyValue(want)
	case slices.Contains(entries, path):
		return reflectEntries(want, live, path)
	case slices.Contains(sets, path):
		return reflectLeaf(want, live, sorted)
	}
	wm, isMap := want.(map[string]any)
	if !isMap {
		return reflectLeaf(want, live, func(v any) []any { return []any{canonicalAt(path, v)} })
	}
	lm, _ := live.(map[string]any)
	m := make(map[string]any, len(wm))
	for key, value := range wm {
		m[key] = reflected(value, lm[key], join(path, key))
	}
	return m
}

// reflectLeaf returns live's value, in want's spelling if comparing by key makes
// them equal.
func reflectLeaf(want, live any, key func(any) []any) any {
	if resource.Equal(any(key(want)), any(key(live))) {
		return resource.CopyValue(want)
	}
	if live == nil {
		return zeroOf(want)
	}
	if _, isSensitive := want.(resource.Sensitive); isSensitive {
		if text, isText := live.(string); isText {
			return resource.Secret(text)
		}
	}
	return resource.CopyValue(live)
}

func zeroOf(v any) any {
	switch v.(type) {
	case bool:
		return false
	case int64:
		return int64(0)
	case float64:
		return float64(0)
	case []any:
		return []any{}
	case nil:
		return nil
	}
	return ""
}

// reflectEntries returns those entries of live that want has, too.
func reflectEntries(want, live any, path string) any {
	have := entriesOf(path, live)
	switch want := want.(type) {
	case map[string]any:
		m := map[string]any{}
		for key, value := range want {
			text, isThere := have[key]
			switch {
			case isNote(key) && path == "config.resourceLabels":
				m[key] = value
			case !isThere:
			case text == canonicalText(value):
				m[key] = value
			default:
				m[key] = reflectLeaf(value, text, func(v any) []any { return []any{v} })
			}
		}
		return m
	case []any:
		list := []any{}
		for _, e := range want {
			key, t := e, map[string]any(nil)
			if taint, isTaint := e.(map[string]any); isTaint {
				key, t = taintKey(taint), taint
			}
			name, _ := key.(string)
			value, isThere := have[name]
			switch {
			case !isThere:
			case t == nil || canonicalText(t["value"]) == value:
				list = append(list, resource.CopyValue(e))
			default:
				list = append(list, map[string]any{"key": t["key"], "value": value, "effect": t["effect"]})
			}
		}
		return list
	}
	return resource.CopyValue(want)
}

// addEntry copies one entry of live into m.
func addEntry(m map[string]any, live resource.Object, l leaf) {
	name := l.field[len("config."):]
	config, isMap := m["config"].(map[string]any)
	if !isMap {
		config = map[string]any{}
		m["config"] = config
	}
	have, _ := live.Value("config", name)
	switch have := have.(type) {
	case map[string]any:
		into, isMap := config[name].(map[string]any)
		if !isMap {
			into = map[string]any{}
			config[name] = into
		}
		into[l.entry] = have[l.entry]
	case []any:
		into, _ := config[name].([]any)
		for _, e := range have {
			t, isTaint := e.(map[string]any)
			if isTaint && taintKey(t) == l.entry || !isTaint && e == l.entry {
				into = append(into, resource.CopyValue(e))
			}
		}
		config[name] = into
	}
}
