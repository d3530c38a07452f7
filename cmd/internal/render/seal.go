package render

import (
	"slices"
	"strings"

	"hubcap/engine/plan"
	"hubcap/engine/resource"
)

// isSealOnly reports a change that gives its object a seal and nothing else.
func isSealOnly(c resource.Change) bool {
	return c.Seals && c.Class == resource.ClassAdopt && c.TakesOver == nil && len(c.Fields) == 0
}

// sealsOnly reports a step of such changes. Each would be a line that says nothing:
// sealLine says it for all of them.
func sealsOnly(step plan.Step) bool {
	return len(step.Changes) > 0 && !slices.ContainsFunc(step.Changes, func(c resource.Change) bool { return !isSealOnly(c) })
}

// Seals counts the objects that a plan seals and changes in nothing else.
func Seals(p *plan.Plan) int {
	n := 0
	for _, step := range p.Steps() {
		for _, c := range step.Changes {
			if isSealOnly(c) {
				n++
			}
		}
	}
	return n
}

// sealLine says in one line what a plan seals; empty when nothing.
func sealLine(p *plan.Plan) string {
	n := Seals(p)
	if n == 0 {
		return ""
	}
	verb := "gets"
	if n > 1 {
		verb = "get"
	}
	return count(n, "object") + " of hubcap's " + verb + " a seal of this cluster's key; restarts nothing"
}

// sealed writes that line.
func (s Style) sealed(b *strings.Builder, p *plan.Plan) {
	if line := sealLine(p); line != "" {
		b.WriteString(wrap(line, "  ", s.width()) + "\n")
	}
}
