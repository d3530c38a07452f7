package run

import (
	"fmt"
	"time"

	"hubcap/engine/journal"
	"hubcap/engine/plan"
	"hubcap/engine/resource"
)

// A Notice is what a run tells people who do not watch it. It is sent beside the
// run: nothing waits for it, and nothing fails by it.
type Notice struct {
	Kind    NoticeKind
	Run     string
	Config  string // name of the config
	Cluster string // of the step; empty when the notice is about the run
	Step    *plan.Step
	Outcome journal.Outcome // of a run that ended
	Text    string          // one line for people
	Time    time.Time
	Began   time.Time // of the run
}

// NoticeKind says what happened.
type NoticeKind string

// The kinds of notices.
const (
	NoticeStarted    NoticeKind = "started"     // a run began
	NoticeStep       NoticeKind = "step"        // a step is done
	NoticeHeld       NoticeKind = "held"        // a step is held, or a run ended so
	NoticeFailed     NoticeKind = "failed"      // a step failed
	NoticeRolledBack NoticeKind = "rolled_back" // a step was rolled back
	NoticeStuck      NoticeKind = "stuck"       // a rollback did not succeed
	NoticeFinished   NoticeKind = "finished"    // a run ended
)

// A Crier turns the events of one run into notices. It must be fed in order.
type Crier struct {
	run, config string
	began       time.Time
}

// Hear returns the notice that e is worth, if it is worth one. now is the time of
// events that have none.
func (c *Crier) Hear(e Event, now time.Time) (Notice, bool) {
	n, worthy := c.hear(e, now)
	n.Text = resource.Clean(n.Text) // it goes where no screen of hubcap's own stands before
	return n, worthy
}

func (c *Crier) hear(e Event, now time.Time) (Notice, bool) {
	switch e := e.(type) {
	case RunBegan:
		c.run, c.config, c.began = e.Run, e.Plan.Config, now
		n := c.notice(NoticeStarted, now)
		n.Text = fmt.Sprintf("%s %s of %s began: %d steps", e.Kind, e.Run, e.Plan.Config, len(e.Plan.Steps()))
		return n, true
	case StepMoved:
		kind, worthy := stepNotices[e.Mark]
		if !worthy {
			return Notice{}, false
		}
		n := c.notice(kind, e.Time)
		n.Step, n.Cluster = &e.Step, e.Step.Cluster
		n.Text = fmt.Sprintf("%s, step %d of %d, %s: %s", c.run, e.Index, e.Total, e.Step.Component, e.Mark)
		if e.Reason != "" {
			n.Text += ": " + e.Reason
		}
		return n, true
	case RunEnded:
		n := c.notice(NoticeFinished, now)
		n.Outcome = e.Outcome
		n.Text = fmt.Sprintf("%s of %s: %s after %s, %d steps done", c.run, c.config, e.Outcome, e.Took.Round(time.Second), e.Done)
		if e.Reason != "" {
			n.Text += ": " + e.Reason
		}
		return n, true
	}
	return Notice{}, false
}

func (c *Crier) notice(kind NoticeKind, now time.Time) Notice {
	return Notice{Kind: kind, Run: c.run, Config: c.config, Time: now, Began: c.began}
}

var stepNotices = map[journal.Mark]NoticeKind{
	journal.Done: NoticeStep, journal.Held: NoticeHeld, journal.Failed: NoticeFailed,
	journal.RolledBack: NoticeRolledBack, journal.Stuck: NoticeStuck,
}
