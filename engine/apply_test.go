package engine_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"hubcap/engine"
	"hubcap/engine/journal"
	"hubcap/engine/plan"
	"hubcap/engine/resource"
	"hubcap/engine/run"
	"hubcap/providers/memory"
	"hubcap/schema"
)

// broken is next with a hub image that never gets ready.
func broken() []resource.Desired {
	d := next()
	d[4] = deployment("hub", "hub:broken", "hub", "b")
	return d
}

// TestRollback checks that the component that fails goes back to what was before
// it, and that the steps before it stay.
func TestRollback(t *testing.T) {
	w := settled(t)
	w.Broken = []string{"hub:broken"}
	e := newEngine(w, broken)
	told := events(e)
	o, err := e.Apply(t.Context(), mustPlan(t, e))
	if err != nil {
		t.Fatal(err)
	}
	if o.Outcome != journal.WasRolledBack || !strings.HasSuffix(string(o.Failed), "hub.prod/hub") || !strings.Contains(o.Reason, "ImagePullBackOff") {
		t.Errorf("outcome = %+v, want the hub rolled back", o)
	}
	want := wanted(first())
	want[id(resource.KindNodePool, "user")] = wanted(next())[id(resource.KindNodePool, "user")]
	if diff := cmp.Diff(want, w.Objects()); diff != "" {
		t.Errorf("world (-want +got):\n%s", diff)
	}
	var marks []journal.Mark
	for _, ev := range *told {
		if m, moved := ev.(run.StepMoved); moved && m.Step.ID == o.Failed {
			marks = append(marks, m.Mark)
		}
	}
	wantMarks := []journal.Mark{journal.Applying, journal.Converging, journal.Failed, journal.RollingBack, journal.RolledBack}
	if diff := cmp.Diff(wantMarks, marks); diff != "" {
		t.Errorf("marks of the failed step (-want +got):\n%s", diff)
	}
	if _, err := e.Resume(t.Context(), ""); !errors.Is(err, engine.ErrNothing) {
		t.Errorf("resume of a run that was rolled back = %v, want ErrNothing", err)
	}
}

// TestCrashInRollback lets a run that fails die at every call: resuming ends with
// the component rolled back, undoing with all as before.
func TestCrashInRollback(t *testing.T) {
	t.Parallel()
	matrix(t, 70, resumes(), crashInRollback)
}

func crashInRollback(t *testing.T, r crash, n int) bool {
	w := settled(t)
	w.Broken = []string{"hub:broken"}
	e := newEngine(w, broken)
	d := r.death(n)
	last, died := d.dies(t, w, e, mustPlan(t, e))
	if last == nil {
		return died
	}
	if _, ended := journal.Ended(last.Entries); !ended {
		o, err := e.Resume(t.Context(), "")
		if err != nil || o.Outcome != journal.WasRolledBack {
			t.Fatalf("%s: resume = %+v, %v", d, o, err)
		}
	}
	want := wanted(first())
	want[id(resource.KindNodePool, "user")] = wanted(next())[id(resource.KindNodePool, "user")]
	if diff := cmp.Diff(want, w.Objects()); diff != "" {
		t.Fatalf("%s, resumed (-want +got):\n%s", d, diff)
	}
	undo(t, e)
	if diff := cmp.Diff(wanted(first()), w.Objects()); diff != "" {
		t.Fatalf("%s, undone (-want +got):\n%s", d, diff)
	}
	return true
}

// TestStuck checks that a rollback that fails says so, and that what someone else
// wrote meanwhile is not overwritten.
func TestStuck(t *testing.T) {
	w := settled(t)
	w.Broken = []string{"hub:broken", "hub:1"}
	e := newEngine(w, broken)
	o, err := e.Apply(t.Context(), mustPlan(t, e))
	if err != nil || o.Outcome != journal.Incomplete {
		t.Fatalf("apply = %+v, %v; want an incomplete rollback", o, err)
	}

	w = settled(t)
	w.Broken = []string{"hub:broken"}
	hub := id("Deployment", "hub")
	e = newEngine(w, broken)
	e.Notify = func(ev run.Event) {
		if m, moved := ev.(run.StepMoved); moved && m.Mark == journal.Failed {
			w.Edit(hub, "kubectl-edit", int64(7), "spec", "replicas")
		}
	}
	o, err = e.Apply(t.Context(), mustPlan(t, e))
	if err != nil || o.Outcome != journal.Incomplete || !strings.Contains(o.Reason, "kubectl-edit") {
		t.Fatalf("apply = %+v, %v; want it stuck on what kubectl-edit wrote", o, err)
	}
	if v, _ := w.Objects()[hub].Value("spec", "replicas"); v != int64(7) {
		t.Errorf("replicas = %v, want 7: what someone else wrote was overwritten", v)
	}
}

// TestRefusals checks what stops an apply before it changes anything.
func TestRefusals(t *testing.T) {
	for _, test := range []struct {
		reason string
		spoil  func(t *testing.T, w *memory.World, e *engine.Engine, p *plan.Plan)
		want   error
	}{
		{"an object that moved since the plan", func(_ *testing.T, w *memory.World, _ *engine.Engine, _ *plan.Plan) {
			w.Edit(id("Deployment", "hub"), "kubectl-edit", int64(3), "spec", "replicas")
		}, engine.ErrStale},
		{"an object that exists by now", func(_ *testing.T, w *memory.World, _ *engine.Engine, _ *plan.Plan) {
			w.Put(id("ConfigMap", "new"), resource.Object{"data": map[string]any{"x": "other"}}, "")
		}, engine.ErrStale},
		{"an object that is gone", func(_ *testing.T, w *memory.World, _ *engine.Engine, _ *plan.Plan) {
			w.Remove(id("Deployment", "binder"))
		}, engine.ErrStale},
		{"a missing permission", func(_ *testing.T, w *memory.World, _ *engine.Engine, _ *plan.Plan) {
			w.Forbid("Deployment")
		}, engine.ErrDenied},
		{"a cluster of another identity", func(_ *testing.T, _ *memory.World, e *engine.Engine, _ *plan.Plan) {
			e.Clusters["prod"].Identity = "another"
		}, engine.ErrStale},
		{"a plan with holes", func(_ *testing.T, _ *memory.World, _ *engine.Engine, p *plan.Plan) {
			p.Unreadable = []resource.Unreadable{{What: "secrets", Reason: "forbidden"}}
		}, engine.ErrIncomplete},
		{"an object that may not be written", func(_ *testing.T, _ *memory.World, _ *engine.Engine, p *plan.Plan) {
			p.Refused = []plan.Refused{{Reason: "it is somebody else's"}}
		}, engine.ErrRefused},
	} {
		w := settled(t)
		e := newEngine(w, next)
		p := mustPlan(t, e)
		test.spoil(t, w, e, p)
		before := w.Objects()
		o, err := e.Apply(t.Context(), p)
		if !errors.Is(err, test.want) || o.Run != "" {
			t.Errorf("%s: apply = %+v, %v; want %v", test.reason, o, err, test.want)
		}
		if diff := cmp.Diff(before, w.Objects()); diff != "" {
			t.Errorf("%s: the world was changed (-before +after):\n%s", test.reason, diff)
		}
		if _, err := w.Lock(t.Context(), engine.Holder{Who: "bob"}); err != nil {
			t.Errorf("%s: the lock was kept: %v", test.reason, err)
		}
	}
}

// TestLocked checks that the second of two applies is told who runs the first.
func TestLocked(t *testing.T) {
	w := settled(t)
	e := newEngine(w, next)
	p := mustPlan(t, e)
	if _, err := w.Lock(t.Context(), engine.Holder{Who: "bob@laptop", Run: "x"}); err != nil {
		t.Fatal(err)
	}
	var locked *engine.LockedError
	if _, err := e.Apply(t.Context(), p); !errors.As(err, &locked) || locked.Holder.Who != "bob@laptop" {
		t.Errorf("apply = %v, want it locked by bob@laptop", err)
	}
}

// TestPlanFile carries a plan through its file: no secret is in it, it is applied
// with the secrets of the config and the cluster, and only once.
func TestPlanFile(t *testing.T) {
	w := settled(t)
	e := newEngine(w, next)
	document, err := e.Document(t.Context(), mustPlan(t, e))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(document), password) {
		t.Fatal("the document holds a secret")
	}
	again, err := e.Open(t.Context(), document)
	if err != nil {
		t.Fatal(err)
	}
	if o, err := e.Apply(t.Context(), again); err != nil || o.Outcome != journal.Succeeded {
		t.Fatalf("apply = %+v, %v", o, err)
	}
	if diff := cmp.Diff(wanted(next()), w.Objects()); diff != "" {
		t.Errorf("world (-want +got):\n%s", diff)
	}
	undo(t, e) // the world is as the plan found it, and yet it was used
	if _, err := e.Apply(t.Context(), again); !errors.Is(err, engine.ErrUsed) {
		t.Errorf("second apply = %v, want ErrUsed", err)
	}
	if _, err := e.Open(t.Context(), document); !errors.Is(err, engine.ErrUsed) {
		t.Errorf("open after use = %v, want ErrUsed", err)
	}
	p := mustPlan(t, e) // a new plan of the same content is another plan, which tries again
	p.Retry()
	if o, err := e.Apply(t.Context(), p); err != nil || o.Outcome != journal.Succeeded {
		t.Errorf("apply of a new plan = %+v, %v", o, err)
	}
}

// TestPlanFileOfAnotherSecret checks that a secret that changed since makes a
// plan file stale, on either side.
func TestPlanFileOfAnotherSecret(t *testing.T) {
	w := settled(t)
	e := newEngine(w, next)
	document, err := e.Document(t.Context(), mustPlan(t, e))
	if err != nil {
		t.Fatal(err)
	}
	other := newEngine(w, func() []resource.Desired {
		d := next()
		d[2] = secret("hub", "hub", "quite another one")
		return d
	})
	if _, err := other.Open(t.Context(), document); !errors.Is(err, engine.ErrStale) {
		t.Errorf("open with another secret in the config = %v, want ErrStale", err)
	} else if strings.Contains(err.Error(), "quite") || strings.Contains(err.Error(), password) {
		t.Error("the error holds a secret")
	}
	w.Edit(id("Secret", "hub"), "kubectl-edit", "moved", "data", "token")
	if _, err := e.Open(t.Context(), document); !errors.Is(err, engine.ErrStale) {
		t.Errorf("open with another secret in the cluster = %v, want ErrStale", err)
	}
}

// TestInterrupt checks that a run that is told to stop stops at a step's edge,
// and that what is left can be resumed.
func TestInterrupt(t *testing.T) {
	for name, act := range map[string]func(*memory.World, context.CancelFunc){
		"interrupt": func(_ *memory.World, cancel context.CancelFunc) { cancel() },
		"lost lock": func(w *memory.World, _ context.CancelFunc) { w.LoseLock() },
	} {
		synctest.Test(t, func(t *testing.T) {
			w := settled(t)
			e := newEngine(w, next)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			e.Notify = func(ev run.Event) {
				if m, moved := ev.(run.StepMoved); moved && m.Mark == journal.Done && m.Index == 1 {
					act(w, cancel)
					synctest.Wait() // until the loss of the lock was noticed
				}
			}
			o, err := e.Apply(ctx, mustPlan(t, e))
			if o.Outcome != journal.WasInterrupted || !errors.Is(err, engine.ErrInterrupted) || o.Steps != 1 {
				t.Fatalf("%s: apply = %+v, %v; want it interrupted after one step", name, o, err)
			}
			e.Notify = nil
			resume(t, e)
			if diff := cmp.Diff(wanted(next()), w.Objects()); diff != "" {
				t.Errorf("%s: world after resume (-want +got):\n%s", name, diff)
			}
		})
	}
}

// TestJournalFails checks that nothing is done that could not be announced.
func TestJournalFails(t *testing.T) {
	w := settled(t)
	e := newEngine(w, next)
	p := mustPlan(t, e)
	full := false
	w.Fault = func(c memory.Call) error {
		if c.Name == "append" && full {
			return errors.New("disk full")
		}
		if c.Name == "write" && full {
			return fmt.Errorf("unannounced write of %s", c.ID)
		}
		full = full || c.Name == "probe"
		return nil
	}
	o, err := e.Apply(t.Context(), p)
	if err == nil || !strings.Contains(err.Error(), "disk full") || o.Outcome != journal.WasHeld || o.Run == "" {
		t.Errorf("apply = %+v, %v; want it open for want of a journal", o, err)
	}
	w.Fault = nil
	w.Revive()
	resume(t, e)
}

// TestGates checks what gates make of a run, and of the way back.
func TestGates(t *testing.T) {
	for _, test := range []struct {
		reason   string
		verdicts [3]run.Verdict // before the step, of what is new, of what is as before again
		want     journal.Outcome
	}{
		{"all is well", [3]run.Verdict{run.Pass, run.Pass, run.Pass}, journal.Succeeded},
		{"what is new mends it", [3]run.Verdict{run.Fail, run.Pass, run.Pass}, journal.Succeeded},
		{"what was before is well again", [3]run.Verdict{run.Pass, run.Fail, run.Pass}, journal.WasRolledBack},
		{"what was before is not well any more", [3]run.Verdict{run.Pass, run.Fail, run.Fail}, journal.Incomplete},
		{"what was before was not well before, and is not now", [3]run.Verdict{run.Fail, run.Fail, run.Fail}, journal.Incomplete},
		{"what was before was not well before, and is now", [3]run.Verdict{run.Fail, run.Fail, run.Pass}, journal.WasRolledBack},
		{"nobody can tell what was before", [3]run.Verdict{run.Inconclusive, run.Fail, run.Fail}, journal.Incomplete},
		{"what was before cannot be told", [3]run.Verdict{run.Pass, run.Fail, run.Inconclusive}, journal.WasRolledBack},
		{"nothing can be told", [3]run.Verdict{run.Inconclusive, run.Inconclusive, run.Inconclusive}, journal.WasHeld},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := settled(t)
			writes := 0
			w.Fault = func(c memory.Call) error {
				if c.Name == "write" {
					writes++
				}
				return nil
			}
			w.Gate = func(plan.Gate, resource.Component) run.Sample {
				return run.Sample{Verdict: test.verdicts[min(writes, 2)], Reason: "says the test"}
			}
			e := checked(newEngine(w, onlyHub), schema.Gate{HTTP: &schema.HTTPCheck{URL: "http://127.0.0.1/"}, Failures: 2})
			told := events(e)
			o, err := e.Apply(t.Context(), mustPlan(t, e))
			if err != nil || o.Outcome != test.want {
				t.Errorf("%s: apply = %+v, %v; want %s", test.reason, o, err, test.want)
			}
			if test.want == journal.Incomplete && !strings.Contains(o.Reason, "what was before is live again, and does not pass either") {
				t.Errorf("%s: the reason does not say what is live: %s", test.reason, o.Reason)
			}
			warned := func(text string) bool {
				return slices.ContainsFunc(*told, func(e run.Event) bool {
					warning, is := e.(run.Warned)
					return is && strings.Contains(warning.Text, text)
				})
			}
			if want := test.verdicts[1] == run.Fail && test.verdicts[2] == run.Inconclusive; warned("could not be told") != want {
				t.Errorf("%s: warned %t that it could not be told", test.reason, !want)
			}
			if want := test.verdicts[0] == run.Fail; warned("gate alive fails before anything is changed: says the test") != want {
				t.Errorf("%s: warned %t that it was not well before", test.reason, !want)
			}
			if test.want == journal.WasHeld {
				w.Gate = nil
				resume(t, e)
			}
		})
	}
}

// TestUnwellBefore checks what is said, and remembered, of a step that was taken back
// for a gate that was failing before it, and is still: a person is needed.
func TestUnwellBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := settled(t)
		before := w.Objects()
		w.Gate = func(plan.Gate, resource.Component) run.Sample {
			return run.Sample{Verdict: run.Fail, Reason: "status 503"}
		}
		e := checked(newEngine(w, onlyHub), schema.Gate{HTTP: &schema.HTTPCheck{URL: "http://127.0.0.1/"}, Failures: 2})
		o, err := e.Apply(t.Context(), mustPlan(t, e))
		const want = "what was before is live again, and does not pass either (it was ill before this step, too)"
		if err != nil || o.Outcome != journal.Incomplete || !strings.Contains(o.Reason, want) {
			t.Errorf("apply = %+v, %v; want it incomplete, and: %s", o, err, want)
		}
		if diff := cmp.Diff(before, w.Objects()); diff != "" {
			t.Errorf("world (-before +got):\n%s", diff)
		}
		runs, err := e.History(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		last := journal.States(runs[len(runs)-1].Entries)[o.Failed]
		if last.Mark != journal.Stuck || !strings.Contains(last.Reason, "it was ill before this step, too") {
			t.Errorf("the journal ends with %+v", last)
		}
		if p := mustPlan(t, e); len(p.Verdicts) != 0 || p.Empty() {
			t.Errorf("a step that nobody can blame is denied: %+v", p.Verdicts)
		}
	})
}

// TestUnwellBeforeElsewhere lets a run die once its step has written, and another
// process take it back: it knows what was bad before.
func TestUnwellBeforeElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := settled(t)
		writes, dead := 0, false
		w.Fault = func(c memory.Call) error {
			if c.Name == "write" {
				writes++
			}
			if dead = dead || c.Name == "probe" && writes == 1; dead {
				return memory.ErrDead
			}
			return nil
		}
		w.Gate = func(plan.Gate, resource.Component) run.Sample {
			return run.Sample{Verdict: run.Fail, Reason: "status 503"}
		}
		gate := schema.Gate{HTTP: &schema.HTTPCheck{URL: "http://127.0.0.1/"}, Failures: 2}
		e := checked(newEngine(w, onlyHub), gate)
		died, err := e.Apply(t.Context(), mustPlan(t, e))
		if !errors.Is(err, memory.ErrDead) {
			t.Fatalf("apply = %+v, %v; want it dead", died, err)
		}
		w.Fault = nil
		w.Revive()
		o, err := checked(newEngine(w, onlyHub), gate).Resume(t.Context(), died.Run)
		if err != nil || o.Outcome != journal.Incomplete || !strings.Contains(o.Reason, "it was ill before this step, too") {
			t.Errorf("resume = %+v, %v; want it incomplete", o, err)
		}
	})
}

// TestMeasured checks that what a run took is what the next plan expects.
func TestMeasured(t *testing.T) {
	w := settled(t)
	e := newEngine(w, next)
	apply(t, e)
	e = newEngine(w, first)
	p := mustPlan(t, e)
	for _, s := range p.Steps() {
		if s.Class == resource.ClassHub && !strings.Contains(s.Impact.Basis, "measured") {
			t.Errorf("basis of %s = %q, want it measured", s.ID, s.Impact.Basis)
		}
	}
}

// TestNoSecretLeaves greps everything a run wrote or told for the secret.
func TestNoSecretLeaves(t *testing.T) {
	w := settled(t)
	w.Broken = []string{"hub:broken"}
	e := newEngine(w, broken)
	told := events(e)
	o, err := e.Apply(t.Context(), mustPlan(t, e))
	text := fmt.Sprintf("%+v %v %+v", o, err, *told)
	runs, err := e.History(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range runs {
		record, err := w.Load(t.Context(), r.ID)
		if err != nil {
			t.Fatal(err)
		}
		text += string(record.Document) + fmt.Sprintf("%+v", record.Run)
	}
	if strings.Contains(text, password) {
		t.Error("a secret is in what the run wrote or told")
	}
	if len(text) < 1000 {
		t.Errorf("only %d bytes were searched", len(text))
	}
}
