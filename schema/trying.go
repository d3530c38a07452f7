package schema

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/customdecode"
	"github.com/hashicorp/hcl/v2/ext/tryfunc"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// Whether an expression fails says something about the values in it, and a failure has
// no value that could bear their marks. Functions that catch one therefore give their result the
// marks of everything that their arguments can look at.

// canFunc reports whether an expression can be evaluated.
func (l *loader) canFunc() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "expression", Type: customdecode.ExpressionClosureType}},
		Type:   function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			return l.marking(tryfunc.CanFunc, args)
		},
	})
}

// tryFunc returns the first of its expressions that can be evaluated.
func (l *loader) tryFunc() function.Function {
	return function.New(&function.Spec{
		VarParam: &function.Parameter{Name: "expressions", Type: customdecode.ExpressionClosureType},
		Type: func(args []cty.Value) (cty.Type, error) {
			v, err := l.marking(tryfunc.TryFunc, args)
			return v.Type(), err
		},
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			return l.marking(tryfunc.TryFunc, args)
		},
	})
}

// marking calls f, whose arguments are expressions, and marks what it returns: with what
// they refer to, whether it was reached or not, and when something sensitive was made while
// they were evaluated, as by sensitive().
func (l *loader) marking(f function.Function, args []cty.Value) (cty.Value, error) {
	made := l.made
	v, err := f.Call(args)
	if err != nil {
		return cty.DynamicVal, err
	}
	if l.made != made {
		v = v.Mark(secretly)
	}
	for _, arg := range args {
		closure := customdecode.ExpressionClosureFromVal(arg)
		for _, tr := range closure.Expression.Variables() {
			v = v.WithMarks(marksOf(tr, closure.EvalContext))
		}
	}
	return v, nil
}

// marksOf returns the marks of what a traversal refers to, and of what it passes on its way.
// Where it leads nowhere, they are those of everything below the last value that it reached.
func marksOf(tr hcl.Traversal, ctx *hcl.EvalContext) cty.ValueMarks {
	for ; ctx != nil; ctx = ctx.Parent() {
		v, isThere := ctx.Variables[tr.RootName()]
		if !isThere {
			continue
		}
		all := cty.ValueMarks{}
		for _, step := range tr[1:] {
			unmarked, marks := v.Unmark()
			next, diags := step.TraversalStep(unmarked)
			if diags.HasErrors() {
				break
			}
			all = unite(all, marks)
			v = next
		}
		_, marks := v.UnmarkDeep()
		return unite(all, marks)
	}
	return nil
}

// indexedName is the name of the function that [markIndexes] puts into expressions. No
// identifier is spelt so.
const indexedName = "@indexed"

// markIndexes makes every index of an expression below node give its marks to what
// it finds. HCL drops those of the key of an object, which decides what is found.
func markIndexes(node hclsyntax.Node) {
	_ = hclsyntax.VisitAll(node, func(n hclsyntax.Node) hcl.Diagnostics {
		index, isIndex := n.(*hclsyntax.IndexExpr)
		if !isIndex {
			return nil
		}
		if _, isLiteral := index.Key.(*hclsyntax.LiteralValueExpr); isLiteral {
			return nil
		}
		at := index.Collection.Range()
		index.Collection = &hclsyntax.FunctionCallExpr{
			Name: indexedName, Args: []hclsyntax.Expression{index.Collection, index.Key},
			NameRange: at, OpenParenRange: at, CloseParenRange: at,
		}
		return nil
	})
}

// indexedFunc returns a collection with the marks of the key that something is about
// to be looked up by.
var indexedFunc = function.New(&function.Spec{
	Params: []function.Parameter{
		{Name: "collection", Type: cty.DynamicPseudoType, AllowNull: true, AllowUnknown: true, AllowDynamicType: true, AllowMarked: true},
		{Name: "key", Type: cty.DynamicPseudoType, AllowNull: true, AllowUnknown: true, AllowDynamicType: true, AllowMarked: true},
	},
	Type: func(args []cty.Value) (cty.Type, error) { return args[0].Type(), nil },
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		_, marks := args[1].UnmarkDeep()
		return args[0].WithMarks(marks), nil
	},
})

func unite(a, b cty.ValueMarks) cty.ValueMarks {
	for mark := range b {
		a[mark] = struct{}{}
	}
	return a
}
