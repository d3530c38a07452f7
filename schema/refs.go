package schema

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"hubcap/engine/resource"
)

// A target is what a reference to a block points at. It travels inside the
// reference's value, so that a reference survives locals, lists and modules.
type target struct {
	address resource.Address
	kind    string
	entry   entry
}

var targetType = cty.Capsule("reference", reflect.TypeFor[target]())

// MarshalJSON always fails, so that jsonencode refuses a reference.
func (*target) MarshalJSON() ([]byte, error) {
	return nil, errors.New("a reference is not a value: take one of its attributes")
}

// targetKey is the attribute that holds the target. No identifier is spelt so.
const targetKey = "@"

// reference makes the value that a reference to a block evaluates to: the plain
// attributes others can use, and the target. Of a block with errors only the
// target is known.
func reference(t *target, isBad bool) cty.Value {
	fields := t.entry.fields()
	fields["address"] = cty.StringVal(t.address.String())
	if isBad {
		for name, v := range fields {
			fields[name] = cty.UnknownVal(v.Type())
		}
	}
	fields[targetKey] = cty.CapsuleVal(targetType, t)
	return cty.ObjectVal(fields)
}

// targetOf returns what v refers to, or nil when v is not a reference.
func targetOf(v cty.Value) *target {
	v, _ = v.Unmark()
	if !isReferenceType(v.Type()) || v.IsNull() || !v.IsKnown() {
		return nil
	}
	capsule := v.GetAttr(targetKey)
	if capsule.IsNull() || !capsule.IsKnown() {
		return nil
	}
	return capsule.EncapsulatedValue().(*target)
}

func isReferenceType(t cty.Type) bool {
	return t.IsObjectType() && t.HasAttribute(targetKey) && t.AttributeType(targetKey) == targetType
}

// find returns the node that a traversal refers to, or reports that there is
// none.
func (l *loader) find(m *module, tr hcl.Traversal) *node {
	root := tr.RootName()
	at := tr.SourceRange()
	if root != "var" && root != "local" && root != "module" && kinds[root].decode == nil {
		l.errorAt(at, "Reference to an unknown name", "There is nothing called %s.%s%s",
			traversalText(tr), suggestion(root, append(slices.Collect(maps.Keys(kinds)), "var", "local", "module", "each")),
			" Write a text in quotes; a block is referred to as kind.name, as in node_pool.user.")
		return nil
	}
	if len(tr) < 2 {
		l.errorAt(at, "Incomplete reference", "Write which %s is meant: %s.name.", root, root)
		return nil
	}
	step, isName := tr[1].(hcl.TraverseAttr)
	if !isName {
		l.errorAt(at, "Incomplete reference", "Write %s.name; %s cannot be indexed.", root, root)
		return nil
	}
	if n := m.nodes[root+"."+step.Name]; n != nil {
		return n
	}
	l.errorAt(at, "Dangling reference", "There is no %s.%s%s", describe(root, step.Name), m.place(), suggestion(step.Name, m.names(root)))
	return nil
}

func describe(root, name string) string {
	switch root {
	case "var":
		return fmt.Sprintf("variable %q", name)
	case "local":
		return fmt.Sprintf("local value %q", name)
	default:
		return fmt.Sprintf("%s %q", root, name)
	}
}

// place ends a sentence that says where something was looked for.
func (m *module) place() string {
	if m.address == "" {
		return ""
	}
	return " Names of other modules are not seen in " + m.address + "."
}

// names returns the names of a kind, in the order of the files.
func (m *module) names(kind string) []string { return m.byKind[kind] }

// hasAttribute checks the attribute that a traversal takes of a reference, to
// suggest one where a name is near.
func (l *loader) hasAttribute(n *node, value cty.Value, tr hcl.Traversal) bool {
	if len(tr) < 3 {
		return true
	}
	if index, isIndex := tr[2].(hcl.TraverseIndex); isIndex && n.entries != nil {
		return l.hasInstance(n, value, tr, index.Key)
	}
	step, isName := tr[2].(hcl.TraverseAttr)
	if !isName || !isReferenceType(value.Type()) || value.Type().HasAttribute(step.Name) {
		return true
	}
	names := slices.Sorted(maps.Keys(value.Type().AttributeTypes()))
	names = slices.DeleteFunc(names, func(s string) bool { return s == targetKey })
	hint := suggestion(step.Name, names)
	if hint == "" {
		hint = " Others can use: " + strings.Join(names, ", ") + "."
	}
	l.errorAt(tr.SourceRange(), "Reference to an unknown attribute",
		"%s offers no attribute %q.%s", n.path(), step.Name, hint)
	return false
}

// hasInstance checks the key that a traversal takes of a block with for_each.
func (l *loader) hasInstance(n *node, value cty.Value, tr hcl.Traversal, key cty.Value) bool {
	t := value.Type()
	if !t.IsObjectType() || isReferenceType(t) || key.Type() != cty.String || t.HasAttribute(key.AsString()) {
		return true
	}
	keys := sortedKeys(t.AttributeTypes())
	l.errorAt(tr.SourceRange(), "Dangling reference", "%s has no instance %q.%s", n.path(), key.AsString(), suggestion(key.AsString(), keys))
	return false
}

func traversalText(tr hcl.Traversal) string {
	var s strings.Builder
	for _, step := range tr {
		switch step := step.(type) {
		case hcl.TraverseRoot:
			s.WriteString(step.Name)
		case hcl.TraverseAttr:
			s.WriteString("." + step.Name)
		default:
			return s.String()
		}
	}
	return s.String()
}

// Suggestion returns a sentence on the candidate that a misspelt name is near to, with
// a space before it, or "".
func Suggestion(name string, candidates []string) string { return suggestion(name, candidates) }

// suggestion is a sentence that offers the candidate nearest to name, with a
// space before it, or nothing when none is near.
func suggestion(name string, candidates []string) string {
	candidates = slices.Sorted(slices.Values(candidates))
	best, distance := "", 1+min(3, (len(name)+1)/3)
	for _, c := range candidates {
		if d := editDistance(name, c, distance); d < distance {
			best, distance = c, d
		}
	}
	if best == "" {
		for _, c := range candidates { // "autoscale" for "autoscaling", "size" for "size_gb"
			if len(name) >= 4 && (strings.HasPrefix(c, name) || strings.HasPrefix(name, c) && len(c) >= 4) {
				best = c
				break
			}
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" Did you mean %q?", best)
}

// editDistance counts the insertions, deletions, substitutions and swaps of
// neighbours that make b of a, without regard to case and to "-" for "_". It
// gives up at limit.
func editDistance(a, b string, limit int) int {
	a, b = strings.ToLower(strings.ReplaceAll(a, "-", "_")), strings.ToLower(strings.ReplaceAll(b, "-", "_"))
	if a == b {
		return 0
	}
	if abs(len(a)-len(b)) >= limit || len(a) > 200 {
		return limit
	}
	before, previous, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range previous {
		previous[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(row[j-1]+1, previous[j]+1, previous[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, previous, row = previous, row, before
	}
	return previous[len(b)]
}

func abs(n int) int { return max(n, -n) }
