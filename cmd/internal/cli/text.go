package cli

import (
	"strings"

	"hubcap/cmd/internal/render"
)

// errorText words an error for standard error. Errors joined together are told
// one by one.
func errorText(err error, width int) string {
	var b strings.Builder
	for line := range strings.SplitSeq(err.Error(), "\n") {
		if line != "" {
			b.WriteString(render.Paragraph("hubcap: "+line, "  ", width))
		}
	}
	return b.String()
}
