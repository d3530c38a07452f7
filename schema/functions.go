package schema

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"path"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	ctyyaml "github.com/zclconf/go-cty-yaml"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

// pureFunctions are the functions that read nothing from outside, under the
// names that authors of HCL know.
var pureFunctions = map[string]function.Function{
	"abs": stdlib.AbsoluteFunc, "ceil": stdlib.CeilFunc, "floor": stdlib.FloorFunc, "max": stdlib.MaxFunc,
	"min": stdlib.MinFunc, "parseint": stdlib.ParseIntFunc, "pow": stdlib.PowFunc, "signum": stdlib.SignumFunc,

	"chomp": stdlib.ChompFunc, "format": stdlib.FormatFunc, "formatlist": stdlib.FormatListFunc, "indent": stdlib.IndentFunc,
	"join": stdlib.JoinFunc, "lower": stdlib.LowerFunc, "regex": stdlib.RegexFunc, "regexall": stdlib.RegexAllFunc,
	"replace": replaceFunc, "split": stdlib.SplitFunc, "strrev": stdlib.ReverseFunc, "substr": stdlib.SubstrFunc,
	"title": stdlib.TitleFunc, "trim": stdlib.TrimFunc, "trimprefix": stdlib.TrimPrefixFunc, "trimspace": stdlib.TrimSpaceFunc,
	"trimsuffix": stdlib.TrimSuffixFunc, "upper": stdlib.UpperFunc,
	"startswith": affixFunc(strings.HasPrefix), "endswith": affixFunc(strings.HasSuffix),

	"chunklist": stdlib.ChunklistFunc, "coalesce": stdlib.CoalesceFunc, "coalescelist": stdlib.CoalesceListFunc,
	"compact": stdlib.CompactFunc, "concat": stdlib.ConcatFunc, "contains": stdlib.ContainsFunc, "distinct": stdlib.DistinctFunc,
	"element": stdlib.ElementFunc, "flatten": stdlib.FlattenFunc, "keys": stdlib.KeysFunc, "length": lengthFunc,
	"lookup": stdlib.LookupFunc, "merge": stdlib.MergeFunc, "range": stdlib.RangeFunc, "reverse": stdlib.ReverseListFunc,
	"setintersection": stdlib.SetIntersectionFunc, "setproduct": stdlib.SetProductFunc, "setsubtract": stdlib.SetSubtractFunc,
	"setunion": stdlib.SetUnionFunc, "slice": stdlib.SliceFunc, "sort": stdlib.SortFunc, "values": stdlib.ValuesFunc,
	"zipmap": stdlib.ZipmapFunc,

	"tobool": toFunc(cty.Bool), "tolist": toFunc(cty.List(cty.DynamicPseudoType)), "tomap": toFunc(cty.Map(cty.DynamicPseudoType)),
	"tonumber": toFunc(cty.Number), "toset": toFunc(cty.Set(cty.DynamicPseudoType)), "tostring": toFunc(cty.String),

	"base64decode": base64DecodeFunc, "base64encode": textFunc(func(s string) (string, error) { return base64.StdEncoding.EncodeToString([]byte(s)), nil }),
	"csvdecode": stdlib.CSVDecodeFunc, "jsondecode": decodeFunc(decodeJSON), "jsonencode": stdlib.JSONEncodeFunc,
	"sha256": textFunc(digest), "yamldecode": decodeFunc(strictYAML), "yamlencode": ctyyaml.YAMLEncodeFunc,

	"formatdate": stdlib.FormatDateFunc, "timeadd": stdlib.TimeAddFunc, "timecmp": timeCompareFunc,
}

// functions returns the functions that expressions in files of src can call.
func (l *loader) functions(src *source) map[string]function.Function {
	if src.functions != nil {
		return src.functions
	}
	all := maps.Clone(pureFunctions)
	all[indexedName] = indexedFunc
	all["can"], all["try"] = l.canFunc(), l.tryFunc()
	all["env"] = l.envFunc()
	all["sensitive"] = l.sensitiveFunc()
	all["file"] = l.fileFunc(src)
	all["basename"] = textFunc(func(s string) (string, error) { return path.Base(s), nil })
	all["dirname"] = textFunc(func(s string) (string, error) { return path.Dir(s), nil })
	all["templatefile"] = l.templateFunc(src, all)
	src.functions = all
	return all
}

// text returns a file as text.
func (s *source) text(name string) (string, error) {
	data, err := s.read(name)
	if err != nil {
		return "", fmt.Errorf("%s cannot be read: %s", s.file(name), reason(err))
	}
	if !utf8.Valid(data) {
		return "", fmt.Errorf("%s is not UTF-8 text", s.file(name))
	}
	return string(data), nil
}

// textFunc makes a function from a text to a text.
func textFunc(f func(string) (string, error)) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "text", Type: cty.String}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			s, err := f(args[0].AsString())
			if err != nil {
				return cty.UnknownVal(cty.String), function.NewArgError(0, err)
			}
			return cty.StringVal(s), nil
		},
	})
}

func digest(s string) (string, error) {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:]), nil
}

// decodeFunc makes a function that reads a text as a value. The decoders of cty
// are not used: nesting exhausts their stack, and aliases the memory.
func decodeFunc(decode func([]byte) (any, error)) function.Function {
	value := func(args []cty.Value) (cty.Value, error) {
		v, err := decode([]byte(args[0].AsString()))
		if err != nil {
			return cty.DynamicVal, function.NewArgErrorf(0, "the text cannot be decoded: %s", yamlReason(err))
		}
		return valueOf(v), nil
	}
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "text", Type: cty.String}},
		Type: func(args []cty.Value) (cty.Type, error) {
			if !args[0].IsKnown() {
				return cty.DynamicPseudoType, nil
			}
			v, err := value(args)
			return v.Type(), err
		},
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) { return value(args) },
	})
}

func strictYAML(data []byte) (any, error) { return decodeYAML(data, refused) }

var base64DecodeFunc = textFunc(func(s string) (string, error) {
	data, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return "", errors.New("the text is not base64")
	}
	if !utf8.Valid(data) {
		return "", errors.New("the decoded bytes are not UTF-8 text")
	}
	return string(data), nil
})

func affixFunc(has func(s, affix string) bool) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "text", Type: cty.String}, {Name: "affix", Type: cty.String}},
		Type:   function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			return cty.BoolVal(has(args[0].AsString(), args[1].AsString())), nil
		},
	})
}

// replaceFunc replaces a text, or a regular expression written /between/.
var replaceFunc = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "text", Type: cty.String}, {Name: "search", Type: cty.String}, {Name: "replacement", Type: cty.String}},
	Type:   function.StaticReturnType(cty.String),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		search := args[1].AsString()
		if len(search) > 2 && search[0] == '/' && search[len(search)-1] == '/' {
			return stdlib.RegexReplace(args[0], cty.StringVal(search[1:len(search)-1]), args[2])
		}
		return stdlib.Replace(args[0], args[1], args[2])
	},
})

// lengthFunc counts the elements of a collection or the characters of a text.
var lengthFunc = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "value", Type: cty.DynamicPseudoType, AllowDynamicType: true}},
	Type: func(args []cty.Value) (cty.Type, error) {
		switch t := args[0].Type(); {
		case t == cty.String, t == cty.DynamicPseudoType, t.IsCollectionType(), t.IsTupleType(), t.IsObjectType():
			return cty.Number, nil
		}
		return cty.Number, function.NewArgErrorf(0, "a text, a list, a set, a map or an object is required")
	},
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		switch t := args[0].Type(); {
		case t == cty.String:
			return stdlib.Strlen(args[0])
		case t.IsObjectType():
			return cty.NumberIntVal(int64(len(t.AttributeTypes()))), nil
		}
		return args[0].Length(), nil
	},
})

// toFunc converts to a type.
func toFunc(want cty.Type) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "value", Type: cty.DynamicPseudoType, AllowNull: true, AllowDynamicType: true}},
		Type: func(args []cty.Value) (cty.Type, error) {
			got := args[0].Type()
			if got.Equals(want) {
				return want, nil
			}
			converted, err := convert.Convert(args[0], want)
			if err != nil {
				return cty.DynamicPseudoType, function.NewArgErrorf(0, "it cannot be converted: %s", convertMessage(err))
			}
			return converted.Type(), nil
		},
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			converted, err := convert.Convert(args[0], want)
			if err != nil {
				return cty.DynamicVal, function.NewArgErrorf(0, "it cannot be converted: %s", convertMessage(err))
			}
			return converted, nil
		},
	})
}

// timeCompareFunc returns -1, 0 or 1 for a time that is before, the same as or
// after another.
var timeCompareFunc = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "a", Type: cty.String}, {Name: "b", Type: cty.String}},
	Type:   function.StaticReturnType(cty.Number),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		var times [2]time.Time
		for i := range times {
			t, err := time.Parse(time.RFC3339, args[i].AsString())
			if err != nil {
				return cty.UnknownVal(cty.Number), function.NewArgErrorf(i, "not a time of RFC 3339")
			}
			times[i] = t
		}
		return cty.NumberIntVal(int64(times[0].Compare(times[1]))), nil
	},
})

// sensitiveFunc marks a value as one that must not be shown.
func (l *loader) sensitiveFunc() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "value", Type: cty.DynamicPseudoType, AllowNull: true, AllowDynamicType: true, AllowUnknown: true, AllowMarked: true}},
		Type:   func(args []cty.Value) (cty.Type, error) { return args[0].Type(), nil },
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			return l.hidden(args[0]), nil
		},
	})
}

// templateFunc renders a file as an HCL template with the variables of an
// object. A template cannot render another one.
func (l *loader) templateFunc(src *source, all map[string]function.Function) function.Function {
	inside := maps.Clone(all)
	inside["templatefile"] = function.New(&function.Spec{
		VarParam: &function.Parameter{Name: "args", Type: cty.DynamicPseudoType},
		Type: func([]cty.Value) (cty.Type, error) {
			return cty.String, errors.New("a template cannot call templatefile")
		},
		Impl: func([]cty.Value, cty.Type) (cty.Value, error) { return cty.UnknownVal(cty.String), nil },
	})
	render := func(args []cty.Value) (cty.Value, error) {
		text, err := src.text(args[0].AsString())
		if err != nil {
			return cty.DynamicVal, function.NewArgError(0, err)
		}
		v, err := renderTemplate(text, src.file(args[0].AsString()), args[1], inside)
		return l.fromOutside(text, v), err
	}
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "path", Type: cty.String}, {Name: "vars", Type: cty.DynamicPseudoType}},
		Type: func(args []cty.Value) (cty.Type, error) {
			if !args[0].IsKnown() || !args[1].IsKnown() {
				return cty.DynamicPseudoType, nil
			}
			v, err := render(args)
			return v.Type(), err
		},
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) { return render(args) },
	})
}

func renderTemplate(text, name string, vars cty.Value, functions map[string]function.Function) (cty.Value, error) {
	if t := vars.Type(); !t.IsObjectType() && !t.IsMapType() {
		return cty.DynamicVal, function.NewArgErrorf(1, "the variables must be an object")
	}
	if at, isDeep := tooDeep([]byte(text), name); isDeep {
		return cty.DynamicVal, function.NewArgErrorf(0, "%s line %d is nested too deep", name, at.Start.Line)
	}
	expr, diags := hclsyntax.ParseTemplate([]byte(text), name, hcl.InitialPos)
	if diags.HasErrors() {
		return cty.DynamicVal, function.NewArgErrorf(0, "%s", diags.Errs()[0])
	}
	markIndexes(expr)
	ctx := &hcl.EvalContext{Variables: vars.AsValueMap(), Functions: functions}
	for _, tr := range expr.Variables() {
		if _, isThere := ctx.Variables[tr.RootName()]; !isThere {
			return cty.DynamicVal, function.NewArgErrorf(1, "%s line %d uses %q, which is not among the variables",
				name, tr.SourceRange().Start.Line, tr.RootName())
		}
	}
	value, diags := expr.Value(ctx)
	if diags.HasErrors() {
		return cty.DynamicVal, function.NewArgErrorf(0, "%s", diags.Errs()[0])
	}
	return value, nil
}
