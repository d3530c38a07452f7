package render

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"hubcap/engine/plan"
	"hubcap/engine/resource"
)

// Plan renders the plan as people read it: one line per component with what it
// does to people, then the totals, then what is beside the plan. A verbose Style
// adds every field.
func Plan(p *plan.Plan, s Style) string {
	var b strings.Builder
	n := secrets{}
	b.WriteString(s.header(p))
	if p.Empty() {
		b.WriteString("\n  " + nothingLine(p) + "\n")
	} else {
		s.moves(&b, p)
		b.WriteString("\n")
		s.takeovers(&b, p)
		s.sealed(&b, p)
		s.steps(&b, n, p)
		b.WriteString("\n")
		s.totals(&b, p)
	}
	s.beside(&b, n, p)
	s.outputs(&b, n, p)
	b.WriteString("\n" + Footer(p) + "\n")
	return b.String()
}

// nothingLine says what a plan without steps means: no changes only where everything
// was read and may be written.
func nothingLine(p *plan.Plan) string {
	open := openLine(p)
	if open == "" {
		return fmt.Sprintf("No changes: %s as desired.", were(p.Unchanged, "object"))
	}
	return fmt.Sprintf("Nothing can be done: %s, see below; %s as desired.", open, were(p.Unchanged, "object"))
}

// openLine says what keeps a plan from being the whole answer; empty when nothing does.
func openLine(p *plan.Plan) string {
	var parts []string
	if n := len(p.Refused); n > 0 {
		parts = append(parts, were(n, "object")+" refused")
		if n := missing(p); n > 0 {
			parts[0] += fmt.Sprintf(" (%d of them missing)", n)
		}
	}
	if n := len(p.Unreadable); n > 0 {
		parts = append(parts, count(n, "thing")+" could not be read")
	}
	return strings.Join(parts, " and ")
}

// missing counts the refused objects that do not exist.
func missing(p *plan.Plan) int {
	n := 0
	for _, r := range p.Refused {
		if r.Missing {
			n++
		}
	}
	return n
}

// Footer is the plan's last line: "Plan: 1 to add, 3 to change, 1 to remove."
func Footer(p *plan.Plan) string {
	add, change, remove := Count(p)
	owners := ""
	if n := ownersOnly(p); n > 0 {
		owners = fmt.Sprintf(", %d to change owner only", n)
	}
	hooks := ""
	if n := Hooks(p); n > 0 {
		hooks = ", " + count(n, "hook") + " to run"
	}
	seals := ""
	if n := Seals(p); n > 0 {
		seals = fmt.Sprintf(", %d to seal", n)
	}
	return fmt.Sprintf("Plan: %d to add, %d to change, %d to remove%s%s%s.", add, change, remove, owners, seals, hooks)
}

// Count counts the objects a plan adds, changes and removes. A replacement adds
// one: what it replaces goes in a plan of its own, once it is empty. What only
// changes its owner is none of these, nor is what hooks make.
func Count(p *plan.Plan) (add, change, remove int) {
	for _, step := range p.Steps() {
		for _, c := range step.Changes {
			if c.Hook != nil {
				continue
			}
			switch c.Action {
			case resource.Create, resource.Replace:
				add++
			case resource.Update:
				if c.Class != resource.ClassAdopt {
					change++
				}
			case resource.Delete:
				remove++
			}
		}
	}
	return add, change, remove
}

func were(n int, noun string) string {
	if n == 1 {
		return "1 " + noun + " is"
	}
	return fmt.Sprintf("%d %ss are", n, noun)
}

func (s Style) header(p *plan.Plan) string {
	parts := []string{"hubcap plan"}
	sessions := 0
	for _, c := range p.Clusters {
		name := c.Name
		if c.Where != "" && c.Where != c.Name {
			name += " (" + c.Where + ")"
		}
		parts = append(parts, clean(name))
		sessions += c.Sessions
	}
	if len(p.Clusters) > 3 {
		parts = []string{"hubcap plan", count(len(p.Clusters), "cluster")}
	}
	if p.Commit != "" {
		hash, dirty := strings.CutSuffix(p.Commit, "-dirty")
		hash = hash[:min(len(hash), 7)]
		if dirty {
			hash += " with changes"
		}
		parts = append(parts, "commit "+clean(hash))
	}
	if !p.Created.IsZero() {
		parts = append(parts, clock(p.Created))
	}
	parts = append(parts, count(sessions, "session"))
	lines := []string{parts[0]}
	for _, part := range parts[1:] {
		last := &lines[len(lines)-1]
		if cells(*last)+cells(part)+5 > s.width() {
			*last, lines = *last+" ·", append(lines, "  "+cut(part, s.width()-4))
			continue
		}
		*last += " · " + part
	}
	return s.paint(bold, strings.Join(lines, "\n")) + "\n"
}

// Layout of a line: indent, symbol, address, what, class.
const (
	symbolCells = 6
	gap         = 2
)

func (s Style) steps(b *strings.Builder, n secrets, p *plan.Plan) {
	steps := slices.DeleteFunc(slices.Clone(p.Steps()), sealsOnly)
	longest, class := 0, 0
	for _, step := range steps {
		longest = max(longest, cells(clean(step.Component.String())))
		class = max(class, cells(effect(step)))
	}
	address := min(longest, s.width()*2/5)
	room := s.width() - symbolCells - address - class - 2*gap
	stands := standings(p)
	for _, step := range steps {
		symbol, name := symbolOf(step), clean(step.Component.String())
		b.WriteString("  " + s.paint(actionColor(symbol), pad(symbol, symbolCells-2)))
		b.WriteString(s.paint(bold, cut(name, s.width()-symbolCells)))
		switch {
		case room < leastRoom:
			s.stacked(b, n, step)
		case cells(name) > address:
			b.WriteString("\n" + strings.Repeat(" ", symbolCells+address+gap))
			s.columns(b, n, step, room)
		default:
			b.WriteString(strings.Repeat(" ", address-cells(name)+gap))
			s.columns(b, n, step, room)
		}
		for _, note := range append(notes(step), holdLines(stands[step.ID])...) {
			b.WriteString(wrap(note, strings.Repeat(" ", symbolCells+2), s.width()))
		}
		if s.Verbose {
			s.fields(b, n, step)
		}
	}
}

// leastRoom is where columns stop being readable and lines are stacked.
const leastRoom = 20

func (s Style) columns(b *strings.Builder, n secrets, step plan.Step, room int) {
	b.WriteString(pad(n.what(step, room), room) + strings.Repeat(" ", gap))
	b.WriteString(s.paint(classColor(step.Class), effect(step)) + "\n")
}

func (s Style) stacked(b *strings.Builder, n secrets, step plan.Step) {
	indent := strings.Repeat(" ", symbolCells+2)
	b.WriteString("\n" + indent + n.what(step, s.width()-len(indent)) + "\n")
	b.WriteString(indent + s.paint(classColor(step.Class), effect(step)) + "\n")
}

// effect words what a step does, with a mark when it hurts people.
func effect(step plan.Step) string {
	word := classWord(step)
	if step.Impact.OneWay && step.Class != resource.ClassOneWay {
		word += ", one-way"
	}
	if step.Impact.SessionsLost > 0 || step.Impact.SessionsInterrupted > 0 || step.Impact.LaunchesStop || ends(step) {
		word = "! " + word
	}
	return word
}

// ends reports whether a step takes something away that people use, whether anybody is
// there or not.
func ends(step plan.Step) bool {
	return step.Class == resource.ClassOutage || step.Class == resource.ClassDestructive
}

// relies says on how many people a step relies.
func relies(bound *plan.SessionBound) string {
	if bound.Max == 0 {
		return "relies on nobody being there (" + clean(bound.String()) + ")"
	}
	return fmt.Sprintf("relies on at most %s (%s)", count(bound.Max, "session"), clean(bound.String()))
}

func notes(step plan.Step) []string {
	var out []string
	if lost := step.Impact.SessionsLost; lost > 0 {
		out = append(out, "! "+count(lost, "session")+" lost")
	}
	if cut := step.Impact.SessionsInterrupted; cut > 0 {
		out = append(out, "! "+count(cut, "session")+" interrupted")
	}
	if step.Impact.LaunchesStop {
		out = append(out, "! launches stop until it is back")
	}
	if step.Relies != nil {
		out = append(out, relies(step.Relies))
	}
	for _, c := range step.Changes {
		if c.Replaces != nil {
			out = append(out, fmt.Sprintf("new %s first; %s stays until it is empty", clean(c.ID.Name), clean(c.Replaces.Name)))
		}
		for _, note := range c.Notes {
			note = clean(note)
			if !slices.Contains(out, note) {
				out = append(out, note)
			}
		}
	}
	return out
}

// Impact says in one line what a plan does to people.
func Impact(p *plan.Plan) string {
	t := total(p)
	parts := []string{
		fmt.Sprintf("sessions lost %d", t.SessionsLost),
		fmt.Sprintf("interrupted %d", t.SessionsInterrupted),
	}
	switch {
	case t.LaunchesStop:
		parts = append(parts, "launches stop")
	case t.LaunchGap == 0:
		parts = append(parts, "launches go on")
	default:
		parts = append(parts, "new launches pause "+t.paused()+t.times())
	}
	if t.PodsRestarted > 0 {
		parts = append(parts, count(t.PodsRestarted, "pod")+" restart")
	}
	if t.OneWay {
		parts = append(parts, "one-way: cannot be undone")
	}
	if t.Unknown {
		parts = append(parts, "some of it without a rule: counted as restarts")
	}
	return strings.Join(parts, " · ")
}

func (s Style) totals(b *strings.Builder, p *plan.Plan) {
	s.row(b, "Impact", Impact(p))
	if worst, hurts := worstStep(p); hurts {
		s.row(b, "Worst", worst)
	}
	if line := backLine(p); line != "" {
		s.row(b, "Back", line)
	}
	gates := 0
	for _, step := range p.Steps() {
		gates += len(step.Gates)
	}
	waves := Waves(p)
	line := count(len(waves), "wave") + ", " + count(len(p.Steps()), "step") + ", " + count(gates, "gate")
	if bake := totalBake(waves); bake > 0 {
		line += " · bakes " + span(bake)
	}
	s.row(b, "Waves", line)
	for _, line := range waveLines(waves) {
		s.row(b, "", line)
	}
	if guards := guardLine(p); guards != "" {
		s.row(b, "Guards", guards)
	}
	if p.Unchanged > 0 {
		s.row(b, "Same", were(p.Unchanged, "object")+" as desired")
	}
	if s.Verbose {
		for i, line := range chartLines(p) {
			s.row(b, []string{"Charts", ""}[min(i, 1)], line)
		}
	}
}

// worstStep names the step that hurts most people, if one does.
func worstStep(p *plan.Plan) (string, bool) {
	steps := p.Steps()
	if len(steps) < 2 {
		return "", false
	}
	hurt := func(i resource.Impact) int { return i.SessionsLost*1000 + i.SessionsInterrupted }
	stops := func(i resource.Impact) int { return map[bool]int{true: 1}[i.LaunchesStop] }
	worst := 0
	for i, step := range steps {
		if cmp.Or(cmp.Compare(hurt(step.Impact), hurt(steps[worst].Impact)),
			cmp.Compare(stops(step.Impact), stops(steps[worst].Impact)),
			cmp.Compare(step.Impact.LaunchGap, steps[worst].Impact.LaunchGap)) > 0 {
			worst = i
		}
	}
	i := steps[worst].Impact
	if hurt(i) == 0 && i.LaunchGap == 0 && !i.LaunchesStop {
		return "", false
	}
	line := fmt.Sprintf("step %d, %s:", worst+1, clean(steps[worst].Component.String()))
	switch {
	case hurt(i) > 0:
		line += fmt.Sprintf(" %s lost, %d interrupted", count(i.SessionsLost, "session"), i.SessionsInterrupted)
	case i.LaunchesStop:
		line += " launches stop"
	default:
		line += " launches pause ≈ " + span(i.LaunchGap)
	}
	return line, true
}

const labelCells = 9

// row writes one labelled line, wrapped below itself.
func (s Style) row(b *strings.Builder, label, line string) {
	indent := strings.Repeat(" ", labelCells+2)
	text := wrap(line, indent, s.width())
	b.WriteString("  " + s.paint(bold, label) + strings.Repeat(" ", labelCells-cells(label)) + text[len(indent):])
}

// classWord is the word for what a step does to the system. What is only made, or
// only removed, with no one on it, is that and no more.
func classWord(step plan.Step) string {
	if step.Class > resource.ClassLive {
		return step.Class.String()
	}
	switch symbolOf(step) {
	case resource.Create.Symbol():
		return "new"
	case resource.Delete.Symbol():
		return "removed"
	}
	return step.Class.String()
}
