package render

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"hubcap/engine/plan"
)

// mostMarkdown keeps a comment below what GitHub takes (65,536 characters).
const mostMarkdown = 60_000

// Markdown renders a plan as a comment on a pull request: the worst news first,
// a table, the details folded. It stays under 60,000 characters: when there is
// more, the details of the least harmful steps are left out, then lines of the
// table.
func Markdown(p *plan.Plan) string {
	n := secrets{}
	head := markdownHead(p)
	foot := fmt.Sprintf("\n%s\n\n<sub>hubcap %s · plan %s · %s</sub>\n",
		Footer(p), md(p.Version), md(p.ID[:min(12, len(p.ID))]), clock(p.Created))
	room := mostMarkdown - len([]rune(head+foot)) - 300
	table, room := n.markdownTable(p, room)
	beside, room := n.markdownBeside(p, room)
	details := n.markdownDetails(p, room)
	return head + table + details + beside + foot
}

func markdownHead(p *plan.Plan) string {
	var b strings.Builder
	fmt.Fprintf(&b, "<!-- hubcap:plan config=%s -->\n", strings.NewReplacer("--", "", ">", "", "\n", "").Replace(clean(cut(p.Config, 100))))
	fmt.Fprintf(&b, "### %s\n\n", verdict(p))
	t := total(p)
	if t.SessionsLost > 0 || t.OneWay || slices.ContainsFunc(p.Steps(), ends) {
		b.WriteString("> [!CAUTION]\n> " + md(Impact(p)) + "\n")
		if worst, hurts := worstStep(p); hurts {
			b.WriteString("> Worst moment: " + md(worst) + "\n")
		}
		b.WriteString("\n")
	} else if !p.Empty() {
		b.WriteString(md(Impact(p)) + "\n\n")
	}
	b.WriteString(markdownTakeovers(p))
	if line := sealLine(p); line != "" {
		b.WriteString(md(line) + ".\n\n")
	}
	if line := backLine(p); line != "" {
		b.WriteString("Way back: " + md(line) + ".\n\n")
	}
	list := func(title string, lines []string) {
		if len(lines) == 0 {
			return
		}
		fmt.Fprintf(&b, "**%s**\n\n", title)
		for i, line := range lines {
			if i == 20 {
				fmt.Fprintf(&b, "- … and %d more\n", len(lines)-i)
				break
			}
			b.WriteString("- " + md(cut(line, 300)) + "\n")
		}
		b.WriteString("\n")
	}
	var refused, unreadable []string
	for _, g := range refusals(p) {
		line := g.about + ": " + g.reason
		if len(g.names) > 1 {
			line += ": " + strings.Join(g.names, ", ")
		}
		refused = append(refused, line)
	}
	for _, u := range p.Unreadable {
		unreadable = append(unreadable, u.What+": "+u.Reason)
	}
	moves, faults, verdicts := versionLines(p)
	list("Refused", refused)
	list("Hubs that are no longer declared", undeclaredLines(p))
	list("Policies", verdicts)
	list("Guards, as things stood", heldLines(p))
	list("Unreadable: this plan is incomplete", unreadable)
	list("Charts with a version to look at", faults)
	list("Warnings", p.Warnings)
	list("Versions that move", moves)
	list("Waves", stagedLines(p))
	return b.String()
}

// verdict is the title: the worst thing in a plan, in one line.
func verdict(p *plan.Plan) string {
	t := total(p)
	steps := count(len(p.Steps()), "step")
	switch {
	case len(p.Refused) > 0:
		return "⛔ " + count(len(p.Refused), "object") + " refused"
	case len(p.Denied()) > 0:
		return "⛔ denied by " + md(p.Denied()[0].Name)
	case len(p.Unreadable) > 0:
		return "⛔ incomplete: " + count(len(p.Unreadable), "thing") + " could not be read"
	case p.Empty() && len(p.Undeclared) > 0:
		return "⚠ no change, " + undeclared(p)
	case p.Empty():
		return "✅ no change"
	case t.SessionsLost > 0:
		return fmt.Sprintf("⛔ %s, %s lost", steps, count(t.SessionsLost, "session"))
	case t.OneWay:
		return "⚠ " + steps + ", one-way"
	case t.SessionsInterrupted > 0:
		return fmt.Sprintf("⚠ %s, %s interrupted", steps, count(t.SessionsInterrupted, "session"))
	case t.LaunchesStop:
		return "⚠ " + steps + ", launches stop"
	case slices.ContainsFunc(p.Steps(), ends):
		return "⚠ " + steps + ", one of them takes away what people use"
	case t.LaunchGap > 0:
		return fmt.Sprintf("⚠ %s, launches pause %s", steps, t.paused())
	case len(p.Undeclared) > 0:
		return "⚠ " + steps + ", " + undeclared(p)
	case t.Unknown:
		return "⚠ " + steps + ", with changes that no rule is about"
	}
	return "✅ " + steps + ", nobody is disturbed"
}

// undeclared says how many hubs stay that no block asks for.
func undeclared(p *plan.Plan) string {
	if len(p.Undeclared) == 1 {
		return "1 hub is no longer declared"
	}
	return fmt.Sprintf("%d hubs are no longer declared", len(p.Undeclared))
}

// undeclaredLines tell of each hub that stays although no block asks for it.
func undeclaredLines(p *plan.Plan) []string {
	var lines []string
	for _, u := range p.Undeclared {
		lines = append(lines, fmt.Sprintf("%s stays, with %s and %s on it: to rename it write moved { from = %s, to = … }, to delete it removed { from = %s } or --dangerous-delete",
			u.Address, count(u.Objects, "object"), count(u.Sessions, "session"), u.Address, u.Address))
	}
	return lines
}

// worstFirst orders steps by harm; equal ones stay in the order in which they run.
// Those that only seal are left out.
func worstFirst(p *plan.Plan) []int {
	steps := p.Steps()
	order := make([]int, len(steps))
	for i := range order {
		order[i] = i
	}
	order = slices.DeleteFunc(order, func(i int) bool { return sealsOnly(steps[i]) })
	slices.SortStableFunc(order, func(i, j int) int {
		a, b := steps[j], steps[i]
		return cmp.Or(
			cmp.Compare(a.Impact.SessionsLost, b.Impact.SessionsLost),
			cmp.Compare(a.Impact.SessionsInterrupted, b.Impact.SessionsInterrupted),
			cmp.Compare(a.Class, b.Class),
			cmp.Compare(a.Impact.LaunchGap, b.Impact.LaunchGap),
		)
	})
	return order
}

func (n secrets) markdownTable(p *plan.Plan, room int) (string, int) {
	steps, order := p.Steps(), worstFirst(p)
	if len(order) == 0 {
		return "", room
	}
	var b strings.Builder
	b.WriteString("| | what | change | effect | step | gates |\n|---|---|---|---|---|---|\n")
	for k, i := range order {
		step := steps[i]
		var gates []string
		for _, g := range step.Gates {
			gates = append(gates, g.Name+" "+span(g.Bake))
		}
		row := fmt.Sprintf("| `%s` | %s | %s | %s | %d/%d | %s |\n", symbolOf(step), md(cut(step.Component.String(), 100)),
			md(n.what(step, 70)), md(effectLine(step)), i+1, len(steps), md(cut(strings.Join(gates, ", "), 100)))
		if len([]rune(b.String()+row)) > room*2/3 {
			fmt.Fprintf(&b, "| | … %s more | | | | |\n", count(len(order)-k, "step"))
			break
		}
		b.WriteString(row)
	}
	b.WriteString("\n")
	return b.String(), room - len([]rune(b.String()))
}

func effectLine(step plan.Step) string {
	line := effect(step)
	if gap := step.Impact.LaunchGap; gap > 0 {
		line += ", launches pause ≈ " + span(gap)
	}
	if lost := step.Impact.SessionsLost; lost > 0 {
		line += ", " + count(lost, "session") + " lost"
	}
	if cut := step.Impact.SessionsInterrupted; cut > 0 {
		line += ", " + count(cut, "session") + " interrupted"
	}
	return line
}

// markdownBeside folds drift and what is kept, if they fit.
func (n secrets) markdownBeside(p *plan.Plan, room int) (string, int) {
	var b strings.Builder
	if len(p.Drift) > 0 {
		var body strings.Builder
		Style{Width: 100}.drift(&body, n, p.Drift)
		b.WriteString(folded(fmt.Sprintf("Drift: %s written by others", count(driftFields(p), "field")), body.String(), room/2))
	}
	if len(p.Kept) > 0 {
		var body strings.Builder
		for _, k := range keptLines(p) {
			Style{Width: 100}.item(&body, k.name, k.reason)
		}
		b.WriteString(folded("Kept: "+were(len(p.Kept), "object")+" wanted no more, and not deleted", body.String(), room/4))
	}
	return b.String(), room - len([]rune(b.String()))
}

// markdownDetails folds the fields of each step, worst first, while there is room.
func (n secrets) markdownDetails(p *plan.Plan, room int) string {
	var b strings.Builder
	steps, order := p.Steps(), worstFirst(p)
	used, left := 0, 0
	for k, i := range order {
		if room-used < leastFold {
			left += len(order) - k
			break
		}
		var body strings.Builder
		Style{Width: 100, Verbose: true}.fields(&body, n, steps[i])
		part := folded(clean(steps[i].Component.String()), body.String(), min(room-used, mostMarkdown/4))
		if part == "" {
			left++
			continue
		}
		used += len([]rune(part))
		b.WriteString(part)
	}
	if left > 0 {
		fmt.Fprintf(&b, "The details of %s are left out; see the plan itself.\n\n", count(left, "step"))
	}
	return b.String()
}

// leastFold is the room, in characters, below which a fold is not worth its frame.
const leastFold = 400

// folded is a foldable part of a comment with body as it is, cut to at most room
// characters; "" when there is no room worth using.
func folded(title, body string, room int) string {
	fence := "```"
	for strings.Contains(body, fence) {
		fence += "`"
	}
	open := fmt.Sprintf("<details><summary>%s</summary>\n\n%sdiff\n", md(cut(title, 200)), fence)
	end := fence + "\n\n</details>\n\n"
	body = outdent(body)
	if room -= len([]rune(open + end)); room < leastFold/2 {
		return ""
	}
	if runes := []rune(body); len(runes) > room {
		body = string(runes[:room-20])
		body = body[:strings.LastIndex(body, "\n")+1] + "… (cut)\n"
	}
	return open + body + end
}

// outdent moves the marks of a diff to the first column, where a reader of
// Markdown colours them.
func outdent(body string) string {
	var b strings.Builder
	for line := range strings.Lines(body) {
		rest := strings.TrimLeft(line, " ")
		indent := max(len(line)-len(rest)-len(objectIndent), 0)
		if rest != "" && strings.ContainsRune("+-", rune(rest[0])) && len(rest) > 1 && rest[1] == ' ' {
			b.WriteString(rest[:1] + strings.Repeat(" ", indent) + rest[1:])
			continue
		}
		b.WriteString(" " + strings.Repeat(" ", indent) + rest)
	}
	return b.String()
}

var markdownEscapes = strings.NewReplacer(
	`\`, `\\`, "`", "\\`", "|", `\|`, "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`,
	"<", "&lt;", ">", "&gt;", "&", "&amp;", "@", "@\u200b", "#", `\#`, "~", `\~`,
)

// md makes text from outside harmless inside Markdown, HTML and a table.
func md(s string) string { return markdownEscapes.Replace(clean(s)) }
