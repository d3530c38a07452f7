package render

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"hubcap/engine/journal"
	"hubcap/engine/plan"
	"hubcap/engine/resource"
)

// An account is what a run's journal says, step by step.
type account struct {
	run        journal.Run
	steps      []accountStep
	began      time.Time
	ended      time.Time // of the last entry
	outcome    string    // "unfinished" while there is none
	reason     string
	predicted  toll // of the steps that were begun
	measured   toll
	isKnown    bool // predicted is: the plan was at hand
	isMeasured bool // measured is: a step that was done was measured
}

// An accountStep is one step of a run.
type accountStep struct {
	id        plan.StepID
	crowd     plan.Crowd
	wave      string
	class     resource.Class // zero when the plan is not at hand
	spans     []accountSpan
	state     journal.Mark
	reason    string // why it failed, was held, or is stuck
	predicted *resource.Impact
	measured  *resource.Impact
	gates     []*accountGate
}

// An accountSpan is a stretch of time that a step spent in one state.
type accountSpan struct {
	mark     journal.Mark
	from, to time.Time
}

// An accountGate is one gate of one step.
type accountGate struct {
	name    string
	verdict string // "open" while it has none
	reason  string
	samples []journal.Sample
}

// newAccount reads the journal of a run.
func newAccount(r journal.Run) account {
	a := account{run: r, began: r.Started, ended: r.Started, outcome: "unfinished"}
	byID := make(map[plan.StepID]int)
	if r.Plan != nil {
		a.isKnown = true
		for _, w := range r.Plan.Waves {
			for _, s := range w.Steps {
				byID[s.ID] = len(a.steps)
				a.steps = append(a.steps, accountStep{id: s.ID, crowd: s.Crowd(), wave: w.Name, class: s.Class, predicted: &s.Impact})
			}
		}
	}
	for _, e := range r.Entries {
		if e.Time.After(a.ended) {
			a.ended = e.Time
		}
		if e.Step == "" {
			continue
		}
		i, known := byID[e.Step]
		if !known {
			i = len(a.steps)
			byID[e.Step] = i
			a.steps = append(a.steps, accountStep{id: e.Step, crowd: plan.Crowd{Block: blockOf(e.Step)}})
		}
		a.steps[i].take(e)
	}
	if end, finished := Ending(r); finished {
		a.outcome, a.reason = string(end.Outcome), end.Reason
	}
	a.close()
	return a
}

// take adds one entry to what is known of a step.
func (s *accountStep) take(e journal.Entry) {
	if e.Mark == journal.Beforehand { // of what was before; the reason of the rollback has what matters of it
		return
	}
	for _, sample := range e.Samples {
		g := s.gate(sample.Gate)
		g.samples = append(g.samples, sample)
		g.reason = sample.Reason
	}
	switch {
	case e.Gate != "":
		g := s.gate(e.Gate)
		g.verdict, g.reason = e.Verdict, e.Reason
		return
	case e.Mark == journal.Intended, e.Mark == journal.Written, e.Mark == journal.LeftOut, len(e.Samples) > 0 && e.Mark == journal.Baking && s.state == journal.Baking:
		return
	}
	if n := len(s.spans); n > 0 {
		s.spans[n-1].to = e.Time
	}
	s.spans = append(s.spans, accountSpan{mark: e.Mark, from: e.Time, to: e.Time})
	s.state = e.Mark
	switch {
	case (e.Mark == journal.RolledBack || e.Mark == journal.Stuck) && e.Reason != "" && s.reason != "": // why it failed stays
		s.reason += "; " + e.Reason
	case e.Reason != "":
		s.reason = e.Reason
	}
	if e.Impact != nil && e.Mark == journal.Done {
		s.measured = e.Impact
	}
}

func (s *accountStep) gate(name string) *accountGate {
	for _, g := range s.gates {
		if g.name == name {
			return g
		}
	}
	g := &accountGate{name: name, verdict: "open"}
	s.gates = append(s.gates, g)
	return g
}

// close ends the spans of a run that goes on at its last entry, and sums up.
func (a *account) close() {
	for i := range a.steps {
		s := &a.steps[i]
		if n := len(s.spans); n > 0 && !final(s.state) {
			s.spans[n-1].to = a.ended
		}
		if len(s.spans) > 0 && s.predicted != nil {
			a.predicted.add(s.crowd, *s.predicted)
		}
		if s.measured != nil {
			a.isMeasured = true
			a.measured.add(s.crowd, *s.measured)
		}
	}
}

// final reports whether a step stays in the state m.
func final(m journal.Mark) bool {
	return slices.Contains([]journal.Mark{journal.Done, journal.Failed, journal.RolledBack, journal.Stuck, journal.Held}, m)
}

// blockOf returns the block of a step whose plan is not at hand: "01-hub.prod/hub".
func blockOf(id plan.StepID) string {
	_, component, _ := strings.Cut(string(id), "-")
	if end := strings.Index(component, `"]`); end >= 0 {
		return component[:end+2]
	}
	block, _, _ := strings.Cut(component, "/")
	return block
}

// took is how long a step lasted, from its first entry to its last.
func (s accountStep) took() time.Duration {
	if len(s.spans) == 0 {
		return 0
	}
	return s.spans[len(s.spans)-1].to.Sub(s.spans[0].from)
}

// word is a step's state for people.
func (s accountStep) word() string {
	if s.state == "" {
		return "not begun"
	}
	return string(s.state)
}

// figures says how a gate came out, with its numbers.
func (g *accountGate) figures() string {
	text := g.verdict
	if n := len(g.samples); n > 0 {
		bad := 0
		for _, s := range g.samples {
			if s.Verdict == "fail" {
				bad++
			}
		}
		text += fmt.Sprintf(", %s kept, %d bad", count(n, "sample"), bad)
		last := g.samples[n-1]
		if last.Value != nil {
			text += ", last " + number(*last.Value)
			if last.Bound != nil {
				text += " against " + number(*last.Bound)
			}
		}
	}
	return text
}

// number writes a measured figure with four digits that count.
func number(v float64) string { return fmt.Sprintf("%.4g", v) }
