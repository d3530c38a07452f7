package cli

import (
	"fmt"
	"math"
	"strings"

	"hubcap/cmd/internal/render"
	"hubcap/engine/resource"
)

// among says, behind an error about a name that there is not, which there are: those
// first that are most like it.
func among(written string, names []string) string {
	if len(names) == 0 {
		return ""
	}
	return "; " + resource.Possible(written, names)
}

// complain says an error on standard error. Errors joined together are told one by
// one; the further lines of a text that came from outside are indented, so that none
// of them passes for a message of hubcap's own. Lines are wrapped only for a person: a
// log is searched by line.
func (s *session) complain(err error) {
	width := math.MaxInt32
	if isTerminal(s.err) {
		width, _ = s.size(s.err)
	}
	var b strings.Builder
	for _, e := range errorsOf(err) {
		mark := "hubcap: "
		for line := range strings.SplitSeq(s.redact(e.Error()), "\n") {
			if line != "" {
				b.WriteString(render.Paragraph(mark+strings.ReplaceAll(line, "\t", "  "), "  ", width))
				mark = "  "
			}
		}
	}
	fmt.Fprint(s.err, b.String())
}

// redact takes the sensitive values of the config, when there is one, out of an error:
// whoever made it does so first, and this is for the one that forgot.
func (s *session) redact(text string) string {
	if s.loaded == nil || s.loaded.config == nil {
		return text
	}
	var r resource.Redactor
	for _, secret := range s.loaded.config.Sensitive {
		r.Add(secret.Reveal())
	}
	return r.Redact(text)
}

// errorsOf returns the errors that were joined to err; err itself when there are none.
func errorsOf(err error) []error {
	list, is := err.(interface{ Unwrap() []error })
	if !is {
		return []error{err}
	}
	var texts []string
	var all []error
	for _, e := range list.Unwrap() {
		texts = append(texts, e.Error())
		all = append(all, errorsOf(e)...)
	}
	if strings.Join(texts, "\n") != err.Error() {
		return []error{err}
	}
	return all
}
