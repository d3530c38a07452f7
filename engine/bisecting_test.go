package engine_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hubcap/engine"
	"hubcap/engine/journal"
	"hubcap/engine/plan"
	"hubcap/engine/resource"
	"hubcap/engine/run"
	"hubcap/providers/memory"
	"hubcap/schema"
)

// batchOf is a hub of five components, each with an image of its own.
func batchOf(tag func(component string) string) func() []resource.Desired {
	return func() []resource.Desired {
		var all []resource.Desired
		for _, c := range []string{"proxy", "hub", "binder", "image-cleaner", "extra"} {
			all = append(all, deployment(c, c+":"+tag(c), c, tag(c)), secret(c, c, "token-"+tag(c)))
		}
		return all
	}
}

// TestBisect lets one component of a batch fail, whichever: it is found with the
// fewest bakes, everything is as before, and what is safe is told.
func TestBisect(t *testing.T) {
	prod := resource.Address{Kind: "hub", Name: "prod"}
	for _, culprit := range []string{"proxy", "hub", "binder", "image-cleaner", "extra"} {
		t.Run(culprit, func(t *testing.T) {
			w := memory.New("prod", "default")
			apply(t, newEngine(w, batchOf(func(string) string { return "1" })))
			w.Broken = []string{culprit + ":2"}
			e := newEngine(w, batchOf(func(string) string { return "2" }))
			e.Config.Rollouts = []schema.Rollout{{
				Block: schema.Block{Address: resource.Address{Kind: "rollout", Name: "all"}}, Order: [][]resource.Address{{prod}},
				OnFailure: "rollback", Rollback: "component", Batch: true, Bisect: true,
			}}
			p := mustPlan(t, e)
			if n := len(p.Steps()); n != 1 || !p.Steps()[0].Bisect || len(p.Steps()[0].Parts()) != 5 {
				t.Fatalf("plan of %d steps: %+v", n, p.Steps())
			}
			found := bisected(t, w, e, p)
			if len(found) != 1 || !strings.HasPrefix(found[0], culprit+" is the culprit, found with ") || !strings.HasSuffix(found[0], "--except hub.prod/"+culprit) {
				t.Fatalf("found %q", found)
			}
			if strings.Contains(found[0], "with 4 bakes") || strings.Contains(found[0], "with 5 bakes") {
				t.Errorf("five parts need three bakes at most: %s", found[0])
			}
			again := newEngine(w, batchOf(func(string) string { return "2" }))
			again.Config = e.Config
			if p := mustPlan(t, again); len(p.Verdicts) == 0 || p.Verdicts[0].Level != plan.Deny {
				t.Errorf("what failed is not denied: %+v", p.Verdicts)
			}
		})
	}
}

// bisected applies p, which fails and leaves the world as it was, and returns what was
// found on the way.
func bisected(t *testing.T, w *memory.World, e *engine.Engine, p *plan.Plan) (found []string) {
	t.Helper()
	before := w.Objects()
	o, err := e.Apply(t.Context(), p)
	if err != nil || o.Outcome != journal.WasRolledBack {
		t.Fatalf("%+v, %v", o, err)
	}
	if diff := cmp.Diff(before, w.Objects()); diff != "" {
		t.Errorf("world (-before +after):\n%s", diff)
	}
	runs, err := e.History(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range runs[len(runs)-1].Entries {
		if entry.Mark == journal.Bisected {
			found = append(found, entry.Reason)
		}
	}
	return found
}

// TestBisectBlamesNobody lets the checks be inconclusive while the culprit is looked
// for: a Prometheus that is down is nobody's fault.
func TestBisectBlamesNobody(t *testing.T) {
	w := memory.New("prod", "default")
	apply(t, newEngine(w, batchOf(func(string) string { return "1" })))
	w.Broken = []string{"proxy:2"}
	w.Gate = func(plan.Gate, resource.Component) run.Sample {
		return run.Sample{Verdict: run.Inconclusive, Reason: "no data"}
	}
	e := newEngine(w, batchOf(func(string) string { return "2" }))
	gate := schema.Block{Address: resource.Address{Kind: "gate", Name: "launches"}}
	e.Config.Gates = []schema.Gate{{Block: gate, HTTP: &schema.HTTPCheck{URL: "http://127.0.0.1/"}, Failures: 1, Interval: time.Millisecond, MaxBake: 10 * time.Millisecond}}
	e.Config.Rollouts = []schema.Rollout{{
		Block: schema.Block{Address: resource.Address{Kind: "rollout", Name: "all"}}, Order: [][]resource.Address{{{Kind: "hub", Name: "prod"}}},
		OnFailure: "rollback", Rollback: "component", Batch: true, Bisect: true, Gates: []resource.Address{gate.Address},
	}}
	found := bisected(t, w, e, mustPlan(t, e))
	if len(found) != 1 || strings.Contains(found[0], "culprit") || !strings.Contains(found[0], "no data") || !strings.Contains(found[0], "after 1 bake,") {
		t.Errorf("found %q", found)
	}
}

// TestParts checks that what belongs together is not taken apart.
func TestParts(t *testing.T) {
	w := memory.New("prod", "default")
	e := newEngine(w, func() []resource.Desired {
		return []resource.Desired{
			deployment("proxy", "chp:1", "hub", "a"), deployment("hub", "hub:1", "hub", "a"), secret("hub", "hub", "t"),
			deployment("binder", "binder:1", "own", "a"), secret("own", "binder", "t"),
		}
	})
	e.Config.Rollouts = []schema.Rollout{{
		Block: schema.Block{Address: resource.Address{Kind: "rollout", Name: "all"}}, Order: [][]resource.Address{{{Kind: "hub", Name: "prod"}}}, Batch: true,
	}}
	steps := mustPlan(t, e).Steps()
	if len(steps) != 1 {
		t.Fatalf("%d steps", len(steps))
	}
	var names []string
	for _, part := range steps[0].Parts() {
		names = append(names, part.Name)
	}
	if diff := cmp.Diff([]string{"hub, proxy", "binder"}, names); diff != "" && strings.Join(names, ";") != "binder;hub, proxy" {
		t.Errorf("parts (-want +got):\n%s", diff)
	}
}

// TestCrashInBisect lets a run die at every call of the search for a culprit:
// resuming it ends with everything as before, and with the culprit's name.
func TestCrashInBisect(t *testing.T) {
	t.Parallel()
	matrix(t, 20, resumes(), crashInBisect)
}

func crashInBisect(t *testing.T, r crash, n int) bool {
	t.Helper()
	w := made(t, "batch", func() *memory.World {
		w := memory.New("prod", "default")
		apply(t, newEngine(w, batchOf(func(string) string { return "1" })))
		return w
	})
	before := w.Objects()
	w.Broken = []string{"binder:2"}
	e := newEngine(w, batchOf(func(string) string { return "2" }))
	e.Config.Rollouts = []schema.Rollout{{
		Block: schema.Block{Address: resource.Address{Kind: "rollout", Name: "all"}}, Order: [][]resource.Address{{{Kind: "hub", Name: "prod"}}},
		OnFailure: "rollback", Rollback: "component", Batch: true, Bisect: true,
	}}
	d := r.death(n)
	last, died := d.dies(t, w, e, mustPlan(t, e))
	if !died {
		return false
	}
	if last != nil {
		if _, ended := journal.Ended(last.Entries); !ended {
			if o, err := e.Resume(t.Context(), last.ID); err != nil || o.Outcome != journal.WasRolledBack {
				t.Fatalf("%s: resume = %+v, %v", d, o, err)
			}
		}
	}
	if diff := cmp.Diff(before, w.Objects()); diff != "" {
		t.Fatalf("%s (-before +after):\n%s", d, diff)
	}
	return true
}
