package run

import (
	"time"

	"hubcap/engine/plan"
)

// A Bake is one gate while it is sampled: samples and times in, a verdict out. It
// is pure, so that a replay over the past judges as a run does.
//
// So many bad samples, in a row or of the last few, fail the gate. One that is
// inconclusive makes the bake longer, unless it only says that it is too early to
// tell. At the end the last sample must be good; while it is not, or cannot tell
// yet, the bake goes on to its limit.
type Bake struct {
	gate    plan.Gate
	began   time.Time
	end     time.Time // it must hold until then
	limit   time.Time // beyond which the bake is not extended
	next    time.Time // when to sample
	recent  []bool    // conclusive samples, the latest last: whether they were bad
	verdict Verdict   // empty while it is open
}

// NewBake begins the bake of g.
func NewBake(g plan.Gate, began time.Time) *Bake {
	length := max(g.Bake, g.Delay())
	patience := g.MaxBake
	if patience == 0 {
		patience = max(2*g.Bake, length+time.Duration(g.Failures+1)*g.Interval)
	}
	if g.Advisory {
		patience = 0 // nobody waits for what decides nothing
	}
	return &Bake{gate: g, began: began, end: began.Add(length), limit: began.Add(max(patience, length)), next: began.Add(g.Delay())}
}

// Verdict returns what the gate says, or "" while it is open.
func (b *Bake) Verdict() Verdict { return b.verdict }

// Next returns when the next sample is due.
func (b *Bake) Next() time.Time { return b.next }

// Length returns how long the bake will be, as things stand.
func (b *Bake) Length() time.Duration { return b.end.Sub(b.began) }

// Take judges one sample taken at now.
func (b *Bake) Take(s Sample, now time.Time) {
	b.note(s, now)
	switch {
	case b.bad() >= b.gate.Failures:
		b.verdict = Fail
	case s.Verdict == Pass && !now.Before(b.end):
		b.verdict = Pass
	case now.Before(b.limit):
		// Still open.
	case s.Verdict == Fail:
		b.verdict = Fail
	default: // good at last, but not for long enough; or it cannot tell
		b.verdict = Inconclusive
	}
	b.next = now.Add(b.gate.Interval)
	for _, edge := range []time.Time{b.end, b.limit} { // the last sample is taken at the very end
		if now.Before(edge) && b.next.After(edge) {
			b.next = edge
			break
		}
	}
}

func (b *Bake) note(s Sample, now time.Time) {
	switch s.Verdict {
	case Pass, Fail:
		b.recent = append(b.recent, s.Verdict == Fail)
		if most := max(b.gate.Of, b.gate.Failures); len(b.recent) > most {
			b.recent = b.recent[len(b.recent)-most:]
		}
	default:
		if !s.Early && !b.gate.Advisory {
			b.end = b.end.Add(b.gate.Interval)
		}
	}
}

// bad counts the bad samples among those that count.
func (b *Bake) bad() int {
	n := 0
	for _, bad := range b.recent {
		if bad {
			n++
		}
	}
	return n
}

// goOn makes up for the time between the last sample and now, in which nobody
// looked: it does not count.
func (b *Bake) goOn(last, now time.Time) {
	if away := now.Sub(last) - b.gate.Interval; away > 0 {
		b.end, b.limit = b.end.Add(away), b.limit.Add(away)
	}
	if b.next.Before(now) {
		b.next = now
	}
}
