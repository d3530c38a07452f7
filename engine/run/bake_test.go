package run_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hubcap/engine/journal"
	"hubcap/engine/plan"
	"hubcap/engine/run"
)

var minute = plan.Gate{Name: "g", Bake: time.Minute, Interval: 10 * time.Second, Failures: 3, HTTP: &plan.HTTPCheck{}}

func with(g plan.Gate, change func(*plan.Gate)) plan.Gate {
	change(&g)
	return g
}

// TestBakeJudges holds the rules of a bake on samples alone.
func TestBakeJudges(t *testing.T) {
	const pass, fail, unclear, early = 'p', 'f', '?', 'e'
	samples := map[rune]run.Sample{
		pass: {Verdict: run.Pass}, fail: {Verdict: run.Fail}, unclear: {Verdict: run.Inconclusive},
		early: {Verdict: run.Inconclusive, Early: true},
	}
	for _, test := range []struct {
		reason  string
		gate    plan.Gate
		samples string // the last is repeated
		want    run.Verdict
		took    time.Duration
	}{
		{"good all the time", minute, "p", run.Pass, time.Minute},
		{"flapping never fails in a row", minute, "fpfpfp", run.Pass, time.Minute},
		{"but it does among the last five", with(minute, func(g *plan.Gate) { g.Of = 5 }), "fpfpfp", run.Fail, 40 * time.Second},
		{"three of five need not come soon", with(minute, func(g *plan.Gate) { g.Of = 5 }), "ffpppp", run.Pass, time.Minute},
		{"what is inconclusive is no good sample between two bad ones", minute, "f?f?f", run.Fail, 40 * time.Second},
		{"missing data extends the bake by as much", minute, "??p", run.Pass, 80 * time.Second},
		{"that it is too early does not", minute, "eeep", run.Pass, time.Minute},
		{"too early at the end extends it", minute, "eeeeeeep", run.Pass, 70 * time.Second},
		{"up to about twice the bake", minute, "e", run.Inconclusive, 2 * time.Minute},
		{"or to what the author says", with(minute, func(g *plan.Gate) { g.MaxBake = 95 * time.Second }), "e", run.Inconclusive, 95 * time.Second},
		{"a good sample at the very end is not enough", with(minute, func(g *plan.Gate) { g.MaxBake = time.Minute }), "?????p", run.Inconclusive, time.Minute},
		{"bad at the limit fails", with(minute, func(g *plan.Gate) { g.MaxBake = 65 * time.Second }), "pppppppf", run.Pass, time.Minute},
		{"a single bad sample at the end waits for a good one", minute, "ppppppfp", run.Pass, 70 * time.Second},
		{"nobody waits for an advisory gate", with(minute, func(g *plan.Gate) { g.Advisory = true }), "?", run.Inconclusive, time.Minute},
		{"a warm-up delays the first sample", with(minute, func(g *plan.Gate) { g.WarmUp = 25 * time.Second }), "fff", run.Fail, 45 * time.Second},
	} {
		start := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
		b := run.NewBake(test.gate, start)
		now := start
		for i := 0; b.Verdict() == ""; i++ {
			now = b.Next()
			b.Take(samples[rune(test.samples[min(i, len(test.samples)-1)])], now)
		}
		if b.Verdict() != test.want || now.Sub(start) != test.took {
			t.Errorf("%s: %s after %s, want %s after %s", test.reason, b.Verdict(), now.Sub(start), test.want, test.took)
		}
	}
}

// kept is a stage that remembers its entries.
type kept struct {
	*stage
	entries []journal.Entry
	dies    int // Record fails from this call on; 0: never
	calls   int
	asking  sync.Mutex
	asked   []run.Question
}

func (k *kept) Sample(ctx context.Context, q run.Question) (run.Sample, error) {
	k.note(q)
	return k.stage.Sample(ctx, q)
}

func (k *kept) note(q run.Question) {
	k.asking.Lock()
	defer k.asking.Unlock()
	k.asked = append(k.asked, q)
}

func (k *kept) Record(ctx context.Context, entries ...journal.Entry) error {
	k.calls++
	if k.dies > 0 && k.calls >= k.dies {
		return fmt.Errorf("the machine died")
	}
	k.entries = append(k.entries, entries...)
	return k.stage.Record(ctx, entries...)
}

func (k *kept) execute(t *testing.T, gates ...plan.Gate) run.Result {
	r := k.runner()
	r.Recorder = k
	r.Targets = map[string]run.Target{"c": {Writer: k, Prober: k, Sampler: k}}
	return r.Execute(t.Context(), steps(gates, "a"), slices.Clone(k.entries))
}

// TestSamplesAreKept holds that a bake of 90 minutes with six gates stays small in
// the journal, and that a run that dies loses at most half a minute of it.
func TestSamplesAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		value, bound := 0.98, 0.95
		k := &kept{stage: &stage{sample: func(time.Duration) (run.Sample, error) {
			return run.Sample{Verdict: run.Pass, Reason: strings.Repeat("long ", 40), Value: &value, Bound: &bound}, nil
		}}}
		var gates []plan.Gate
		for i := range 6 {
			gates = append(gates, plan.Gate{Name: fmt.Sprintf("launch-success-%d", i), Bake: 90 * time.Minute, Interval: 10 * time.Second, Failures: 3})
		}
		if r := k.execute(t, gates...); r.Outcome != journal.Succeeded {
			t.Fatalf("%+v", r)
		}
		size, samples := 0, 0
		last := k.entries[0].Time
		for _, e := range k.entries {
			size += 300 * min(len(e.Samples), 1) // of an entry without samples, generously
			for _, s := range e.Samples {
				size += 120 + len(s.Reason)
				samples += max(s.Times, 1)
			}
			if gap := e.Time.Sub(last); gap > 40*time.Second {
				t.Fatalf("nothing was kept for %s", gap)
			}
			last = e.Time
		}
		if want := 6 * (90*6 + 1); samples != want {
			t.Errorf("the journal stands for %d samples, want %d", samples, want)
		}
		if size > 250_000 {
			t.Errorf("the samples take about %d bytes, want less than 250,000", size)
		}
	})
}

// TestBakeGoesOn holds that a resumed run goes on with the bake where it was cut
// off: the time away does not count, what was seen does, and the instants that
// queries are about are the first execution's.
func TestBakeGoesOn(t *testing.T) {
	good := func(time.Duration) (run.Sample, error) { return run.Sample{Verdict: run.Pass}, nil }
	synctest.Test(t, func(t *testing.T) {
		k := &kept{stage: &stage{sample: good}, dies: 6}
		long := with(minute, func(g *plan.Gate) { g.Bake = 10 * time.Minute })
		began := time.Now()
		if r := k.execute(t, long); r.Outcome != "" {
			t.Fatalf("the journal failed, and yet %+v", r)
		}
		baked := k.entries[len(k.entries)-1].Time.Sub(began)
		time.Sleep(3 * time.Hour)
		k.dies, k.asked = 0, nil
		back := time.Now()
		if r := k.execute(t, long); r.Outcome != journal.Succeeded {
			t.Fatalf("%+v", r)
		}
		if took, want := time.Since(back), 10*time.Minute-baked; took < want-10*time.Second || took > want+20*time.Second {
			t.Errorf("the rest of the bake took %s, want about %s: %s of it were over", took, want, baked)
		}
		if q := k.asked[0]; !q.Began.Equal(began) || !q.Baking.Equal(began) {
			t.Errorf("asked with began %s and baking %s, want %s", q.Began, q.Baking, began)
		}
	})
}

// TestBakeAfterHold holds what becomes of each gate when a held run is resumed: one
// that passed is done, one that could not tell has its time again, bad samples are
// not forgotten.
func TestBakeAfterHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &kept{stage: &stage{sample: func(time.Duration) (run.Sample, error) { return run.Sample{Verdict: run.Pass}, nil }}}
		blind := true
		sampler := func(q run.Question) run.Sample {
			if q.Gate.Name == "blind" && blind {
				return run.Sample{Verdict: run.Inconclusive, Reason: "no data"}
			}
			return run.Sample{Verdict: run.Pass}
		}
		s := &sampling{kept: k, sample: sampler}
		gates := []plan.Gate{with(minute, func(g *plan.Gate) { g.Name = "sees" }), with(minute, func(g *plan.Gate) { g.Name = "blind" })}
		if r := s.execute(t, gates...); r.Outcome != journal.WasHeld {
			t.Fatalf("%+v, want it held", r)
		}
		blind, k.asked = false, nil
		back := time.Now()
		if r := s.execute(t, gates...); r.Outcome != journal.Succeeded {
			t.Fatalf("%+v", r)
		}
		if took := time.Since(back); took != time.Minute {
			t.Errorf("took %s, want the bake of the one gate once more", took)
		}
		for _, q := range k.asked {
			if q.Gate.Name == "sees" {
				t.Fatal("a gate that had passed was sampled again")
			}
		}
	})
}

// TestAllBlindGatesHaveTheirTimeAgain holds that gates which could not tell at the
// same instant are all asked anew: only the first of them was concluded.
func TestAllBlindGatesHaveTheirTimeAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &kept{stage: &stage{sample: func(time.Duration) (run.Sample, error) { return run.Sample{Verdict: run.Pass}, nil }}}
		blind := true
		s := &sampling{kept: k, sample: func(run.Question) run.Sample {
			if blind {
				return run.Sample{Verdict: run.Inconclusive, Reason: "no data"}
			}
			return run.Sample{Verdict: run.Pass}
		}}
		gates := []plan.Gate{with(minute, func(g *plan.Gate) { g.Name = "one" }), with(minute, func(g *plan.Gate) { g.Name = "other" })}
		if r := s.execute(t, gates...); r.Outcome != journal.WasHeld {
			t.Fatalf("%+v, want it held", r)
		}
		blind = false
		if r := s.execute(t, gates...); r.Outcome != journal.Succeeded {
			t.Fatalf("%+v", r)
		}
	})
}

// sampling answers by the question.
type sampling struct {
	*kept
	sample func(q run.Question) run.Sample
}

func (s *sampling) Sample(_ context.Context, q run.Question) (run.Sample, error) {
	s.note(q)
	return s.sample(q), nil
}

func (s *sampling) execute(t *testing.T, gates ...plan.Gate) run.Result {
	r := s.runner()
	r.Recorder = s.kept
	r.Targets = map[string]run.Target{"c": {Writer: s.kept, Prober: s.kept, Sampler: s}}
	return r.Execute(t.Context(), steps(gates, "a"), slices.Clone(s.entries))
}

// TestVerdictsDecide holds what a gate's verdict does to its step.
func TestVerdictsDecide(t *testing.T) {
	for _, test := range []struct {
		reason string
		change func(*plan.Gate)
		sample run.Verdict
		want   journal.Outcome
	}{
		{"inconclusive holds", func(*plan.Gate) {}, run.Inconclusive, journal.WasHeld},
		{"unless it is to fail", func(g *plan.Gate) { g.OnInconclusive = plan.FailWhenUnclear }, run.Inconclusive, "failed"},
		{"an advisory gate that fails decides nothing", func(g *plan.Gate) { g.Advisory = true }, run.Fail, journal.Succeeded},
		{"nor does one that cannot tell", func(g *plan.Gate) { g.Advisory = true }, run.Inconclusive, journal.Succeeded},
	} {
		synctest.Test(t, func(t *testing.T) {
			k := &kept{stage: &stage{sample: func(time.Duration) (run.Sample, error) {
				return run.Sample{Verdict: test.sample, Reason: "says the test"}, nil
			}}}
			r := k.execute(t, with(minute, test.change))
			if r.Outcome != test.want {
				t.Errorf("%s: %+v, want %s", test.reason, r, test.want)
			}
			warned := slices.ContainsFunc(k.events, func(e run.Event) bool { _, is := e.(run.Warned); return is })
			if r.Outcome == journal.Succeeded && !warned {
				t.Errorf("%s: nobody was told", test.reason)
			}
		})
	}
}

// TestSlowSampler holds that a gate whose Prometheus hangs keeps no other waiting
// for longer than one sample takes.
func TestSlowSampler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &kept{stage: &stage{}}
		s := &sampling{kept: k}
		s.sample = func(q run.Question) run.Sample {
			if q.Gate.Name == "hangs" {
				time.Sleep(15 * time.Second)
				return run.Sample{Verdict: run.Inconclusive, Reason: "no answer within 15s"}
			}
			return run.Sample{Verdict: run.Fail, Reason: "bad"}
		}
		gates := []plan.Gate{with(minute, func(g *plan.Gate) { g.Name = "hangs" }), with(minute, func(g *plan.Gate) { g.Name = "bad" })}
		began := time.Now()
		r := s.execute(t, gates...)
		if took := time.Since(began); r.Outcome != "failed" || took > 60*time.Second {
			t.Errorf("%+v after %s, want a failure after three samples", r, took)
		}
	})
}

// TestExtendedBakeIsTold holds that who watches sees how long the bake will be.
func TestExtendedBakeIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &kept{stage: &stage{sample: func(since time.Duration) (run.Sample, error) {
			if since < 15*time.Second {
				return run.Sample{Verdict: run.Inconclusive, Reason: "down"}, nil
			}
			return run.Sample{Verdict: run.Pass}, nil
		}}}
		k.execute(t, minute)
		var told []string
		for _, e := range k.events {
			if g, is := e.(run.GateSampled); is {
				told = append(told, fmt.Sprintf("%s of %s", g.Elapsed, g.Of))
			}
		}
		if diff := cmp.Diff([]string{"0s of 1m10s", "10s of 1m20s", "20s of 1m20s"}, told[:3]); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
	})
}
