package chart

import (
	"fmt"

	helmchart "helm.sh/helm/v4/pkg/chart/v2"

	"hubcap/engine/resource"
)

// globalKey is the table that every chart hands down to its dependencies.
const globalKey = "global"

// nulls says what becomes of a null that overrides a default.
type nulls int

const (
	nullDeletes nulls = iota + 1 // the default and the null go away
	nullStays                    // the null is kept: a later merge will delete with it
)

// warnings collects what a merge had to ignore.
type warnings []string

func (w *warnings) add(format string, args ...any) { *w = append(*w, fmt.Sprintf(format, args...)) }

// Merge lays the table over on top of base, as Helm merges one values file with
// the next: tables are merged, everything else replaces, and a null stays until
// it meets the chart's defaults. Neither argument is changed.
func Merge(base, over map[string]any) map[string]any {
	out := copyTable(base)
	for key, value := range over {
		table, isTable := value.(map[string]any)
		below, wasTable := out[key].(map[string]any)
		if isTable && wasTable {
			out[key] = Merge(below, table)
			continue
		}
		out[key] = resource.CopyValue(value)
	}
	return out
}

// coalesce completes over with c's defaults and those of its dependencies. over
// is changed; it must belong to the caller.
func coalesce(c *helmchart.Chart, over map[string]any, n nulls, w *warnings) error {
	addDefaults(c, over, n, w)
	for _, child := range c.Dependencies() {
		table, isTable := over[child.Name()].(map[string]any)
		if value, isSet := over[child.Name()]; isSet && !isTable {
			return fmt.Errorf("values of the dependency %s of chart %s must be a table, not %T",
				child.Name(), c.Name(), value)
		}
		if table == nil {
			table = map[string]any{}
			over[child.Name()] = table
		}
		handDown(table, over, w)
		if err := coalesce(child, table, n, w); err != nil {
			return err
		}
	}
	return nil
}

// addDefaults completes over with the values.yaml of c alone.
func addDefaults(c *helmchart.Chart, over map[string]any, n nulls, w *warnings) {
	for key, value := range copyTable(c.Values) {
		set, isSet := over[key]
		switch {
		case !isSet:
			over[key] = value
		case set == nil && n == nullDeletes:
			delete(over, key)
		default:
			table, isTable := set.(map[string]any)
			below, belowIsTable := value.(map[string]any)
			if isTable && belowIsTable {
				// A null for a dependency has its own default to delete yet.
				if hasDependency(c, key) {
					fill(table, below, nullStays, w)
				} else {
					fill(table, below, n, w)
				}
			} else if isTable && value != nil {
				w.add("chart %s: the default of %s is not a table and was ignored", c.Name(), key)
			}
		}
	}
}

// fill completes over with the defaults in below, table by table. It may keep
// parts of below.
func fill(over, below map[string]any, n nulls, w *warnings) {
	deleted := map[string]bool{}
	if n == nullDeletes {
		for key, value := range over {
			if value == nil {
				delete(over, key)
				deleted[key] = true
			}
		}
	}
	for key, value := range below {
		set, isSet := over[key]
		if !isSet {
			if !deleted[key] {
				over[key] = value
			}
			continue
		}
		table, isTable := set.(map[string]any)
		belowTable, belowIsTable := value.(map[string]any)
		switch {
		case isTable && belowIsTable:
			fill(table, belowTable, n, w)
		case belowIsTable && set != nil:
			w.add("%s replaces a table by something else", key)
		case isTable && value != nil:
			w.add("the default of %s is not a table and was ignored", key)
		}
	}
}

// handDown copies the globals of a chart's values to those of a dependency. What
// stands higher wins.
func handDown(to, from map[string]any, w *warnings) {
	below, isTable := to[globalKey].(map[string]any)
	if value, isSet := to[globalKey]; isSet && !isTable {
		w.add("globals were not handed down: %s is a %T", globalKey, value)
		return
	}
	above, isTable := from[globalKey].(map[string]any)
	if value, isSet := from[globalKey]; isSet && !isTable {
		w.add("globals were not handed down: %s is a %T", globalKey, value)
		return
	}
	if below == nil {
		below = map[string]any{}
	}
	for key, value := range above {
		table, isTable := value.(map[string]any)
		belowTable, belowIsTable := below[key].(map[string]any)
		_, isSet := below[key]
		switch {
		case isTable && belowIsTable:
			merged := copyTable(table)
			fill(merged, belowTable, nullStays, w)
			below[key] = merged
		case isTable && isSet:
			w.add("global %s is a table above and none below; it was not handed down", key)
		case belowIsTable:
			w.add("global %s is a table below and none above; it was not handed down", key)
		default:
			below[key] = resource.CopyValue(value)
		}
	}
	to[globalKey] = below
}

func hasDependency(c *helmchart.Chart, name string) bool {
	for _, child := range c.Dependencies() {
		if child.Name() == name {
			return true
		}
	}
	return false
}

// copyTable returns a deep copy that is never nil.
func copyTable(table map[string]any) map[string]any {
	if table == nil {
		return map[string]any{}
	}
	return resource.CopyValue(table).(map[string]any)
}

// tableAt returns the table at a path of keys.
func tableAt(values map[string]any, keys []string) (map[string]any, bool) {
	for _, key := range keys {
		next, isTable := values[key].(map[string]any)
		if !isTable {
			return nil, false
		}
		values = next
	}
	return values, true
}
