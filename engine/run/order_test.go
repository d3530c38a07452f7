package run_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hubcap/engine/journal"
	"hubcap/engine/plan"
	"hubcap/engine/resource"
	"hubcap/engine/run"
)

// TestOrders checks what people can tell a run while it is under way.
func TestOrders(t *testing.T) {
	long := []plan.Gate{{Name: "long", Bake: time.Hour, Interval: 10 * time.Second, Failures: 3, HTTP: &plan.HTTPCheck{}}}
	short := []plan.Gate{{Name: "short", Bake: time.Minute, Interval: 10 * time.Second, Failures: 3, HTTP: &plan.HTTPCheck{}}}
	ask := []plan.Gate{{Name: "ask", MaxBake: 24 * time.Hour, Interval: 10 * time.Second, Failures: 1, Manual: &plan.ManualCheck{Prompt: "look at it"}}}
	order := func(kind journal.OrderKind) journal.Order {
		return journal.Order{Kind: kind, By: "ada@laptop", Reason: "because"}
	}
	slow := func(since time.Duration) (resource.Health, error) {
		return resource.Health{Ready: since > 30*time.Second, Reason: "not yet"}, nil
	}
	good := func(time.Duration) (run.Sample, error) { return run.Sample{Verdict: run.Pass}, nil }
	type given struct {
		at   time.Duration
		kind journal.OrderKind
	}
	for _, test := range []struct {
		reason string
		gates  []plan.Gate
		health func(time.Duration) (resource.Health, error)
		sample func(time.Duration) (run.Sample, error)
		given  []given
		want   journal.Outcome // "failed" when the step failed and must be undone
		took   time.Duration   // at most
		least  time.Duration
		done   int
		says   string
	}{
		{"promote ends a bake", long, nil, good, []given{{time.Minute, journal.Promote}, {2 * time.Minute, journal.Promote}}, journal.Succeeded, 3 * time.Minute, 2 * time.Minute, 2, ""},
		{
			"promote passes over no gate that sees something bad", []plan.Gate{{Name: "long", Bake: time.Hour, Interval: 10 * time.Second, Failures: 100, HTTP: &plan.HTTPCheck{}}}, nil,
			func(time.Duration) (run.Sample, error) { return run.Sample{Verdict: run.Fail, Reason: "bad"}, nil },
			[]given{{time.Minute, journal.Promote}}, "failed", time.Hour, 15 * time.Minute, 0, "bad",
		},
		{"a manual gate waits for promote", ask, nil, good, []given{{5 * time.Hour, journal.Promote}, {6 * time.Hour, journal.Promote}}, journal.Succeeded, 6*time.Hour + time.Minute, 6 * time.Hour, 2, ""},
		{"a manual gate that nobody answers holds the run", ask, nil, good, nil, journal.WasHeld, 24*time.Hour + time.Minute, 24 * time.Hour, 0, `waits for "hubcap promote": look at it`},
		{"promote ends a pause, and not the bake beside it", short, nil, good, []given{{10 * time.Second, journal.Pause}, {20 * time.Second, journal.Promote}}, journal.Succeeded, 3 * time.Minute, 2 * time.Minute, 2, ""},
		{"abort in a bake", long, nil, good, []given{{time.Minute, journal.Abort}}, "failed", time.Minute + time.Second, 0, 0, "aborted: abort by ada@laptop: because"},
		{"abort while it converges", nil, slow, good, []given{{10 * time.Second, journal.Abort}}, "failed", 12 * time.Second, 0, 0, "aborted"},
		{"a pause lets the step come to its end", nil, slow, good, []given{{10 * time.Second, journal.Pause}, {time.Hour, journal.Promote}}, journal.Succeeded, time.Hour + 3*time.Minute, time.Hour, 2, ""},
		{"abort in a pause", nil, slow, good, []given{{10 * time.Second, journal.Pause}, {time.Hour, journal.Abort}}, journal.WasHeld, time.Hour + time.Second, time.Hour, 1, "aborted"},
		{"a pause in the last step holds nothing up", short, nil, good, []given{{90 * time.Second, journal.Pause}}, journal.Succeeded, 3 * time.Minute, 2 * time.Minute, 2, ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := &stage{health: test.health, sample: test.sample}
			r := s.runner()
			r.Orders = &run.Desk{}
			go func() {
				var orders []journal.Order
				for _, g := range test.given {
					time.Sleep(g.at - time.Since(s.began))
					orders = append(orders, order(g.kind))
					r.Orders.Give(orders)
				}
			}()
			got := r.Execute(t.Context(), steps(test.gates, "a", "b"), nil)
			took := time.Since(s.began)
			if got.Outcome != test.want || got.Done != test.done || took > test.took || took < test.least {
				t.Errorf("%s: %+v after %s, want %s with %d done in %s to %s", test.reason, got, took, test.want, test.done, test.least, test.took)
			}
			if test.says != "" && (got.Err == nil || !strings.Contains(got.Err.Error(), test.says)) {
				t.Errorf("%s: error %v does not say %q", test.reason, got.Err, test.says)
			}
		})
	}
}
