package render

import (
	"io"
	"regexp"
	"strings"

	"hubcap/engine/resource"
)

// A Screen stands before standard output and standard error, and is the one place
// where text is made harmless: every word of hubcap goes through one, so that no
// message can forget it. Whatever a terminal acts on, and what reorders text or
// cannot be seen, is spelled as an escape: control characters but newlines and tabs,
// bidirectional overrides, zero-width characters, bytes that are no text. Only the
// colours that hubcap itself uses pass, and only where there is colour at all.
//
// JSON goes the same way: the escapes are JSON's own, and stand only within texts,
// so that a document stays one and means the same.
type Screen struct {
	out   io.Writer
	color func() bool // nil: never
}

// NewScreen returns a screen before out. color tells whether out gets colours.
func NewScreen(out io.Writer, color func() bool) *Screen { return &Screen{out: out, color: color} }

// Unwrap returns what the screen stands before.
func (s *Screen) Unwrap() io.Writer { return s.out }

// Write writes what is harmless of p. Each call takes whole characters.
func (s *Screen) Write(p []byte) (int, error) {
	if _, err := io.WriteString(s.out, Harmless(string(p), s.color != nil && s.color())); err != nil {
		return 0, err
	}
	return len(p), nil
}

// colours is how hubcap's own colours, and those of hcl's diagnostics, are spelled.
var colours = regexp.MustCompile("\x1b\\[(0|1|1;4|31|32|33|36|90)m")

// Harmless returns text as a [Screen] writes it.
func Harmless(text string, color bool) string {
	if !color || !strings.Contains(text, "\x1b") {
		return resource.CleanJSON(text)
	}
	var b strings.Builder
	rest := 0
	for _, at := range colours.FindAllStringIndex(text, -1) {
		b.WriteString(resource.CleanJSON(text[rest:at[0]]))
		b.WriteString(text[at[0]:at[1]])
		rest = at[1]
	}
	b.WriteString(resource.CleanJSON(text[rest:]))
	return b.String()
}
