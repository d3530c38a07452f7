package engine_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hubcap/engine"
	"hubcap/engine/journal"
	"hubcap/engine/plan"
	"hubcap/engine/resource"
	"hubcap/providers/memory"
)

// TestApplyConverges holds promise P1: after an apply the next plan is empty.
func TestApplyConverges(t *testing.T) {
	w := settled(t)
	for _, desired := range []func() []resource.Desired{first, next, first} {
		e := newEngine(w, desired)
		if p := mustPlan(t, e); !p.Empty() {
			apply(t, e)
		}
		if p := mustPlan(t, e); !p.Empty() {
			t.Errorf("plan after apply has steps %v", stepIDs(p))
		}
		if diff := cmp.Diff(wanted(desired()), w.Objects()); diff != "" {
			t.Errorf("world after apply (-want +got):\n%s", diff)
		}
	}
}

// TestUndoIsIdentity holds that undoing an apply restores the world.
func TestUndoIsIdentity(t *testing.T) {
	w := settled(t)
	before := w.Objects()
	e := newEngine(w, next)
	apply(t, e)
	undo(t, e)
	if diff := cmp.Diff(before, w.Objects()); diff != "" {
		t.Errorf("world after undo (-want +got):\n%s", diff)
	}
	if _, err := e.Undo(t.Context(), "", engine.Options{}); !errors.Is(err, engine.ErrNothing) {
		t.Errorf("second undo = %v, want ErrNothing", err)
	}
}

// TestUndoTakesBackNoEarlierRun holds that undoing without a name is about the last
// apply alone: one that took everything back itself does not stand for the one before.
func TestUndoTakesBackNoEarlierRun(t *testing.T) {
	w := settled(t)
	apply(t, newEngine(w, next))
	runs, err := newEngine(w, next).History(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.Broken = []string{"hub:broken"}
	e := newEngine(w, broken)
	if o, err := e.Apply(t.Context(), mustPlan(t, e)); err != nil || o.Outcome != journal.WasRolledBack {
		t.Fatalf("apply = %+v, %v; want it to be rolled back", o, err)
	}
	if _, err := e.Undo(t.Context(), "", engine.Options{}); !errors.Is(err, engine.ErrNothing) || !strings.Contains(err.Error(), "has left nothing") {
		t.Errorf("undo of a run that was rolled back = %v, want ErrNothing", err)
	}
	if p, err := e.Undo(t.Context(), runs[len(runs)-1].ID, engine.Options{}); err != nil || p.Empty() {
		t.Errorf("undo of the run before, by name = %v, want a way back", err)
	}
}

// TestUndoOfInstallation holds that undoing the first apply leaves nothing.
func TestUndoOfInstallation(t *testing.T) {
	w := settled(t)
	undo(t, newEngine(w, first))
	if got := w.IDs(); len(got) != 0 {
		t.Errorf("left after undo: %v", got)
	}
}

func undo(t *testing.T, e *engine.Engine) {
	t.Helper()
	p, err := e.Undo(t.Context(), "", engine.Options{})
	if errors.Is(err, engine.ErrNothing) {
		return
	}
	if err != nil {
		t.Fatalf("undo: %v", err)
	}
	want := journal.Succeeded
	if slices.ContainsFunc(p.Refused, func(r plan.Refused) bool { return strings.HasPrefix(r.Reason, "protected") }) {
		want = journal.Incomplete
	}
	o, err := e.ApplyUndo(t.Context(), p, "")
	if err != nil || o.Outcome != want {
		t.Fatalf("apply undo = %+v, %v, want it %s", o, err, want)
	}
}

// A remedy is one way out after a crash, and where it must lead.
type remedy struct {
	name string
	do   func(*testing.T, *engine.Engine)
	ends func() []resource.Desired
}

var remedies = []remedy{
	{"resume", resume, next},
	{"rollback", undo, first},
	{"plan and apply", func(t *testing.T, e *engine.Engine) { apply(t, e) }, next},
}

func resume(t *testing.T, e *engine.Engine) {
	t.Helper()
	o, err := e.Resume(t.Context(), "")
	if err != nil || o.Outcome != journal.Succeeded {
		t.Fatalf("resume = %+v, %v", o, err)
	}
}

// TestCrash holds promise P2. The process dies at every call that it makes of the
// world while applying, journal records among them, right before the effect and
// right after it; then each remedy leads where it must.
func TestCrash(t *testing.T) {
	t.Parallel()
	matrix(t, 250, crashes(remedies...), survives)
}

// survives lets an apply die at its n-th call and tries one remedy. It reports
// whether the apply lived so long as to die there.
func survives(t *testing.T, r crash, n int) bool {
	t.Helper()
	w := settled(t)
	e := newEngine(w, next)
	d := r.death(n)
	last, died := d.dies(t, w, e, mustPlan(t, e))
	if !died {
		return false
	}
	where := r.name + " after " + d.String()
	if last == nil { // it died before there was a run
		if diff := cmp.Diff(wanted(first()), w.Objects()); diff != "" {
			t.Errorf("%s: changed without a journal (-want +got):\n%s", where, diff)
		}
		return true
	}
	if _, ended := journal.Ended(last.Entries); ended && r.name == "resume" {
		return true // it died on its way out, after all was done
	}
	nothingLeft := mustPlan(t, newEngine(w, next)).Empty()
	left := unverified(t, w)
	if isOpen := len(journal.Unverified(last.Entries)) > 0; nothingLeft && isOpen != (len(left) == 1) {
		t.Fatalf("%s: there is nothing to plan, and what is said not to be verified is %v", where, left)
	}
	if r.name != "plan and apply" || !nothingLeft {
		r.do(t, e)
		if left = unverified(t, w); len(left) != 0 {
			t.Fatalf("%s: still not verified: %v", where, left)
		}
	}
	if r.name == "rollback" && !journal.Touched(last.Entries) {
		return true // the last run had not begun to change anything: nothing of it to undo
	}
	if diff := cmp.Diff(wanted(r.ends()), w.Objects()); diff != "" {
		t.Fatalf("%s (-want +got):\n%s", where, diff)
	}
	return true
}

// TestCrashInUndo lets an undo die at every call: resuming it, or undoing anew,
// ends in before.
func TestCrashInUndo(t *testing.T) {
	t.Parallel()
	matrix(t, 100, crashes(remedies[:2]...), crashInUndo)
}

func crashInUndo(t *testing.T, r crash, n int) bool {
	t.Helper()
	w := made(t, "applied", func() *memory.World {
		w := settled(t)
		apply(t, newEngine(w, next))
		return w
	})
	e := newEngine(w, next)
	back, err := e.Undo(t.Context(), "", engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w.DieAt(n, r.at)
	if _, err := e.ApplyUndo(t.Context(), back, ""); !w.Revive() {
		if err != nil {
			t.Fatal(err)
		}
		return false
	}
	runs, err := e.History(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	last := runs[len(runs)-1]
	again := r.do
	if _, ended := journal.Ended(last.Entries); last.Kind != journal.RollbackRun || ended {
		again = undo // there is nothing to resume
	}
	again(t, e)
	if diff := cmp.Diff(wanted(first()), w.Objects()); diff != "" {
		t.Fatalf("%s after %s of an undo (-want +got):\n%s", r.name, r.death(n), diff)
	}
	return true
}

// TestPlanOnlyReads holds promises P3 and P9: a plan writes nothing, takes no
// lock, and asks as much of the cluster for many objects as for few. Whose the name of
// the config is it asks once.
func TestPlanOnlyReads(t *testing.T) {
	calls := func(n int) map[string]int {
		w := memory.New("prod", "default")
		e := newEngine(w, func() []resource.Desired {
			var many []resource.Desired
			for i := range n {
				many = append(many, object("ConfigMap", fmt.Sprint("x", i), "hub", map[string]any{"data": map[string]any{"x": "1"}}))
			}
			return many
		})
		apply(t, e)
		w.Revive() // counts anew
		if p := mustPlan(t, e); !p.Empty() || p.Unchanged != n {
			t.Fatalf("steps %v, %d unchanged; want none and %d", stepIDs(p), p.Unchanged, n)
		}
		count := map[string]int{}
		for _, c := range w.Calls() {
			count[c.Name]++
		}
		return count
	}
	few := calls(1)
	want := map[string]int{"read": 1, "count": 1, "key": 1, "runs": 1, "origin": 1}
	if diff := cmp.Diff(want, few); diff != "" {
		t.Errorf("calls of a plan (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(few, calls(300)); diff != "" {
		t.Errorf("calls for 1 and for 300 objects differ:\n%s", diff)
	}
}

// TestRunsOfOthers checks that a config neither undoes nor goes on with what is
// another's, though they share a cluster and its journal.
func TestRunsOfOthers(t *testing.T) {
	w := settled(t)
	theirs := newEngine(w, broken)
	theirs.Config.Settings.Name = "theirs"
	runs, err := theirs.History(t.Context())
	if err != nil || len(runs) == 0 {
		t.Fatalf("history = %v, %v, want the run of the other config", runs, err)
	}
	if p, err := theirs.Undo(t.Context(), "", engine.Options{}); !errors.Is(err, engine.ErrNothing) {
		t.Errorf("undo of the last run = %v, %v, want ErrNothing", p, err)
	}
	if o, err := theirs.Resume(t.Context(), ""); !errors.Is(err, engine.ErrNothing) {
		t.Errorf("resume of the last run = %v, %v, want ErrNothing", o, err)
	}
	id := runs[len(runs)-1].ID
	if _, err := theirs.Undo(t.Context(), id, engine.Options{}); err == nil || !strings.Contains(err.Error(), `is of config "default"`) {
		t.Errorf("undo of run %s = %v, want to be told whose it is", id, err)
	}
	if _, err := theirs.Resume(t.Context(), id); err == nil || !strings.Contains(err.Error(), `is of config "default"`) {
		t.Errorf("resume of run %s = %v, want to be told whose it is", id, err)
	}
}
