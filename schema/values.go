package schema

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/big"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"
	"sigs.k8s.io/yaml"

	"hubcap/engine/resource"
)

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

// convertMessage is the reason of a failed conversion, with the path inside the
// value. It names types and never values.
func convertMessage(err error) string {
	var pathErr cty.PathError
	if errors.As(err, &pathErr) && len(pathErr.Path) > 0 {
		return "in " + strings.TrimPrefix(pathText(pathErr.Path), ".") + ", " + err.Error()
	}
	return err.Error()
}

func pathText(path cty.Path) string {
	var s string
	for _, step := range path {
		switch step := step.(type) {
		case cty.GetAttrStep:
			s += "." + step.Name
		case cty.IndexStep:
			if step.Key.Type() == cty.String {
				s += fmt.Sprintf("[%q]", step.Key.AsString())
			} else if step.Key.Type() == cty.Number {
				s += "[" + step.Key.AsBigFloat().Text('f', 0) + "]"
			}
		}
	}
	return s
}

// tree turns a value into a tree as in [resource.Object]: a sensitive text
// becomes a [resource.Sensitive]. The problem is empty when that worked.
func tree(v cty.Value) (any, string) { return treeOf(v, false) }

func treeOf(v cty.Value, secret bool) (any, string) {
	if v.IsMarked() {
		v, _ = v.Unmark()
		secret = true
	}
	t := v.Type()
	switch {
	case v.IsNull():
		return nil, ""
	case !v.IsKnown():
		return nil, ""
	case t == cty.String:
		if secret {
			return resource.Secret(v.AsString()), ""
		}
		return v.AsString(), ""
	case t.IsPrimitiveType() && secret:
		return nil, "A sensitive number or boolean cannot be hidden where a number or boolean is needed. Turn it into a text with tostring(), or do not mark it as sensitive."
	case t == cty.Bool:
		return v.True(), ""
	case t == cty.Number:
		return number(v.AsBigFloat()), ""
	case isReferenceType(t):
		return nil, fmt.Sprintf("%s is a reference, not a value. Take one of its attributes, as in %[1]s.%[2]s.", targetOf(v).address, offered(t))
	case t.IsTupleType() || t.IsListType() || t.IsSetType():
		return listOf(v, secret)
	case t.IsObjectType() || t.IsMapType():
		return mapOf(v, secret)
	}
	return nil, "A " + t.FriendlyName() + " cannot be used as a value here."
}

func offered(t cty.Type) string {
	for _, name := range []string{"namespace", "pool_name", "name"} {
		if t.HasAttribute(name) {
			return name
		}
	}
	return "address"
}

func listOf(v cty.Value, secret bool) (any, string) {
	list := make([]any, 0, v.LengthInt())
	for it := v.ElementIterator(); it.Next(); {
		_, e := it.Element()
		element, problem := treeOf(e, secret)
		if problem != "" {
			return nil, problem
		}
		list = append(list, element)
	}
	return list, ""
}

func mapOf(v cty.Value, secret bool) (any, string) {
	m := make(map[string]any, v.LengthInt())
	for it := v.ElementIterator(); it.Next(); {
		k, e := it.Element()
		element, problem := treeOf(e, secret)
		if problem != "" {
			return nil, problem
		}
		m[k.AsString()] = element
	}
	return m, ""
}

func number(f *big.Float) any {
	if n, accuracy := f.Int64(); accuracy == big.Exact {
		return n
	}
	n, _ := f.Float64()
	return n
}

// tree returns an attribute of any value as a tree, with sensitive
// texts kept apart.
func (b *body) tree(name string) any {
	res := b.evaluate(name)
	if res == nil || res.poisoned() {
		return nil
	}
	v, problem := tree(res.Value)
	if problem != "" {
		b.errorIn(name, "Value that cannot be used", "%s", problem)
		return nil
	}
	if where, shows := b.sensitiveKey(name, res); shows {
		b.errorAt(where, "Sensitive value in a key", "A key here is made of a sensitive value, or it cannot be told whether one is, and keys are shown: "+
			"in plans, as names of fields and of files. Write the key in the open, and the sensitive value as its value.")
		return nil
	}
	b.l.rememberLeaves(v)
	return v
}

// rememberLeaves lists the sensitive texts of a tree: what was made of a
// sensitive value is as sensitive, and may look otherwise.
func (l *loader) rememberLeaves(v any) {
	switch v := v.(type) {
	case map[string]any:
		for _, key := range sortedKeys(v) {
			l.rememberLeaves(v[key])
		}
	case []any:
		for _, e := range v {
			l.rememberLeaves(e)
		}
	case resource.Sensitive:
		l.rememberText(v.Reveal())
	}
}

// rememberText lists one sensitive text, once.
func (l *loader) rememberText(text string) {
	if text != "" && !l.secrets[text] {
		l.secrets[text] = true
		l.config.Sensitive = append(l.config.Sensitive, resource.Secret(text))
	}
}

// treeMap returns an attribute that is an object as a tree.
func (b *body) treeMap(name string) map[string]any {
	v := b.tree(name)
	if v == nil {
		return nil
	}
	m, isMap := v.(map[string]any)
	if !isMap {
		b.errorIn(name, "Wrong type of value", "%s.%s must be an object: { key = value }.", b.where, name)
	}
	return m
}

// treeList returns an attribute that is a list as a tree.
func (b *body) treeList(name string) []any {
	v := b.tree(name)
	if v == nil {
		return nil
	}
	list, isList := v.([]any)
	if !isList {
		b.errorIn(name, "Wrong type of value", "%s.%s must be a list: [ … ].", b.where, name)
	}
	return list
}

// duplicates says what a decoder does about a key that is there twice.
type duplicates int

const (
	lastWins duplicates = iota + 1 // as Helm reads values
	refused
)

// decodeYAML decodes one YAML document into a tree as in [resource.Object]:
// whole numbers stay whole.
func decodeYAML(data []byte, twice duplicates) (any, error) {
	convertTo := yaml.YAMLToJSON
	if twice == refused {
		convertTo = yaml.YAMLToJSONStrict
	}
	encoded, err := convertTo(data)
	if err != nil {
		return nil, err
	}
	return decodeJSON(encoded)
}

// decodeJSON decodes one JSON value into a tree as in [resource.Object].
func decodeJSON(data []byte) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var v any
	if err := decoder.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is more after the value")
	}
	return wholeNumbers(v), nil
}

// valueOf turns a tree of decodeJSON into a value.
func valueOf(v any) cty.Value {
	switch v := v.(type) {
	case bool:
		return cty.BoolVal(v)
	case int64:
		return cty.NumberIntVal(v)
	case float64:
		return cty.NumberFloatVal(v)
	case string:
		return cty.StringVal(v)
	case []any:
		elements := make([]cty.Value, len(v))
		for i, e := range v {
			elements[i] = valueOf(e)
		}
		return cty.TupleVal(elements)
	case map[string]any:
		attributes := make(map[string]cty.Value, len(v))
		for k, e := range v {
			attributes[k] = valueOf(e)
		}
		return cty.ObjectVal(attributes)
	}
	return cty.NullVal(cty.DynamicPseudoType)
}

func wholeNumbers(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			v[k] = wholeNumbers(e)
		}
	case []any:
		for i, e := range v {
			v[i] = wholeNumbers(e)
		}
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		f, err := v.Float64()
		if err != nil {
			return v.String() // larger than any number of JSON's readers
		}
		return f
	}
	return v
}
