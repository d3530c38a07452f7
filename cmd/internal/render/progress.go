package render

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"hubcap/engine/journal"
	"hubcap/engine/plan"
	"hubcap/engine/run"
)

// Heartbeat is the longest a run stays silent: whoever watches a CI job kills
// what says nothing.
const Heartbeat = 10 * time.Second

// Progress follows a run by its events. It is a value to be fed in one goroutine
// and asked for text: plain lines, or the frame of a live view.
type Progress struct {
	plan    *plan.Plan
	run     string
	kind    journal.Kind
	started time.Time
	steps   []stepState
	ended   *run.RunEnded
	said    time.Time // when the last plain line came out
}

// stepState is how far one step got.
type stepState struct {
	step    plan.Step
	mark    journal.Mark
	reason  string
	since   time.Time // of mark
	began   time.Time
	made    int
	unready []string
	gates   []gateState
}

// gateState is what a gate said last.
type gateState struct {
	name string
	word string // see saw
	line string
}

// Feed takes one event in and returns the plain lines that tell it, without
// time stamps; there may be none.
func (p *Progress) Feed(e run.Event, now time.Time) []string {
	lines := p.take(e, now)
	if len(lines) > 0 {
		p.said = now
	}
	return lines
}

// Tick returns a sign of life when nothing was said for a [Heartbeat].
func (p *Progress) Tick(now time.Time) []string {
	if p.ended != nil || p.said.IsZero() || now.Sub(p.said) < Heartbeat {
		return nil
	}
	i := p.current()
	if i < 0 {
		return nil
	}
	s := p.steps[i]
	p.said = now
	line := fmt.Sprintf("%s still %s (%s)", p.label(i), s.mark, span(now.Sub(s.since)))
	if len(s.unready) > 0 {
		line += ": " + reasons(s.unready)
	}
	return []string{line}
}

func (p *Progress) take(e run.Event, now time.Time) []string {
	switch e := e.(type) {
	case run.RunBegan:
		return p.began(e, now)
	case run.StepMoved:
		return p.moved(e, now)
	case run.ChangeMade:
		if i := p.index(e.Step); i >= 0 {
			s := &p.steps[i]
			s.made++
			line := fmt.Sprintf("%s %s %s", p.label(i), e.Change.Action.Symbol(), clean(objectName(e.Change)))
			if s.mark == journal.RollingBack { // how many it takes is not in the plan
				return []string{line + " (as it was)"}
			}
			return []string{fmt.Sprintf("%s (%d/%d)", line, s.made, len(s.step.Changes))}
		}
	case run.Waited:
		return p.waited(e, now)
	case run.GateSampled:
		return p.sampled(e, now)
	case run.GuardWaited:
		return p.guarded(e, now)
	case run.GuardTold:
		if i := p.index(e.Step); i >= 0 {
			return []string{fmt.Sprintf("%s %s (%s): %s", p.label(i), clean(e.Guard.Address()), e.Why, clean(e.Reason))}
		}
	case run.Warned:
		return []string{"warning: " + clean(e.Text)}
	case run.Noted:
		return []string{clean(e.Text)}
	case run.RunEnded:
		p.ended = &e
		return nil // the command words the end itself
	}
	return nil
}

func (p *Progress) began(e run.RunBegan, now time.Time) []string {
	p.plan, p.run, p.kind, p.started, p.steps = e.Plan, e.Run, e.Kind, now, nil
	if e.Plan == nil {
		return []string{fmt.Sprintf("run %s began", clean(e.Run))}
	}
	for _, step := range e.Plan.Steps() {
		p.steps = append(p.steps, stepState{step: step})
	}
	return []string{fmt.Sprintf("run %s (%s) began: %s", clean(e.Run), e.Kind, count(len(p.steps), "step"))}
}

func (p *Progress) moved(e run.StepMoved, now time.Time) []string {
	i := p.index(e.Step.ID)
	if i < 0 {
		p.steps = append(p.steps, stepState{step: e.Step})
		i = len(p.steps) - 1
	}
	s := &p.steps[i]
	if s.began.IsZero() {
		s.began = now
	}
	s.mark, s.reason, s.since = e.Mark, flat(e.Reason), now
	s.unready, s.gates = nil, nil
	line := p.label(i) + " " + string(e.Mark)
	if e.Mark == journal.Done || e.Mark == journal.RolledBack {
		line += " (" + span(now.Sub(s.began)) + ")"
	}
	if e.Reason != "" {
		line += ": " + flat(e.Reason)
	}
	return []string{line}
}

// waited tells what is waited for when that changed, or after a heartbeat.
func (p *Progress) waited(e run.Waited, now time.Time) []string {
	i := p.index(e.Step)
	if i < 0 {
		return nil
	}
	s := &p.steps[i]
	changed := !slices.Equal(s.unready, e.Unready)
	s.unready = slices.Clone(e.Unready)
	if !changed && now.Sub(p.said) < Heartbeat || len(e.Unready) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%s waits (%s): %s", p.label(i), span(e.For), reasons(e.Unready))}
}

// guarded tells what a step waits for and since when, when that changed or after a
// heartbeat.
func (p *Progress) guarded(e run.GuardWaited, now time.Time) []string {
	i := p.index(e.Step)
	if i < 0 {
		return nil
	}
	s := &p.steps[i]
	changed := len(s.unready) == 0
	s.unready = slices.Clone(e.Reasons)
	if !changed && now.Sub(p.said) < Heartbeat {
		return nil
	}
	return []string{fmt.Sprintf("%s waits since %s, until %s at most: %s", p.label(i), clock(e.Since), clock(e.Limit), reasons(e.Reasons))}
}

// sampled tells what a gate saw when its verdict changed, or after a heartbeat.
func (p *Progress) sampled(e run.GateSampled, now time.Time) []string {
	i := p.index(e.Step)
	if i < 0 {
		return nil
	}
	s := &p.steps[i]
	g := s.gateNamed(e.Gate.Name)
	changed := g.word != saw(e.Sample)
	g.word = saw(e.Sample)
	g.line = fmt.Sprintf("gate %s %s (%s)", clean(e.Gate.Name), g.word, baked(e))
	if e.Sample.Reason != "" {
		g.line += ": " + clean(e.Sample.Reason)
	}
	if !changed && now.Sub(p.said) < Heartbeat {
		return nil
	}
	return []string{p.label(i) + " " + g.line}
}

func (s *stepState) gateNamed(name string) *gateState {
	for i := range s.gates {
		if s.gates[i].name == name {
			return &s.gates[i]
		}
	}
	s.gates = append(s.gates, gateState{name: name})
	return &s.gates[len(s.gates)-1]
}

// saw words a sample's verdict: what is merely too early worries nobody.
func saw(s run.Sample) string {
	if s.Early {
		return "waits"
	}
	return string(s.Verdict)
}

// baked says how far a bake is, and that it lasts longer than planned.
func baked(e run.GateSampled) string {
	text := span(e.Elapsed) + " of " + span(e.Gate.Bake)
	if longer := max(e.Of, e.Elapsed); longer > max(e.Gate.Bake, e.Gate.Delay()) {
		text += ", extended"
		if e.Gate.MaxBake > 0 {
			text += " to at most " + span(e.Gate.MaxBake)
		}
	}
	return text
}

func (p *Progress) index(id plan.StepID) int {
	return slices.IndexFunc(p.steps, func(s stepState) bool { return s.step.ID == id })
}

// current is the step that is under way, or -1.
func (p *Progress) current() int {
	return slices.IndexFunc(p.steps, func(s stepState) bool { return isUnderWay(s.mark) })
}

func isUnderWay(m journal.Mark) bool { return m != "" && !settled(m) }

func settled(m journal.Mark) bool {
	return m == journal.Done || m == journal.RolledBack || m == journal.Stuck || m == journal.Held
}

func (p *Progress) label(i int) string {
	return fmt.Sprintf("[%d/%d] %s", i+1, len(p.steps), clean(p.steps[i].step.Component.String()))
}

// reasons joins what is not ready, and counts what would be too much.
func reasons(unready []string) string {
	const most = 3
	var out []string
	for i, r := range unready {
		if i == most {
			out = append(out, fmt.Sprintf("and %d more", len(unready)-most))
			break
		}
		out = append(out, clean(r))
	}
	return strings.Join(out, "; ")
}

// Frame is the live view at now: one line per step and what the current one
// waits for, in at most height lines.
func (p *Progress) Frame(now time.Time, s Style, height int) []string {
	if len(p.steps) == 0 {
		return nil
	}
	done := 0
	for _, st := range p.steps {
		if st.mark == journal.Done {
			done++
		}
	}
	below, extra := map[int][]string{}, 0
	for i, st := range p.steps {
		if isUnderWay(st.mark) && extra < height/2 { // blocks may be changed side by side
			below[i] = p.below(st, s)
			extra += len(below[i])
		}
	}
	room := max(height-extra-2, 1)
	from, to := window(len(p.steps), max(p.current(), 0), room)
	lines := []string{cut(fmt.Sprintf("%s %s · %d of %s done · %s", p.kind, clean(p.run), done,
		count(len(p.steps), "step"), span(now.Sub(p.started))), s.width())}
	if from > 0 || to < len(p.steps) {
		lines[0] = cut(fmt.Sprintf("%s · showing %d to %d", lines[0], from+1, to), s.width())
	}
	for i := from; i < to; i++ {
		lines = append(lines, p.liveLine(i, now, s))
		lines = append(lines, below[i]...)
	}
	return lines
}

func (p *Progress) below(st stepState, s Style) []string {
	var out []string
	for i, r := range st.unready {
		if i == 3 {
			out = append(out, cut(fmt.Sprintf("      … and %d more", len(st.unready)-i), s.width()))
			break
		}
		out = append(out, cut("      "+clean(r), s.width()))
	}
	return append(out, gateLines(st.gates, s)...)
}

// gateLines are the last words of the gates, the worst first, and of those that
// pass no more than fit.
func gateLines(gates []gateState, s Style) []string {
	const most = 4
	worry := func(g gateState) int {
		return slices.Index([]string{string(run.Fail), string(run.Inconclusive)}, g.word)
	}
	sorted := slices.SortedStableFunc(slices.Values(gates), func(a, b gateState) int {
		x, y := worry(a), worry(b)
		switch {
		case x == y:
			return 0
		case x >= 0 && (y < 0 || x < y):
			return -1
		}
		return 1
	})
	var out []string
	for i, g := range sorted {
		if i == most {
			out = append(out, cut(fmt.Sprintf("      … and %s more", count(len(sorted)-i, "gate")), s.width()))
			break
		}
		out = append(out, cut("      "+g.line, s.width()))
	}
	return out
}

// window is the part of n lines around the current one that fits into room.
func window(n, current, room int) (from, to int) {
	if n <= room {
		return 0, n
	}
	from = min(max(current-room/2, 0), n-room)
	return from, from + room
}

func (p *Progress) liveLine(i int, now time.Time, s Style) string {
	st := p.steps[i]
	mark, color := "·", faint
	word := "waiting"
	if p.ended != nil {
		word = "not begun"
	}
	switch {
	case st.mark == journal.Done:
		mark, color, word = "✓", green, "done"
	case st.mark == journal.Stuck, st.mark == journal.Failed:
		mark, color, word = "✗", red, string(st.mark)
	case st.mark == journal.RolledBack, st.mark == journal.Held, st.mark == journal.RollingBack:
		mark, color, word = "!", yellow, string(st.mark)
	case st.mark != "":
		mark, color, word = "▸", cyan, string(st.mark)
	}
	tail := word
	switch {
	case st.mark != "" && !settled(st.mark):
		tail += " " + span(now.Sub(st.since))
	case st.mark == journal.Done, st.mark == journal.RolledBack:
		tail += " " + span(st.since.Sub(st.began))
	}
	if st.mark == journal.Applying {
		tail += fmt.Sprintf(" (%d/%d)", min(st.made, len(st.step.Changes)), len(st.step.Changes))
	}
	if st.reason != "" {
		tail += ": " + st.reason
	}
	name := cut(clean(st.step.Component.String()), s.width()*2/5)
	line := pad(name, min(p.longest(), s.width()*2/5)) + "  "
	return "  " + s.paint(color, mark) + " " + line + s.paint(color, cut(tail, s.width()-4-cells(line)))
}

func (p *Progress) longest() int {
	n := 0
	for _, st := range p.steps {
		n = max(n, cells(clean(st.step.Component.String())))
	}
	return n
}

// Live says in one line what a run has made so far: what an interrupted person
// needs to know.
func (p *Progress) Live() string {
	var done, undone []string
	under := ""
	for i, st := range p.steps {
		switch {
		case st.mark == journal.Done:
			done = append(done, clean(st.step.Component.String()))
		case st.mark == journal.RolledBack:
			undone = append(undone, clean(st.step.Component.String()))
		case i == p.current():
			under = clean(st.step.Component.String()) + " " + string(st.mark)
		}
	}
	line := fmt.Sprintf("%d of %s done", len(done), count(len(p.steps), "step"))
	if len(done) > 0 {
		line += " (" + reasons(done) + ")"
	}
	if len(undone) > 0 {
		line += "; rolled back " + reasons(undone)
	}
	if under != "" {
		line += "; " + under
	}
	return line
}
