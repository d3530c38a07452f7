package engine_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hubcap/engine"
	"hubcap/engine/journal"
	"hubcap/engine/plan"
	"hubcap/engine/resource"
	"hubcap/engine/run"
	"hubcap/schema"
)

// A town is a cluster's people and its Prometheus.
type town struct {
	counts, samples atomic.Int32
	runs            []journal.Run
	blind           error
}

func (w *town) Count(context.Context, resource.Places) (resource.Census, error) {
	w.counts.Add(1)
	return resource.Census{Sessions: 412, PerNamespace: map[string]int{"prod": 412, "staging": 3}}, nil
}

func (w *town) Sample(ctx context.Context, q run.Question) (run.Sample, error) {
	w.samples.Add(1)
	switch q.Gate.Prometheus.Query {
	case "hangs":
		<-ctx.Done()
		return run.Sample{}, fmt.Errorf("query prometheus: %w", ctx.Err())
	case "none":
		return run.Sample{Verdict: run.Inconclusive, Reason: "no data for none"}, nil
	}
	return run.Sample{Verdict: run.Pass, Reason: "3 (at most 20)"}, nil
}

func (w *town) Runs(context.Context, string) ([]journal.Run, error) { return w.runs, w.blind }

func (*town) Create(context.Context, journal.Run, []byte, map[string]string) error {
	return errors.New("a plan writes nothing")
}

func (*town) Append(context.Context, string, ...journal.Entry) error {
	return errors.New("a plan writes nothing")
}

func (*town) Load(context.Context, string) (engine.Record, error) {
	return engine.Record{}, engine.ErrNoRun
}

func townEngine(w *town) *engine.Engine {
	return &engine.Engine{
		Config:   &schema.Config{Settings: schema.Settings{Name: "default"}},
		Clusters: map[string]*engine.Cluster{"c": {Name: "c", Census: w, Sampler: w, Store: w}},
		Now:      func() time.Time { return asked },
	}
}

var asked = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func foreseen(id string, cut int, guards ...plan.Guard) plan.Step {
	return plan.Step{ID: plan.StepID(id), Cluster: "c", Component: resource.Component{Block: resource.Address{Kind: "hub", Name: id}}, Class: resource.ClassProxy, Guards: guards, Impact: resource.Impact{SessionsInterrupted: cut}}
}

func asks(name, query string) plan.Guard {
	return plan.Guard{Name: name, Level: plan.Soft, Load: &plan.LoadCheck{Of: "launches per minute", PrometheusCheck: plan.PrometheusCheck{Query: query}}}
}

// TestForesee checks what is told of guards when a plan is shown: how they stand
// now, each asked once, or why that cannot be told.
func TestForesee(t *testing.T) {
	most := 500
	quiet := func(namespace string) plan.Guard {
		return plan.Guard{Name: "quiet", Level: plan.Hard, Sessions: &plan.SessionsCheck{Max: 300, Namespace: namespace}}
	}
	budget := plan.Guard{Name: "people", Level: plan.Soft, Budget: &plan.BudgetCheck{PerWeek: &most}}
	freeze := plan.Guard{Name: "exams", Level: plan.Advisory, Freeze: &plan.Freeze{From: asked.Add(-time.Hour), Until: asked.Add(time.Hour)}}
	room := plan.Guard{Name: "room", Level: plan.Soft, Capacity: &plan.CapacityCheck{}}
	verdict := plan.Guard{Name: "policy.x", Level: plan.Soft, Verdict: &plan.VerdictCheck{Text: "no"}}
	p := &plan.Plan{Created: asked, Waves: []plan.Wave{{Steps: []plan.Step{
		foreseen("01", 100, quiet("prod"), budget, freeze, verdict, asks("calm", "rate")),
		foreseen("02", 300, quiet("prod"), quiet("staging"), budget, room, asks("calm", "rate"), asks("dark", "none")),
	}}}}
	w := &town{runs: []journal.Run{
		{ID: "last", Config: "default", Entries: []journal.Entry{{Mark: journal.Done, Cluster: "c", Time: asked.Add(-time.Hour), Impact: &resource.Impact{SessionsInterrupted: 150}}}},
		{ID: "old", Config: "default", Entries: []journal.Entry{{Mark: journal.Done, Cluster: "c", Time: asked.Add(-8 * 24 * time.Hour), Impact: &resource.Impact{SessionsInterrupted: 900}}}},
	}}
	townEngine(w).Foresee(t.Context(), p)
	busy := "412 sessions, at most 300 are allowed"
	want := []plan.Standing{
		{Step: "01", Guard: "guard.quiet", Check: "sessions", Level: plan.Hard, Holds: true, Reason: busy},
		{Step: "01", Guard: "guard.people", Check: "budget", Level: plan.Soft},
		{Step: "01", Guard: "guard.exams", Check: "freeze", Level: plan.Advisory, Holds: true, Reason: "frozen until 13:00 UTC", Since: asked.Add(-time.Hour), Until: asked.Add(time.Hour)},
		{Step: "01", Guard: "guard.calm", Check: "load", Level: plan.Soft, Reason: "launches per minute: 3 (at most 20)"},
		{Step: "02", Guard: "guard.quiet", Check: "sessions", Level: plan.Hard, Holds: true, Reason: busy},
		{Step: "02", Guard: "guard.quiet", Check: "sessions", Level: plan.Hard, Reason: "3 sessions, at most 300 are allowed"},
		{Step: "02", Guard: "guard.people", Check: "budget", Level: plan.Soft, Holds: true, Reason: "300 sessions would be cut off, 250 were within 7 days, and 500 per week are allowed"},
		{Step: "02", Guard: "guard.room", Check: "capacity", Level: plan.Soft, Untold: "a guard on capacity cannot be answered here"},
		{Step: "02", Guard: "guard.calm", Check: "load", Level: plan.Soft, Reason: "launches per minute: 3 (at most 20)"},
		{Step: "02", Guard: "guard.dark", Check: "load", Level: plan.Soft, Untold: "launches per minute: no data for none"},
	}
	if diff := cmp.Diff(want, p.Standings); diff != "" {
		t.Errorf("standings (-want +got):\n%s", diff)
	}
	if counts, samples := w.counts.Load(), w.samples.Load(); counts != 1 || samples != 2 {
		t.Errorf("people were counted %d times, want once; Prometheus was asked %d times, want twice", counts, samples)
	}
}

// TestSpent checks whom a budget counts: those of a step whose writes were announced,
// however it ended; as measured where that is known, and once.
func TestSpent(t *testing.T) {
	entry := func(m journal.Mark, step plan.StepID, people int, namespaces ...string) journal.Entry {
		return journal.Entry{Mark: m, Step: step, Cluster: "c", Time: asked.Add(-time.Hour), Impact: &resource.Impact{SessionsInterrupted: people}, Relies: &plan.SessionBound{Namespaces: namespaces}}
	}
	mark := func(m journal.Mark, step plan.StepID) journal.Entry {
		return journal.Entry{Mark: m, Step: step, Time: asked.Add(-time.Hour)}
	}
	for _, test := range []struct {
		reason  string
		entries []journal.Entry
		want    int
	}{
		{"done", []journal.Entry{entry(journal.Intended, "1", 40, "a"), entry(journal.Done, "1", 30, "a")}, 30},
		{"failed in its gates", []journal.Entry{entry(journal.Intended, "1", 40, "a"), entry(journal.Baking, "1", 30, "a"), mark(journal.Failed, "1")}, 30},
		{"failed before it was measured", []journal.Entry{entry(journal.Intended, "1", 40, "a"), mark(journal.Failed, "1")}, 40},
		{"rolled back", []journal.Entry{entry(journal.Intended, "1", 40, "a"), mark(journal.Failed, "1"), entry(journal.Intended, "1", 42, "a"), mark(journal.RolledBack, "1")}, 42},
		{"done, and rolled back with another", []journal.Entry{entry(journal.Done, "1", 30, "a"), entry(journal.Intended, "1", 42, "a"), mark(journal.RolledBack, "1")}, 42},
		{"it died", []journal.Entry{entry(journal.Intended, "1", 40, "a")}, 40},
		{"done, and not measured", []journal.Entry{entry(journal.Intended, "1", 40, "a"), mark(journal.Done, "1")}, 40},
		{"failed before it wrote", []journal.Entry{mark(journal.Applying, "1"), mark(journal.Failed, "1")}, 0},
		{"two steps in one place", []journal.Entry{entry(journal.Intended, "1", 40, "a"), entry(journal.Intended, "2", 40, "a")}, 40},
		{"two places", []journal.Entry{entry(journal.Intended, "1", 40, "a"), entry(journal.Done, "2", 5, "b")}, 45},
		{"refused", []journal.Entry{entry(journal.Intended, "1", 40, "a"), {Mark: journal.RunFinished, Outcome: journal.Refused}}, 0},
	} {
		most := 1
		budget := plan.Guard{Name: "people", Level: plan.Soft, Budget: &plan.BudgetCheck{PerWeek: &most}}
		p := &plan.Plan{Created: asked, Waves: []plan.Wave{{Steps: []plan.Step{foreseen("01", 100, budget)}}}}
		w := &town{runs: []journal.Run{{ID: "last", Config: "default", Entries: test.entries}}}
		townEngine(w).Foresee(t.Context(), p)
		want := fmt.Sprintf("100 sessions would be cut off, %d were within 7 days, and 1 per week are allowed", test.want)
		if len(p.Standings) != 1 || p.Standings[0].Reason != want {
			t.Errorf("%s: %+v, want %s", test.reason, p.Standings, want)
		}
	}
}

// TestForeseeIsBounded checks that what hangs or cannot be read is said, and keeps
// nothing else from being told.
func TestForeseeIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		most := 1
		guards := []plan.Guard{asks("calm", "rate"), {Name: "people", Level: plan.Soft, Budget: &plan.BudgetCheck{PerRun: &most}}}
		p := &plan.Plan{Created: asked, Waves: []plan.Wave{{}}}
		for i := range 40 {
			hung := asks("hung", "hangs")
			hung.Load.Cluster = fmt.Sprint(i) // each is a question of its own
			p.Waves[0].Steps = append(p.Waves[0].Steps, foreseen(fmt.Sprint(i), 0, append(guards, hung)...))
		}
		began := time.Now()
		townEngine(&town{blind: errors.New("list configmaps: forbidden")}).Foresee(t.Context(), p)
		if took := time.Since(began); took != 10*time.Second {
			t.Errorf("took %s, want 10s", took)
		}
		if n := len(p.Standings); n != 120 {
			t.Fatalf("%d standings, want 120", n)
		}
		for _, st := range p.Standings {
			want := map[string]string{"guard.hung": "no answer within 10s", "guard.people": "read what other runs interrupted: list configmaps: forbidden"}[st.Guard]
			if st.Untold != want || st.Holds {
				t.Errorf("%+v, want untold %q", st, want)
			}
		}
	})
}

// TestForeseeIsNoPartOfThePlan checks that what guards say now changes neither the
// plan's document nor its ID, so that it makes no plan stale.
func TestForeseeIsNoPartOfThePlan(t *testing.T) {
	p := &plan.Plan{FormatVersion: plan.FormatVersion, Created: asked, Waves: []plan.Wave{{Steps: []plan.Step{foreseen("01", 0, asks("calm", "rate"))}}}}
	before, _, err := plan.Encode(p, plan.Mask{})
	if err != nil {
		t.Fatal(err)
	}
	townEngine(&town{}).Foresee(t.Context(), p)
	after, _, err := plan.Encode(p, plan.Mask{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(before), string(after)); diff != "" || len(p.Standings) != 1 {
		t.Errorf("the document changed, or nothing was asked (%d):\n%s", len(p.Standings), diff)
	}
}
