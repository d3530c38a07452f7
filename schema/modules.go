package schema

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// instantiate makes the nodes of one instance of a module and reports what is
// wrong with their headers.
func (l *loader) instantiate(src *source, c *call) *module {
	m := &module{source: src, call: c, nodes: map[string]*node{}, byKind: map[string][]string{}, functions: l.functions(src)}
	for _, block := range src.blocks {
		l.declare(m, block)
	}
	return m
}

func (l *loader) declare(m *module, block *hclsyntax.Block) {
	switch block.Type {
	case "locals":
		l.declareLocals(m, block)
		return
	case "hubcap":
		m.settings = append(m.settings, block)
		return
	case "moved", "removed":
		m.moves = append(m.moves, block)
		return
	}
	root := block.Type
	if root == "variable" {
		root = "var"
	}
	if root != "var" && root != "output" && root != "module" && kinds[root].decode == nil {
		l.errorAt(block.TypeRange, "Unknown block", "There is no block type %q.%s", block.Type, suggestion(block.Type, blockTypes()))
		return
	}
	if len(block.Labels) != 1 {
		l.errorAt(block.DefRange(), "Wrong number of labels",
			"%s block has one label, its name: %s \"name\" { … }.", article(block.Type), block.Type)
		return
	}
	name := block.Labels[0]
	if !hclsyntax.ValidIdentifier(name) {
		l.errorAt(block.LabelRanges[0], "Invalid name",
			"%q is not a name: write letters, digits, \"_\" and \"-\", and a letter first, so that others can refer to it.", name)
		return
	}
	l.add(m, &node{key: root + "." + name, kind: root, name: name, module: m, block: block})
}

func (l *loader) declareLocals(m *module, block *hclsyntax.Block) {
	if len(block.Labels) > 0 {
		l.errorAt(block.LabelRanges[0], "Wrong number of labels", "A locals block has no label.")
	}
	for _, inner := range block.Body.Blocks {
		l.errorAt(inner.DefRange(), "Unknown block", "A locals block holds only attributes: name = value.")
	}
	for _, attr := range sortedAttributes(block.Body) {
		l.add(m, &node{key: "local." + attr.Name, kind: "local", name: attr.Name, module: m, attr: attr})
	}
}

func (l *loader) add(m *module, n *node) {
	if first := m.nodes[n.key]; first != nil {
		at := first.header()
		l.errorAt(n.header(), "Duplicate name", "There is a %s already, in %s line %d. Give this one another name.",
			describe(n.kind, n.name), at.Filename, at.Start.Line)
		return
	}
	m.nodes[n.key] = n
	m.order = append(m.order, n)
	m.byKind[n.kind] = append(m.byKind[n.kind], n.name)
}

// moduleInstances opens the source of a module block and makes its instances.
// The value is not used: see moduleValue.
func (l *loader) moduleInstances(n *node) cty.Value {
	inputs, meta := splitInputs(n.block.Body)
	for _, inner := range n.block.Body.Blocks {
		l.errorAt(inner.DefRange(), "Unknown block", "A module block holds only attributes: source, for_each, and the module's variables.")
	}
	src := l.moduleSource(n, meta["source"])
	if src == nil {
		return cty.DynamicVal
	}
	l.checkInputs(n, src, inputs)
	scopes, ok := l.forEach(n)
	if !ok {
		return cty.DynamicVal
	}
	n.byKey = map[string]*module{}
	for _, keyed := range scopes {
		child := l.instantiate(src, &call{scope: keyed.scope, inputs: inputs, header: n.header()})
		child.address = n.path() + instanceKey(keyed.key)
		l.readMoves(child)
		n.children = append(n.children, child)
		if keyed.key != nil {
			if strings.Contains(*keyed.key, ".") {
				l.errorAt(n.header(), "Invalid for_each key", "%q has a dot, which the key of a module must not have.", *keyed.key)
			}
			n.byKey[*keyed.key] = child
		}
	}
	return cty.EmptyObjectVal
}

func splitInputs(body *hclsyntax.Body) (inputs, meta map[string]*hclsyntax.Attribute) {
	inputs, meta = map[string]*hclsyntax.Attribute{}, map[string]*hclsyntax.Attribute{}
	for name, attr := range body.Attributes {
		if name == "source" || name == "for_each" {
			meta[name] = attr
		} else {
			inputs[name] = attr
		}
	}
	return inputs, meta
}

// moduleSource opens what the source attribute names. It must be a literal,
// because files are read before anything is evaluated.
func (l *loader) moduleSource(n *node, attr *hclsyntax.Attribute) *source {
	if attr == nil {
		l.errorAt(n.header(), "Missing attribute", "A module block needs source = \"./directory\" or \"builtin:name\".")
		return nil
	}
	at := attr.Expr.Range()
	value, diags := attr.Expr.Value(nil)
	if diags.HasErrors() || value.Type() != cty.String || value.IsNull() {
		l.errorAt(at, "Module source that is not a literal", "Write the source as a text in quotes, without references or functions.")
		return nil
	}
	src, problem := l.locate(n.module.source, value.AsString())
	if problem != "" {
		l.errorAt(at, "Module not found", "%s", problem)
		return nil
	}
	for outer := src.outer; outer != nil; outer = outer.outer {
		if outer.name == src.name {
			l.errorAt(at, "Module that contains itself", "%s is the source of a module around this one.", src.name)
			return nil
		}
	}
	errors := len(l.diags.Errs())
	if opened := l.open(src, &at); opened == nil || len(l.diags.Errs()) > errors {
		return nil
	} else if opened != src {
		src.blocks = opened.blocks
	}
	return src
}

// locate turns the text of a source into a source that is not open yet, or says
// what is wrong with it.
func (l *loader) locate(from *source, text string) (*source, string) {
	if name, isBuiltin := strings.CutPrefix(text, "builtin:"); isBuiltin {
		if l.opts.Builtin == nil {
			return nil, fmt.Sprintf("There is no built-in module %q.", name)
		}
		fsys, err := l.opts.Builtin(name)
		if err != nil {
			return nil, fmt.Sprintf("There is no built-in module %q: %v.", name, err)
		}
		return &source{name: text, builtin: fsys, outer: from}, ""
	}
	if !strings.HasPrefix(text, "./") && !strings.HasPrefix(text, "../") && !filepath.IsAbs(text) {
		return nil, fmt.Sprintf("%q is neither a path that begins with ./, ../ or /, nor builtin:name. Write ./%s for a directory beside this file.", text, text)
	}
	if from.builtin != nil {
		return nil, "A built-in module can only use built-in modules."
	}
	src := osSource(from.path(text))
	src.outer = from
	return src, ""
}

// checkInputs reports attributes of a module block that are no variable of the
// module. That a variable has no value is reported when it is evaluated.
func (l *loader) checkInputs(n *node, src *source, inputs map[string]*hclsyntax.Attribute) {
	var names []string
	for _, block := range src.blocks {
		if block.Type == "variable" && len(block.Labels) == 1 {
			names = append(names, block.Labels[0])
		}
	}
	for name, attr := range inputs {
		if !slices.Contains(names, name) {
			l.errorAt(attr.NameRange, "Unknown attribute", "The module %s has no variable %q.%s", src.name, name, suggestion(name, names))
		}
	}
}

// moduleValue returns the outputs of a module that a traversal needs. Only the
// one it names is evaluated, so that two modules can use each other's outputs
// as long as the outputs themselves form no cycle.
func (l *loader) moduleValue(n *node, tr hcl.Traversal) cty.Value {
	if !n.value.IsKnown() {
		return cty.DynamicVal
	}
	if n.depth() == 1 {
		return l.outputs(n.children[0], tr, 2)
	}
	if len(tr) > 2 {
		if step, isIndex := tr[2].(hcl.TraverseIndex); isIndex && step.Key.Type() == cty.String {
			if child := n.byKey[step.Key.AsString()]; child != nil {
				return cty.ObjectVal(map[string]cty.Value{step.Key.AsString(): l.outputs(child, tr, 3)})
			}
			l.errorAt(tr.SourceRange(), "Dangling reference", "%s has no instance %q.%s", n.path(), step.Key.AsString(),
				suggestion(step.Key.AsString(), sortedKeys(n.byKey)))
			return cty.DynamicVal
		}
	}
	all := map[string]cty.Value{}
	for key, child := range n.byKey {
		all[key] = l.outputs(child, tr, len(tr))
	}
	return cty.ObjectVal(all)
}

// outputs returns the output of m that step i of a traversal names, or all of
// them when it names none.
func (l *loader) outputs(m *module, tr hcl.Traversal, i int) cty.Value {
	values := map[string]cty.Value{}
	if i < len(tr) {
		if step, isName := tr[i].(hcl.TraverseAttr); isName {
			n := m.nodes["output."+step.Name]
			if n == nil {
				l.errorAt(tr.SourceRange(), "Dangling reference", "%s has no output %q.%s", m.address, step.Name, suggestion(step.Name, m.names("output")))
				return cty.DynamicVal
			}
			return cty.ObjectVal(map[string]cty.Value{step.Name: l.demand(n, tr.SourceRange())})
		}
	}
	for _, n := range m.order {
		if n.kind == "output" {
			values[n.name] = l.demand(n, tr.SourceRange())
		}
	}
	return cty.ObjectVal(values)
}
