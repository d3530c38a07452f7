package engine_test

import (
	"strings"
	"testing"
	"testing/synctest"
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

// six is six hubs of one version of the image; version tells it by hub.
func six(version func(hub string) string) func() []resource.Desired {
	return func() []resource.Desired {
		var all []resource.Desired
		for i, hub := range strings.Fields("a b c d e f") {
			block := resource.Address{Kind: "hub", Name: hub}
			for _, component := range []string{"hub", "binder"} {
				d := deployment(component+"-"+hub, component+":"+version(hub), "token-"+hub, version(hub))
				d.Address.Name, d.Component, d.Origin.Line = hub, resource.Component{Block: block, Name: component}, 10+i
				all = append(all, d)
			}
			s := secret("token-"+hub, "hub", password+version(hub))
			s.Address.Name, s.Component, s.Origin.Line = hub, resource.Component{Block: block, Name: "hub"}, 10+i
			all = append(all, s)
		}
		return all
	}
}

func all(version string) func(string) string { return func(string) string { return version } }

// staged returns an engine that rolls six hubs out: one, then the others three at
// a time.
func staged(w *memory.World, desired func() []resource.Desired, rollback string) *engine.Engine {
	e := newEngine(w, desired)
	var order [][]resource.Address
	for i, hub := range strings.Fields("a b c d e f") {
		if i < 2 {
			order = append(order, nil)
		}
		order[len(order)-1] = append(order[len(order)-1], resource.Address{Kind: "hub", Name: hub})
	}
	e.Config.Rollouts = []schema.Rollout{{
		Block: schema.Block{Address: resource.Address{Kind: "rollout", Name: "all"}},
		Order: order, Names: []string{"1", "rest"}, MaxParallel: 3, OnFailure: "rollback", Rollback: rollback,
	}}
	return e
}

func settledSix(t *testing.T) *memory.World {
	t.Helper()
	return made(t, "six", func() *memory.World {
		w := memory.New("prod", "default")
		apply(t, newEngine(w, six(all("1"))))
		return w
	})
}

// TestCrashInLanes holds promise P2 while three hubs are changed at once: the
// process dies at every call, right before and right after its effect, and each
// remedy leads where it must. In which order lanes call is not fixed: a call may be
// another's each time.
func TestCrashInLanes(t *testing.T) {
	t.Parallel()
	matrix(t, 300, crashes(
		remedy{"resume", resume, six(all("2"))}, remedy{"rollback", undo, six(all("1"))},
		remedy{"plan and apply", func(t *testing.T, e *engine.Engine) { apply(t, e) }, six(all("2"))},
	), crashInLanes)
}

func crashInLanes(t *testing.T, r crash, n int) bool {
	t.Helper()
	w := settledSix(t)
	e := staged(w, six(all("2")), "component")
	p := mustPlan(t, e)
	d := r.death(n)
	last, died := d.dies(t, w, e, p)
	if last == nil {
		return died
	}
	where := r.name + " after " + d.String()
	checkJournal(t, where, p, last.Entries)
	if _, ended := journal.Ended(last.Entries); ended && r.name == "resume" {
		return true
	}
	if r.name != "plan and apply" || !mustPlan(t, e).Empty() {
		r.do(t, e)
	}
	if r.name == "rollback" && !journal.Touched(last.Entries) {
		return true
	}
	if diff := cmp.Diff(wanted(r.ends()), w.Objects()); diff != "" {
		t.Fatalf("%s (-want +got):\n%s", where, diff)
	}
	return true
}

// checkJournal holds the entries of a run to their law: a step's come in their
// order, and no wave begins before all steps of the one before are done.
func checkJournal(t *testing.T, where string, p *plan.Plan, entries []journal.Entry) {
	t.Helper()
	rank := map[journal.Mark]int{journal.Applying: 1, journal.Intended: 2, journal.Written: 2, journal.Converging: 3, journal.Baking: 4, journal.Done: 5}
	wave := map[plan.StepID]int{}
	for i, w := range p.Waves {
		for _, s := range w.Steps {
			wave[s.ID] = i
		}
	}
	reached, done := map[plan.StepID]int{}, map[int]int{}
	seq := 0
	for _, e := range entries {
		if e.Seq <= seq {
			t.Errorf("%s: entry %d comes after %d", where, e.Seq, seq)
		}
		seq = e.Seq
		if e.Step == "" {
			continue
		}
		if rank[e.Mark] < reached[e.Step] {
			t.Errorf("%s: step %s is %s after it was further", where, e.Step, e.Mark)
		}
		reached[e.Step] = rank[e.Mark]
		if before := wave[e.Step] - 1; before >= 0 && done[before] < len(p.Waves[before].Steps) {
			t.Errorf("%s: %s of %s before wave %s had passed", where, e.Mark, e.Step, p.Waves[before].Name)
		}
		if e.Mark == journal.Done {
			done[wave[e.Step]]++
		}
	}
}

// TestFailureInLanes checks what is left when one of several hubs fails: by default
// only what failed is undone, else its wave or the whole run.
func TestFailureInLanes(t *testing.T) {
	bad := func(hub string) func(string) string {
		return func(h string) string {
			if h == hub {
				return "broken"
			}
			return "2"
		}
	}
	for _, test := range []struct {
		rollback, fails string
		want            string // the version of each hub, in order; x: it was under way
	}{
		{"component", "a", "111111"},
		{"component", "c", "2x1x11"},
		{"wave", "c", "211111"},
		{"run", "c", "111111"},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := settledSix(t)
			w.Broken, w.Polls = []string{"hub:broken"}, 2
			e := staged(w, six(bad(test.fails)), test.rollback)
			e.Config.Rollouts[0].Components = []string{"hub", "binder"}
			o, err := e.Apply(t.Context(), mustPlan(t, e))
			if err != nil || o.Outcome != journal.WasRolledBack || !strings.Contains(string(o.Failed), "hub."+test.fails+"/hub") {
				t.Fatalf("%s, %s fails: %+v, %v", test.rollback, test.fails, o, err)
			}
			if stand, fixed := map[string]int{"wave": 2, "run": 0}[test.rollback]; fixed && o.Steps != stand {
				t.Errorf("%s: %d steps are told as done, %d were not taken back", test.rollback, o.Steps, stand)
			}
			objects := w.Objects()
			for i, hub := range strings.Fields("a b c d e f") {
				for _, component := range []string{"hub", "binder"} {
					pods, _ := objects[id("Deployment", component+"-"+hub)].Value("spec", "template", "spec", "containers")
					image, _ := pods.([]any)[0].(map[string]any)["image"].(string)
					if _, version, _ := strings.Cut(image, ":"); test.want[i] != 'x' && version != test.want[i:i+1] {
						t.Errorf("%s, %s fails: %s of %s is of version %s, want %c", test.rollback, test.fails, component, hub, version, test.want[i])
					}
				}
			}
			if _, err := e.Resume(t.Context(), ""); err == nil {
				t.Errorf("%s: a run that was rolled back can be resumed", test.rollback)
			}
		})
	}
}

// TestCrashInWideRollback lets a run that undoes its whole wave, or all it did, die
// at every call: resuming ends where it would have ended.
func TestCrashInWideRollback(t *testing.T) {
	t.Parallel()
	for _, rollback := range []string{"wave", "run"} {
		t.Run(rollback, func(t *testing.T) {
			t.Parallel()
			matrix(t, 70, resumes(), func(t *testing.T, r crash, n int) bool { return crashInWideRollback(t, rollback, r, n) })
		})
	}
}

func crashInWideRollback(t *testing.T, rollback string, r crash, n int) bool {
	w := settledSix(t)
	w.Broken = []string{"binder:broken"}
	version := func(h string) string {
		if h == "d" {
			return "broken"
		}
		return "2"
	}
	e := staged(w, six(version), rollback)
	d := r.death(n)
	last, died := d.dies(t, w, e, mustPlan(t, e))
	if last == nil {
		return died
	}
	if _, ended := journal.Ended(last.Entries); !ended {
		o, err := e.Resume(t.Context(), "")
		if err != nil || o.Outcome != journal.WasRolledBack {
			t.Fatalf("%s, %s: resume = %+v, %v", rollback, d, o, err)
		}
	}
	want := wanted(six(func(h string) string {
		if h == "a" && rollback == "wave" {
			return "2"
		}
		return "1"
	})())
	if diff := cmp.Diff(want, w.Objects()); diff != "" {
		t.Fatalf("%s, %s, resumed (-want +got):\n%s", rollback, d, diff)
	}
	return true
}

// TestHeldAndResumed checks that a guard holds a run, that what was given leave for
// is in the journal and counts when somebody else resumes.
func TestHeldAndResumed(t *testing.T) {
	w := settledSix(t)
	e := staged(w, six(all("2")), "component")
	e.Config.Guards = []schema.Guard{{
		Block: schema.Block{Address: resource.Address{Kind: "guard", Name: "exams"}}, Level: "soft", Interval: time.Second,
		Freeze: &schema.Freeze{From: time.Unix(0, 0), Until: time.Unix(4e9, 0), Reason: "exams"},
	}}
	p := mustPlan(t, e)
	o, err := e.Apply(t.Context(), p)
	if err != nil || o.Outcome != journal.WasHeld || !strings.Contains(o.Reason, "guard.exams: frozen until") {
		t.Fatalf("apply = %+v, %v", o, err)
	}
	if diff := cmp.Diff(wanted(six(all("1"))()), w.Objects()); diff != "" {
		t.Errorf("changed while frozen (-want +got):\n%s", diff)
	}
	if o, err = e.Resume(t.Context(), ""); err != nil || o.Outcome != journal.WasHeld {
		t.Fatalf("resume = %+v, %v; want it held again", o, err)
	}
	e.Leave = engine.Leave{Overrides: map[string]string{"guard.exams": "agreed with the registrar"}}
	w.DieAt(25, memory.BeforeEffect)
	if _, err := e.Resume(t.Context(), ""); !w.Revive() {
		t.Fatalf("it did not die: %v", err)
	}
	e.Leave = engine.Leave{}
	resume(t, e)
	runs, err := e.History(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	said := map[string]int{}
	for _, entry := range runs[len(runs)-1].Entries {
		if entry.Mark == journal.Overridden && strings.Contains(entry.Reason, "agreed with the registrar") {
			said[entry.Guard]++
		}
	}
	if said["guard.exams"] < 2 { // for the run, and for the steps that it let through
		t.Errorf("the journal has the override %d times", said["guard.exams"])
	}
}

// TestLeave checks what nobody can be given leave for.
func TestLeave(t *testing.T) {
	guard := func(level string) []schema.Guard {
		return []schema.Guard{{
			Block: schema.Block{Address: resource.Address{Kind: "guard", Name: "exams"}}, Level: level, Interval: time.Second,
			Freeze: &schema.Freeze{From: time.Unix(0, 0), Until: time.Unix(4e9, 0)},
		}}
	}
	override := map[string]string{"guard.exams": "agreed"}
	for _, test := range []struct {
		reason string
		level  string
		leave  engine.Leave
		denied string // nothing was changed, and this is why
		held   bool   // denied once the run had begun
	}{
		{"a soft guard is overridden", "soft", engine.Leave{Overrides: override}, "", false},
		{"a hard one is not", "hard", engine.Leave{Overrides: override}, "guard.exams is hard", false},
		{"not without a reason", "soft", engine.Leave{Overrides: map[string]string{"guard.exams": " "}}, "a reason is needed", false},
		{"a hard guard bars when nobody waits", "hard", engine.Leave{NoWait: true}, "frozen until", true},
		{"a new version is nothing for an incident", "advisory", engine.Leave{Incident: "hub down"}, "neither a revert", false},
	} {
		w := settledSix(t)
		e := staged(w, six(all("2")), "component")
		e.Config.Guards, e.Leave = guard(test.level), test.leave
		o, err := e.Apply(t.Context(), mustPlan(t, e))
		switch {
		case test.denied == "" && (err != nil || o.Outcome != journal.Succeeded):
			t.Errorf("%s: %+v, %v", test.reason, o, err)
		case test.denied != "" && (err == nil || !strings.Contains(err.Error(), test.denied) || (o.Run != "") != test.held):
			t.Errorf("%s: %+v, %v; want it denied: %s", test.reason, o, err, test.denied)
		}
	}
}

// TestIncident checks that going back to an earlier version is let through during
// an incident, although the hubs are busy.
func TestIncident(t *testing.T) {
	w := settledSix(t)
	apply(t, staged(w, six(all("2")), "component"))
	w.Seat(resource.Census{Sessions: 500, PerNamespace: map[string]int{"prod": 500}})
	e := staged(w, six(all("1")), "component")
	for i := range strings.Fields("a b c d e f") {
		e.Config.Hubs = append(e.Config.Hubs, schema.Hub{
			Block: schema.Block{Address: resource.Address{Kind: "hub", Name: string(rune('a' + i))}}, Cluster: resource.Address{Kind: "cluster", Name: "prod"}, Namespace: "prod", Type: schema.JupyterHub,
		})
	}
	most := int64(100)
	e.Config.Guards = []schema.Guard{{Block: schema.Block{Address: resource.Address{Kind: "guard", Name: "busy"}}, Level: "hard", Interval: time.Second, Sessions: &most}}
	if o, err := e.Apply(t.Context(), mustPlan(t, e)); err != nil || o.Outcome != journal.WasHeld || !strings.Contains(o.Reason, "500 sessions, at most 100") {
		t.Fatalf("busy: %+v, %v", o, err)
	}
	told := events(e)
	e.Leave = engine.Leave{Incident: "version 2 leaks"}
	if o, err := e.Apply(t.Context(), mustPlan(t, e)); err != nil || o.Outcome != journal.Succeeded {
		t.Fatalf("revert during an incident: %+v, %v", o, err)
	}
	relaxed := 0
	for _, ev := range *told {
		if g, is := ev.(run.GuardTold); is && g.Why == run.IsRelaxed {
			relaxed++
		}
	}
	if relaxed != 12 {
		t.Errorf("told %d times that load was no reason, want it for each of 12 steps", relaxed)
	}
}
