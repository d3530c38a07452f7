package run_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hubcap/engine/journal"
	"hubcap/engine/plan"
	"hubcap/engine/run"
)

// A hanging sampler answers only when it is given up, or well from the second question
// on.
type hanging struct {
	asked []run.Question
	thaws bool
}

func (h *hanging) Sample(ctx context.Context, q run.Question) (run.Sample, error) {
	h.asked = append(h.asked, q)
	if h.thaws && len(h.asked) > 1 {
		return run.Sample{Verdict: run.Pass}, nil
	}
	<-ctx.Done()
	return run.Sample{}, ctx.Err()
}

func verifies(step plan.Step) []plan.Gate { return step.Gates }

var alive = []plan.Gate{{Name: "alive", Interval: 10 * time.Second, Failures: 3, HTTP: &plan.HTTPCheck{}}}

// TestBeforehand checks that what gates see before a step is durable with the entry
// that announces its first write, and costs the journal no call of its own.
func TestBeforehand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &stage{sample: func(time.Duration) (run.Sample, error) { return run.Sample{Verdict: run.Pass}, nil }}
		r := s.runner()
		r.Verifies = verifies
		if got := r.Execute(t.Context(), steps(alive, "a"), nil); got.Outcome != journal.Succeeded {
			t.Errorf("result = %+v", got)
		}
		want := []string{"applying", "beforehand", "intended a", "write a"}
		if diff := cmp.Diff(want, s.log[:4]); diff != "" {
			t.Errorf("log (-want +got):\n%s", diff)
		}
		with := s.records
		s = &stage{sample: s.sample}
		s.runner().Execute(t.Context(), steps(alive, "a"), nil)
		if with != s.records {
			t.Errorf("%d calls of the journal, without a look beforehand %d", with, s.records)
		}
	})
}

// TestBeforehandOneBadSample checks that a gate counts as bad beforehand when it is so
// as often as it must be to fail, and not for one bad answer.
func TestBeforehandOneBadSample(t *testing.T) {
	for bad, want := range map[int]run.Verdict{0: run.Pass, 1: run.Pass, 2: run.Pass, 3: run.Fail} {
		synctest.Test(t, func(t *testing.T) {
			asked := 0
			s := &stage{sample: func(time.Duration) (run.Sample, error) {
				if asked++; asked <= bad {
					return run.Sample{Verdict: run.Fail, Reason: "no answer"}, nil
				}
				return run.Sample{Verdict: run.Pass}, nil
			}}
			r := s.runner()
			r.Verifies = verifies
			warned := run.Pass
			r.Notify = func(e run.Event) {
				if _, isWarning := e.(run.Warned); isWarning {
					warned = run.Fail
				}
			}
			r.Execute(t.Context(), steps(alive, "a"), nil)
			if warned != want {
				t.Errorf("after %d bad samples it counts as %s, want %s", bad, warned, want)
			}
		})
	}
}

// TestBeforehandHangs checks that a gate that hangs keeps a step from beginning for half
// a minute at most, and looks back as far as a verification would.
func TestBeforehandHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, h := &stage{}, &hanging{}
		wrote := time.Duration(0)
		r := s.runner()
		r.Verifies, r.Targets["c"] = verifies, run.Target{Writer: s, Prober: s, Sampler: h}
		ctx, cancel := context.WithCancel(t.Context())
		r.Notify = func(e run.Event) {
			if _, made := e.(run.ChangeMade); made {
				wrote = time.Since(s.began)
				cancel()
			}
		}
		r.Execute(ctx, steps(alive, "a"), nil)
		if wrote != 30*time.Second {
			t.Errorf("wrote after %s, want 30s", wrote)
		}
		if q := h.asked[0]; q.At.Sub(q.Baking) != 30*time.Second || !q.Began.Equal(q.Baking) {
			t.Errorf("looked from %s to %s, want the 30 s of three samples", q.Baking, q.At)
		}
	})
}

// TestBeforehandIsBefore checks that what was looked at beforehand is no part of the
// step: it begins right before its first write.
func TestBeforehandIsBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, h := &stage{}, &hanging{thaws: true}
		r := s.runner()
		r.Verifies, r.Targets["c"] = verifies, run.Target{Writer: s, Prober: s, Sampler: h}
		if got := r.Execute(t.Context(), steps(alive, "a"), nil); got.Outcome != journal.Succeeded {
			t.Fatalf("result = %+v", got)
		}
		if began := h.asked[1].Began.Sub(h.asked[0].At); began != 30*time.Second {
			t.Errorf("the step began %s after the look, want 30s, which that took", began)
		}
	})
}

// TestBeforehandInterrupted stops a run while gates are looked at: nothing was done.
func TestBeforehandInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &stage{}
		r := s.runner()
		r.Verifies, r.Targets["c"] = verifies, run.Target{Writer: s, Prober: s, Sampler: &hanging{}}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		got := r.Execute(ctx, steps(alive, "a"), nil)
		if got.Outcome != journal.WasInterrupted || got.Wrote || slices.Contains(s.log, "write a") {
			t.Errorf("result = %+v, log %v", got, s.log)
		}
		if took := time.Since(s.began); took != 5*time.Second {
			t.Errorf("stopped after %s, want at once", took)
		}
	})
}

// TestBeforehandIsOnce checks that a step that has written is not looked at again when
// its run is gone on with: what is seen now is of what is new.
func TestBeforehandIsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &stage{sample: func(time.Duration) (run.Sample, error) { return run.Sample{Verdict: run.Pass}, nil }}
		r := s.runner()
		r.Verifies = verifies
		p := steps(alive, "a")
		entries := []journal.Entry{{Mark: journal.Applying, Step: "01-a"}, {Mark: journal.Intended, Step: "01-a", Change: &p.Waves[0].Steps[0].Changes[0].ID}}
		r.Execute(t.Context(), p, entries)
		if slices.Contains(s.log, "beforehand") {
			t.Errorf("log = %v", s.log)
		}
	})
}
