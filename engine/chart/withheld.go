package chart

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	helmchart "helm.sh/helm/v4/pkg/chart/v2"

	"hubcap/engine/resource"
)

// An error of a rendering with sensitive values may quote one, in whatever spelling. It
// is shown when it is the same with stand-ins, or when the chart's author wrote it word
// for word; else its place is told and its text withheld.

// withheldCause stands in the place of a text that may quote a sensitive value.
const withheldCause = "the reason is not shown, since it may quote a sensitive value; render the chart with harmless values in the place of the sensitive ones to see it"

// discreet returns err, an error of rendering, or one without its text.
func (r *rendering) discreet(err error) error {
	if err == nil || !r.hasSecrets() {
		return err
	}
	request := r.request
	request.Values = standIns(request.Values)
	second, twinErr := r.source.prepare(request)
	if twinErr == nil {
		second.live = r.live.standIn()
		_, twinErr = second.fixpoint(&draw{number: 3})
	}
	if twinErr != nil && twinErr.Error() == err.Error() || isWritten(r.source.root, err.Error()) {
		return err
	}
	var broken *TemplateError
	if errors.As(err, &broken) {
		return &TemplateError{File: broken.File, Line: broken.Line, Cause: withheldCause}
	}
	return fmt.Errorf("render: %s", withheldCause)
}

// failed finds the text that a template fails with.
var failed = regexp.MustCompile(`(?s)^.*execution error at \([^)]*\): (.*)$`)

// isWritten reports whether the text that a template fails with stands in the chart.
func isWritten(c *helmchart.Chart, message string) bool {
	found := failed.FindStringSubmatch(message)
	if found == nil || strings.TrimSpace(found[1]) == "" {
		return false
	}
	text := strings.TrimSpace(found[1])
	for _, t := range c.Templates {
		if source := string(t.Data); strings.Contains(source, text) || strings.Contains(strings.ReplaceAll(source, `\n`, "\n"), text) {
			return true
		}
	}
	return slices.ContainsFunc(c.Dependencies(), func(child *helmchart.Chart) bool { return isWritten(child, message) })
}

// discreetValues withholds what a schema says about values that are sensitive, unless
// it says the same of their stand-ins.
func (r *rendering) discreetValues(err error) error {
	var invalid *ValuesError
	if !errors.As(err, &invalid) || !resource.HasSensitive(r.request.Values) {
		return err
	}
	var same []string
	request := r.request
	request.Values = standIns(request.Values)
	if second, prepareErr := r.source.prepare(request); prepareErr == nil {
		var other *ValuesError
		if errors.As(r.source.schemas.check(second.chart, second.values, nil, &second.warnings), &other) {
			for _, p := range other.Problems {
				same = append(same, p.String())
			}
		}
	}
	discreet := &ValuesError{Chart: invalid.Chart}
	for _, p := range invalid.Problems {
		if reaches(r.request.Values, p.Path) && !slices.Contains(same, p.String()) {
			p.Message = "its value is sensitive, so what the chart's values.schema.json has against it is not shown"
		}
		discreet.Problems = append(discreet.Problems, p)
	}
	return discreet
}

// reaches reports whether something sensitive lies at a path, below it or above it.
func reaches(values map[string]any, path []string) bool {
	var v any = values
	for _, key := range path {
		table, isTable := v.(map[string]any)
		if !isTable {
			break
		}
		v = table[key]
	}
	return resource.HasSensitive(v)
}
