package run_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
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

// A theatre is a world of many blocks: each step takes its time, some fail.
type theatre struct {
	mu      sync.Mutex
	took    map[string]time.Duration // object → until it is ready after its write
	wrote   map[string]time.Time
	fails   map[string]bool
	entries []journal.Entry
	events  []run.Event
	began   time.Time
	undone  map[plan.StepID]time.Duration // when, since the run began
}

func newTheatre() *theatre {
	return &theatre{
		took: map[string]time.Duration{}, wrote: map[string]time.Time{}, fails: map[string]bool{},
		undone: map[plan.StepID]time.Duration{}, began: time.Now(),
	}
}

func (a *theatre) Look(_ context.Context, c resource.Change) (run.Sight, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, done := a.wrote[c.ID.Name]; done {
		return run.Sight{State: run.AtAfter}, nil
	}
	return run.Sight{State: run.AtBefore}, nil
}

func (a *theatre) Write(_ context.Context, c resource.Change, _ run.Sight) (run.Sight, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	intended := slices.ContainsFunc(a.entries, func(e journal.Entry) bool {
		return e.Mark == journal.Intended && slices.Contains(e.Objects(), c.ID)
	})
	if !intended {
		panic("written without intent: " + c.ID.Name)
	}
	a.wrote[c.ID.Name] = time.Now()
	return run.Sight{State: run.AtAfter}, nil
}

func (a *theatre) Probe(_ context.Context, c resource.Change) (resource.Health, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if time.Since(a.wrote[c.ID.Name]) < a.took[c.ID.Name] {
		return resource.Health{Reason: "not yet"}, nil
	}
	if a.fails[c.ID.Name] {
		return resource.Health{Terminal: true, Reason: "broken"}, nil
	}
	return resource.Health{Ready: true}, nil
}

func (a *theatre) Sample(context.Context, run.Question) (run.Sample, error) {
	return run.Sample{Verdict: run.Pass}, nil
}

func (a *theatre) Record(_ context.Context, entries ...journal.Entry) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.entries = append(a.entries, entries...)
	return nil
}

func (a *theatre) runner() *run.Runner {
	return &run.Runner{
		Targets:  map[string]run.Target{"c": {Writer: a, Prober: a, Sampler: a}},
		Recorder: a, Notify: func(e run.Event) { a.events = append(a.events, e) },
		Undo: func(ctx context.Context, f run.Failure) run.Undone {
			a.mu.Lock()
			a.undone[f.Step.ID] = time.Since(a.began)
			a.mu.Unlock()
			err := a.Record(ctx, journal.Entry{Mark: journal.RolledBack, Step: f.Step.ID})
			return run.Undone{Outcome: journal.WasRolledBack, Err: err}
		},
	}
}

// scene returns a step of a block that writes one object of the step's name.
func scene(block, name string) plan.Step {
	address := resource.Address{Kind: "hub", Name: block}
	return plan.Step{
		ID: plan.StepID(block + "/" + name), Cluster: "c", Component: resource.Component{Block: address, Name: name},
		Changes: []resource.Change{{ID: resource.ID{Cluster: "c", Kind: "ConfigMap", Name: block + "/" + name}, Action: resource.Update, Class: resource.ClassLive}},
		Class:   resource.ClassLive, Timeout: time.Hour, OnFailure: plan.Rollback,
	}
}

// spans returns when each step was under way.
func (a *theatre) spans() map[plan.StepID][2]time.Time {
	spans := map[plan.StepID][2]time.Time{}
	for _, e := range a.entries {
		s := spans[e.Step]
		switch e.Mark {
		case journal.Applying:
			s[0] = e.Time
		case journal.Done, journal.Failed:
			s[1] = e.Time
		}
		spans[e.Step] = s
	}
	return spans
}

// TestLanesKeepTheirOrder is a property of random plans: lanes never write out of
// order, no more blocks than allowed are under way at once, what a step cannot do
// without is done before it, and a wave begins when the one before has passed.
func TestLanesKeepTheirOrder(t *testing.T) {
	for seed := range uint64(150) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 11))
			a := newTheatre()
			p := &plan.Plan{}
			for w := range 1 + r.IntN(3) {
				wave := plan.Wave{Name: fmt.Sprint("w", w), Rollout: "rollout.x", MaxParallel: r.IntN(4)}
				for b := range 1 + r.IntN(5) {
					for n := range 1 + r.IntN(3) {
						s := scene(fmt.Sprintf("w%db%d", w, b), fmt.Sprint("s", n))
						a.took[string(s.ID)] = time.Duration(r.IntN(50)) * time.Second
						if len(wave.Steps) > 0 && r.IntN(3) == 0 {
							s.After = []plan.StepID{wave.Steps[r.IntN(len(wave.Steps))].ID}
						}
						wave.Steps = append(wave.Steps, s)
					}
				}
				p.Waves = append(p.Waves, wave)
			}
			result := a.runner().Execute(t.Context(), p, nil)
			if result.Outcome != journal.Succeeded || result.Done != len(p.Steps()) {
				t.Fatalf("seed %d: %+v", seed, result)
			}
			checkOrder(t, seed, p, a.spans())
		})
	}
}

func checkOrder(t *testing.T, seed uint64, p *plan.Plan, spans map[plan.StepID][2]time.Time) {
	t.Helper()
	var barrier time.Time
	for _, w := range p.Waves {
		ends := barrier
		last := map[resource.Address]plan.StepID{}
		for _, s := range w.Steps {
			begin, end := spans[s.ID][0], spans[s.ID][1]
			if begin.Before(barrier) {
				t.Errorf("seed %d: %s began before the wave before it had passed", seed, s.ID)
			}
			if before, has := last[s.Component.Block]; has && begin.Before(spans[before][1]) {
				t.Errorf("seed %d: %s began before %s of its lane was done", seed, s.ID, before)
			}
			for _, need := range s.After {
				if begin.Before(spans[need][1]) {
					t.Errorf("seed %d: %s began before %s, which it needs", seed, s.ID, need)
				}
			}
			last[s.Component.Block] = s.ID
			if end.After(ends) {
				ends = end
			}
			atOnce := 0
			for _, other := range w.Steps {
				if o := spans[other.ID]; !begin.Before(o[0]) && begin.Before(o[1]) && other.ID != s.ID {
					atOnce++
				}
			}
			if end.After(begin) && atOnce >= max(w.MaxParallel, 1) {
				t.Errorf("seed %d: %d others were under way when %s began, at most %d blocks may be", seed, atOnce, s.ID, max(w.MaxParallel, 1))
			}
		}
		barrier = ends
	}
}

// TestLaneFails checks that a step that fails is undone at once, that what is under
// way in other lanes comes to its end, and that nothing new begins.
func TestLaneFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newTheatre()
		a.took = map[string]time.Duration{"a/1": 10 * time.Second, "b/1": time.Minute, "b/2": time.Second}
		a.fails["a/1"] = true
		p := &plan.Plan{Waves: []plan.Wave{
			{MaxParallel: 2, Steps: []plan.Step{scene("a", "1"), scene("a", "2"), scene("b", "1"), scene("b", "2"), scene("c", "1")}},
			{Steps: []plan.Step{scene("d", "1")}},
		}}
		r := a.runner().Execute(t.Context(), p, nil)
		if r.Outcome != journal.WasRolledBack || r.Failed.ID != "a/1" || r.Done != 1 || !strings.Contains(r.Err.Error(), "broken") {
			t.Errorf("result = %+v", r)
		}
		if at := a.undone["a/1"]; at < 10*time.Second || at > 12*time.Second {
			t.Errorf("undone after %s, want it at once", at)
		}
		for _, untouched := range []string{"a/2", "b/2", "c/1", "d/1"} {
			if _, wrote := a.wrote[untouched]; wrote {
				t.Errorf("%s was written after the failure", untouched)
			}
		}
		if took := time.Since(a.began); took < time.Minute {
			t.Errorf("took %s, want the other lane to come to its end", took)
		}
	})
}

// TestLanesGiveUp checks that nobody waits for what is going to be undone anyway.
func TestLanesGiveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newTheatre()
		a.took = map[string]time.Duration{"a/1": 10 * time.Second, "b/1": time.Second}
		a.fails["a/1"] = true
		first, second := scene("a", "1"), scene("b", "1")
		first.Extent, second.Extent = plan.WholeWave, plan.WholeWave
		second.Gates = []plan.Gate{{Name: "long", Bake: time.Hour, Interval: time.Minute, Failures: 1}}
		p := &plan.Plan{Waves: []plan.Wave{{MaxParallel: 2, Steps: []plan.Step{first, second}}}}
		r := a.runner().Execute(t.Context(), p, nil)
		if r.Outcome != journal.WasRolledBack || r.Failed.ID != "a/1" {
			t.Errorf("result = %+v", r)
		}
		if took := time.Since(a.began); took > time.Minute {
			t.Errorf("took %s, want the bake cut short", took)
		}
	})
}

// TestLanesDrain checks that going on with a run in which a step had failed undoes
// it, ends what was under way, and begins nothing.
func TestLanesDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newTheatre()
		p := &plan.Plan{Waves: []plan.Wave{
			{Steps: []plan.Step{scene("z", "1")}},
			{MaxParallel: 3, Steps: []plan.Step{scene("a", "1"), scene("b", "1"), scene("c", "1")}},
		}}
		id := func(name string) *resource.ID { return &resource.ID{Cluster: "c", Kind: "ConfigMap", Name: name} }
		entries := []journal.Entry{
			{Mark: journal.Done, Step: "z/1"},
			{Mark: journal.Intended, Step: "a/1", Change: id("a/1")}, {Mark: journal.Failed, Step: "a/1", Reason: "broken"},
			{Mark: journal.Intended, Step: "b/1", Change: id("b/1")}, {Mark: journal.Converging, Step: "b/1"},
			{Mark: journal.Applying, Step: "c/1"},
		}
		a.entries = slices.Clone(entries)
		r := a.runner().Execute(t.Context(), p, entries)
		if r.Outcome != journal.WasRolledBack || r.Failed.ID != "a/1" || r.Done != 2 {
			t.Errorf("result = %+v", r)
		}
		if _, wrote := a.wrote["c/1"]; wrote {
			t.Error("c/1 had not begun, and was begun")
		}
		if _, undone := a.undone["a/1"]; !undone {
			t.Error("a/1 had failed, and was not undone")
		}
	})
}

// TestLanesMoved checks that a step which meets somebody else's writes refuses the
// run as long as nothing was written, and fails afterwards, whichever lane wrote.
func TestLanesMoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newTheatre()
		a.took["b/1"] = time.Minute
		p := &plan.Plan{Waves: []plan.Wave{{MaxParallel: 2, Steps: []plan.Step{scene("b", "1"), scene("a", "1"), scene("a", "2")}}}}
		runner := a.runner()
		runner.Targets["c"] = run.Target{Writer: astray{a, "a/1"}, Prober: a}
		r := runner.Execute(t.Context(), p, nil)
		if r.Outcome != journal.WasRolledBack || r.Failed.ID != "a/1" || !errors.Is(r.Err, run.ErrMoved) || r.Done != 1 {
			t.Errorf("result = %+v", r)
		}
	})
}

// astray is a world in which one object was moved by somebody else.
type astray struct {
	*theatre
	object string
}

func (a astray) Look(ctx context.Context, c resource.Change) (run.Sight, error) {
	if c.ID.Name == a.object {
		return run.Sight{State: run.Elsewhere, Moved: "x by kubectl-edit"}, nil
	}
	return a.theatre.Look(ctx, c)
}

// TestLanesStayInOrder checks that without leave for several blocks at once the
// steps of a wave run in the order of the plan.
func TestLanesStayInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newTheatre()
		p := &plan.Plan{Waves: []plan.Wave{{Steps: []plan.Step{scene("a", "1"), scene("b", "1"), scene("a", "2"), scene("b", "2")}}}}
		if r := a.runner().Execute(t.Context(), p, nil); r.Outcome != journal.Succeeded {
			t.Fatalf("result = %+v", r)
		}
		var order []plan.StepID
		for _, e := range a.entries {
			if e.Mark == journal.Applying {
				order = append(order, e.Step)
			}
		}
		if diff := cmp.Diff([]plan.StepID{"a/1", "b/1", "a/2", "b/2"}, order); diff != "" {
			t.Errorf("order (-want +got):\n%s", diff)
		}
	})
}
