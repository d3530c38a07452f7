package schema

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// A body decodes the attributes and blocks between one pair of braces. What is
// asked of it is what the block type has: done reports everything else. Every
// method reports what is wrong and returns the zero value then.
type body struct {
	l      *loader
	scope  scope
	syntax *hclsyntax.Body
	where  string // "node_pool", "local_ssd"
	prefix string // of names in ranges: "local_ssd."
	header hcl.Range
	ranges map[string]hcl.Range // of the attributes set, shared with Block.Attrs
	bad    *bool                // something was wrong; shared with the inner bodies
	attrs  []string             // asked for
	inner  []string             // blocks asked for

	expired bool // the block has no effect any more
}

func (l *loader) body(sc scope, block *hclsyntax.Block, where string) *body {
	return &body{
		l: l, scope: sc, syntax: block.Body, where: where,
		header: block.DefRange(), ranges: map[string]hcl.Range{}, bad: new(bool),
	}
}

// errorAt reports an error of this block.
func (b *body) errorAt(at hcl.Range, summary, format string, args ...any) {
	*b.bad = true
	b.l.errorAt(at, summary, format, args...)
}

// errorIn reports an error in the value of an attribute.
func (b *body) errorIn(name, summary, format string, args ...any) {
	b.errorAt(b.at(name), summary, format, args...)
}

// about reports an error in an evaluated value and shows what it was made of,
// unless that is sensitive.
func (b *body) about(res *result, at hcl.Range, summary, format string, args ...any) {
	b.errorAt(at, summary, format, args...)
	if !res.secret {
		d := b.l.diags[len(b.l.diags)-1]
		d.Expression, d.EvalContext = res.expr, res.ctx
	}
}

// at is where a diagnostic about an attribute points, or the header when it is
// not there.
func (b *body) at(name string) hcl.Range {
	if attr := b.syntax.Attributes[name]; attr != nil {
		return subject(attr)
	}
	return b.header
}

// has reports whether an attribute is written.
func (b *body) has(name string) bool { return b.syntax.Attributes[name] != nil }

// attribute returns an attribute, or nil.
func (b *body) attribute(name string) *hclsyntax.Attribute {
	b.attrs = append(b.attrs, name)
	return b.syntax.Attributes[name]
}

// article puts "A" or "An" before a word, as at the beginning of a sentence.
func article(word string) string {
	if strings.ContainsRune("aeio", rune(word[0])) {
		return "An " + word
	}
	return "A " + word
}

// require reports an attribute that is missing.
func (b *body) require(name string) {
	if !b.has(name) {
		b.errorAt(b.header, "Missing attribute", "%s block needs the attribute %q.", article(b.where), name)
	}
}

// evaluate returns the value of an attribute, or nil when it is not there or
// null, which means the same. That a sensitive value is null is sensitive, too.
func (b *body) evaluate(name string) *result {
	attr := b.attribute(name)
	if attr == nil {
		return nil
	}
	res := b.l.eval(b.scope, attr.Expr)
	if res.poisoned() {
		*b.bad = true
		b.ranges[b.prefix+name] = attr.NameRange
		return &res
	}
	if res.IsNull() && !res.IsMarked() {
		return nil
	}
	b.ranges[b.prefix+name] = attr.NameRange
	return &res
}

// plain returns the value of an attribute that cannot be sensitive, converted
// to a type; cty.NilVal when there is none or it is wrong.
func (b *body) plain(name string, want cty.Type) (cty.Value, *result) {
	res := b.evaluate(name)
	if res == nil || res.poisoned() {
		return cty.NilVal, nil
	}
	if res.ContainsMarked() {
		b.errorIn(name, "Sensitive value where it would be shown",
			"%s.%s appears in plans and in names of objects, so it cannot be sensitive. "+
				"Sensitive values can go into values, profiles and the objects of a manifest.", b.where, name)
		return cty.NilVal, nil
	}
	value, err := convert.Convert(res.Value, want)
	if err != nil || !value.IsWhollyKnown() {
		b.about(res, b.at(name), "Wrong type of value", "%s.%s must be %s%s.", b.where, name, phrase(want), got(res.Value, want, err))
		return cty.NilVal, nil
	}
	if want.IsCollectionType() && hasNull(value) {
		b.about(res, b.at(name), "Null inside a list or map", "An element of %s.%s is null. Leave it out instead.", b.where, name)
		return cty.NilVal, nil
	}
	return value, res
}

func hasNull(collection cty.Value) bool {
	for it := collection.ElementIterator(); it.Next(); {
		if _, v := it.Element(); v.IsNull() {
			return true
		}
	}
	return false
}

// phrase names a type as a sentence needs it.
func phrase(t cty.Type) string {
	switch {
	case t == cty.String:
		return "a text"
	case t == cty.Number:
		return "a number"
	case t == cty.Bool:
		return "true or false"
	case t.IsListType():
		return "a list of texts"
	case t.IsMapType():
		return "a map of texts"
	}
	return t.FriendlyName()
}

func got(v cty.Value, want cty.Type, err error) string {
	if isReferenceType(v.Type()) {
		return fmt.Sprintf(", not a reference to %s", targetOf(v).address)
	}
	if want.IsCollectionType() && err != nil && (v.Type().IsObjectType() || v.Type().IsTupleType()) {
		return ": " + convertMessage(err)
	}
	return ", not " + phraseOf(v)
}

func phraseOf(v cty.Value) string {
	switch t := v.Type(); {
	case t == cty.String:
		return fmt.Sprintf("the text %q", shorten(v.AsString()))
	case t == cty.Number:
		return "a number"
	case t == cty.Bool:
		return "true or false"
	case t.IsTupleType() || t.IsListType() || t.IsSetType():
		return "a list"
	case t.IsObjectType() || t.IsMapType():
		return "an object"
	}
	return v.Type().FriendlyName()
}

func shorten(s string) string {
	if r := []rune(s); len(r) > 60 {
		return string(r[:57]) + "…"
	}
	return s
}

// block returns the inner block of a name, or nil; a second one is reported.
func (b *body) block(name string) *body {
	found := b.blocks(name)
	if len(found) == 0 {
		return nil
	}
	for _, extra := range found[1:] {
		b.errorAt(extra.header, "Duplicate block", "%s block has at most one %s block; another is in line %d.",
			article(b.where), name, found[0].header.Start.Line)
	}
	return found[0]
}

// blocks returns the inner blocks of a name.
func (b *body) blocks(name string) []*body {
	b.inner = append(b.inner, name)
	var found []*body
	for _, block := range b.syntax.Blocks {
		if block.Type != name {
			continue
		}
		if len(block.Labels) > 0 {
			b.errorAt(block.LabelRanges[0], "Wrong number of labels", "A %s block has no label: %s { … }.", name, name)
		}
		prefix := b.prefix + name + "."
		if len(found) > 0 {
			prefix = fmt.Sprintf("%s%s.%d.", b.prefix, name, len(found))
		} else {
			b.ranges[b.prefix+name] = block.DefRange()
		}
		found = append(found, &body{
			l: b.l, scope: b.scope, syntax: block.Body, where: name, prefix: prefix,
			header: block.DefRange(), ranges: b.ranges, bad: b.bad,
		})
	}
	return found
}

// done reports the attributes and blocks that nobody asked for.
func (b *body) done() {
	if b.l.seen != nil {
		b.l.seen(b.where, b.attrs, b.inner)
	}
	for _, attr := range sortedAttributes(b.syntax) {
		switch {
		case slices.Contains(b.attrs, attr.Name):
		case slices.Contains(b.inner, attr.Name):
			b.errorAt(attr.NameRange, "Block written as an attribute", "%s is a block of %s: write %s { … }, without \"=\".", attr.Name, b.where, attr.Name)
		default:
			b.errorAt(attr.NameRange, "Unknown attribute", "%s block has no attribute %q.%s", article(b.where), attr.Name,
				suggestion(attr.Name, append(slices.Clone(b.attrs), b.inner...)))
		}
	}
	for _, block := range b.syntax.Blocks {
		switch {
		case slices.Contains(b.inner, block.Type):
		case slices.Contains(b.attrs, block.Type):
			b.errorAt(block.TypeRange, "Attribute written as a block", "%s is an attribute of %s: write %s = { … }, with \"=\".", block.Type, b.where, block.Type)
		default:
			b.errorAt(block.TypeRange, "Unknown block", "%s block has no inner block %q.%s", article(b.where), block.Type,
				suggestion(block.Type, append(slices.Clone(b.inner), b.attrs...)))
		}
	}
}

// elementAt is where element i of a list attribute is written, as far as the
// list is written out.
func (b *body) elementAt(name string, i int) hcl.Range {
	if list, isList := b.syntax.Attributes[name].Expr.(*hclsyntax.TupleConsExpr); isList && i < len(list.Exprs) {
		return list.Exprs[i].Range()
	}
	return b.at(name)
}

// keyAt is where the value of a key of a map attribute is written.
func (b *body) keyAt(name, key string) hcl.Range {
	object, isObject := b.syntax.Attributes[name].Expr.(*hclsyntax.ObjectConsExpr)
	if !isObject {
		return b.at(name)
	}
	for _, item := range object.Items {
		if k, diags := item.KeyExpr.Value(nil); !diags.HasErrors() && k.IsKnown() && !k.IsNull() && k.Type() == cty.String && k.AsString() == key {
			return hcl.RangeBetween(item.KeyExpr.Range(), item.ValueExpr.Range())
		}
	}
	return b.at(name)
}
