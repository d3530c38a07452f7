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
}

// laying says how a setting goes over what values files say.
type laying int

const (
	replacing laying = iota + 1 // whatever is there goes
	merging                     // tables are merged
	appending                   // a list is continued
)

// A layers is the values of one chart, by who said them. Helm's users expect that
// what is more particular wins: files in order, then typed attributes, then the
// values written in the block itself.
type layers struct {
	files    []schema.ValuesFile
	settings []setting
	inline   map[string]any
}

// merged returns the values as the chart gets them.
func (l layers) merged() map[string]any { return chart.Merge(l.beneath(), l.inline) }

// written returns the values that files and the block itself give, without
// typed attributes.
func (l layers) written() map[string]any {
	values := map[string]any{}
	for _, f := range l.files {
		values = chart.Merge(values, f.Values)
	}
	return chart.Merge(values, l.inline)
}

// beneath returns all but the inline values.
func (l layers) beneath() map[string]any {
	values := map[string]any{}
	for _, f := range l.files {
		values = chart.Merge(values, f.Values)
	}
	for _, s := range l.settings {
		lay(values, s)
	}
	return values
}

func lay(values map[string]any, s setting) {
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
		list, _ := before.([]any)
		value = append(slices.Clone(list), value.([]any)...)
	}
	object.Set(value, s.path...)
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
	for _, s := range l.settings {
		for _, path := range leavesOf(s.path, s.value) {
			key := strings.Join(path, ".")
			was, _ := before.Value(path...)
			is, _ := after.Value(path...)
			if seen[key] || resource.Equal(was, is) {
				continue
			}
			seen[key] = true
			place := at(s.block, s.attr)
			diags = append(diags, warningAt(at(b, "values."+key), "Typed attribute overridden",
				fmt.Sprintf("values sets %s, which %s at %s:%d sets otherwise. The value in values wins; remove one of the two.",
					key, s.attr, place.Filename, place.Start.Line)))
		}
	}
	return diags
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
	return at(b, "chart"), "It is the chart's own default."
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
