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
