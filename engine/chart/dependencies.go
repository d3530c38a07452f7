package chart

import (
	"fmt"
	"slices"
	"strings"

	helmchart "helm.sh/helm/v4/pkg/chart/v2"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
)

// provided reports whether c holds the chart that need names.
func provided(c *helmchart.Chart, need *helmchart.Dependency) bool {
	return find(c, need) != nil
}

func find(c *helmchart.Chart, need *helmchart.Dependency) *helmchart.Chart {
	for _, child := range c.Dependencies() {
		if child.Name() == need.Name && chartutil.IsCompatibleRange(need.Version, child.Metadata.Version) {
			return child
		}
	}
	return nil
}

// resolve gives c, a clone, the dependencies that it has with these values:
// aliases get their names, and what a condition or a tag turns off goes away.
// prefix is the path of c's own values within values, "" or "a.b.".
func resolve(c *helmchart.Chart, values map[string]any, prefix string, w *warnings) error {
	if len(c.Metadata.Dependencies) == 0 {
		return nil
	}
	missing := alias(c)
	merged := copyTable(values)
	if err := coalesce(c, merged, nullDeletes, w); err != nil {
		return err
	}
	disabled := map[string]bool{}
	for _, need := range c.Metadata.Dependencies {
		need.Enabled = enabled(need, merged, prefix)
		if !need.Enabled {
			disabled[need.Name] = true
		}
	}
	for _, m := range missing {
		if !disabled[m.name] {
			return fmt.Errorf("chart %s needs the chart %s", c.Name(), m.why)
		}
	}
	isOff := func(need *helmchart.Dependency) bool { return disabled[need.Name] }
	c.Metadata.Dependencies = slices.DeleteFunc(c.Metadata.Dependencies, isOff)
	children := slices.DeleteFunc(slices.Clone(c.Dependencies()), func(child *helmchart.Chart) bool {
		return disabled[child.Name()]
	})
	c.SetDependencies(children...)
	for _, child := range children {
		if err := resolve(child, merged, prefix+child.Name()+".", w); err != nil {
			return err
		}
	}
	return nil
}

// A lack is an entry of a Chart.yaml that no chart fits.
type lack struct{ name, why string }

// lackOf words why no chart of c fits an entry: there is none, or one of another version.
func lackOf(c *helmchart.Chart, need *helmchart.Dependency) string {
	var versions []string
	for _, child := range c.Dependencies() {
		if child.Name() == need.Name {
			versions = append(versions, child.Metadata.Version)
		}
	}
	if len(versions) == 0 {
		return need.Name + ", which is not in its charts folder (helm dependency build)"
	}
	return fmt.Sprintf("%s in version %s, and its charts folder has %s (helm dependency update fetches the other, or Chart.yaml has to name this one)",
		need.Name, need.Version, strings.Join(versions, " and "))
}

// alias replaces c's dependencies by one copy per entry of its Chart.yaml, under
// the entry's alias, and keeps those that no entry names. It returns the entries that
// no chart fits.
func alias(c *helmchart.Chart) (missing []lack) {
	var children []*helmchart.Chart
	for _, child := range c.Dependencies() {
		named := slices.ContainsFunc(c.Metadata.Dependencies, func(need *helmchart.Dependency) bool {
			return need.Name == child.Name() && chartutil.IsCompatibleRange(need.Version, child.Metadata.Version)
		})
		if !named {
			children = append(children, child)
		}
	}
	for _, need := range c.Metadata.Dependencies {
		child, why := find(c, need), lackOf(c, need)
		if need.Alias != "" {
			need.Name = need.Alias
		}
		if child == nil {
			missing = append(missing, lack{need.Name, why})
			continue
		}
		child = clone(child)
		if need.Alias != "" {
			child.Metadata.Name = need.Alias
		}
		children = append(children, child)
	}
	c.SetDependencies(children...)
	return missing
}

// enabled decides by the first condition that is a bool, else by the tags.
func enabled(need *helmchart.Dependency, values map[string]any, prefix string) bool {
	for condition := range strings.SplitSeq(strings.TrimSpace(need.Condition), ",") {
		if condition == "" {
			continue
		}
		keys := strings.Split(prefix+condition, ".")
		table, isTable := tableAt(values, keys[:len(keys)-1])
		if !isTable {
			continue
		}
		if on, isBool := table[keys[len(keys)-1]].(bool); isBool {
			return on
		}
	}
	tags, _ := values["tags"].(map[string]any)
	someOff := false
	for _, tag := range need.Tags {
		if on, isBool := tags[tag].(bool); isBool {
			if on {
				return true
			}
			someOff = true
		}
	}
	return !someOff
}

// importValues merges what charts import from their dependencies into their own
// defaults, innermost charts first. c is a clone.
func importValues(c *helmchart.Chart, w *warnings) error {
	for _, child := range c.Dependencies() {
		if err := importValues(child, w); err != nil {
			return err
		}
	}
	if len(c.Metadata.Dependencies) == 0 {
		return nil
	}
	merged := map[string]any{}
	if err := coalesce(c, merged, nullStays, w); err != nil {
		return err
	}
	imported := map[string]any{}
	for _, need := range c.Metadata.Dependencies {
		for _, entry := range need.ImportValues {
			from, to, isEntry := importEntry(entry)
			if !isEntry {
				continue
			}
			table, isTable := tableAt(merged, append([]string{need.Name}, from...))
			if !isTable {
				w.add("chart %s imports %s from %s, which has no such table", c.Name(), strings.Join(from, "."), need.Name)
				continue
			}
			fill(imported, nest(to, copyTable(table)), nullStays, w)
		}
	}
	// What the chart says itself wins over what it imports.
	fill(merged, imported, nullStays, w)
	c.Values = merged
	return nil
}

// importEntry reads one entry of import-values: a name under exports, or a pair
// of paths.
func importEntry(entry any) (from, to []string, isEntry bool) {
	switch entry := entry.(type) {
	case string:
		return append([]string{"exports"}, strings.Split(entry, ".")...), nil, true
	case map[string]any:
		child, _ := entry["child"].(string)
		parent, _ := entry["parent"].(string)
		if parent != "." {
			to = strings.Split(parent, ".")
		}
		return strings.Split(child, "."), to, child != "" && parent != ""
	}
	return nil, nil, false
}

// nest puts table under a path of keys.
func nest(keys []string, table map[string]any) map[string]any {
	for _, key := range slices.Backward(keys) {
		table = map[string]any{key: table}
	}
	return table
}
