package run

import (
	"context"
	"fmt"
	"time"

	"hubcap/engine/journal"
	"hubcap/engine/plan"
)

// bake samples the gates of the step until each has held for its time. One that
// fails fails the step; one that stays inconclusive holds it.
func (x *execution) bake(ctx context.Context) error {
	began := time.Now()
	var open []*baking
	for _, g := range x.step.Gates {
		open = append(open, newBaking(g, began))
	}
	for len(open) > 0 {
		next := open[0]
		for _, b := range open {
			if b.next.Before(next.next) {
				next = b
			}
		}
		if err := x.sleep(ctx, time.Until(next.next)); err != nil {
			return err
		}
		if err := x.sample(ctx, next); err != nil {
			return err
		}
		if next.verdict != "" {
			open = without(open, next)
		}
	}
	return nil
}

func without(list []*baking, one *baking) []*baking {
	var rest []*baking
	for _, b := range list {
		if b != one {
			rest = append(rest, b)
		}
	}
	return rest
}

// sleep waits, unless the run must stop.
func (x *execution) sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(max(d, 0))
	defer timer.Stop()
	select {
	case <-x.Lost:
		return errLost
	case <-ctx.Done():
		return errInterrupted
	case <-timer.C:
		return x.mayGoOn(ctx)
	}
}

// sample takes one sample of one gate and acts on its verdict, once it has one.
func (x *execution) sample(ctx context.Context, b *baking) error {
	var s Sample
	err := fmt.Errorf("cluster %s samples no gates", x.step.Cluster)
	if sampler := x.Targets[x.step.Cluster].Sampler; sampler != nil {
		s, err = sampler.Sample(ctx, Question{Gate: b.gate, Component: x.step.Component, Began: x.began, Baking: b.began, At: time.Now()})
	}
	if ctx.Err() != nil {
		return errInterrupted
	}
	if err != nil {
		s = Sample{Verdict: Inconclusive, Reason: err.Error()}
	}
	now := time.Now()
	b.take(s, now)
	x.tell(GateSampled{Step: x.step.ID, Gate: b.gate, Sample: s, Elapsed: now.Sub(b.began)})
	if b.verdict == "" {
		return nil
	}
	entry := journal.Entry{Mark: journal.Baking, Gate: b.gate.Name, Verdict: string(b.verdict), Reason: s.Reason}
	if err := x.record(ctx, entry); err != nil {
		return err
	}
	switch b.verdict {
	case Fail:
		return fmt.Errorf("gate %s failed: %s", b.gate.Name, s.Reason)
	case Inconclusive:
		return &heldError{reason: fmt.Sprintf("gate %s is inconclusive: %s", b.gate.Name, s.Reason)}
	}
	return nil
}

// A baking is one gate while it is sampled. It is pure: samples and times in, a
// verdict out.
type baking struct {
	gate    plan.Gate
	began   time.Time
	end     time.Time // it must hold until then
	limit   time.Time // beyond which the bake is not extended
	next    time.Time // when to sample
	bad     int       // samples in a row
	verdict Verdict   // empty while it is open
}

func newBaking(g plan.Gate, now time.Time) *baking {
	patience := max(2*g.Bake, g.Bake+time.Duration(g.Failures+1)*g.Interval)
	return &baking{gate: g, began: now, end: now.Add(g.Bake), limit: now.Add(patience), next: now}
}

// take judges one sample taken at now. So many bad ones in a row fail the gate;
// an inconclusive one makes it last longer, at most about twice its time; at the
// end the last sample must be good.
func (b *baking) take(s Sample, now time.Time) {
	b.next = now.Add(b.gate.Interval)
	switch s.Verdict {
	case Pass:
		b.bad = 0
	case Fail:
		b.bad++
	default:
		s.Verdict = Inconclusive
		b.end = b.end.Add(b.gate.Interval)
	}
	switch {
	case b.bad >= b.gate.Failures:
		b.verdict = Fail
	case s.Verdict == Pass && !now.Before(b.end):
		b.verdict = Pass
	case now.Before(b.limit):
		// Still open.
	case s.Verdict == Pass:
		b.verdict = Inconclusive
	default:
		b.verdict = s.Verdict
	}
	if b.next.After(b.end) && now.Before(b.end) {
		b.next = b.end // the last sample is taken at the very end
	}
}
