package expand

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"hubcap/engine/chart"
	"hubcap/engine/resource"
	"hubcap/schema"
)

// A setting is one typed attribute as a chart value.
type setting struct {
	path  []string // from the top of the chart's values
	value any
	attr  string // of the block: "culling.timeout"
	lay   laying
	block schema.Block // that said it; a repo_limit is a block of its own

	// rivals are the other places where values can say the same, and that win
	// over path in the program that reads them.
	rivals []rival
	// inherits are the places where an appending setting finds the list that it
	// continues when there is none at path: the same trait of the classes above.
	inherits [][]string
}

// A rival is a place that wins over a setting's, and the setting's value there.
type rival struct {
	path  []string
	value any
}

// laying says how a setting goes over what stands beneath it.
type laying int

const (
	replacing laying = iota + 1 // whatever is there goes
	merging                     // tables are merged
	appending                   // a list is continued, whoever says it
	removing                    // what is there goes, and nothing takes its place
	naming                      // environment variables: a table of them by name, or a list that is continued
)

// continues reports whether a setting adds to what all layers say, values written
// in the block itself included.
func (s setting) continues() bool { return s.lay == appending || s.lay == naming }

// A layers is the values of one chart, by who said them. Helm's users expect that
// what is more particular wins: the chart's defaults, files in order, then typed
// attributes, then the values written in the block itself. Lists that a typed
// attribute adds to are continued after all of these.
type layers struct {
	defaults resource.Object // the chart's own; never changed
	files    []schema.ValuesFile
	settings []setting
	inline   map[string]any
}

// merged returns the values as the chart gets them.
func (l layers) merged() map[string]any {
	values := chart.Merge(l.beneath(), l.inline)
	for _, s := range l.settings {
		if s.continues() {
			l.lay(values, s)
		}
	}
	return values
}

// written returns the values that files and the block itself give, without
// typed attributes.
func (l layers) written() map[string]any { return chart.Merge(l.filed(), l.inline) }

// filed returns the values that files give.
func (l layers) filed() map[string]any {
	values := map[string]any{}
	for _, f := range l.files {
		values = chart.Merge(values, f.Values)
	}
	return values
}

// beneath returns all but the inline values and the lists that go on after them.
func (l layers) beneath() map[string]any {
	values := l.filed()
	for _, s := range l.settings {
		if !s.continues() {
			l.lay(values, s)
		}
	}
	return values
}

func (l layers) lay(values map[string]any, s setting) {
	object := resource.Object(values)
	before, _ := object.Value(s.path...)
	value := resource.CopyValue(s.value)
	switch s.lay {
	case merging:
		below, isTable := before.(map[string]any)
		over, isOver := value.(map[string]any)
		if isTable && isOver {
			value = chart.Merge(below, over)
		}
	case appending:
		list, _ := l.beneathOf(object, s).([]any)
		value = append(slices.Clone(list), value.([]any)...)
	case naming:
		value = named(l.beneathOf(object, s), value.(map[string]any))
	}
	if s.lay == removing {
		delete(parentOf(object, s.path), s.path[len(s.path)-1])
		return
	}
	object.Set(value, s.path...)
}

// parentOf returns the table that holds the last key of a path, nil without one.
func parentOf(o resource.Object, path []string) map[string]any {
	if len(path) == 1 {
		return o
	}
	v, _ := o.Value(path[:len(path)-1]...)
	table, _ := v.(map[string]any)
	return table
}

// beneathOf returns what a continuing setting continues: what values say at its
// path, or else the chart's defaults, or else the same for what it inherits.
func (l layers) beneathOf(values resource.Object, s setting) any {
	for _, path := range append([][]string{s.path}, s.inherits...) {
		if v, isSet := values.Value(path...); isSet {
			return resource.CopyValue(v)
		}
		if v, isSet := l.defaults.Value(path...); isSet && v != nil {
			return resource.CopyValue(v)
		}
	}
	return nil
}

// named adds variables to an environment in either of the ways in which charts
// take one.
func named(environment any, variables map[string]any) any {
	list, isList := environment.([]any)
	if !isList {
		table, _ := environment.(map[string]any)
		return chart.Merge(table, variables)
	}
	list = slices.DeleteFunc(slices.Clone(list), func(entry any) bool {
		table, _ := entry.(map[string]any)
		_, isOurs := variables[resource.Object(table).Text("name")]
		return isOurs
	})
	for _, name := range sortedKeys(variables) {
		list = append(list, map[string]any{"name": name, "value": variables[name]})
	}
	return list
}

// resolve adds what makes typed attributes win over the same said in another
// place of a lower layer: chart and files. A setting that adds to what there is
// does so there too, whoever said it.
func (l *layers) resolve() {
	filed, written := resource.Object(l.filed()), resource.Object(l.written())
	var found []setting
	for _, s := range l.settings {
		for _, r := range s.rivals {
			below := filed
			if s.lay != replacing {
				below = written
			}
			said, isSet := below.Value(r.path...)
			_, isDefault := l.defaults.Value(r.path...)
			if !isSet {
				said, _ = l.defaults.Value(r.path...)
			}
			if said == nil || resource.Equal(said, r.value) {
				continue
			}
			if table, isTable := said.(map[string]any); isTable && len(table) == 0 {
				continue
			}
			over := setting{path: r.path, value: r.value, attr: s.attr, lay: s.lay, block: s.block}
			if r.value == nil && !isDefault {
				over.lay = removing
			}
			found = append(found, over)
		}
	}
	l.settings = append(l.settings, found...)
}

// overridden returns a warning for every typed attribute that the inline values
// change into something else.
func (l layers) overridden(b schema.Block) hcl.Diagnostics {
	if len(l.inline) == 0 {
		return nil
	}
	before, after := resource.Object(l.beneath()), resource.Object(l.merged())
	var diags hcl.Diagnostics
	seen := map[string]bool{}
	warn := func(s setting, path []string) {
		key := strings.Join(path, ".")
		if seen[key] {
			return
		}
		seen[key] = true
		place := at(s.block, s.attr)
		diags = append(diags, warningAt(at(b, "values."+key), "Typed attribute overridden",
			fmt.Sprintf("values sets %s, which %s at %s:%d sets otherwise. The value in values wins; remove one of the two.",
				key, s.attr, place.Filename, place.Start.Line)))
	}
	for _, s := range l.settings {
		if s.continues() {
			continue
		}
		for _, path := range leavesOf(s.path, s.value) {
			was, _ := before.Value(path...)
			is, _ := after.Value(path...)
			if !resource.Equal(was, is) {
				warn(s, path)
			}
		}
		for _, r := range s.rivals {
			for _, path := range leavesOf(r.path, r.value) {
				said, isSet := resource.Object(l.inline).Value(path...)
				wanted, _ := resource.Object(only(r.path, r.value)).Value(path...)
				if isSet && said != nil && !resource.Equal(said, wanted) {
					warn(s, path)
				}
			}
		}
	}
	return diags
}

// only returns a value at a path, with nothing else.
func only(path []string, value any) map[string]any {
	o := resource.Object{}
	o.Set(value, path...)
	return o
}

// leavesOf returns the paths of the leaves of value, which lies at path.
func leavesOf(path []string, value any) [][]string {
	table, isTable := value.(map[string]any)
	if !isTable || len(table) == 0 {
		return [][]string{path}
	}
	var all [][]string
	for _, key := range sortedKeys(table) {
		all = append(all, leavesOf(append(slices.Clone(path), key), table[key])...)
	}
	return all
}

// blame returns who said the value at path, and in words where, for a value that
// the chart's schema does not allow.
func (l layers) blame(b schema.Block, path []string) (*hcl.Range, string) {
	if reaches(l.inline, path) {
		return at(b, "values."+strings.Join(path, ".")), "It is set in values."
	}
	for _, s := range slices.Backward(l.settings) {
		n := min(len(path), len(s.path))
		if n > 0 && slices.Equal(path[:n], s.path[:n]) {
			return at(s.block, s.attr), fmt.Sprintf("It is set by %s.", s.attr)
		}
	}
	for _, f := range slices.Backward(l.files) {
		if reaches(f.Values, path) {
			return at(b, "values_files"), fmt.Sprintf("It is set in %s.", f.Path)
		}
	}
	if l.defaults != nil && !reaches(l.defaults, path) {
		return at(b, "chart"), "Nothing sets it."
	}
	return at(b, "chart"), "It is the chart's own default."
}

// meant returns a sentence on the value that was meant by a misspelt one, "" when
// none of the chart's is near.
func (l layers) meant(path []string) string {
	known := map[string]any(l.defaults)
	if len(path) > 1 {
		value, _ := l.defaults.Value(path[:len(path)-1]...)
		known, _ = value.(map[string]any)
	}
	return schema.Suggestion(path[len(path)-1], sortedKeys(known))
}

// reaches reports whether values says something at path, or cuts it short.
func reaches(values map[string]any, path []string) bool {
	for i, key := range path {
		value, isSet := values[key]
		if !isSet {
			return false
		}
		next, isTable := value.(map[string]any)
		if !isTable {
			return true
		}
		if i == len(path)-1 {
			return true
		}
		values = next
	}
	return len(path) > 0
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
