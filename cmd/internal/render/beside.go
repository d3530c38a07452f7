package render

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"hubcap/engine/plan"
	"hubcap/engine/resource"
)

// beside writes what stands beside the changes: drift, what is kept, refused,
// unreadable, left out, and warnings. The worst comes last, next to the footer.
func (s Style) beside(b *strings.Builder, n secrets, p *plan.Plan) {
	if len(p.Drift) > 0 {
		s.section(b, "Drift", fmt.Sprintf("%s written by others", count(driftFields(p), "field")))
		s.drift(b, n, p.Drift)
	}
	if len(p.Kept) > 0 {
		s.section(b, "Kept", were(len(p.Kept), "object")+" wanted no more, and not deleted")
		for _, k := range keptLines(p) {
			s.item(b, k.name, k.reason)
		}
	}
	if len(p.Undeclared) > 0 {
		s.section(b, "Undeclared", undeclared(p))
		for _, line := range undeclaredLines(p) {
			s.item(b, line, "")
		}
	}
	if len(p.LeftOut) > 0 {
		s.section(b, "Left out", "by --only or --except")
		b.WriteString(wrap(clean(strings.Join(p.LeftOut, ", ")), "    ", s.width()))
	}
	s.faults(b, p)
	if len(p.Warnings) > 0 {
		s.section(b, "Warnings", "")
		for _, w := range p.Warnings {
			s.item(b, w, "")
		}
	}
	s.verdicts(b, p)
	if len(p.Unreadable) > 0 {
		s.section(b, "Unreadable", "this plan is incomplete")
		for _, u := range p.Unreadable {
			s.item(b, u.What, u.Reason)
		}
	}
	if len(p.Refused) > 0 {
		s.refused(b, p, were(len(p.Refused), "object")+" not written")
	}
}

// refused writes what may not be written, each reason once.
func (s Style) refused(b *strings.Builder, p *plan.Plan, line string) {
	s.section(b, "Refused", line)
	for _, g := range refusals(p) {
		s.item(b, g.about, g.reason)
		if len(g.names) > 1 {
			b.WriteString(wrap(clean(strings.Join(g.names, ", ")), "      ", s.width()))
		}
	}
}

// A keptLine is what is kept for one reason, of one block where it is much.
type keptLine struct{ name, reason string }

// keptLines gathers what a plan keeps: of objects of one block that stay for the same
// reason there is one line.
func keptLines(p *plan.Plan) []keptLine {
	type key struct {
		block  resource.Address
		reason string
	}
	groups := make(map[key][]plan.Kept)
	var order []key
	for _, k := range p.Kept {
		at := key{k.Address.Block(), k.Reason}
		if len(groups[at]) == 0 {
			order = append(order, at)
		}
		groups[at] = append(groups[at], k)
	}
	var lines []keptLine
	for _, at := range order {
		group := groups[at]
		name := named(group[0].Address.String(), group[0].ID.String())
		if len(group) > 2 {
			name = fmt.Sprintf("%s (%d objects)", at.block, len(group))
		} else if len(group) == 2 {
			lines = append(lines, keptLine{name, at.reason})
			name = named(group[1].Address.String(), group[1].ID.String())
		}
		lines = append(lines, keptLine{name, at.reason})
	}
	return lines
}

// A refusal is one reason why objects may not be written.
type refusal struct {
	about  string // the object, or how many
	reason string // with the place in the config
	names  []string
}

// refusals returns the reasons in the order of their first objects, those of one place
// in the config and with the same text once.
func refusals(p *plan.Plan) []refusal {
	var all []refusal
	at := map[string]int{}
	for _, r := range p.Refused {
		reason, name := r.Reason, named(r.Address.String(), r.ID.String())
		if place := place(r.Origin); place != "" {
			reason += " (" + place + ")"
		}
		if r.Missing {
			name += " (missing)"
		}
		i, known := at[reason]
		if !known {
			i = len(all)
			at[reason], all = i, append(all, refusal{reason: reason})
		}
		all[i].names = append(all[i].names, name)
	}
	for i := range all {
		if all[i].about = all[i].names[0]; len(all[i].names) > 1 {
			all[i].about = count(len(all[i].names), "object")
		}
	}
	return all
}

// named prefers the address; an object without one goes by its identity.
func named(address, id string) string {
	if strings.Trim(address, ".") == "" {
		return id
	}
	return address
}

func (s Style) section(b *strings.Builder, title, line string) {
	b.WriteString("\n  " + s.paint(bold, title))
	if line != "" {
		b.WriteString("  " + cut(line, s.width()-4-cells(title)))
	}
	b.WriteString("\n")
}

func (s Style) item(b *strings.Builder, name, reason string) {
	line := clean(name)
	if reason != "" {
		line += ": " + clean(reason)
	}
	lines := strings.SplitAfter(wrap(line, "      ", s.width()), "\n")
	b.WriteString("    " + strings.TrimLeft(lines[0], " ") + strings.Join(lines[1:], ""))
}

func driftFields(p *plan.Plan) int {
	n := 0
	for _, d := range p.Drift {
		n += len(d.Fields)
	}
	return n
}

func (s Style) drift(b *strings.Builder, n secrets, drift []plan.Drift) {
	for _, d := range drift {
		kind := ""
		if d.Kind == plan.Conflicted {
			kind = " (conflict: the config moved too)"
		}
		b.WriteString("    " + cut(clean(named(d.Address.String(), d.ID.String()))+kind, s.width()-4) + "\n")
		for _, f := range d.Fields {
			b.WriteString(wrap(n.foreign(f), "      ", s.width()))
		}
	}
}

func (s Style) outputs(b *strings.Builder, n secrets, p *plan.Plan) {
	if len(p.Outputs) == 0 {
		return
	}
	s.section(b, "Outputs", "")
	for _, name := range slices.Sorted(maps.Keys(p.Outputs)) {
		b.WriteString(wrap(clean(name)+" = "+n.value(p.Outputs[name]), "    ", s.width()))
	}
}

// Drift renders what a drift check found: what others wrote, and apart from it
// what the config wants and has not got yet.
func Drift(p *plan.Plan, s Style) string {
	var b strings.Builder
	n := secrets{}
	b.WriteString(strings.Replace(s.header(p), "hubcap plan", "hubcap drift", 1))
	drifted, conflicted := splitDrift(p)
	if len(drifted) > 0 {
		s.section(&b, "Drift", "live was changed behind hubcap's back")
		s.drift(&b, n, drifted)
	}
	if len(conflicted) > 0 {
		s.section(&b, "Conflict", "live and config both moved since the last apply")
		for i := range conflicted {
			conflicted[i].Kind = plan.Drifted // the heading says it
		}
		s.drift(&b, n, conflicted)
	}
	if pending := pendingSteps(p); len(pending) > 0 {
		s.section(&b, "Pending", "the config is newer than what was applied")
		for _, step := range pending {
			s.item(&b, symbolOf(step)+" "+step.Component.String(), n.what(step, s.width()))
		}
	}
	if shared := sharedSteps(p); len(shared) > 0 {
		s.section(&b, "Shared", "others wrote what hubcap has; the next apply takes it back")
		for _, step := range shared {
			s.item(&b, symbolOf(step)+" "+step.Component.String(), n.what(step, s.width())+", by "+step.Changes[0].TakesOver.From)
		}
	}
	if len(p.Unreadable) > 0 {
		s.section(&b, "Unreadable", "this check is incomplete")
		for _, u := range p.Unreadable {
			s.item(&b, u.What, u.Reason)
		}
	}
	if len(p.Refused) > 0 {
		s.refused(&b, p, "what apply may not write is not compared to the end")
	}
	if line := sealLine(p); line != "" {
		s.section(&b, "Seals", "the next apply: "+line)
	}
	b.WriteString("\n" + driftLine(p, len(drifted), len(conflicted)) + "\n")
	return b.String()
}

func driftLine(p *plan.Plan, drifted, conflicted int) string {
	pending := 0
	for _, step := range pendingSteps(p) {
		pending += len(step.Changes)
	}
	shared := 0
	for _, step := range sharedSteps(p) {
		shared += len(step.Changes)
	}
	open := openLine(p)
	switch {
	case drifted+conflicted+pending+shared == 0 && open != "":
		return fmt.Sprintf("Drift: not known: %s; %s as desired.", open, were(p.Unchanged, "object"))
	case open != "":
		return fmt.Sprintf("Drift: %s drifted, %d in conflict, %d pending; %s.", count(drifted, "object"), conflicted, pending, open)
	case drifted+conflicted+pending+shared == 0:
		return fmt.Sprintf("Drift: none; %s as desired.", were(p.Unchanged, "object"))
	case drifted+conflicted+pending == 0:
		return fmt.Sprintf("Drift: none; %s as desired, and %d more that others wrote too.", were(p.Unchanged, "object"), shared)
	}
	return fmt.Sprintf("Drift: %s drifted, %d in conflict, %d pending.", count(drifted, "object"), conflicted, pending)
}

func splitDrift(p *plan.Plan) (drifted, conflicted []plan.Drift) {
	for _, d := range p.Drift {
		if d.Kind == plan.Conflicted {
			conflicted = append(conflicted, d)
		} else {
			drifted = append(drifted, d)
		}
	}
	return drifted, conflicted
}

// pendingSteps are the steps without the changes that only undo drift, take back
// fields that have the wanted values, or seal an object.
func pendingSteps(p *plan.Plan) []plan.Step {
	foreign := map[string]bool{}
	for _, d := range p.Drift {
		foreign[d.ID.String()] = true
	}
	return stepsWith(p, func(c resource.Change) bool { return !foreign[c.ID.String()] && !isShared(c) && !isSealOnly(c) })
}

// sharedSteps are the steps with the changes that only take back fields which a
// former owner wrote as hubcap has them.
func sharedSteps(p *plan.Plan) []plan.Step { return stepsWith(p, isShared) }

func isShared(c resource.Change) bool {
	return c.TakesOver != nil && c.TakesOver.Again && len(c.Fields) == 0 && len(c.Foreign) == 0
}

// stepsWith are the steps with those of their changes that keep lets through.
func stepsWith(p *plan.Plan, keep func(resource.Change) bool) []plan.Step {
	var out []plan.Step
	for _, step := range p.Steps() {
		kept := step
		kept.Changes = nil
		for _, c := range step.Changes {
			if keep(c) {
				kept.Changes = append(kept.Changes, c)
			}
		}
		if len(kept.Changes) > 0 {
			out = append(out, kept)
		}
	}
	return out
}
