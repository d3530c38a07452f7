package render

import (
	"fmt"
	"strings"

	"hubcap/engine/plan"
	"hubcap/engine/resource"
)

// takeovers writes one line for each block that makes objects of others its own,
// and what is worth knowing beside it.
func (s Style) takeovers(b *strings.Builder, p *plan.Plan) {
	for _, t := range p.Takeovers {
		b.WriteString(wrap(takeoverLine(t), "  ", s.width()))
		for _, note := range t.Notes() {
			b.WriteString(wrap(clean(note), "      ", s.width()))
		}
	}
	if len(p.Takeovers) > 0 {
		b.WriteString("\n")
	}
}

// takeoverLine says in one line what a block takes over.
func takeoverLine(t plan.Takeover) string { return clean(t.Address.String() + " " + t.String()) }

// markdownTakeovers is the same as a list.
func markdownTakeovers(p *plan.Plan) string {
	if len(p.Takeovers) == 0 {
		return ""
	}
	var b strings.Builder
	for i, t := range p.Takeovers {
		if i == 20 {
			fmt.Fprintf(&b, "- … and %d more take-overs\n", len(p.Takeovers)-i)
			break
		}
		line := takeoverLine(t)
		for _, note := range t.Notes() {
			line += ". " + clean(note)
		}
		b.WriteString("- " + md(cut(line, 500)) + "\n")
	}
	return b.String() + "\n"
}

// ownersOnly counts the objects that a plan gives another owner and changes in
// nothing else.
func ownersOnly(p *plan.Plan) int {
	n := 0
	for _, step := range p.Steps() {
		for _, c := range step.Changes {
			if c.Class == resource.ClassAdopt && !isSealOnly(c) {
				n++
			}
		}
	}
	return n
}
