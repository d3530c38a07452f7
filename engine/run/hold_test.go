package run_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hubcap/engine/journal"
	"hubcap/engine/plan"
	"hubcap/engine/resource"
	"hubcap/engine/run"
)

// gauge answers guards: with the sample that stands at the time since the start.
type gauge struct {
	began time.Time
	at    func(since time.Duration) (run.Sample, error)
}

func (g gauge) Watch(context.Context, run.Watching) (run.Sample, error) {
	return g.at(time.Since(g.began))
}

func busyFor(d time.Duration) func(time.Duration) (run.Sample, error) {
	return func(since time.Duration) (run.Sample, error) {
		if since < d {
			return run.Sample{Verdict: run.Fail, Reason: "34 sessions"}, nil
		}
		return run.Sample{Verdict: run.Pass}, nil
	}
}

// guarded returns a step that restarts something, and its guard.
func guarded(block, name string, guards ...plan.Guard) plan.Step {
	s := scene(block, name)
	s.Class, s.Guards = resource.ClassHub, guards
	return s
}

func sessions(level plan.GuardLevel, settle, wait time.Duration) plan.Guard {
	return plan.Guard{
		Name: "quiet", Level: level, Settle: settle, MaxWait: wait, Interval: 10 * time.Second,
		Sessions: &plan.SessionsCheck{Max: 20},
	}
}

// TestGuards checks how a step waits for its guard, and for how long.
func TestGuards(t *testing.T) {
	for _, test := range []struct {
		reason string
		guard  plan.Guard
		at     func(time.Duration) (run.Sample, error)
		given  run.Guarding
		want   journal.Outcome
		took   time.Duration
		says   string // the outcome's reason
		barred bool
	}{
		{reason: "it holds nothing", guard: sessions(plan.Hard, time.Minute, time.Hour), at: busyFor(0), want: journal.Succeeded},
		{reason: "it waits until it is quiet", guard: sessions(plan.Soft, 0, time.Hour), at: busyFor(5 * time.Minute), want: journal.Succeeded, took: 5 * time.Minute},
		{reason: "once it has held it has to stand well for a while", guard: sessions(plan.Soft, 2*time.Minute, time.Hour), at: busyFor(5 * time.Minute), want: journal.Succeeded, took: 7 * time.Minute},
		{
			reason: "a short lull is none", guard: sessions(plan.Soft, 2*time.Minute, time.Hour), want: journal.Succeeded, took: 12 * time.Minute,
			at: func(since time.Duration) (run.Sample, error) {
				if lull := since > 3*time.Minute && since < 4*time.Minute; lull || since >= 10*time.Minute {
					return run.Sample{Verdict: run.Pass}, nil
				}
				return run.Sample{Verdict: run.Fail, Reason: "34 sessions"}, nil
			},
		},
		{reason: "it waits no longer than it may", guard: sessions(plan.Soft, 0, 10*time.Minute), at: busyFor(time.Hour), want: journal.WasHeld, took: 10 * time.Minute, says: "guard.quiet: 34 sessions (waited 10m0s)"},
		{
			reason: "what cannot be told holds", guard: sessions(plan.Soft, 0, time.Minute), want: journal.WasHeld, took: time.Minute, says: "cannot be told: no route",
			at: func(time.Duration) (run.Sample, error) { return run.Sample{}, errors.New("no route") },
		},
		{
			reason: "what is inconclusive holds", guard: sessions(plan.Soft, 0, time.Minute), want: journal.WasHeld, took: time.Minute, says: "cannot be told: no data",
			at: func(time.Duration) (run.Sample, error) {
				return run.Sample{Verdict: run.Inconclusive, Reason: "no data"}, nil
			},
		},
		{reason: "advice holds nothing", guard: sessions(plan.Advisory, 0, time.Hour), at: busyFor(time.Hour), want: journal.Succeeded},
		{reason: "a soft one is overridden", guard: sessions(plan.Soft, 0, time.Hour), at: busyFor(time.Hour), given: run.Guarding{Overrides: map[string]string{"guard.quiet": "agreed"}}, want: journal.Succeeded},
		{reason: "a hard one is not", guard: sessions(plan.Hard, 0, time.Minute), at: busyFor(time.Hour), given: run.Guarding{Overrides: map[string]string{"guard.quiet": "agreed"}}, want: journal.WasHeld, took: time.Minute},
		{reason: "load is relaxed during an incident", guard: sessions(plan.Hard, 0, time.Minute), at: busyFor(time.Hour), given: run.Guarding{Incident: "hub is down"}, want: journal.Succeeded},
		{reason: "nobody waits: a soft guard holds", guard: sessions(plan.Soft, 0, time.Hour), at: busyFor(time.Hour), given: run.Guarding{NoWait: true}, want: journal.WasHeld},
		{reason: "nobody waits: a hard one bars", guard: sessions(plan.Hard, 0, time.Hour), at: busyFor(time.Hour), given: run.Guarding{NoWait: true}, want: journal.WasHeld, barred: true},
		{
			reason: "a freeze that ends too late is not waited for", want: journal.WasHeld, says: "frozen until",
			guard: plan.Guard{Name: "exams", Level: plan.Soft, MaxWait: time.Hour, Interval: time.Minute, Freeze: &plan.Freeze{Until: future(2 * time.Hour)}},
		},
		{
			reason: "a freeze that ends soon is", want: journal.Succeeded, took: 30 * time.Minute,
			guard: plan.Guard{Name: "exams", Level: plan.Soft, MaxWait: time.Hour, Interval: time.Minute, Freeze: &plan.Freeze{Until: future(30 * time.Minute)}},
		},
		{
			reason: "a freeze is not relaxed during an incident", want: journal.WasHeld, given: run.Guarding{Incident: "hub is down"},
			guard: plan.Guard{Name: "exams", Level: plan.Hard, Freeze: &plan.Freeze{Until: future(2 * time.Hour)}},
		},
		{
			reason: "drift is not waited for", want: journal.WasHeld, says: "--accept-drift hub.a",
			guard: plan.Guard{Name: "drift", Level: plan.Soft, MaxWait: time.Hour, Interval: time.Minute, Drift: &plan.DriftCheck{}},
		},
		{
			reason: "drift that is acknowledged holds nothing", want: journal.Succeeded, given: run.Guarding{Accepted: []string{"hub.a"}},
			guard: plan.Guard{Name: "drift", Level: plan.Soft, MaxWait: time.Hour, Interval: time.Minute, Drift: &plan.DriftCheck{}},
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			a := newTheatre()
			runner := a.runner()
			runner.Targets["c"] = run.Target{Writer: a, Prober: a, Watcher: gauge{time.Now(), test.at}}
			runner.Guarding = test.given
			p := &plan.Plan{
				Drift: []plan.Drift{{Kind: plan.Drifted, Address: resource.Address{Kind: "hub", Name: "a", Object: "Deployment/hub"}}},
				Waves: []plan.Wave{{Steps: []plan.Step{guarded("a", "hub", test.guard)}}},
			}
			r := runner.Execute(t.Context(), p, nil)
			if r.Outcome != test.want || r.Barred != test.barred || r.Err != nil && !strings.Contains(r.Err.Error(), test.says) {
				t.Errorf("%s: %+v (%v), want %s, barred %v, %q", test.reason, r, r.Err, test.want, test.barred, test.says)
			}
			if took := time.Since(a.began); took != test.took {
				t.Errorf("%s: took %s, want %s", test.reason, took, test.took)
			}
			if _, wrote := a.wrote["a/hub"]; wrote != (test.want == journal.Succeeded) {
				t.Errorf("%s: written %v", test.reason, wrote)
			}
		})
	}
}

// future is a time that synctest's clock reaches so long after its start.
func future(d time.Duration) time.Time {
	return time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).Add(d)
}

// TestWaitingIsTold checks what is told and recorded while a step waits.
func TestWaitingIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newTheatre()
		runner := a.runner()
		runner.Targets["c"] = run.Target{Writer: a, Prober: a, Watcher: gauge{time.Now(), busyFor(time.Minute)}}
		runner.Execute(t.Context(), &plan.Plan{Waves: []plan.Wave{{Steps: []plan.Step{guarded("a", "hub", sessions(plan.Soft, 0, time.Hour))}}}}, nil)
		waits := 0
		for _, e := range a.events {
			if w, is := e.(run.GuardWaited); is {
				waits++
				if !w.Since.Equal(a.began) || !w.Limit.Equal(a.began.Add(time.Hour)) || !slices.Equal(w.Reasons, []string{"guard.quiet: 34 sessions"}) {
					t.Errorf("told %+v", w)
				}
			}
		}
		if waits != 6 {
			t.Errorf("told %d times in a minute, want one at each look", waits)
		}
		var marks []journal.Mark
		for _, e := range a.entries {
			marks = append(marks, e.Mark)
		}
		want := []journal.Mark{journal.Waiting, journal.Applying, journal.Intended, journal.Written, journal.Converging, journal.Done}
		if !slices.Equal(marks, want) || a.entries[0].Guard != "guard.quiet" {
			t.Errorf("marks %v, want %v; %+v", marks, want, a.entries[0])
		}
	})
}

// TestHarmlessGoesAhead checks what runs beside, and after, a step that is held.
func TestHarmlessGoesAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newTheatre()
		runner := a.runner()
		runner.Targets["c"] = run.Target{Writer: a, Prober: a, Watcher: gauge{time.Now(), busyFor(time.Hour)}}
		leans, removal, later := scene("a", "leans"), scene("b", "removal"), scene("d", "limits")
		leans.After = []plan.StepID{"a/hub"}
		removal.Changes[0].Action = resource.Delete
		p := &plan.Plan{Waves: []plan.Wave{
			{Steps: []plan.Step{guarded("a", "hub", sessions(plan.Soft, 0, 10*time.Minute)), scene("a", "limits"), leans, guarded("a", "binder"), scene("b", "limits"), removal}},
			{Name: "hub.d", Steps: []plan.Step{later, guarded("d", "hub")}},
			{Name: "rest", Rollout: "rollout.x", Steps: []plan.Step{scene("e", "limits")}},
		}}
		r := runner.Execute(t.Context(), p, nil)
		if r.Outcome != journal.WasHeld || r.Failed.ID != "a/hub" {
			t.Errorf("result = %+v", r)
		}
		written := map[string]time.Duration{}
		for name, at := range a.wrote {
			written[name] = at.Sub(a.began).Round(time.Second)
		}
		for name, want := range map[string]time.Duration{
			"b/limits": 0, "b/removal": 0, // another lane
			"a/limits": 10 * time.Minute, // of its own lane, once it is held for good
			"d/limits": 10 * time.Minute, // of a block that no rollout has put behind it
		} {
			if at, wrote := written[name]; !wrote || at != want {
				t.Errorf("%s: written %v after %s, want it after %s", name, wrote, at, want)
			}
			delete(written, name)
		}
		if len(written) > 0 {
			t.Errorf("written besides: %v", written)
		}
		again := newTheatre()
		again.wrote, again.began = a.wrote, time.Now()
		resumed := again.runner()
		resumed.Targets["c"] = run.Target{Writer: again, Prober: again, Watcher: gauge{time.Now(), busyFor(0)}}
		again.entries = slices.Clone(a.entries)
		if r := resumed.Execute(t.Context(), p, a.entries); r.Outcome != journal.Succeeded || r.Done != 9 {
			t.Errorf("resumed: %+v", r)
		}
	})
}

// TestInterruptWhileWaiting checks that a step that waits holds nobody up, and that
// a failure elsewhere ends its wait.
func TestInterruptWhileWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newTheatre()
		runner := a.runner()
		runner.Targets["c"] = run.Target{Writer: a, Prober: a, Watcher: gauge{time.Now(), busyFor(time.Hour)}}
		p := &plan.Plan{Waves: []plan.Wave{{Steps: []plan.Step{guarded("a", "hub", sessions(plan.Soft, 0, time.Hour)), scene("b", "1")}}}}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if r := runner.Execute(ctx, p, nil); r.Outcome != journal.WasInterrupted || time.Since(a.began) != time.Minute {
			t.Errorf("interrupted: %+v after %s", r, time.Since(a.began))
		}
	})
	synctest.Test(t, func(t *testing.T) {
		a := newTheatre()
		a.took["b/1"], a.fails["b/1"] = time.Minute, true
		runner := a.runner()
		runner.Targets["c"] = run.Target{Writer: a, Prober: a, Watcher: gauge{time.Now(), busyFor(time.Hour)}}
		p := &plan.Plan{Waves: []plan.Wave{{Steps: []plan.Step{guarded("a", "hub", sessions(plan.Soft, 0, time.Hour)), scene("b", "1")}}}}
		if r := runner.Execute(t.Context(), p, nil); r.Outcome != journal.WasRolledBack || time.Since(a.began) > 2*time.Minute {
			t.Errorf("failure elsewhere: %+v after %s", r, time.Since(a.began))
		}
	})
}

// TestBudget checks that sessions are counted that steps under way are going to
// interrupt, and what other runs did.
func TestBudget(t *testing.T) {
	for _, test := range []struct {
		reason string
		spent  plan.Spent
		want   journal.Outcome
		done   int
	}{
		{"there is room for both", plan.Spent{}, journal.Succeeded, 2},
		{"others have spent half of the week's", plan.Spent{Others: 50}, journal.WasHeld, 1},
		{"this run has spent too much", plan.Spent{Run: plan.Toll{"elsewhere": {Interrupted: 60}}}, journal.WasHeld, 1},
		{"nothing is left", plan.Spent{Others: 100}, journal.WasHeld, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			a := newTheatre()
			a.took = map[string]time.Duration{"a/proxy": time.Minute, "b/proxy": time.Minute}
			runner := a.runner()
			runner.Spent = func(string) (plan.Spent, error) {
				a.mu.Lock()
				defer a.mu.Unlock()
				spent := test.spent
				for _, e := range a.entries {
					if e.Mark == journal.Done && e.Impact != nil {
						spent.Run = spent.Run.With(plan.Crowd{Block: string(e.Step)}, *e.Impact)
					}
				}
				return spent, nil
			}
			run, week := 100, 100
			guard := plan.Guard{Name: "budget", Level: plan.Soft, Interval: time.Minute, Budget: &plan.BudgetCheck{PerRun: &run, PerWeek: &week}}
			p := &plan.Plan{Waves: []plan.Wave{{MaxParallel: 2, Steps: []plan.Step{guarded("a", "proxy", guard), guarded("b", "proxy", guard)}}}}
			for i := range p.Waves[0].Steps {
				p.Waves[0].Steps[i].Impact.SessionsInterrupted = 40
			}
			r := runner.Execute(t.Context(), p, nil)
			if r.Outcome != test.want || r.Done != test.done {
				t.Errorf("%s: %+v, want %s with %d done", test.reason, r, test.want, test.done)
			}
		})
	}
}

// TestAbortWhileWaiting checks that an abort ends the wait for a guard at once.
func TestAbortWhileWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newTheatre()
		runner := a.runner()
		runner.Targets["c"] = run.Target{Writer: a, Prober: a, Watcher: gauge{time.Now(), busyFor(time.Hour)}}
		runner.Orders = &run.Desk{}
		time.AfterFunc(time.Minute, func() {
			runner.Orders.Give([]journal.Order{{Kind: journal.Abort, By: "ada", Time: time.Now()}})
		})
		p := &plan.Plan{Waves: []plan.Wave{{Steps: []plan.Step{guarded("a", "hub", sessions(plan.Soft, 0, time.Hour))}}}}
		r := runner.Execute(t.Context(), p, nil)
		if r.Outcome == journal.Succeeded || time.Since(a.began) != time.Minute || len(a.wrote) > 0 {
			t.Errorf("aborted: %+v after %s, %d writes", r, time.Since(a.began), len(a.wrote))
		}
	})
}

// TestLoadAsksAsGatesDo checks that load is asked of the sampler that gates use,
// with all of the past to look back on.
func TestLoadAsksAsGatesDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newTheatre()
		var asked []run.Question
		var mu sync.Mutex
		runner := a.runner()
		runner.Targets["c"] = run.Target{Writer: a, Prober: a, Sampler: sampleFunc(func(q run.Question) (run.Sample, error) {
			mu.Lock()
			defer mu.Unlock()
			asked = append(asked, q)
			return run.Sample{Verdict: run.Fail, Reason: "34, at most 20"}, nil
		})}
		load := plan.Guard{
			Name: "launches", Level: plan.Soft, Interval: time.Second,
			Load: &plan.LoadCheck{Of: "launches per minute", PrometheusCheck: plan.PrometheusCheck{Query: "x", Window: 10 * time.Minute}},
		}
		pending := plan.Guard{Name: "pending", Level: plan.Soft, Interval: time.Second, PendingPods: &plan.PodsCheck{Users: true, Namespace: "prod"}}
		p := &plan.Plan{Waves: []plan.Wave{{Steps: []plan.Step{guarded("a", "hub", load, pending)}}}}
		r := runner.Execute(t.Context(), p, nil)
		if r.Outcome != journal.WasHeld || !strings.Contains(r.Err.Error(), "guard.launches: launches per minute: 34, at most 20; guard.pending: 34") {
			t.Errorf("result = %+v", r)
		}
		for _, q := range asked {
			if q.At.Sub(q.Baking) < 10*time.Minute || (q.Gate.Prometheus == nil) == (q.Gate.Pods == nil) {
				t.Errorf("asked %+v", q)
			}
		}
		if len(asked) != 2 {
			t.Errorf("asked %d times, want each guard once", len(asked))
		}
	})
}

type sampleFunc func(run.Question) (run.Sample, error)

func (f sampleFunc) Sample(_ context.Context, q run.Question) (run.Sample, error) { return f(q) }
