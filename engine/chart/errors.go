package chart

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"hubcap/engine/resource"
)

// A TemplateError says which template does not render, and why.
type TemplateError struct {
	File  string // "binderhub/templates/deployment.yaml"
	Line  int    // in the template; 0 when unknown
	Cause string // in Helm's words where they are Helm's

	// Shown is the sensitive value that would stand where nothing can be hidden; zero:
	// it is about something else, or nobody can tell which one.
	Shown resource.Sensitive

	outputLine int // in what the template rendered; 0 when it did not come so far
}

func (e *TemplateError) Error() string {
	return fmt.Sprintf("render %s: %s", e.Place(), e.Cause)
}

// Place returns "file:line", or the file alone when the line is unknown.
func (e *TemplateError) Place() string {
	if e.Line == 0 {
		return e.File
	}
	return fmt.Sprintf("%s:%d", e.File, e.Line)
}

// A LookupError says that a live object, which a template asks for, could not be
// read: the chart may be sound.
type LookupError struct {
	What string // "Secret hub in namespace prod"
	Err  error
}

func (e *LookupError) Error() string { return "look up " + e.What + ": " + e.Err.Error() }

func (e *LookupError) Unwrap() error { return e.Err }

// A ValuesError says which values a chart's schema does not allow.
type ValuesError struct {
	Chart    string
	Problems []Problem
}

// A Problem is one value that the schema does not allow.
type Problem struct {
	Path    []string // from the top of all values
	Message string
	Unknown bool // the schema has no value at Path
}

// String returns "a.b.c: message".
func (p Problem) String() string {
	if len(p.Path) == 0 {
		return p.Message
	}
	return strings.Join(p.Path, ".") + ": " + p.Message
}

func (e *ValuesError) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return fmt.Sprintf("check values of chart %s: %s", e.Chart, strings.Join(lines, "; "))
}

// place finds "chart/templates/x.yaml:12" or "…:12:34" in a message of the
// template engine.
var place = regexp.MustCompile(`([^\s:("<]+/templates/[^\s:)">]+):(\d+)(?::\d+)?`)

// templateError reads where it happened out of a message of Helm's engine. The
// last place is the innermost: the helper in which it happened, while the first
// is the template that was being rendered.
func templateError(err error) error {
	message := strings.TrimSpace(err.Error())
	found := place.FindAllStringSubmatch(message, -1)
	if len(found) == 0 {
		return fmt.Errorf("render: %s", message)
	}
	innermost := found[len(found)-1]
	line, _ := strconv.Atoi(innermost[2])
	return &TemplateError{File: innermost[1], Line: line, Cause: message}
}
