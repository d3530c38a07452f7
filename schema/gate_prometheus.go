package schema

import (
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"
	apiresource "k8s.io/apimachinery/pkg/api/resource"

	"hubcap/engine/resource"
)

// PrometheusCheck asks a Prometheus for a number and holds it against bounds.
type PrometheusCheck struct {
	Cluster  resource.Address // whose Prometheus; zero: of the hub's cluster
	Query    string
	Max      *float64
	Min      *float64
	Window   time.Duration
	Before   *BeforeCheck
	Control  *ControlCheck
	Slope    *SlopeCheck
	Evidence *Evidence
}

// Bounds of a comparison with another value. Nil is no bound.
type Bounds struct {
	MaxRatio, MinRatio           *float64
	MaxDifference, MinDifference *float64
	Floor                        float64 // of both sides of a ratio
}

// BeforeCheck compares with the time before the step.
type BeforeCheck struct {
	Bounds
	Window time.Duration
}

// ControlCheck compares with unchanged hubs.
type ControlCheck struct {
	Bounds
	Hubs []resource.Address // that may be controls; none: all of the same type
}

// SlopeCheck holds the slope of the value against bounds.
type SlopeCheck struct {
	Per        string // query of the work done; empty: per hour
	Load       string // query of what the value depends on besides; empty: nothing
	Max        *float64
	Limit      *float64
	Within     time.Duration
	MinPoints  int64
	MinWork    float64
	Confidence float64
}

// Evidence is how much must have been seen before a verdict counts.
type Evidence struct {
	Query   string
	AtLeast float64
	Unit    string // "launches", for people
}

// Defaults of a Prometheus check.
const (
	promWindow      = 10 * time.Minute
	slopeWithin     = 24 * time.Hour
	slopePoints     = 10
	slopeConfidence = 0.95
)

func (b *body) prometheusCheck() *PrometheusCheck {
	p := b.block("prometheus")
	if p == nil {
		return nil
	}
	check := &PrometheusCheck{
		Query:  p.query("query"),
		Max:    p.amount("max"),
		Min:    p.amount("min"),
		Window: p.positive("window"),
	}
	p.require("query")
	if t := p.ref("cluster", "cluster"); t != nil {
		check.Cluster = t.address
		if c, isCluster := t.entry.(*Cluster); isCluster && c.Prometheus == nil {
			p.errorIn("cluster", "Cluster without a Prometheus", "%s does not say where its Prometheus is: write prometheus = \"https://…\" there.", t.address)
		}
	}
	if check.Window == 0 {
		check.Window = promWindow
	}
	if check.Max != nil && check.Min != nil && *check.Min > *check.Max {
		p.errorIn("min", "Contradictory bounds", "Nothing is at least %g and at most %g.", *check.Min, *check.Max)
	}
	check.Before = p.beforeCheck(check.Window)
	check.Control = p.controlCheck()
	check.Slope = p.slopeCheck()
	check.Evidence = p.evidence()
	if !p.has("max") && !p.has("min") && check.Before == nil && check.Control == nil && check.Slope == nil {
		p.errorAt(p.header, "Check without a bound", "A prometheus check needs something to hold the value against: max, min, or a before, control or slope block.")
	}
	p.done()
	return check
}

// bounds decodes what a comparison allows.
func (b *body) bounds() Bounds {
	floor := 0.0
	given := b.amount("floor")
	if given != nil {
		floor = *given
	}
	out := Bounds{
		MaxRatio: b.amount("max_ratio"), MinRatio: b.amount("min_ratio"),
		MaxDifference: b.amount("max_difference"), MinDifference: b.amount("min_difference"),
		Floor: floor,
	}
	isRatio := b.has("max_ratio") || b.has("min_ratio")
	switch {
	case !isRatio && !b.has("max_difference") && !b.has("min_difference"):
		b.errorAt(b.header, "Check without a bound", "A %s block needs max_ratio, min_ratio, max_difference or min_difference.", b.where)
	case isRatio && (!b.has("floor") || given != nil && floor <= 0):
		b.errorAt(b.header, "Ratio without a floor", "From 0 to 1 is infinitely much. Write floor, the value below which a difference does not matter, as in floor = 0.1: smaller values count as this.")
	case !isRatio && b.has("floor"):
		b.errorIn("floor", "Attribute without effect", "A floor is for max_ratio and min_ratio.")
	}
	return out
}

func (b *body) beforeCheck(window time.Duration) *BeforeCheck {
	c := b.block("before")
	if c == nil {
		return nil
	}
	check := &BeforeCheck{Bounds: c.bounds(), Window: c.positive("window")}
	if check.Window == 0 {
		check.Window = window
	}
	c.done()
	return check
}

func (b *body) controlCheck() *ControlCheck {
	c := b.block("control")
	if c == nil {
		return nil
	}
	check := &ControlCheck{Bounds: c.bounds()}
	for _, t := range c.refs("hubs", "hub") {
		check.Hubs = append(check.Hubs, t.address)
	}
	c.done()
	return check
}

func (b *body) slopeCheck() *SlopeCheck {
	s := b.block("slope")
	if s == nil {
		return nil
	}
	check := &SlopeCheck{
		Per: s.query("per"), Load: s.query("load"), Max: s.amount("max"), Limit: s.amount("limit"), Within: s.positive("within"),
		MinPoints: s.number("min_points", span{4, 10000}, slopePoints), Confidence: slopeConfidence,
	}
	if w := s.amount("min_work"); w != nil {
		check.MinWork = *w
	}
	if c := s.amount("confidence"); c != nil {
		check.Confidence = *c
		if *c < 0.5 || *c >= 1 {
			s.errorIn("confidence", "Number out of range", "slope.confidence must be at least 0.5 and below 1.")
		}
	}
	if check.Within == 0 {
		check.Within = slopeWithin
	}
	switch {
	case !s.has("max") && !s.has("limit"):
		s.errorAt(s.header, "Check without a bound", "A slope block needs max, or a limit that the value must not reach within a time.")
	case s.has("within") && !s.has("limit"):
		s.errorIn("within", "Attribute without effect", "It says in what time the limit must not be reached. Write limit too.")
	case s.has("min_work") && !s.has("per"):
		s.errorIn("min_work", "Attribute without effect", "Work is what per counts. Write per too.")
	}
	s.done()
	return check
}

func (b *body) evidence() *Evidence {
	e := b.block("evidence")
	if e == nil {
		return nil
	}
	e.require("query")
	e.require("at_least")
	found := &Evidence{Query: e.query("query"), Unit: e.nonEmpty("unit")}
	if n := e.amount("at_least"); n != nil {
		found.AtLeast = *n
	}
	e.done()
	return found
}

// amount returns a number, written as one or as a quantity ("1Gi"), or nil when
// it is not set.
func (b *body) amount(name string) *float64 {
	value, res := b.plain(name, cty.String)
	if value == cty.NilVal {
		return nil
	}
	if res.Type() == cty.Number {
		f, _ := res.AsBigFloat().Float64()
		if math.IsInf(f, 0) {
			b.errorIn(name, "Number out of range", "%s.%s is too large.", b.where, name)
			return nil
		}
		return &f
	}
	q, err := apiresource.ParseQuantity(value.AsString())
	if err != nil {
		b.about(res, b.at(name), "Wrong type of value", "%s.%s must be a number, or a quantity as in \"1Gi\" or \"500m\", not the text %q.", b.where, name, shorten(value.AsString()))
		return nil
	}
	f := q.AsApproximateFloat64()
	return &f
}

var (
	placeholder  = regexp.MustCompile(`\$[A-Za-z_]+`)
	placeholders = []string{"$namespace", "$release", "$hub", "$window", "$bake"}
)

// query returns an expression for Prometheus. Its grammar is checked no further
// than brackets and quotes: what functions there are is the server's affair.
func (b *body) query(name string) string {
	return b.checked(name, "Invalid query", func(s string) string {
		if strings.TrimSpace(s) == "" {
			return "is empty."
		}
		for _, found := range placeholder.FindAllString(s, -1) {
			if !slices.Contains(placeholders, found) {
				return "uses " + found + ", which is none of " + strings.Join(placeholders, ", ") + "." + suggestion(found, placeholders)
			}
		}
		return unbalanced(s)
	})
}

// unbalanced says which bracket or quote of an expression has no partner.
func unbalanced(s string) string {
	closing := map[byte]byte{'(': ')', '[': ']', '{': '}'}
	var open []byte
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '"', '\'', '`':
			end := endOfQuote(s, i)
			if end < 0 {
				return "has a " + string(c) + " without its partner."
			}
			i = end
		case '#':
			if n := strings.IndexByte(s[i:], '\n'); n >= 0 {
				i += n
			} else {
				i = len(s)
			}
		case '(', '[', '{':
			open = append(open, c)
		case ')', ']', '}':
			if len(open) == 0 || closing[open[len(open)-1]] != c {
				return "has a " + string(c) + " without its partner."
			}
			open = open[:len(open)-1]
		}
	}
	if len(open) > 0 {
		return "has a " + string(open[len(open)-1]) + " without its partner."
	}
	return ""
}

// endOfQuote returns where the text that begins at i ends, or -1.
func endOfQuote(s string, i int) int {
	for j := i + 1; j < len(s); j++ {
		switch {
		case s[j] == '\\' && s[i] != '`':
			j++
		case s[j] == s[i]:
			return j
		}
	}
	return -1
}
