package render

import (
	"fmt"
	"strings"

	"hubcap/engine/plan"
	"hubcap/engine/resource"
)

const (
	objectIndent = "        "
	fieldIndent  = "            "
	lineIndent   = "              "
)

// fields writes every change of a step, and every field of each.
func (s Style) fields(b *strings.Builder, n secrets, step plan.Step) {
	for _, c := range step.Changes {
		symbol := c.Action.Symbol()
		head := objectIndent + s.paint(actionColor(symbol), symbol) + " " + cut(clean(objectName(c)), s.width()-len(objectIndent)-4)
		if at := place(c.Origin); at != "" {
			if room := s.width() - cells(head) - cells(at); room >= gap {
				head += strings.Repeat(" ", room) + s.paint(faint, at)
			}
		}
		b.WriteString(head + "\n")
		switch c.Action {
		case resource.Create:
			for _, l := range leavesOf("", bare(c.After)) {
				if l.path == "" {
					continue // nothing but what the heading says
				}
				s.field(b, n, resource.Field{Path: l.path, After: l.value})
			}
		default:
			for _, f := range flatten(c.Fields) {
				s.field(b, n, f)
			}
		}
		for _, f := range c.Foreign {
			b.WriteString(wrap(n.foreign(f), fieldIndent, s.width()))
		}
	}
}

// bare is an object without what its heading says already.
func bare(o resource.Object) resource.Object {
	c := o.Copy()
	delete(c, "kind")
	delete(c, "apiVersion")
	if meta, isMap := c["metadata"].(map[string]any); isMap {
		delete(meta, "name")
		delete(meta, "namespace")
		if len(meta) == 0 {
			delete(c, "metadata")
		}
	}
	return c
}

func place(r resource.Range) string {
	switch {
	case r.File == "":
		return ""
	case r.Line == 0:
		return clean(r.File)
	}
	return fmt.Sprintf("%s:%d", clean(r.File), r.Line)
}

// mostValueLines bounds how much of one value is shown; the JSON has all of it.
const mostValueLines = 10

// field writes one leaf: on one line when it fits, a text line by line.
func (s Style) field(b *strings.Builder, n secrets, f resource.Field) {
	path := clean(f.Path)
	if before, after, areTexts := texts(f); areTexts {
		b.WriteString(cut(fieldIndent+path, s.width()) + "\n")
		s.diff(b, diffText(before, after))
		return
	}
	most := mostValueLines * s.width()
	before, after := cut(n.value(f.Before), most), cut(n.value(f.After), most)
	var mark, line string
	switch {
	case f.Before == nil:
		mark, line = "+", path+": "+after
	case f.After == nil:
		mark, line = "-", path+": "+before
	default:
		mark, line = "~", path+": "+before+" → "+after
	}
	if cells(line)+len(fieldIndent)+2 > s.width() && mark == "~" {
		b.WriteString(fieldIndent + s.paint(yellow, "~") + " " + cut(path, s.width()-len(fieldIndent)-2) + "\n")
		b.WriteString(s.paint(red, strings.TrimSuffix(wrap("- "+before, lineIndent, s.width()), "\n")) + "\n")
		b.WriteString(s.paint(green, strings.TrimSuffix(wrap("+ "+after, lineIndent, s.width()), "\n")) + "\n")
		return
	}
	text := strings.TrimPrefix(wrap(line, lineIndent, s.width()), lineIndent)
	b.WriteString(fieldIndent + s.paint(actionColor(mark), mark) + " " + text)
}

// diff writes a text diff, each line cut to the width.
func (s Style) diff(b *strings.Builder, lines []diffLine) {
	for _, l := range lines {
		body := strings.ReplaceAll(l.text, "\t", "    ")
		line := cut(lineIndent+string(l.op)+" "+clean(body), s.width())
		switch l.op {
		case '-':
			line = s.paint(red, line)
		case '+':
			line = s.paint(green, line)
		case '…':
			line = s.paint(faint, line)
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
}

// foreign words one field that someone else wrote.
func (n secrets) foreign(f resource.Foreign) string {
	who := f.Manager
	if who == "" {
		who = "someone unknown"
	}
	when := ", time unknown" // the server keeps none for some subresources
	if !f.Time.IsZero() {
		when = " at " + f.Time.UTC().Format("2006-01-02T15:04:05Z")
	}
	change := n.value(f.Live)
	if f.Wanted != nil {
		change = n.value(f.Wanted) + " → " + change
	}
	if before, after, areTexts := texts(resource.Field{Before: f.Wanted, After: f.Live}); areTexts {
		added, removed := tally(diffText(before, after))
		change = fmt.Sprintf("+%d −%d lines", added, removed)
	}
	who = clean(who)
	if f.Release != "" {
		who += " (" + clean(f.Release) + ")"
	}
	text := fmt.Sprintf("%s %s, by %s%s", clean(f.Path), change, who, when)
	if f.Note != "" {
		text += ": " + clean(f.Note)
	}
	return text
}
