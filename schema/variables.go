package schema

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"hubcap/engine/resource"
)

// envPrefix begins the name of an environment variable that sets a variable.
const envPrefix = "HUBCAP_VAR_"

// given is a value for a variable of the root from outside of its directory:
// either text, to be read by the variable's type, or a value.
type given struct {
	text   string
	isText bool
	value  cty.Value
	at     hcl.Range // in a var file
	origin string    // "--var region"
}

// readVariables collects the values for the variables of the root.
func (l *loader) readVariables(root *module) {
	names := root.names("var")
	for _, name := range names {
		if text, isSet := l.opts.Env(envPrefix + name); isSet {
			l.given[name] = given{text: text, isText: true, origin: envPrefix + name}
		}
	}
	for _, file := range l.opts.VarFiles {
		l.readVarFile(file, names)
	}
	for _, name := range sortedKeys(l.opts.Vars) {
		if !slices.Contains(names, name) {
			l.errorAt(hcl.Range{}, "Value for an unknown variable", "--var %s: there is no variable %q.%s", name, name, suggestion(name, names))
			continue
		}
		l.given[name] = given{text: l.opts.Vars[name], isText: true, origin: "--var " + name}
	}
	l.config.Given = sortedKeys(l.given)
}

// readVarFile reads attributes, each the value of a variable. The file is kept
// out of Config.Files: it may hold the values of sensitive variables, and a
// snippet of it would show them.
func (l *loader) readVarFile(path string, names []string) {
	data, err := readLimited(path)
	if err != nil {
		l.errorAt(hcl.Range{}, "Unreadable variable file", "--var-file %s cannot be read: %s.", path, reason(err))
		return
	}
	name := filepath.Clean(path)
	start := hcl.Range{Filename: name, Start: hcl.InitialPos, End: hcl.InitialPos}
	if _, isText := invalidUTF8(data, name); !isText {
		l.errorAt(start, "Invalid UTF-8", "The variable file is not UTF-8 text.")
		return
	}
	if at, isDeep := tooDeep(data, name); isDeep {
		l.errorAt(at, "Expression too deep", "The variable file has an expression that is nested too deep.")
		return
	}
	file, diags := hclsyntax.ParseConfig(data, name, hcl.InitialPos)
	l.diags = append(l.diags, diags...)
	if diags.HasErrors() {
		return
	}
	body := file.Body.(*hclsyntax.Body)
	for _, block := range body.Blocks {
		l.errorAt(block.DefRange(), "Block in a variable file", "A variable file holds only attributes: name = value.")
	}
	for _, attr := range sortedAttributes(body) {
		if !slices.Contains(names, attr.Name) {
			l.errorAt(attr.NameRange, "Value for an unknown variable", "There is no variable %q.%s", attr.Name, suggestion(attr.Name, names))
			continue
		}
		value, diags := attr.Expr.Value(nil)
		if diags.HasErrors() {
			l.errorAt(attr.NameRange, "Variable file with an expression", "The value of %s must be a literal, without references or functions.", attr.Name)
			value = cty.DynamicVal
		}
		l.given[attr.Name] = given{value: value, at: attr.NameRange, origin: path}
	}
}

// declaration is what a variable block says.
type declaration struct {
	typ       cty.Type
	defaults  *typeexpr.Defaults
	hasType   bool
	sensitive bool
}

// variable evaluates a variable block.
func (l *loader) variable(n *node) cty.Value {
	b := l.body(scope{module: n.module}, n.block, "variable")
	decl := declaration{typ: cty.DynamicPseudoType}
	if attr := b.attribute("type"); attr != nil {
		typ, defaults, diags := typeexpr.TypeConstraintWithDefaults(attr.Expr)
		l.diags = append(l.diags, diags...)
		decl.typ, decl.defaults, decl.hasType = typ, defaults, !diags.HasErrors()
		if diags.HasErrors() {
			decl.typ = cty.DynamicPseudoType
		}
	}
	sensitive := b.boolean("sensitive")
	_, isWritten := b.ranges["sensitive"]
	decl.sensitive = isWritten && (sensitive == nil || *sensitive) // in doubt it is
	b.text("description")
	fallback := b.attribute("default")
	if decl.sensitive {
		b.veilIn("default")
	}
	validations := b.blocks("validation")

	value, found := l.variableValue(n, decl, fallback)
	if !found {
		l.errorAt(n.header(), "Variable without a value", "%s", l.howToSet(n))
		value = cty.UnknownVal(decl.typ)
	}
	if decl.sensitive {
		value = l.hidden(value)
	}
	n.value, n.state = value, done // a validation refers to the variable itself
	for _, v := range validations {
		l.validation(v, value)
	}
	b.done()
	return value
}

func (l *loader) howToSet(n *node) string {
	if n.module.call != nil {
		return fmt.Sprintf("%s needs the attribute %s, since the variable has no default.", n.module.address, n.name)
	}
	return fmt.Sprintf("Give it with --var %s=…, in a --var-file or as %s%s, or write a default.", n.name, envPrefix, n.name)
}

// variableValue finds a variable's value and converts it to its type.
func (l *loader) variableValue(n *node, decl declaration, fallback *hclsyntax.Attribute) (cty.Value, bool) {
	if c := n.module.call; c != nil {
		if attr := c.inputs[n.name]; attr != nil {
			if decl.sensitive {
				l.veil(attr.Expr)
			}
			return l.convertVariable(n, decl, l.eval(c.scope, attr.Expr).Value, attr.Expr.Range()), true
		}
	} else if g, isGiven := l.given[n.name]; isGiven {
		return l.givenValue(n, decl, g), true
	}
	if fallback == nil {
		return cty.NilVal, false
	}
	at := fallback.Expr.Range()
	if decl.sensitive {
		at = n.header() // the line of the default shows the value
	}
	return l.convertVariable(n, decl, l.eval(scope{module: n.module}, fallback.Expr).Value, at), true
}

func (l *loader) givenValue(n *node, decl declaration, g given) cty.Value {
	if !g.isText {
		return l.convertVariable(n, decl, g.value, g.at)
	}
	if !decl.hasType || decl.typ == cty.String {
		return cty.StringVal(g.text)
	}
	var value cty.Value
	expr, diags := hclsyntax.ParseExpression([]byte(g.text), g.origin, hcl.InitialPos)
	if len(g.text) > longFile {
		diags = append(diags, &hcl.Diagnostic{Severity: hcl.DiagError})
	}
	if !diags.HasErrors() {
		value, diags = expr.Value(nil)
	}
	if diags.HasErrors() {
		l.errorAt(n.header(), "Value that is not an expression",
			"%s must be written as HCL, because the variable is %s%s.", g.origin, typeexpr.TypeString(decl.typ), example(decl.typ))
		return cty.UnknownVal(decl.typ)
	}
	return l.convertVariable(n, decl, value, n.header())
}

// example shows how a value of a type is written.
func example(t cty.Type) string {
	switch {
	case t == cty.Number:
		return ", as in 3"
	case t == cty.Bool:
		return ": true or false"
	case t.IsMapType() || t.IsObjectType():
		return `, as in {name = "a"}`
	}
	return `, as in ["a", "b"]`
}

func (l *loader) convertVariable(n *node, decl declaration, value cty.Value, at hcl.Range) cty.Value {
	if decl.defaults != nil && !value.IsNull() && value.IsKnown() {
		value = decl.defaults.Apply(value)
	}
	converted, err := convert.Convert(value, decl.typ)
	if err != nil {
		l.errorAt(at, "Wrong type of value", "The variable %q is %s: %s.", n.name, typeexpr.TypeString(decl.typ), conversionReason(err, value))
		return cty.UnknownVal(decl.typ)
	}
	return converted
}

// validation checks one validation block of a variable.
func (l *loader) validation(b *body, value cty.Value) {
	b.require("condition")
	b.require("error_message")
	condition := b.evaluate("condition")
	message := b.attribute("error_message")
	b.done()
	if condition == nil || message == nil || condition.poisoned() {
		return
	}
	verdict, _ := condition.Unmark()
	verdict, err := convert.Convert(verdict, cty.Bool)
	if err != nil || verdict.IsNull() {
		l.errorAt(condition.expr.Range(), "Wrong type of value", "A condition must be true or false.")
		return
	}
	if verdict.True() {
		return
	}
	detail := "The value does not hold to the condition of the variable."
	// What a sensitive condition lets be said must not say which value it holds for.
	saysWhich := condition.IsMarked() && len(message.Expr.Variables()) > 0
	if words := l.eval(b.scope, message.Expr); !saysWhich && !words.poisoned() && !words.ContainsMarked() {
		if text, err := convert.Convert(words.Value, cty.String); err == nil && !text.IsNull() {
			detail = text.AsString()
		}
	}
	l.errorAt(condition.expr.Range(), "Invalid value of a variable", "%s", detail)
}

// rememberSecret lists every text inside a sensitive value, so that it can be
// found wherever it ends up.
func (l *loader) rememberSecret(value cty.Value) {
	value, _ = value.UnmarkDeep()
	_ = cty.Walk(value, func(_ cty.Path, v cty.Value) (bool, error) {
		if v.IsNull() || !v.IsKnown() || v.Type() != cty.String {
			return true, nil
		}
		l.rememberText(v.AsString())
		return true, nil
	})
}

// output evaluates an output block. Those of the root are in the config.
func (l *loader) output(n *node) cty.Value {
	b := l.body(scope{module: n.module}, n.block, "output")
	b.require("value")
	res := b.evaluate("value")
	out := Output{Block: l.header(n, nil, b), Description: b.text("description"), Sensitive: b.flag("sensitive")}
	b.done()
	if res == nil || res.poisoned() {
		return cty.DynamicVal
	}
	if n.module.address == "" {
		if res.ContainsMarked() && !out.Sensitive {
			l.errorAt(b.at("value"), "Output of a sensitive value", "Write sensitive = true, and the value will not be shown.")
		}
		value := res.Value
		if out.Sensitive {
			value = value.Mark(secretly)
		}
		_, shows := b.sensitiveKey("value", res)
		var problem string
		if out.Value, problem = tree(value); problem != "" && !out.Sensitive {
			l.errorAt(b.at("value"), "Output that cannot be shown", "%s", problem)
		} else if problem != "" || shows {
			out.Value = resource.Secret("")
		}
		n.entries = []placed{{address: out.Address, entry: &out}}
	}
	if out.Sensitive {
		return l.hidden(res.Value)
	}
	return res.Value
}

func conversionReason(err error, value cty.Value) string {
	if value.ContainsMarked() {
		return "the sensitive value is of another type"
	}
	return strings.TrimSuffix(convertMessage(err), ".")
}
