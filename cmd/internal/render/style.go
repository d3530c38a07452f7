// Package render turns values into text for people and into JSON for programs:
// plans, drift, progress, history and status.
//
// Place in the pipeline: after all of it; only the commands call it. Everything
// here is a pure function of values, and this is the only package that knows
// about colour and width.
package render

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jedib0t/go-pretty/v6/text"

	"hubcap/engine/resource"
)

// A Style says how text is laid out.
type Style struct {
	Width   int  // of a line, in cells; 0 means 80
	Color   bool // colours may be used; nothing is told by colour alone
	Verbose bool // fields are shown
}

const (
	defaultWidth = 80
	leastWidth   = 48
)

// Width never depends on the locale of whoever looks.
func init() { text.OverrideRuneWidthEastAsianWidth(false) }

func (s Style) width() int {
	switch {
	case s.Width == 0:
		return defaultWidth
	case s.Width < leastWidth:
		return leastWidth
	}
	return s.Width
}

// The colours, by what they say.
var (
	green  = text.Colors{text.FgGreen}
	yellow = text.Colors{text.FgYellow}
	red    = text.Colors{text.FgRed}
	cyan   = text.Colors{text.FgCyan}
	faint  = text.Colors{text.FgHiBlack}
	bold   = text.Colors{text.Bold}
)

func (s Style) paint(c text.Colors, str string) string {
	if !s.Color || str == "" {
		return str
	}
	return c.EscapeSeq() + str + text.Reset.EscapeSeq()
}

func actionColor(symbol string) text.Colors {
	switch symbol {
	case "+":
		return green
	case "-":
		return red
	}
	return yellow
}

func classColor(c resource.Class) text.Colors {
	switch {
	case c >= resource.ClassProxy:
		return red
	case c >= resource.ClassRestart:
		return yellow
	}
	return faint
}

func cells(str string) int { return text.StringWidthWithoutEscSequences(str) }

// pad fills str with spaces to width cells; a wider one stays as it is.
func pad(str string, width int) string {
	if n := width - cells(str); n > 0 {
		return str + strings.Repeat(" ", n)
	}
	return str
}

// cut shortens str to width cells, with an ellipsis where it was cut.
func cut(str string, width int) string {
	if width <= 0 {
		return ""
	}
	if cells(str) <= width {
		return str
	}
	return text.Trim(str, width-1) + "…"
}

// cutLeft shortens str as cut does, and keeps its end.
func cutLeft(str string, width int) string {
	if cells(str) <= width {
		return str
	}
	room, at := width-1, len(str)
	for at > 0 {
		r, size := utf8.DecodeLastRuneInString(str[:at])
		if room -= text.RuneWidth(r); room < 0 {
			break
		}
		at -= size
	}
	return "…" + str[at:]
}

// Indented wraps text to the style's width, two cells in, with a newline at its
// end.
func Indented(text string, s Style) string { return wrap(text, "  ", s.width()) }

// wrap breaks str at spaces into lines of at most width cells and indents all of
// them; a word that is longer than a line is broken.
func wrap(str, indent string, width int) string {
	var b strings.Builder
	room := max(width-cells(indent), leastWidth/2)
	for line := range strings.SplitSeq(str, "\n") {
		rest := line
		for first := true; first || rest != ""; first = false {
			var head string
			head, rest = split(rest, room)
			b.WriteString(strings.TrimRight(indent+head, " ") + "\n")
		}
	}
	return b.String()
}

// split cuts str at the last space that leaves at most room cells before it.
func split(str string, room int) (head, rest string) {
	used, space, end := 0, -1, -1
	for i, r := range str {
		if used += text.RuneWidth(r); used > room {
			end = i
			break
		}
		if r == ' ' {
			space = i
		}
	}
	switch {
	case end < 0:
		return str, ""
	case str[end] == ' ':
		return str[:end], str[end+1:]
	case space > 0:
		return str[:space], str[space+1:]
	case end == 0:
		_, end = utf8.DecodeRuneInString(str)
	}
	return str[:end], str[end:]
}

// flat is clean for a text of several lines that has to fit in one.
func flat(str string) string {
	return clean(strings.ReplaceAll(strings.TrimSpace(str), "\n", "; "))
}

// clean makes what came from outside fit for one line.
func clean(str string) string { return resource.Clean(str) }

// clock formats a time for people: "2026-11-21 17:02Z".
func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04Z") }

// span formats a duration for people: "40s", "5h10m".
func span(d time.Duration) string {
	switch {
	case d < 0:
		return "-" + span(-d)
	case d < time.Second && d > 0:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return d.Round(time.Second).String()
	case d < time.Hour:
		d = d.Round(time.Second)
	default:
		d = d.Round(time.Minute)
	}
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// count words a number of things: "1 step", "3 steps".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// Paragraph wraps one line of text at width; its further lines are indented.
func Paragraph(line, indent string, width int) string {
	text := wrap(clean(line), indent, Style{Width: width}.width())
	return strings.TrimPrefix(text, indent)
}
