package schema

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"hubcap/engine/resource"
)

// What an expression makes of a sensitive value is marked, but for the keys of objects
// and the structure of texts that are read as YAML, which bear no marks. There the expression is
// evaluated a second time, with stand-ins in the place of sensitive values (see
// [resource.StandIn]): what differs is made of one.

// hidden marks a value as sensitive.
func (l *loader) hidden(value cty.Value) cty.Value {
	l.rememberSecret(value)
	return l.marked(value)
}

// marked marks a value that the sensitive texts stand in, without listing it as one.
func (l *loader) marked(value cty.Value) cty.Value {
	l.made++
	if l.standIn {
		value = standInValue(value)
	}
	return value.Mark(secretly)
}

// standInValue returns a value with others in the place of its leaves. What is marked is a
// stand-in already.
func standInValue(v cty.Value) cty.Value {
	if v.IsMarked() || v.IsNull() || !v.IsKnown() {
		return v
	}
	switch t := v.Type(); {
	case t == cty.String:
		return cty.StringVal(resource.StandIn(v.AsString()))
	case t == cty.Bool:
		return v.Not()
	case t == cty.Number:
		other, err := cty.ParseNumberVal(resource.StandIn(v.AsBigFloat().Text('f', -1)))
		if err != nil {
			return v.Add(cty.NumberIntVal(1))
		}
		return other
	case !v.CanIterateElements() || v.LengthInt() == 0 || isReferenceType(t):
		return v
	case t.IsObjectType(), t.IsMapType():
		fields := v.AsValueMap()
		for key, e := range fields {
			fields[key] = standInValue(e)
		}
		if t.IsMapType() {
			return cty.MapVal(fields)
		}
		return cty.ObjectVal(fields)
	default:
		var elements []cty.Value
		for it := v.ElementIterator(); it.Next(); {
			_, e := it.Element()
			elements = append(elements, standInValue(e))
		}
		switch {
		case t.IsListType():
			return cty.ListVal(elements)
		case t.IsSetType():
			return cty.SetVal(elements)
		}
		return cty.TupleVal(elements)
	}
}

// standIns returns the loader of the config with stand-ins.
func (l *loader) standIns() *loader {
	if l.second == nil {
		s := newLoader(l.opts)
		s.standIn, s.given, s.printed, s.outside = true, l.given, l.printed, l.outside
		for name, src := range l.sources {
			bare := *src
			bare.functions = nil
			s.sources[name] = &bare
		}
		s.root = s.instantiate(s.sources[l.root.source.name], nil)
		l.second = s
	}
	return l.second
}

// evaluateSecond evaluates an expression with stand-ins. It reports false when that fails.
func (l *loader) evaluateSecond(sc scope, expr hcl.Expression) (cty.Value, bool) {
	s := l.standIns()
	other, ok := s.scopeLike(sc)
	if !ok {
		return cty.DynamicVal, false
	}
	res := s.eval(other, expr)
	return res.Value, !res.poisoned()
}

// scopeLike returns the scope that corresponds to one of the first loader.
func (l *loader) scopeLike(sc scope) (scope, bool) {
	m := l.moduleLike(sc.module)
	if m == nil {
		return scope{}, false
	}
	other := scope{module: m, each: sc.each, over: sc.over, name: sc.name}
	if sc.over == nil {
		return other, true
	}
	res := l.eval(scope{module: m, name: sc.name}, sc.over)
	if key := sc.each.GetAttr("key"); !res.poisoned() && !res.IsMarked() && (res.Type().IsObjectType() || res.Type().IsMapType()) {
		value, has := res.AsValueMap()[key.AsString()]
		other.each = cty.ObjectVal(map[string]cty.Value{"key": key, "value": value})
		return other, has
	}
	return other, !res.poisoned() // of a list, whose texts are not sensitive
}

// moduleLike returns the module that corresponds to one of the first loader, nil when
// there is none.
func (l *loader) moduleLike(m *module) *module {
	if m.call == nil {
		return l.root
	}
	outer := l.moduleLike(m.call.scope.module)
	if outer == nil {
		return nil
	}
	for _, name := range outer.byKind["module"] {
		n := outer.nodes["module."+name]
		l.demand(n, n.header())
		for _, child := range n.children {
			if child.address == m.address {
				return child
			}
		}
	}
	return nil
}

// sensitiveKey reports whether a key in the value of an attribute is made of a sensitive
// value, and where. One of which it cannot be told is.
func (b *body) sensitiveKey(name string, res *result) (hcl.Range, bool) {
	if !hasMarkedTable(res.Value, false) {
		return hcl.Range{}, false
	}
	attr := b.syntax.Attributes[name]
	other, ok := b.l.evaluateSecond(b.scope, attr.Expr)
	if !ok {
		other = cty.DynamicVal
	}
	path, differs := unlikeKeys(res.Value, other)
	if !differs {
		return hcl.Range{}, false
	}
	return placeIn(attr, path), true
}

// hasMarkedTable reports whether an object with keys is marked, or lies in something that is.
func hasMarkedTable(v cty.Value, isMarked bool) bool {
	isMarked = isMarked || v.IsMarked()
	v, _ = v.Unmark()
	if v.IsNull() || !v.IsKnown() || !v.CanIterateElements() || isReferenceType(v.Type()) {
		return false
	}
	if isMarked && (v.Type().IsObjectType() || v.Type().IsMapType()) && v.LengthInt() > 0 {
		return true
	}
	for it := v.ElementIterator(); it.Next(); {
		if _, e := it.Element(); hasMarkedTable(e, isMarked) {
			return true
		}
	}
	return false
}

// unlikeKeys finds an object of v that has other keys than its twin has.
func unlikeKeys(v, twin cty.Value) (path []string, differs bool) {
	v, _ = v.Unmark()
	twin, _ = twin.Unmark()
	if v.IsNull() || !v.IsKnown() || !v.CanIterateElements() || isReferenceType(v.Type()) {
		return nil, false
	}
	if twin.IsNull() || !twin.IsKnown() || !twin.CanIterateElements() {
		return nil, hasMarkedTable(v, true)
	}
	if t := v.Type(); !t.IsObjectType() && !t.IsMapType() {
		others := twin.AsValueSlice()
		for i, e := range v.AsValueSlice() {
			other := cty.DynamicVal
			if i < len(others) {
				other = others[i]
			}
			if _, differs = unlikeKeys(e, other); differs {
				return nil, true
			}
		}
		return nil, false
	}
	if t := twin.Type(); !t.IsObjectType() && !t.IsMapType() {
		return nil, v.LengthInt() > 0
	}
	fields, others := v.AsValueMap(), twin.AsValueMap()
	if !slices.Equal(sortedKeys(fields), sortedKeys(others)) {
		return nil, len(fields) > 0
	}
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		if path, differs = unlikeKeys(fields[key], others[key]); differs {
			return append([]string{key}, path...), true
		}
	}
	return nil, false
}

// placeIn is where the value at a path of an attribute is written, as far as it is written
// out, and in it the first key that is an expression.
func placeIn(attr *hclsyntax.Attribute, path []string) hcl.Range {
	expr := attr.Expr
	for {
		object, isObject := expr.(*hclsyntax.ObjectConsExpr)
		if !isObject {
			break
		}
		var inner hclsyntax.Expression
		for _, item := range object.Items {
			key, diags := item.KeyExpr.Value(nil)
			switch {
			case diags.HasErrors() || key.IsNull() || !key.IsKnown() || key.Type() != cty.String:
				if len(path) == 0 {
					return item.KeyExpr.Range()
				}
			case len(path) > 0 && key.AsString() == path[0]:
				inner = item.ValueExpr
			}
		}
		if inner == nil {
			break
		}
		expr, path = inner, path[1:]
	}
	if at := expr.Range(); at.Start.Line == at.End.Line {
		return at
	}
	return attr.NameRange
}

// markDiffering returns v with every text sensitive that its twin has otherwise. The problem is
// what differs and cannot be hidden, as the end of a sentence.
func markDiffering(v, twin any, at string) (any, string) {
	switch v := v.(type) {
	case map[string]any:
		others, isTable := twin.(map[string]any)
		if !isTable || !slices.Equal(sortedKeys(v), sortedKeys(others)) {
			return nil, "a key" + inside(at) + " is made of a sensitive value, and keys are shown. Write the key in the open, and the sensitive value as its value."
		}
		marked := make(map[string]any, len(v))
		for _, key := range sortedKeys(v) {
			e, problem := markDiffering(v[key], others[key], at+"."+key)
			if problem != "" {
				return nil, problem
			}
			marked[key] = e
		}
		return marked, ""
	case []any:
		others, isList := twin.([]any)
		if !isList || len(others) != len(v) {
			return nil, "the list" + inside(at) + " has another length with another sensitive value, so that it cannot be told what of it is sensitive."
		}
		marked := make([]any, len(v))
		for i, e := range v {
			var problem string
			if marked[i], problem = markDiffering(e, others[i], fmt.Sprintf("%s[%d]", at, i)); problem != "" {
				return nil, problem
			}
		}
		return marked, ""
	case string:
		if text, isText := twin.(string); !isText || text != v {
			if pieces := resource.Spellings(v, text); len(pieces) != 1 || pieces[0] != v {
				return resource.SecretOf(v, pieces...), ""
			}
			return resource.Secret(v), ""
		}
		return v, ""
	}
	if !resource.Equal(v, twin) {
		return nil, strings.TrimPrefix(inside(at), " in ") + " is made of a sensitive value, and only texts can be hidden. Put quotes around it, as in ${jsonencode(tostring(…))}."
	}
	return v, ""
}

func inside(at string) string {
	if at == "" {
		return ""
	}
	return " in " + strings.TrimPrefix(at, ".")
}
