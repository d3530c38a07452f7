package render

import (
	"strings"
	"testing"
	"time"

	"hubcap/engine/journal"
	"hubcap/engine/plan"
	"hubcap/engine/run"
)

// TestProgressOfGates holds what is said of several gates: each verdict once, why
// a bake lasts longer, and in the live view the worst first.
func TestProgressOfGates(t *testing.T) {
	p := full()
	step := p.Steps()[3]
	start := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	var progress Progress
	feed := func(after time.Duration, e run.Event) string {
		return strings.Join(progress.Feed(e, start.Add(after)), "\n")
	}
	feed(0, run.RunBegan{Run: "r", Plan: p})
	feed(0, run.StepMoved{Step: step, Index: 4, Total: 5, Mark: journal.Baking})
	launches := plan.Gate{Name: "launches", Bake: 10 * time.Minute, MaxBake: time.Hour, Interval: time.Second}
	sampled := func(g plan.Gate, s run.Sample, elapsed, of time.Duration) run.GateSampled {
		return run.GateSampled{Step: step.ID, Gate: g, Sample: s, Elapsed: elapsed, Of: of}
	}
	early := run.Sample{Verdict: run.Inconclusive, Early: true, Reason: "12 of 200 launches seen"}
	good := run.Sample{Verdict: run.Pass, Reason: "0.98 (at least 0.95)"}
	for _, test := range []struct {
		reason string
		after  time.Duration
		event  run.Event
		says   string // empty: nothing
		not    string
	}{
		{"a gate's first word", 1, sampled(launches, early, time.Second, 10*time.Minute), "gate launches waits (1s of 10m): 12 of 200 launches seen", "extended"},
		{"another's", 1, sampled(plan.Gate{Name: "cpu", Bake: time.Minute}, good, time.Second, time.Minute), "gate cpu pass (1s of 1m)", ""},
		{"the same again", 2, sampled(launches, early, 2*time.Second, 10*time.Minute), "", ""},
		{"and again of the other", 2, sampled(plan.Gate{Name: "cpu", Bake: time.Minute}, good, 2*time.Second, time.Minute), "", ""},
		{"longer than it should be", 900, sampled(launches, early, 15*time.Minute, 10*time.Minute), "(15m of 10m, extended to at most 1h): 12 of 200 launches seen", ""},
	} {
		got := feed(test.after*time.Second, test.event)
		if test.says == "" && got != "" || !strings.Contains(got, test.says) || test.not != "" && strings.Contains(got, test.not) {
			t.Errorf("%s: said %q, want %q", test.reason, got, test.says)
		}
	}
	feed(901*time.Second, sampled(plan.Gate{Name: "errors", Bake: time.Minute}, run.Sample{Verdict: run.Fail, Reason: "9 times as much"}, time.Minute, time.Minute))
	frame := strings.Join(progress.Frame(start.Add(15*time.Minute), Style{Width: 120}, 40), "\n")
	fails, waits := strings.Index(frame, "gate errors fail"), strings.Index(frame, "gate launches waits")
	if fails < 0 || waits < 0 || fails > waits {
		t.Errorf("the live view does not begin with what fails:\n%s", frame)
	}
}
