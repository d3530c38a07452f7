package run

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"hubcap/engine/journal"
	"hubcap/engine/plan"
)

// keepEvery is how often samples are made durable while all gates stay open.
const keepEvery = 30 * time.Second

// bake samples the gates of the step until each has held for its time. One that
// fails fails the step; one that stays inconclusive holds it. What is due at the
// same time is sampled side by side, so that a Prometheus that hangs keeps no
// other gate waiting for long.
func (x *execution) bake(ctx context.Context) error {
	p := x.resumedBake()
	for _, b := range p.open {
		if err := x.conclude(ctx, p, b); err != nil {
			return err
		}
	}
	for p.drop(); len(p.open) > 0; p.drop() {
		err := x.sleep(ctx, time.Until(p.next()))
		if err == nil {
			err = x.promote(ctx, p)
		}
		if err == nil {
			err = x.sampleDue(ctx, p)
		}
		if err != nil {
			return errors.Join(err, x.keep(ctx, p))
		}
	}
	return nil
}

// A baking is the bake of one step.
type baking struct {
	began   time.Time // of the bake: the step had converged
	open    []*oneBake
	kept    []journal.Sample // not durable yet
	flushed time.Time
}

// A oneBake is one gate of a baking.
type oneBake struct {
	*Bake
	last    Sample
	settled bool // the verdict is in the journal and was acted on
}

func (p *baking) next() time.Time {
	first := p.open[0].next
	for _, b := range p.open {
		if b.next.Before(first) {
			first = b.next
		}
	}
	return first
}

func (p *baking) drop() {
	p.open = slices.DeleteFunc(p.open, func(b *oneBake) bool { return b.settled })
}

// sleep waits, unless the run must stop.
func (x *execution) sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(max(d, 0))
	defer timer.Stop()
	select {
	case <-x.Lost:
		return ErrLost
	case <-ctx.Done():
		return errInterrupted
	case <-x.Orders.news():
	case <-timer.C:
	}
	return cmp.Or(x.Orders.Aborted(), x.mayGoOn(ctx))
}

// sampleDue takes a sample of every gate that is due and acts on the verdicts
// there are.
func (x *execution) sampleDue(ctx context.Context, p *baking) error {
	now := time.Now()
	var due []*oneBake
	for _, b := range p.open {
		if !b.next.After(now) {
			due = append(due, b)
		}
	}
	samples := make([]Sample, len(due))
	each(len(due), func(i int) {
		samples[i] = x.sample(ctx, Question{Gate: due[i].gate, Began: x.first, Baking: p.began, At: now})
	})
	if ctx.Err() != nil {
		return errInterrupted
	}
	for i, b := range due {
		b.last = samples[i]
		b.Take(b.last, now)
		p.note(b.gate.Name, b.last, now)
		x.tell(GateSampled{Step: x.step.ID, Gate: b.gate, Sample: b.last, Elapsed: now.Sub(b.began), Of: b.Length()})
	}
	for _, b := range due {
		if err := x.conclude(ctx, p, b); err != nil {
			return err
		}
	}
	if time.Since(p.flushed) < keepEvery {
		return nil
	}
	return x.keep(ctx, p)
}

// sample takes one sample of one gate. That none could be had is inconclusive.
func (x *execution) sample(ctx context.Context, q Question) Sample {
	if m := q.Gate.Manual; m != nil {
		return people(m.Prompt)
	}
	sampler := x.Targets[x.step.Cluster].Sampler
	if sampler == nil {
		return Sample{Verdict: Inconclusive, Reason: fmt.Sprintf("cluster %s samples no gates", x.step.Cluster)}
	}
	q.Component = x.step.Component
	s, err := sampler.Sample(ctx, q)
	if err != nil {
		return Sample{Verdict: Inconclusive, Reason: err.Error()}
	}
	if s.Verdict != Pass && s.Verdict != Fail {
		s.Verdict = Inconclusive
	}
	return s
}

// conclude records a gate's verdict, once it has one, and acts on it.
func (x *execution) conclude(ctx context.Context, p *baking, b *oneBake) error {
	if b.verdict == "" || b.settled {
		return nil
	}
	b.settled = true
	entry := journal.Entry{Mark: journal.Baking, Gate: b.gate.Name, Verdict: string(b.verdict), Reason: b.last.Reason, Samples: p.take(time.Now())}
	if err := x.record(ctx, entry); err != nil {
		return err
	}
	switch {
	case b.verdict == Pass:
	case b.gate.Advisory:
		x.tell(Warned{Text: fmt.Sprintf("%s: gate %s, which is advisory, %s: %s", x.step.ID, b.gate.Name, said[b.verdict], b.last.Reason)})
	case b.verdict == Fail:
		return &gateError{kind: ErrGate, gate: b.gate.Name, text: fmt.Sprintf("gate %s failed: %s", b.gate.Name, b.last.Reason)}
	case b.gate.OnInconclusive == plan.FailWhenUnclear:
		return fmt.Errorf("gate %s is inconclusive, which fails it: %s", b.gate.Name, b.last.Reason)
	default:
		text := fmt.Sprintf("gate %s is inconclusive: %s", b.gate.Name, b.last.Reason)
		return &gateError{kind: ErrUnclear, gate: b.gate.Name, text: text, held: &heldError{reason: text}}
	}
	return nil
}

var said = map[Verdict]string{Fail: "failed", Inconclusive: "is inconclusive"}

// note adds a sample to those that are to be kept. What says the same as the one
// before is kept with it: so a long bake stays small, and a resumed one counts
// right.
func (p *baking) note(gate string, s Sample, at time.Time) {
	one := journal.Sample{
		Gate: gate, Time: at.UTC().Truncate(time.Millisecond), Verdict: string(s.Verdict), Reason: s.Reason,
		Value: s.Value, Bound: s.Bound, Evidence: s.Evidence, Early: s.Early,
	}
	if s.Verdict == Pass && s.Value != nil {
		one.Reason = "" // the numbers say it
	}
	for i, k := range slices.Backward(p.kept) {
		if k.Gate != gate {
			continue
		}
		if k.Verdict == one.Verdict && k.Early == one.Early {
			one.Times = max(k.Times, 1) + 1
			p.kept = slices.Delete(p.kept, i, i+1)
		}
		break
	}
	p.kept = append(p.kept, one)
}

func (p *baking) take(now time.Time) []journal.Sample {
	kept := p.kept
	p.kept, p.flushed = nil, now
	return kept
}

// keep makes the samples that wait durable.
func (x *execution) keep(ctx context.Context, p *baking) error {
	kept := p.take(time.Now())
	if len(kept) == 0 {
		return nil
	}
	return x.record(ctx, journal.Entry{Mark: journal.Baking, Samples: kept})
}

// resumedBake begins the bake, or goes on with the one that an earlier execution
// began of the very same writes.
func (x *execution) resumedBake() *baking {
	now := time.Now()
	past := journal.BakeOf(x.entries, x.step.ID)
	if past.Began.IsZero() || !x.began.IsZero() {
		past = journal.PastBake{} // this execution wrote: what was seen before was something else
	}
	p := &baking{began: cmp.Or(past.Began, now), flushed: now}
	for _, g := range x.step.Gates {
		if b := resumeGate(g, past, now); b != nil {
			p.open = append(p.open, b)
		}
	}
	return p
}

// resumeGate returns a gate as its samples left it, or nil when it has passed
// already. One that could not tell gets its time anew.
func resumeGate(g plan.Gate, past journal.PastBake, now time.Time) *oneBake {
	anew := func() *oneBake {
		b := &oneBake{Bake: NewBake(g, now)}
		b.next = now
		return b
	}
	switch Verdict(past.Verdicts[g.Name]) {
	case Pass:
		return nil
	case Inconclusive:
		return anew()
	}
	b := &oneBake{Bake: NewBake(g, cmp.Or(past.Began, now))}
	last := past.Began
	for _, s := range past.Samples {
		if s.Gate != g.Name {
			continue
		}
		b.last = Sample{Verdict: Verdict(s.Verdict), Reason: s.Reason, Value: s.Value, Bound: s.Bound, Evidence: s.Evidence, Early: s.Early}
		for range max(s.Times, 1) {
			b.Take(b.last, s.Time)
		}
		last = s.Time
	}
	if b.verdict == Inconclusive { // another gate held the run at the same instant, before this one was concluded
		return anew()
	}
	if !past.Began.IsZero() {
		b.goOn(last, now)
	}
	return b
}
