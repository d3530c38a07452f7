package gate

import (
	"slices"
	"strings"
)

// A Selector is what an expression reads: a metric and what its labels must be.
type Selector struct {
	Metric   string
	Matchers []string // `namespace="prod"`
}

// String returns the selector as it is written in an expression.
func (s Selector) String() string {
	if len(s.Matchers) == 0 {
		return s.Metric
	}
	return s.Metric + "{" + strings.Join(s.Matchers, ",") + "}"
}

// Words of the language that are no metrics, and those that lists of labels
// follow.
var (
	words    = []string{"and", "or", "unless", "bool", "offset", "inf", "nan", "atan2", "start", "end", "by", "without", "on", "ignoring", "group_left", "group_right"}
	grouping = []string{"by", "without", "on", "ignoring", "group_left", "group_right"}
)

// Selectors returns what an expression reads, each once, as far as can be told
// without its whole grammar.
func Selectors(expr string) []Selector {
	s := &scanner{text: expr}
	var all []Selector
	for s.i < len(s.text) {
		found, ok := s.next()
		if ok && !slices.ContainsFunc(all, func(o Selector) bool { return o.String() == found.String() }) {
			all = append(all, found)
		}
	}
	return all
}

// A scanner reads an expression from left to right.
type scanner struct {
	text string
	i    int
}

func (s *scanner) next() (Selector, bool) {
	switch c := s.text[s.i]; {
	case c == '"' || c == '\'' || c == '`':
		s.quoted()
	case c == '#':
		if n := strings.IndexByte(s.text[s.i:], '\n'); n >= 0 {
			s.i += n
		} else {
			s.i = len(s.text)
		}
	case c == '[': // a duration
		if n := strings.IndexByte(s.text[s.i:], ']'); n >= 0 {
			s.i += n
		}
		s.i++
	case c >= '0' && c <= '9': // a number, or a duration
		for s.i < len(s.text) && (isName(s.text[s.i]) || s.text[s.i] == '.') {
			s.i++
		}
	case isName(c) && c != ':' || c == '{':
		return s.selector()
	default:
		s.i++
	}
	return Selector{}, false
}

func (s *scanner) selector() (Selector, bool) {
	start := s.i
	for s.i < len(s.text) && isName(s.text[s.i]) {
		s.i++
	}
	name := s.text[start:s.i]
	s.blanks()
	c := byte(0)
	if s.i < len(s.text) {
		c = s.text[s.i]
	}
	switch {
	case slices.Contains(grouping, strings.ToLower(name)) && c == '(':
		if n := strings.IndexByte(s.text[s.i:], ')'); n >= 0 {
			s.i += n + 1
		}
		return Selector{}, false
	case c == '(', slices.Contains(words, strings.ToLower(name)):
		return Selector{}, false
	case isAggregation(name, s.text[s.i:]):
		return Selector{}, false
	}
	found := Selector{Metric: name}
	if c == '{' {
		found.Matchers = s.matchers()
	}
	return found, found.Metric != "" || len(found.Matchers) > 0
}

// isAggregation reports whether a name is followed by what only follows an
// aggregation: "sum by (pod) (…)".
func isAggregation(name, rest string) bool {
	word, _, _ := strings.Cut(rest, "(")
	word = strings.ToLower(strings.TrimSpace(word))
	return name != "" && (word == "by" || word == "without")
}

// matchers reads what stands between braces.
func (s *scanner) matchers() []string {
	var all []string
	s.i++
	start := s.i
	add := func() {
		if m := strings.TrimSpace(s.text[start:s.i]); m != "" {
			all = append(all, m)
		}
	}
	for s.i < len(s.text) {
		switch s.text[s.i] {
		case '"', '\'', '`':
			s.quoted()
			continue
		case ',':
			add()
			start = s.i + 1
		case '}':
			add()
			s.i++
			return all
		}
		s.i++
	}
	return all
}

// quoted goes to after a text in quotes.
func (s *scanner) quoted() {
	quote := s.text[s.i]
	for s.i++; s.i < len(s.text); s.i++ {
		switch {
		case s.text[s.i] == '\\' && quote != '`':
			s.i++
		case s.text[s.i] == quote:
			s.i++
			return
		}
	}
	s.i = len(s.text)
}

func (s *scanner) blanks() {
	for s.i < len(s.text) && strings.IndexByte(" \t\r\n", s.text[s.i]) >= 0 {
		s.i++
	}
}

func isName(c byte) bool {
	return c == '_' || c == ':' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// Label returns the name of the label that a matcher is about.
func Label(matcher string) string {
	i := strings.IndexAny(matcher, "=!")
	if i < 0 {
		return ""
	}
	return strings.TrimSpace(matcher[:i])
}
