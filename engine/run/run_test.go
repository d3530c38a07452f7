package run_test

import (
	"context"
	"errors"
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
	"hubcap/engine/resource"
	"hubcap/engine/run"
)

// A stage is a world of one script: what each call answers, and what happened.
type stage struct {
	mu      sync.Mutex
	log     []string
	sight   run.Sight // of every object; zero: as before
	written map[resource.ID]bool
	write   func(ctx context.Context, c resource.Change) error
	health  func(since time.Duration) (resource.Health, error)
	sample  func(since time.Duration) (run.Sample, error)
	began   time.Time
	events  []run.Event
	records int // calls of the journal
}

func (s *stage) Look(_ context.Context, c resource.Change) (run.Sight, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.written[c.ID] {
		return run.Sight{State: run.AtAfter}, nil
	}
	if s.sight.State == 0 {
		return run.Sight{State: run.AtBefore}, nil
	}
	return s.sight, nil
}

func (s *stage) Write(ctx context.Context, c resource.Change, _ run.Sight) (run.Sight, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log = append(s.log, "write "+c.ID.Name)
	if s.write != nil {
		if err := s.write(ctx, c); err != nil {
			return run.Sight{}, err
		}
	}
	if s.written == nil {
		s.written = map[resource.ID]bool{}
	}
	s.written[c.ID] = true
	return run.Sight{State: run.AtAfter}, nil
}

func (s *stage) Probe(context.Context, resource.Change) (resource.Health, error) {
	if s.health == nil {
		return resource.Health{Ready: true}, nil
	}
	return s.health(time.Since(s.began))
}

func (s *stage) Sample(context.Context, run.Question) (run.Sample, error) {
	return s.sample(time.Since(s.began))
}

func (s *stage) Record(_ context.Context, entries ...journal.Entry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records++
	for _, e := range entries {
		line := string(e.Mark)
		for _, id := range e.Objects() {
			line += " " + id.Name
		}
		if e.Gate != "" {
			line += " " + e.Gate + " " + e.Verdict
		}
		s.log = append(s.log, line)
	}
	return nil
}

func (s *stage) runner() *run.Runner {
	s.began = time.Now()
	return &run.Runner{
		Targets:  map[string]run.Target{"c": {Writer: s, Prober: s, Sampler: s}},
		Recorder: s, Notify: func(e run.Event) { s.events = append(s.events, e) },
	}
}

func change(name string) resource.Change {
	return resource.Change{ID: resource.ID{Cluster: "c", Kind: "Deployment", Name: name}, Action: resource.Update, Address: resource.Address{Kind: "hub", Name: "prod", Object: "Deployment/" + name}}
}

func steps(gates []plan.Gate, names ...string) *plan.Plan {
	p := &plan.Plan{Waves: []plan.Wave{{}}}
	for i, n := range names {
		p.Waves[0].Steps = append(p.Waves[0].Steps, plan.Step{
			ID: plan.StepID(fmt.Sprintf("%02d-%s", i+1, n)), Cluster: "c", Gates: gates,
			Changes: []resource.Change{change(n)}, Timeout: time.Minute, OnFailure: plan.Rollback,
		})
	}
	return p
}

// TestIntentComesFirst holds promise P5: what is about to happen is recorded
// before it does.
func TestIntentComesFirst(t *testing.T) {
	s := &stage{}
	r := s.runner().Execute(t.Context(), steps(nil, "a", "b"), nil)
	if r.Outcome != journal.Succeeded || r.Done != 2 || !r.Wrote {
		t.Errorf("result = %+v", r)
	}
	want := []string{
		"applying", "intended a", "write a", "written a", "converging", "done",
		"applying", "intended b", "write b", "written b", "converging", "done",
	}
	if diff := cmp.Diff(want, s.log); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
	if s.records != 3 {
		t.Errorf("%d calls of the journal, want one before each write and one at the end", s.records)
	}
}

// TestNothingUnrecorded checks for every call of the journal that nothing is
// written after it failed.
func TestNothingUnrecorded(t *testing.T) {
	for n := range 3 {
		s := &stage{}
		r := s.runner()
		calls := 0
		r.Recorder = recordFunc(func(ctx context.Context, entries []journal.Entry) error {
			if calls++; calls > n {
				return errors.New("disk full")
			}
			return s.Record(ctx, entries...)
		})
		result := r.Execute(t.Context(), steps(nil, "a", "b"), nil)
		if result.Outcome != "" || result.Err == nil {
			t.Errorf("call %d failed: result %+v, want no outcome", n+1, result)
		}
		if got := len(s.written); got != n {
			t.Errorf("call %d failed: %d writes, want %d", n+1, got, n)
		}
	}
}

type recordFunc func(context.Context, []journal.Entry) error

func (f recordFunc) Record(ctx context.Context, entries ...journal.Entry) error {
	return f(ctx, entries)
}

func TestMoved(t *testing.T) {
	s := &stage{sight: run.Sight{State: run.Elsewhere, Moved: "spec.replicas by kubectl-edit"}}
	r := s.runner().Execute(t.Context(), steps(nil, "a"), nil)
	if r.Outcome != journal.Refused || !errors.Is(r.Err, run.ErrMoved) || !strings.Contains(r.Err.Error(), "kubectl-edit") || r.Wrote {
		t.Errorf("nothing written yet: %+v, want it refused", r)
	}
	s = &stage{}
	s.write = func(_ context.Context, c resource.Change) error {
		s.sight = run.Sight{State: run.Elsewhere, Moved: "x"}
		return nil
	}
	r = s.runner().Execute(t.Context(), steps(nil, "a", "b"), nil)
	if !r.HasFailed() || !errors.Is(r.Err, run.ErrMoved) || r.Failed.ID != "02-b" {
		t.Errorf("after a write: %+v, want step 02-b failed", r)
	}
}

// TestConflict checks that a write which meets another writer looks again, and
// gives up when that never ends.
func TestConflict(t *testing.T) {
	for _, test := range []struct {
		conflicts int
		want      journal.Outcome
	}{{2, journal.Succeeded}, {99, journal.Refused}} {
		s, met := &stage{}, 0
		s.write = func(context.Context, resource.Change) error {
			if met++; met <= test.conflicts {
				return fmt.Errorf("write: %w", run.ErrMoved)
			}
			return nil
		}
		r := s.runner().Execute(t.Context(), steps(nil, "a"), nil)
		if r.Outcome != test.want {
			t.Errorf("%d conflicts: %+v, want %s", test.conflicts, r, test.want)
		}
	}
}

// TestBatch checks that objects of one kind are written side by side under one
// announcement, and what becomes of it when one of them fails.
func TestBatch(t *testing.T) {
	p := steps(nil, "a")
	for i := range 300 {
		c := change(fmt.Sprint("b", i))
		c.ID.Kind = "ConfigMap"
		p.Waves[0].Steps[0].Changes = append(p.Waves[0].Steps[0].Changes, c)
	}
	s := &stage{}
	r := s.runner().Execute(t.Context(), p, nil)
	announced := 0
	for _, line := range s.log {
		if strings.HasPrefix(line, "intended") {
			announced++
		}
	}
	if r.Outcome != journal.Succeeded || len(s.written) != 301 || announced != 3 {
		t.Errorf("%+v: %d written under %d announcements, want 301 under 3", r, len(s.written), announced)
	}
	s = &stage{}
	s.write = func(_ context.Context, c resource.Change) error {
		if c.ID.Name == "b7" {
			return errors.New("quota")
		}
		return nil
	}
	r = s.runner().Execute(t.Context(), p, nil)
	written := slices.IndexFunc(s.log, func(line string) bool { return strings.HasPrefix(line, "written b0") })
	if !r.HasFailed() || !strings.Contains(r.Err.Error(), "quota") || len(s.written) != 250 {
		t.Errorf("%+v with %d written, want it failed after the batch", r, len(s.written))
	}
	if written < 0 || strings.Contains(s.log[written], "b7 ") {
		t.Errorf("log %v: what was written beside the failure is not recorded", s.log[len(s.log)-3:])
	}
}

func TestConverge(t *testing.T) {
	for _, test := range []struct {
		reason string
		health func(since time.Duration) (resource.Health, error)
		fails  string        // empty: it converges
		within time.Duration // at the latest
	}{
		{"at once", func(time.Duration) (resource.Health, error) { return resource.Health{Ready: true}, nil }, "", 0},
		{"after a while, noticed within a second", func(since time.Duration) (resource.Health, error) {
			return resource.Health{Ready: since > 30*time.Second, Reason: "0 of 1"}, nil
		}, "", 32 * time.Second},
		{"never", func(time.Duration) (resource.Health, error) { return resource.Health{Reason: "0 of 1 pods ready"}, nil },
			"Deployment/a: 0 of 1 pods ready", time.Minute},
		{"a cause that waiting cannot mend", func(time.Duration) (resource.Health, error) {
			return resource.Health{Terminal: true, Reason: "ImagePullBackOff", Details: []string{"no such image"}}, nil
		}, "no such image", 0},
		{"a hiccup", func(since time.Duration) (resource.Health, error) {
			if since < time.Second {
				return resource.Health{}, errors.New("connection reset")
			}
			return resource.Health{Ready: true}, nil
		}, "", 3 * time.Second},
		{"an API that stays away", func(time.Duration) (resource.Health, error) {
			return resource.Health{}, errors.New("connection refused")
		}, "connection refused", 10 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := &stage{health: test.health}
			r := s.runner().Execute(t.Context(), steps(nil, "a"), nil)
			took := time.Since(s.began)
			switch {
			case test.fails == "" && r.Outcome != journal.Succeeded:
				t.Errorf("%s: %+v, want it converged", test.reason, r)
			case test.fails != "" && (!r.HasFailed() || !strings.Contains(r.Err.Error(), test.fails)):
				t.Errorf("%s: %+v, want it failed with %q", test.reason, r, test.fails)
			case took > test.within:
				t.Errorf("%s: took %s, want at most %s", test.reason, took, test.within)
			}
		})
	}
}

func TestWaitedIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &stage{health: func(since time.Duration) (resource.Health, error) {
			return resource.Health{Ready: since > 10*time.Second, Reason: "not yet"}, nil
		}}
		s.runner().Execute(t.Context(), steps(nil, "a"), nil)
		told := 0
		for _, e := range s.events {
			if w, waited := e.(run.Waited); waited {
				told++
				if diff := cmp.Diff([]string{"Deployment/a: not yet"}, w.Unready); diff != "" {
					t.Errorf("unready (-want +got):\n%s", diff)
				}
			}
		}
		if told < 5 || told > 12 {
			t.Errorf("told %d times in 10 seconds, want about once a second", told)
		}
	})
}

func TestBake(t *testing.T) {
	verdict := func(v run.Verdict) func(time.Duration) (run.Sample, error) {
		return func(time.Duration) (run.Sample, error) { return run.Sample{Verdict: v, Reason: "says the test"}, nil }
	}
	gate := plan.Gate{Name: "alive", Bake: time.Minute, Interval: 10 * time.Second, Failures: 3, HTTP: &plan.HTTPCheck{}}
	once := plan.Gate{Name: "once", Interval: time.Second, Failures: 3, HTTP: &plan.HTTPCheck{}}
	for _, test := range []struct {
		reason string
		gate   plan.Gate
		sample func(since time.Duration) (run.Sample, error)
		want   journal.Outcome // "failed" when the step fails
		took   time.Duration
	}{
		{"good all the time", gate, verdict(run.Pass), journal.Succeeded, time.Minute},
		{"bad all the time fails at the third sample", gate, verdict(run.Fail), "failed", 20 * time.Second},
		{"two bad samples do not fail it", gate, func(since time.Duration) (run.Sample, error) {
			if since == 20*time.Second || since == 30*time.Second {
				return run.Sample{Verdict: run.Fail}, nil
			}
			return run.Sample{Verdict: run.Pass}, nil
		}, journal.Succeeded, time.Minute},
		{"no data extends the bake, then holds", gate, verdict(run.Inconclusive), journal.WasHeld, 2 * time.Minute},
		{"a verdict nobody knows is inconclusive", gate, verdict("maybe"), journal.WasHeld, 2 * time.Minute},
		{"an error is inconclusive", gate, func(time.Duration) (run.Sample, error) { return run.Sample{}, errors.New("no route") }, journal.WasHeld, 2 * time.Minute},
		{"some data missing extends the bake", gate, func(since time.Duration) (run.Sample, error) {
			if since < 15*time.Second {
				return run.Sample{Verdict: run.Inconclusive}, nil
			}
			return run.Sample{Verdict: run.Pass}, nil
		}, journal.Succeeded, 80 * time.Second},
		{"one good sample is enough without a bake", once, verdict(run.Pass), journal.Succeeded, 0},
		{"without a bake it may still take a few tries", once, func(since time.Duration) (run.Sample, error) {
			if since < 2*time.Second {
				return run.Sample{Verdict: run.Fail}, nil
			}
			return run.Sample{Verdict: run.Pass}, nil
		}, journal.Succeeded, 2 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := &stage{sample: test.sample}
			r := s.runner().Execute(t.Context(), steps([]plan.Gate{test.gate}, "a"), nil)
			if r.Outcome != test.want {
				t.Errorf("%s: %+v, want %s", test.reason, r, test.want)
			}
			if took := time.Since(s.began); took != test.took {
				t.Errorf("%s: took %s, want %s", test.reason, took, test.took)
			}
		})
	}
}

// TestBakesTogether checks that gates bake at the same time, not one after the
// other.
func TestBakesTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &stage{sample: func(time.Duration) (run.Sample, error) { return run.Sample{Verdict: run.Pass}, nil }}
		gates := []plan.Gate{
			{Name: "x", Bake: time.Minute, Interval: 10 * time.Second, Failures: 1},
			{Name: "y", Bake: 90 * time.Second, Interval: 7 * time.Second, Failures: 1},
		}
		r := s.runner().Execute(t.Context(), steps(gates, "a"), nil)
		if took := time.Since(s.began); r.Outcome != journal.Succeeded || took != 90*time.Second {
			t.Errorf("%+v after %s, want success after 90s", r, took)
		}
	})
}

// TestInterrupt checks where a run stops when it is told to.
func TestInterrupt(t *testing.T) {
	for _, test := range []struct {
		reason string
		at     time.Duration
		ready  time.Duration // when the step converges
		gates  []plan.Gate
		want   journal.Outcome
		took   time.Duration
		done   int
	}{
		{"the step converges soon after: it is finished", 5 * time.Second, 10 * time.Second, nil, journal.WasInterrupted, 11 * time.Second, 1},
		{"the step does not: it is left", 5 * time.Second, time.Hour, nil, journal.WasInterrupted, 26 * time.Second, 0},
		{"a bake is cut short", 5 * time.Second, 0, []plan.Gate{{Name: "x", Bake: time.Hour, Interval: time.Second, Failures: 1}}, journal.WasInterrupted, 5 * time.Second, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := &stage{
				health: func(since time.Duration) (resource.Health, error) {
					return resource.Health{Ready: since >= test.ready, Reason: "not yet"}, nil
				},
				sample: func(time.Duration) (run.Sample, error) { return run.Sample{Verdict: run.Pass}, nil },
			}
			ctx, cancel := context.WithTimeout(t.Context(), test.at)
			defer cancel()
			r := s.runner().Execute(ctx, steps(test.gates, "a", "b"), nil)
			if r.Outcome != test.want || r.Done != test.done {
				t.Errorf("%s: %+v, want %s with %d done", test.reason, r, test.want, test.done)
			}
			if took := time.Since(s.began); took > test.took {
				t.Errorf("%s: took %s, want at most %s", test.reason, took, test.took)
			}
		})
	}
}

// TestLostLock checks that not one write is made after the lock is lost.
func TestLostLock(t *testing.T) {
	s, lost := &stage{}, make(chan struct{})
	p := steps(nil, "a")
	p.Waves[0].Steps[0].Changes = append(p.Waves[0].Steps[0].Changes, change("b"))
	p.Waves[0].Steps[0].Changes[1].Needs = []resource.ID{change("a").ID} // it comes after
	s.write = func(context.Context, resource.Change) error { close(lost); return nil }
	r := s.runner()
	r.Lost = lost
	result := r.Execute(t.Context(), p, nil)
	if result.Outcome != journal.WasInterrupted || len(s.written) != 1 {
		t.Errorf("%+v after %d writes, want it interrupted after one", result, len(s.written))
	}
}

// TestInterruptedStepIsWhole checks that an interrupt amid the writes of a step
// lets the rest of them happen.
func TestInterruptedStepIsWhole(t *testing.T) {
	s := &stage{}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	p := steps(nil, "a", "z")
	p.Waves[0].Steps[0].Changes = append(p.Waves[0].Steps[0].Changes, change("b"))
	s.write = func(ctx context.Context, _ resource.Change) error { cancel(); return ctx.Err() }
	r := s.runner().Execute(ctx, p, nil)
	if r.Outcome != journal.WasInterrupted || r.Done != 1 || len(s.written) != 2 {
		t.Errorf("%+v after %d writes, want one whole step", r, len(s.written))
	}
}

// TestResume checks that done steps are skipped and that a change in doubt is
// looked at.
func TestResume(t *testing.T) {
	a, b := change("a").ID, change("b").ID
	s := &stage{written: map[resource.ID]bool{b: true}}
	entries := []journal.Entry{
		{Mark: journal.Applying, Step: "01-a"}, {Mark: journal.Intended, Step: "01-a", Change: &a}, {Mark: journal.Done, Step: "01-a"},
		{Mark: journal.Applying, Step: "02-b"}, {Mark: journal.Intended, Step: "02-b", Change: &b},
	}
	r := s.runner().Execute(t.Context(), steps(nil, "a", "b", "c"), entries)
	if r.Outcome != journal.Succeeded || r.Done != 3 {
		t.Errorf("result = %+v", r)
	}
	want := []string{
		"applying", "written b", "converging", "done",
		"applying", "intended c", "write c", "written c", "converging", "done",
	}
	if diff := cmp.Diff(want, s.log); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}

// TestHold checks the two ways to stop without undoing.
func TestHold(t *testing.T) {
	s := &stage{}
	r := s.runner()
	target, p := r.Targets["c"], steps(nil, "a")
	target.People = func(context.Context, resource.Places) (resource.Census, error) {
		return resource.Census{}, errors.New("forbidden")
	}
	r.Targets["c"], p.Waves[0].Steps[0].Relies = target, &plan.SessionBound{Max: 9, Namespaces: []string{"prod"}}
	if got := r.Execute(t.Context(), p, nil); got.Outcome != journal.WasHeld || len(s.written) > 0 {
		t.Errorf("people who cannot be counted: %+v, %d writes; want it held", got, len(s.written))
	}
	s = &stage{write: func(context.Context, resource.Change) error { return errors.New("quota") }}
	p = steps(nil, "a")
	p.Waves[0].Steps[0].OnFailure = plan.Stop
	got := s.runner().Execute(t.Context(), p, nil)
	if got.Outcome != journal.WasHeld || s.log[len(s.log)-1] != "held" {
		t.Errorf("a failure that stops: %+v, log %v", got, s.log)
	}
}
