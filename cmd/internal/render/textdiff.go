package render

import (
	"fmt"
	"strings"

	"github.com/sergi/go-diff/diffmatchpatch"
)

// diffLine is one line of a text diff. Op is ' ', '-', '+', or '…' for lines
// that were left out.
type diffLine struct {
	op   rune
	text string
}

const contextLines = 3

// diffText compares two texts line by line and keeps three lines around each
// difference.
func diffText(before, after string) []diffLine {
	return fold(allLines(before, after))
}

// mostLines bounds the part of two texts that is compared: the work grows with
// the square of what differs. Beyond it the part counts as replaced whole.
const mostLines = 20_000

func allLines(before, after string) []diffLine {
	dmp := diffmatchpatch.New()
	dmp.DiffTimeout = 0 // the same texts always give the same diff
	a, b, lines := dmp.DiffLinesToRunes(before, after)
	head := 0
	for head < min(len(a), len(b)) && a[head] == b[head] {
		head++
	}
	tail := 0
	for tail < min(len(a), len(b))-head && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	midA, midB := a[head:len(a)-tail], b[head:len(b)-tail]
	diffs := []diffmatchpatch.Diff{{Type: diffmatchpatch.DiffEqual, Text: string(a[:head])}}
	if len(midA)+len(midB) > mostLines {
		diffs = append(diffs,
			diffmatchpatch.Diff{Type: diffmatchpatch.DiffDelete, Text: string(midA)},
			diffmatchpatch.Diff{Type: diffmatchpatch.DiffInsert, Text: string(midB)})
	} else {
		diffs = append(diffs, dmp.DiffMainRunes(midA, midB, false)...)
	}
	diffs = append(diffs, diffmatchpatch.Diff{Type: diffmatchpatch.DiffEqual, Text: string(a[len(a)-tail:])})
	return toLines(dmp.DiffCharsToLines(diffs, lines))
}

func toLines(diffs []diffmatchpatch.Diff) []diffLine {
	ops := map[diffmatchpatch.Operation]rune{
		diffmatchpatch.DiffDelete: '-', diffmatchpatch.DiffInsert: '+', diffmatchpatch.DiffEqual: ' ',
	}
	var out []diffLine
	for _, d := range diffs {
		for line := range strings.SplitAfterSeq(d.Text, "\n") {
			if line == "" {
				continue
			}
			body, ended := strings.CutSuffix(line, "\n")
			if !ended && d.Type != diffmatchpatch.DiffEqual {
				body += " (no newline at the end)"
			}
			out = append(out, diffLine{ops[d.Type], body})
		}
	}
	return out
}

// fold leaves out the lines that are further from any difference than the
// context reaches.
func fold(lines []diffLine) []diffLine {
	near := make([]bool, len(lines))
	for i, l := range lines {
		if l.op == ' ' {
			continue
		}
		for j := max(0, i-contextLines); j <= min(len(lines)-1, i+contextLines); j++ {
			near[j] = true
		}
	}
	var out []diffLine
	skipped := 0
	flush := func() {
		if skipped > 0 {
			out = append(out, diffLine{'…', fmt.Sprintf("(%s unchanged)", count(skipped, "line"))})
			skipped = 0
		}
	}
	for i, l := range lines {
		if !near[i] {
			skipped++
			continue
		}
		flush()
		out = append(out, l)
	}
	flush()
	return out
}

// tally counts the lines added and removed.
func tally(lines []diffLine) (added, removed int) {
	for _, l := range lines {
		switch l.op {
		case '+':
			added++
		case '-':
			removed++
		}
	}
	return added, removed
}

// oneLine returns the line before and after when exactly one line differs.
func oneLine(lines []diffLine) (before, after string, isOne bool) {
	if added, removed := tally(lines); added != 1 || removed != 1 {
		return "", "", false
	}
	for _, l := range lines {
		switch l.op {
		case '-':
			before = strings.TrimSpace(l.text)
		case '+':
			after = strings.TrimSpace(l.text)
		}
	}
	return before, after, true
}

// TextDiff renders the difference of two texts line by line.
func TextDiff(name, before, after string, s Style) string {
	var b strings.Builder
	b.WriteString(s.paint(bold, "--- "+clean(name)) + "\n" + s.paint(bold, "+++ "+clean(name)+" (formatted)") + "\n")
	for _, l := range diffText(before, after) {
		line := string(l.op) + clean(l.text)
		switch l.op {
		case '-':
			line = s.paint(red, line)
		case '+':
			line = s.paint(green, line)
		case '…':
			line = s.paint(faint, "… "+clean(l.text))
		}
		b.WriteString(line + "\n")
	}
	return b.String()
}
