package cli

import (
	"fmt"
	"math"
	"strings"

	"hubcap/cmd/internal/render"
	"hubcap/engine/resource"
)

// mostNamed is how many names an error offers at most.
const mostNamed = 8

// among says, behind an error about a name that there is not, which there are: those
// first that are most like it.
func among(written string, names []string) string {
	closest := resource.Closest(written, names)
	if len(closest) == 0 {
		return ""
	}
	text := "; possible are " + strings.Join(closest[:min(len(closest), mostNamed)], ", ")
	if more := len(closest) - mostNamed; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// complain says an error on standard error. Errors joined together are told one
// by one. Lines are wrapped only for a person: a log is searched by line.
func (s *session) complain(err error) {
	width := math.MaxInt32
	if isTerminal(s.err) {
		width, _ = s.size(s.err)
	}
	var b strings.Builder
	for line := range strings.SplitSeq(err.Error(), "\n") {
		if line != "" {
			b.WriteString(render.Paragraph("hubcap: "+strings.ReplaceAll(line, "\t", "  "), "  ", width))
		}
	}
	fmt.Fprint(s.err, b.String())
}
