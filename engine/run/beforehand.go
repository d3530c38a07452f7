package run

import (
	"context"
	"fmt"
	"time"

	"hubcap/engine/journal"
)

// The look at gates before a step is bounded: a hub that hangs must not keep what
// mends it from beginning.
const (
	beforehandTime  = 30 * time.Second
	beforehandPause = 2 * time.Second // at most, between two bad samples of a gate
)

// lookBeforehand takes a sample of each gate that would verify the way back from the
// step, right before its first write, and leaves them to the journal. Nothing depends
// on what they say now, and what cannot be told is left out of account later.
func (x *execution) lookBeforehand(ctx context.Context) error {
	if x.Verifies == nil || len(x.state.Intended) > 0 {
		return nil
	}
	gates := x.Verifies(x.step)
	if len(gates) == 0 {
		return nil
	}
	now, samples := time.Now(), make([]Sample, len(gates))
	looking, cancel := context.WithTimeout(ctx, beforehandTime)
	defer cancel()
	each(len(gates), func(i int) {
		since := now.Add(-time.Duration(gates[i].Failures) * gates[i].Interval) // as far as the verification looks
		samples[i] = x.lookAgain(looking, Question{Gate: gates[i], Began: since, Baking: since, At: now})
	})
	if err := x.mayGoOn(ctx); err != nil {
		return err
	}
	var seen baking
	for i, g := range gates {
		seen.note(g.Name, samples[i], now)
		if samples[i].Verdict == Fail {
			x.tell(Warned{Text: fmt.Sprintf("%s: gate %s fails before anything is changed: %s", x.step.ID, g.Name, samples[i].Reason)})
		}
	}
	return x.record(ctx, journal.Entry{Mark: journal.Beforehand, Samples: seen.take(now)})
}

// lookAgain takes a sample, and again while it is bad, as often as the gate has to be
// bad to fail: one bad answer says nothing of a hub, now as little as in a bake.
func (x *execution) lookAgain(ctx context.Context, q Question) Sample {
	s := x.sample(ctx, q)
	for n := 1; s.Verdict == Fail && n < q.Gate.Failures; n++ {
		select {
		case <-time.After(min(q.Gate.Interval, beforehandPause)):
		case <-ctx.Done():
			return Sample{Verdict: Inconclusive, Reason: s.Reason}
		}
		s = x.sample(ctx, q)
	}
	return s
}
