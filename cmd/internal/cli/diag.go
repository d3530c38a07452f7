package cli

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"hubcap/engine/expand"
	"hubcap/engine/resource"
	"hubcap/engine/run"
)

// diagnose writes diagnostics with snippets of the files to standard error and
// returns the error that ends the command if one of them is an error.
func (s *session) diagnose(diags hcl.Diagnostics, files map[string]*hcl.File) error {
	if len(diags) == 0 {
		return nil
	}
	width, _ := s.size(s.err)
	w := hcl.NewDiagnosticTextWriter(s.err, files, uint(width), s.colored(s.err))
	for _, d := range diags {
		if err := w.WriteDiagnostic(s.plain(d)); err != nil {
			return fmt.Errorf("write diagnostics: %w", err)
		}
	}
	return silently(codeOfDiagnostics(diags))
}

// codeOfDiagnostics is what a command ends with for what was said of a config: a
// config that may be sound, and could not be compared, is no error of its author's.
func codeOfDiagnostics(diags hcl.Diagnostics) code {
	worst := exitOK
	for _, d := range diags {
		_, isUnread := d.Extra.(expand.Unread)
		switch {
		case d.Severity != hcl.DiagError:
		case !isUnread:
			return exitError
		default:
			worst = exitIncomplete
		}
	}
	return worst
}

// plain drops what would make the writer print values, since they may be sensitive,
// and cleans what charts and clusters have a part in.
func (s *session) plain(d *hcl.Diagnostic) *hcl.Diagnostic {
	c := *d
	c.Expression, c.EvalContext = nil, nil
	c.Summary, c.Detail = resource.Clean(s.redact(d.Summary)), resource.CleanLines(s.redact(d.Detail))
	return &c
}

// A jsonDiagnostic is one diagnostic as "validate -o json" prints it.
type jsonDiagnostic struct {
	Severity string     `json:"severity"`
	Summary  string     `json:"summary"`
	Detail   string     `json:"detail,omitempty"`
	Range    *jsonRange `json:"range,omitempty"`
}

type jsonRange struct {
	File  string  `json:"file"`
	Start jsonPos `json:"start"`
	End   jsonPos `json:"end"`
}

type jsonPos struct {
	Line   int `json:"line"`
	Column int `json:"column"`
}

// validation is what "validate -o json" prints.
type validation struct {
	FormatVersion string           `json:"format_version"`
	Valid         bool             `json:"valid"`
	Errors        int              `json:"error_count"`
	Warnings      int              `json:"warning_count"`
	Diagnostics   []jsonDiagnostic `json:"diagnostics"`
}

func (s *session) validationOf(diags hcl.Diagnostics) validation {
	v := validation{FormatVersion: "1.0", Valid: !diags.HasErrors(), Diagnostics: []jsonDiagnostic{}}
	for _, d := range diags {
		j := jsonDiagnostic{Severity: "error", Summary: s.redact(d.Summary), Detail: s.redact(d.Detail)}
		if d.Severity == hcl.DiagWarning {
			j.Severity = "warning"
			v.Warnings++
		} else {
			v.Errors++
		}
		if r := d.Subject; r != nil {
			j.Range = &jsonRange{
				File:  r.Filename,
				Start: jsonPos{r.Start.Line, r.Start.Column},
				End:   jsonPos{r.End.Line, r.End.Column},
			}
		}
		v.Diagnostics = append(v.Diagnostics, j)
	}
	return v
}

func (s *session) writeJSON(v any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("encode JSON: %w", err)
	}
	return s.print(b.String())
}

// blame turns the error of a step into a diagnostic that points at the line of
// the config that asked for what failed.
func blame(e *run.StepError, files map[string]*hcl.File) *hcl.Diagnostic {
	d := &hcl.Diagnostic{
		Severity: hcl.DiagError,
		Summary:  "Step " + string(e.Step.ID) + " failed",
		Detail:   sentence(e.Err.Error()),
	}
	d.Subject = subject(originOf(e), files)
	return d
}

// originOf is where the failed change was asked for: of the change the error
// names, else the first that has a place.
func originOf(e *run.StepError) resource.Range {
	text := e.Err.Error()
	byNaming := slices.SortedStableFunc(slices.Values(e.Step.Changes), func(a, b resource.Change) int {
		named := func(c resource.Change) int {
			if strings.Contains(text, c.ID.Kind+"/"+c.ID.Name) || strings.Contains(text, c.ID.String()) {
				return 0
			}
			return 1
		}
		return cmp.Compare(named(a), named(b))
	})
	for _, c := range byNaming {
		if c.Origin.File != "" {
			return c.Origin
		}
	}
	return resource.Range{}
}

// subject finds the line at r in files, for the snippet.
func subject(r resource.Range, files map[string]*hcl.File) *hcl.Range {
	if r.File == "" {
		return nil
	}
	at := &hcl.Range{Filename: r.File, Start: hcl.Pos{Line: max(r.Line, 1), Column: max(r.Column, 1)}}
	at.End = at.Start
	file := files[r.File]
	if file == nil {
		return at
	}
	offset := 0
	for n := 1; n < at.Start.Line; n++ {
		next := bytes.IndexByte(file.Bytes[offset:], '\n')
		if next < 0 {
			return at
		}
		offset += next + 1
	}
	line, _, _ := bytes.Cut(file.Bytes[offset:], []byte("\n"))
	at.Start.Byte = offset + min(at.Start.Column-1, len(line))
	at.End = hcl.Pos{Line: at.Start.Line, Column: len(line) + 1, Byte: offset + len(line)}
	return at
}

// sentence makes an error's text read as one. Addresses, such as guard.quiet, stay as
// they are written.
func sentence(text string) string {
	if text == "" {
		return text
	}
	if first, _, _ := strings.Cut(text, " "); !strings.Contains(strings.TrimRight(first, ".:"), ".") {
		text = strings.ToUpper(text[:1]) + text[1:]
	}
	if !strings.HasSuffix(text, ".") {
		text += "."
	}
	return text
}
