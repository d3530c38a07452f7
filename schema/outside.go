package schema

import (
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"

	"hubcap/engine/resource"
)

// The values of sensitive variables come from the environment and from files,
// which functions read, too: what these return is as sensitive when one of the
// values stands in it.

// isSensitive reports whether a variable block says that its value is sensitive. In doubt it is.
func (n *node) isSensitive() bool {
	attr := n.block.Body.Attributes["sensitive"]
	if attr == nil {
		return false
	}
	v, diags := attr.Expr.Value(nil)
	return diags.HasErrors() || !v.RawEquals(cty.False)
}

// readOutside remembers what is given to the sensitive variables of the root.
func (l *loader) readOutside(root *module) {
	for _, name := range root.names("var") {
		n := root.nodes["var."+name]
		if !n.isSensitive() {
			continue
		}
		if attr := n.block.Body.Attributes["default"]; attr != nil {
			v, _ := attr.Expr.Value(nil)
			l.addOutside(v)
		}
		switch g, isGiven := l.given[name]; {
		case isGiven && g.isText:
			l.outside.Add(g.text)
			if expr, diags := hclsyntax.ParseExpression([]byte(g.text), name, hcl.InitialPos); !diags.HasErrors() && len(g.text) <= longFile {
				v, _ := expr.Value(nil)
				l.addOutside(v)
			}
		case isGiven:
			l.addOutside(g.value)
		}
	}
}

func (l *loader) addOutside(v cty.Value) {
	_ = cty.Walk(v, func(_ cty.Path, v cty.Value) (bool, error) {
		if v.IsKnown() && !v.IsNull() && v.Type() == cty.String {
			l.outside.Add(v.AsString())
		}
		return true, nil
	})
}

// fromOutside is a value made of a text that was read, which is sensitive when the value of a
// sensitive variable stands in the text.
func (l *loader) fromOutside(text string, value cty.Value) cty.Value {
	if l.outside.Redact(text) == text {
		return value
	}
	return l.marked(value)
}

// fileFunc returns a file of src as text.
func (l *loader) fileFunc(src *source) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "path", Type: cty.String}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			text, err := src.text(args[0].AsString())
			if err != nil {
				return cty.UnknownVal(cty.String), function.NewArgError(0, err)
			}
			return l.fromOutside(text, cty.StringVal(text)), nil
		},
	})
}

// envFunc returns an environment variable; a second argument is what an unset
// one yields.
func (l *loader) envFunc() function.Function {
	return function.New(&function.Spec{
		Params:   []function.Parameter{{Name: "name", Type: cty.String}},
		VarParam: &function.Parameter{Name: "default", Type: cty.String},
		Type:     function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if len(args) > 2 {
				return cty.UnknownVal(cty.String), function.NewArgErrorf(2, "env takes a name and one default")
			}
			name := args[0].AsString()
			if text, isSet := l.opts.Env(name); isSet {
				value := cty.StringVal(strings.ToValidUTF8(text, "\uFFFD"))
				if variable, gives := strings.CutPrefix(name, envPrefix); gives && l.root != nil {
					if n := l.root.nodes["var."+variable]; n != nil && n.isSensitive() {
						return l.hidden(value), nil
					}
				}
				return l.fromOutside(text, value), nil
			}
			if len(args) == 2 {
				return args[1], nil
			}
			return cty.UnknownVal(cty.String), function.NewArgErrorf(0, "the environment variable %s is not set; a second argument would be its default", name)
		},
	})
}

// checkOutputs finds sensitive texts, in their usual spellings, in outputs that are shown.
func (l *loader) checkOutputs() {
	var known resource.Redactor
	for _, secret := range l.config.Sensitive {
		known.Add(secret.Reveal())
	}
	for _, out := range l.config.Outputs {
		if !out.Sensitive && shows(out.Value, &known) {
			l.errorAt(out.Attrs["value"], "Output of a sensitive value",
				"A sensitive value stands in %s. Write sensitive = true, and the value will not be shown.", out.Address)
		}
	}
}

// shows reports whether a key or text of a tree has something in it that is known.
func shows(v any, known *resource.Redactor) bool {
	switch v := v.(type) {
	case map[string]any:
		for key, e := range v {
			if known.Redact(key) != key || shows(e, known) {
				return true
			}
		}
	case []any:
		for _, e := range v {
			if shows(e, known) {
				return true
			}
		}
	case string:
		return known.Redact(v) != v
	}
	return false
}
