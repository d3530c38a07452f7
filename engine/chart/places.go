package chart

import (
	"slices"

	helmchart "helm.sh/helm/v4/pkg/chart/v2"
)

// Knows reports whether the chart, or the dependency that the keys lead to, names
// a value in its values.yaml. A null counts, and so does whatever lies in a table
// that is empty there: its author leaves it to others to fill. A chart that has
// neither values nor dependencies says nothing of what it knows.
func (c *Chart) Knows(keys ...string) bool { return knows(c.root, keys) }

func knows(c *helmchart.Chart, keys []string) bool {
	if len(c.Values) == 0 && len(c.Dependencies()) == 0 {
		return true
	}
	isBelow := false
	for _, child := range c.Dependencies() {
		if len(keys) > 0 && keyOf(c, child) == keys[0] {
			isBelow = true
			if len(keys) == 1 || knows(child, keys[1:]) {
				return true
			}
		}
	}
	return named(c.Values, keys, !isBelow)
}

// named reports whether a table has something at a path. With open, an empty
// table on the way has everything.
func named(table map[string]any, keys []string, open bool) bool {
	for i, key := range keys {
		value, isSet := table[key]
		if !isSet {
			return false
		}
		if i == len(keys)-1 {
			return true
		}
		next, isTable := value.(map[string]any)
		if !isTable {
			return false
		}
		if len(next) == 0 {
			return open
		}
		table = next
	}
	return true
}

// NameAt returns the name of the dependency whose values lie at keys, of the chart
// itself for none, and "" where there is no dependency.
func (c *Chart) NameAt(keys ...string) string {
	at := c.root
	for _, key := range keys {
		children := at.Dependencies()
		i := slices.IndexFunc(children, func(child *helmchart.Chart) bool { return keyOf(at, child) == key })
		if i < 0 {
			return ""
		}
		at = children[i]
	}
	return at.Name()
}

// Places returns the keys under which the values of all dependencies lie, the
// nearest first.
func (c *Chart) Places() [][]string {
	type place struct {
		chart *helmchart.Chart
		keys  []string
	}
	var all [][]string
	for queue := []place{{chart: c.root}}; len(queue) > 0; queue = queue[1:] {
		at := queue[0]
		if len(at.keys) > 0 {
			all = append(all, at.keys)
		}
		for _, child := range at.chart.Dependencies() {
			queue = append(queue, place{child, append(slices.Clone(at.keys), keyOf(at.chart, child))})
		}
	}
	return all
}

// Defaults returns the values that the chart has when its user says nothing, with
// those of all dependencies, whether or not they are switched on. It must not be
// changed.
func (c *Chart) Defaults() map[string]any {
	c.defaulting.Do(func() {
		root := clone(c.root)
		aliasAll(root)
		c.defaults = map[string]any{}
		var ignored warnings
		if err := coalesce(root, c.defaults, nullDeletes, &ignored); err != nil {
			c.defaults = map[string]any{} // rendering says what is wrong
		}
	})
	return c.defaults
}

func aliasAll(c *helmchart.Chart) {
	alias(c)
	for _, child := range c.Dependencies() {
		aliasAll(child)
	}
}
