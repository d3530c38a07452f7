package chart

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	helmchart "helm.sh/helm/v4/pkg/chart/v2"
)

// schemaURL is where a chart's schema says it is.
const schemaURL = "file:///values.schema.json"

// schemas is the compiled schemas of a chart and its dependencies, by text: all
// renderings of a chart share them.
type schemas struct {
	mu    sync.Mutex
	known map[string]compiled
}

// A compiled is one schema, or why it is none, and what compiling it had to ignore.
type compiled struct {
	schema   *jsonschema.Schema
	err      error
	warnings warnings
}

// check holds the values against the schema of c and of each dependency. at is
// the path of c's own values.
func (s *schemas) check(c *helmchart.Chart, values map[string]any, at []string, w *warnings) error {
	var problems []Problem
	if len(c.Schema) > 0 {
		found, err := s.validate(c, values, w)
		if err != nil {
			return fmt.Errorf("read schema of chart %s: %w", c.Name(), err)
		}
		for _, p := range found {
			p.Path = append(append([]string{}, at...), p.Path...)
			problems = append(problems, p)
		}
	}
	for _, child := range c.Dependencies() {
		table, isTable := values[child.Name()].(map[string]any)
		if !isTable {
			continue
		}
		err := s.check(child, table, append(append([]string{}, at...), child.Name()), w)
		var inner *ValuesError
		switch {
		case errors.As(err, &inner):
			problems = append(problems, inner.Problems...)
		case err != nil:
			return err
		}
	}
	if len(problems) > 0 {
		return &ValuesError{Chart: c.Name(), Problems: sortedProblems(problems)}
	}
	return nil
}

func (s *schemas) validate(c *helmchart.Chart, values map[string]any, w *warnings) ([]Problem, error) {
	is := s.of(c)
	*w = append(*w, is.warnings...)
	if is.err != nil {
		return nil, is.err
	}
	err := is.schema.Validate(values)
	var invalid *jsonschema.ValidationError
	if !errors.As(err, &invalid) {
		return nil, err
	}
	return problemsOf(invalid), nil
}

// of returns the schema of c itself.
func (s *schemas) of(c *helmchart.Chart) compiled {
	s.mu.Lock()
	defer s.mu.Unlock()
	// Under an alias, what is said about a schema names another chart.
	key := c.Name() + "\x00" + string(c.Schema)
	is, isKnown := s.known[key]
	if !isKnown {
		is.schema, is.err = compile(c, &is.warnings)
		if s.known == nil {
			s.known = map[string]compiled{}
		}
		s.known[key] = is
	}
	return is
}

func compile(c *helmchart.Chart, w *warnings) (*jsonschema.Schema, error) {
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(c.Schema))
	if err != nil {
		return nil, err
	}
	compiler := jsonschema.NewCompiler()
	compiler.UseLoader(offline{chart: c.Name(), warnings: w})
	if err := compiler.AddResource(schemaURL, document); err != nil {
		return nil, err
	}
	return compiler.Compile(schemaURL)
}

// problemsOf returns the errors that have no cause of their own: what stands above
// them, a $ref for one, says only that something beneath is wrong. Of alternatives
// that all fail one error is made, and of keys that nobody knows one for each.
func problemsOf(e *jsonschema.ValidationError) []Problem {
	switch k := e.ErrorKind.(type) {
	case *kind.AdditionalProperties:
		var problems []Problem
		for _, key := range k.Properties {
			problems = append(problems, Problem{Path: append(slices.Clone(e.InstanceLocation), key), Message: "the chart has no such value", Unknown: true})
		}
		return problems
	case *kind.OneOf, *kind.AnyOf:
		if len(e.Causes) > 0 {
			return []Problem{{Path: e.InstanceLocation, Message: alternatives(e)}}
		}
	}
	if len(e.Causes) == 0 {
		bare := *e
		return []Problem{{Path: e.InstanceLocation, Message: bare.DetailedOutput().Error.String()}}
	}
	var problems []Problem
	for _, cause := range e.Causes {
		problems = append(problems, problemsOf(cause)...)
	}
	return problems
}

// alternatives words why none of several schemas fits.
func alternatives(e *jsonschema.ValidationError) string {
	var all []string
	for _, cause := range e.Causes {
		for _, p := range problemsOf(cause) {
			p.Path = p.Path[min(len(e.InstanceLocation), len(p.Path)):]
			if text := p.String(); !slices.Contains(all, text) {
				all = append(all, text)
			}
		}
	}
	return "fits none of the alternatives: " + strings.Join(all, ", or ")
}

// offline stands in for whatever a schema refers to outside of itself: anything
// is allowed there, because a plan must not depend on a web server.
type offline struct {
	chart    string
	warnings *warnings
}

func (o offline) Load(url string) (any, error) {
	o.warnings.add("the schema of chart %s refers to %s, which is not fetched: what it describes is not checked", o.chart, url)
	return true, nil
}

func sortedProblems(problems []Problem) []Problem {
	// The validator goes through maps in Go's order.
	slices.SortFunc(problems, func(a, b Problem) int { return strings.Compare(a.String(), b.String()) })
	return slices.CompactFunc(problems, func(a, b Problem) bool { return a.String() == b.String() })
}
