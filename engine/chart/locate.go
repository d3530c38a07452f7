package chart

import (
	"errors"
	"path"
	"regexp"
	"strings"

	helmchart "helm.sh/helm/v4/pkg/chart/v2"
)

// action is a template action within one line.
var action = regexp.MustCompile(`\{\{.*?\}\}`)

// locate adds the line of the template to an error that knows only the line of
// the template's output. The engine keeps no track of which line made which, so
// the output is held against the template: the line at fault, or else the
// nearest one above it, that looks like exactly one line of the template.
func locate(c *helmchart.Chart, err error, output string) error {
	var e *TemplateError
	if !errors.As(err, &e) || e.Line != 0 || e.outputLine == 0 {
		return err
	}
	text, isFound := templateText(c, e.File)
	if !isFound {
		return err
	}
	var patterns []*regexp.Regexp
	for line := range strings.Lines(text) {
		patterns = append(patterns, pattern(line))
	}
	rendered := strings.Split(output, "\n")
	for i := min(e.outputLine, len(rendered)) - 1; i >= 0; i-- {
		if line := only(patterns, strings.TrimSpace(rendered[i])); line != 0 {
			e.Line = line
			return e
		}
	}
	return e
}

// pattern matches what a line of a template can render, as far as it is one line;
// nil when it has no text of its own.
func pattern(line string) *regexp.Regexp {
	line = strings.TrimSpace(line)
	fixed := action.Split(line, -1)
	if strings.Trim(strings.Join(fixed, ""), " -") == "" {
		return nil
	}
	for i := range fixed {
		fixed[i] = regexp.QuoteMeta(fixed[i])
	}
	return regexp.MustCompile("^" + strings.TrimSpace(strings.Join(fixed, ".*")) + "$")
}

// only returns the number of the one pattern that matches, 0 when none or
// several do.
func only(patterns []*regexp.Regexp, text string) int {
	found := 0
	for i, p := range patterns {
		if p == nil || !p.MatchString(text) {
			continue
		}
		if found != 0 {
			return 0
		}
		found = i + 1
	}
	return found
}

// templateText returns the text of a template by its full path.
func templateText(c *helmchart.Chart, full string) (string, bool) {
	for _, t := range c.Templates {
		if path.Join(c.ChartFullPath(), t.Name) == full {
			return string(t.Data), true
		}
	}
	for _, child := range c.Dependencies() {
		if text, isFound := templateText(child, full); isFound {
			return text, true
		}
	}
	return "", false
}
