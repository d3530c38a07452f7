package schema

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"

	"hubcap/engine/resource"
)

// sensitiveMark is the mark of a value that must not be shown.
type sensitiveMark struct{}

var secretly = sensitiveMark{}

// A module is one instance of a module: the root, or a module block for one key
// of its for_each.
type module struct {
	address   string // "", "module.pools", `module.pools["a"].module.inner`
	source    *source
	nodes     map[string]*node    // by "kind.name", "var.name", "local.name", "module.name", "output.name"
	order     []*node             // as written
	byKind    map[string][]string // names, in the order of the files
	settings  []*hclsyntax.Block  // hubcap
	moves     []*hclsyntax.Block  // moved and removed
	functions map[string]function.Function
	call      *call // nil for the root
}

// A call is where an instance of a module comes from.
type call struct {
	scope  scope // in which the inputs are evaluated
	inputs map[string]*hclsyntax.Attribute
	header hcl.Range
}

// A node is a name that can be referred to. It is evaluated when first asked
// for, at most once.
type node struct {
	key      string
	kind     string
	name     string
	module   *module
	block    *hclsyntax.Block     // nil for a local
	attr     *hclsyntax.Attribute // of a local
	state    state
	value    cty.Value
	entries  []placed  // of a kind
	children []*module // of a module block, in the order of keys
	byKey    map[string]*module
}

type state int

const (
	fresh state = iota
	busy
	done
)

// placed is an instance of a block with its address.
type placed struct {
	address resource.Address
	entry   entry
	expired bool
}

// path names a node from the root, for messages.
func (n *node) path() string {
	if n.module.address == "" {
		return n.key
	}
	return n.module.address + "." + n.key
}

func (n *node) header() hcl.Range {
	if n.block != nil {
		return n.block.DefRange()
	}
	return n.attr.NameRange
}

// depth is how many levels of a module's value are the module's own.
func (n *node) depth() int {
	if n.block.Body.Attributes["for_each"] != nil {
		return 2
	}
	return 1
}

// A scope is what an expression can see.
type scope struct {
	module *module
	each   cty.Value      // object of key and value; cty.NilVal outside for_each
	over   hcl.Expression // of for_each; nil outside
	name   string         // of the block, with the instance's key: "prod-a"
}

// A result is an evaluated expression, with what a diagnostic about it needs.
type result struct {
	cty.Value
	expr   hcl.Expression
	ctx    *hcl.EvalContext
	secret bool // something sensitive went into it
}

// poisoned reports that evaluating failed, which has been reported.
func (r result) poisoned() bool { return !r.IsWhollyKnown() }

// demand evaluates a node. at is the reference that asks for it.
func (l *loader) demand(n *node, at hcl.Range) cty.Value {
	switch n.state {
	case done:
		return n.value
	case busy:
		l.reportCycle(n, at)
		return cty.DynamicVal
	}
	n.state = busy
	l.stack = append(l.stack, n)
	n.value = l.evaluateNode(n)
	l.stack = l.stack[:len(l.stack)-1]
	n.state = done
	return n.value
}

func (l *loader) evaluateNode(n *node) cty.Value {
	switch n.kind {
	case "var":
		return l.variable(n)
	case "local":
		return l.eval(scope{module: n.module}, n.attr.Expr).Value
	case "output":
		return l.output(n)
	case "module":
		return l.moduleInstances(n)
	default:
		return l.blockInstances(n)
	}
}

// evaluateAll evaluates whatever nobody asked for.
func (l *loader) evaluateAll(m *module) {
	for _, block := range m.settings {
		l.settings(m, block)
	}
	for _, n := range m.order {
		l.demand(n, n.header())
		for _, child := range n.children {
			l.evaluateAll(child)
		}
	}
}

func (l *loader) reportCycle(n *node, at hcl.Range) {
	start := 0
	for i, s := range l.stack {
		if s == n {
			start = i
		}
	}
	var path strings.Builder
	for _, s := range l.stack[start:] {
		fmt.Fprintf(&path, "\n  -> %s (%s line %d)", s.path(), s.header().Filename, s.header().Start.Line)
	}
	fmt.Fprintf(&path, "\n  -> %s", n.path())
	l.errorAt(at, "Cycle of references",
		"Each of these needs the next one first:%s\nRemove one of the references, or move what both need into a local.", path.String())
}

// eval evaluates an expression in a scope. What it refers to is evaluated
// first. A failure has been reported and yields an unknown value.
func (l *loader) eval(sc scope, expr hcl.Expression) result {
	ctx := &hcl.EvalContext{Functions: sc.module.functions}
	res := result{Value: cty.DynamicVal, expr: expr, ctx: ctx}
	variables, ok := l.resolve(sc, expr.Variables())
	if !ok {
		return res
	}
	ctx.Variables = variables
	isPoisoned := false // then a failure follows from one that is reported
	for _, v := range variables {
		res.secret = res.secret || v.ContainsMarked()
		isPoisoned = isPoisoned || !v.IsWhollyKnown()
	}
	made := l.made
	value, diags := expr.Value(ctx)
	res.secret = res.secret || l.made != made
	if diags.HasErrors() {
		if !isPoisoned {
			l.diags = append(l.diags, discreet(diags, res.secret)...)
		}
		return res
	}
	res.Value = value
	return res
}

// discreet removes from the diagnostics of an evaluation what might show a
// sensitive value.
func discreet(diags hcl.Diagnostics, secret bool) hcl.Diagnostics {
	if !secret {
		return diags
	}
	for _, d := range diags {
		d.Expression, d.EvalContext = nil, nil
		d.Detail = "The expression uses a sensitive value, so the reason is not shown here. " +
			"Try it with a value that is not secret."
	}
	return diags
}

// resolve evaluates what traversals refer to and returns the variables of an
// evaluation context: only those asked for, so that the cost of an expression
// does not grow with the config.
func (l *loader) resolve(sc scope, traversals []hcl.Traversal) (map[string]cty.Value, bool) {
	if len(traversals) == 0 {
		return nil, true
	}
	roots := map[string]map[string]cty.Value{}
	variables := map[string]cty.Value{}
	ok := true
	for _, tr := range traversals {
		if tr.RootName() == "each" {
			if sc.each == cty.NilVal {
				l.errorAt(tr.SourceRange(), "Reference to each outside of for_each",
					"each.key and each.value exist only in a block that has for_each.")
				ok = false
			} else {
				variables["each"] = sc.each
			}
			continue
		}
		n := l.find(sc.module, tr)
		if n == nil {
			ok = false
			continue
		}
		value := l.demand(n, tr.SourceRange())
		if n.kind == "module" && n.state == done {
			value = l.moduleValue(n, tr)
		}
		if !l.hasAttribute(n, value, tr) {
			ok = false
			continue
		}
		if roots[n.kind] == nil {
			roots[n.kind] = map[string]cty.Value{}
		}
		if before, isThere := roots[n.kind][n.name]; isThere && n.kind == "module" {
			value = mergeObjects(before, value, n.depth())
		}
		roots[n.kind][n.name] = value
	}
	for root, names := range roots {
		variables[root] = cty.ObjectVal(names)
	}
	return variables, ok
}

// mergeObjects joins what two references need of the same module. depth is how
// many levels are the module's own: outputs, or instances and their outputs.
func mergeObjects(a, b cty.Value, depth int) cty.Value {
	if !a.IsKnown() || !b.IsKnown() {
		return cty.DynamicVal
	}
	merged := map[string]cty.Value{}
	for k, v := range a.AsValueMap() {
		merged[k] = v
	}
	for k, v := range b.AsValueMap() {
		if old, isThere := merged[k]; isThere && depth > 1 {
			v = mergeObjects(old, v, depth-1)
		}
		merged[k] = v
	}
	return cty.ObjectVal(merged)
}
