package journal

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hubcap/engine/plan"
	"hubcap/engine/resource"
)

func id(name string) resource.ID { return resource.ID{Cluster: "c", Kind: "ConfigMap", Name: name} }

func entry(m Mark, step plan.StepID, name string) Entry {
	e := Entry{Mark: m, Step: step}
	if name != "" {
		i := id(name)
		e.Change = &i
	}
	return e
}

func twoSteps() *plan.Plan {
	was := resource.Object{"a": "1"}
	return &plan.Plan{Waves: []plan.Wave{{Steps: []plan.Step{
		{ID: "1", Changes: []resource.Change{
			{ID: id("made"), Action: resource.Create, After: was},
			{ID: id("changed"), Action: resource.Update, Before: was, After: was},
		}},
		{ID: "2", Changes: []resource.Change{{ID: id("deleted"), Action: resource.Delete, Before: was}, {ID: id("never"), Action: resource.Update, Before: was}}},
	}}}}
}

func TestBefore(t *testing.T) {
	entries := []Entry{
		entry(Applying, "1", ""), entry(Intended, "1", "made"), entry(Written, "1", "made"), entry(Intended, "1", "changed"),
		entry(Intended, "2", "deleted"),
	}
	names := func(steps ...plan.StepID) (before, touched []string) {
		b, c := Before(twoSteps(), entries, steps...)
		for _, d := range b {
			before = append(before, d.ID.Name)
		}
		for _, t := range c {
			touched = append(touched, t.ID.Name)
		}
		return before, touched
	}
	before, touched := names()
	if diff := cmp.Diff([][]string{{"changed", "deleted"}, {"made", "changed", "deleted"}}, [][]string{before, touched}); diff != "" {
		t.Errorf("before and touched of the run (-want +got):\n%s", diff)
	}
	before, touched = names("1")
	if diff := cmp.Diff([][]string{{"changed"}, {"made", "changed"}}, [][]string{before, touched}); diff != "" {
		t.Errorf("before and touched of step 1 (-want +got):\n%s", diff)
	}
}

func TestStates(t *testing.T) {
	states := States([]Entry{
		{Mark: RunStarted}, entry(Applying, "1", ""), entry(Intended, "1", "made"), entry(Converging, "1", ""),
		{Mark: Baking, Step: "1", Gate: "alive", Verdict: "fail"},
		{Mark: Failed, Step: "1", Reason: "gate alive failed"}, entry(RollingBack, "1", ""), entry(Intended, "1", "made"),
	})
	s := states["1"]
	if s.Mark != RollingBack || !s.Intended[id("made")] || s.Written[id("made")] {
		t.Errorf("state = %+v, want it rolling back with one change in doubt", s)
	}
	if states["2"].Mark != "" {
		t.Error("a step without entries has a state")
	}
}

func TestLasting(t *testing.T) {
	for _, test := range []struct {
		reason  string
		entries []Entry
		want    bool
	}{
		{"nothing was begun", []Entry{{Mark: RunStarted}}, false},
		{"a change in doubt", []Entry{entry(Applying, "1", ""), entry(Intended, "1", "made")}, true},
		{"a step that was rolled back", []Entry{entry(Intended, "1", "made"), entry(Failed, "1", ""), entry(RolledBack, "1", "")}, false},
		{"one step done, one rolled back", []Entry{entry(Intended, "1", "made"), entry(Done, "1", ""), entry(Intended, "2", "deleted"), entry(RolledBack, "2", "")}, true},
		{"a write that met somebody else's", []Entry{entry(Intended, "1", "made"), {Mark: RunFinished, Outcome: Refused}}, false},
	} {
		if got := Lasting(test.entries); got != test.want {
			t.Errorf("%s: lasting %v, want %v", test.reason, got, test.want)
		}
	}
}

func TestEnded(t *testing.T) {
	finished := func(o Outcome) Entry { return Entry{Mark: RunFinished, Outcome: o} }
	for _, test := range []struct {
		reason  string
		entries []Entry
		resume  bool
	}{
		{"one that died", []Entry{{Mark: RunStarted}, {Mark: Applying, Step: "1"}}, true},
		{"one that succeeded", []Entry{{Mark: RunStarted}, finished(Succeeded)}, false},
		{"one that was held", []Entry{{Mark: RunStarted}, finished(WasHeld)}, true},
		{"one that was interrupted", []Entry{{Mark: RunStarted}, finished(WasInterrupted)}, true},
		{"one that was resumed and died", []Entry{{Mark: RunStarted}, finished(WasHeld), {Mark: RunStarted}}, true},
		{"one that was resumed and succeeded", []Entry{{Mark: RunStarted}, finished(WasHeld), {Mark: RunStarted}, finished(Succeeded)}, false},
		{"one that is stuck", []Entry{{Mark: RunStarted}, finished(Incomplete)}, false},
	} {
		if got := Resumable(test.entries); got != test.resume {
			t.Errorf("%s: resumable %v, want %v", test.reason, got, test.resume)
		}
	}
}

func TestMeasured(t *testing.T) {
	done := func(c resource.Class, gap time.Duration) Entry {
		return Entry{Mark: Done, Class: c, Impact: &resource.Impact{LaunchGap: gap}}
	}
	got := Measured([]Run{
		{Entries: []Entry{done(resource.ClassHub, 10*time.Second), done(resource.ClassLive, 0), {Mark: Done}}},
		{Entries: []Entry{done(resource.ClassHub, 20*time.Second), {Mark: Failed, Class: resource.ClassHub, Impact: &resource.Impact{LaunchGap: time.Hour}}}},
	})
	want := map[resource.Class]plan.Measure{resource.ClassHub: {LaunchGap: 15 * time.Second, Runs: 2}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("measured (-want +got):\n%s", diff)
	}
}

// What was taken over goes back to whose it was, but not what was only taken back;
// what was given back is taken over once more.
func TestBeforeTakeover(t *testing.T) {
	release := &resource.Release{Namespace: "prod", Name: "hub"}
	first, again := &resource.Takeover{From: "Helm release prod/hub", Release: release}, &resource.Takeover{Release: release, Again: true}
	was := resource.Object{"a": "1"}
	p := &plan.Plan{Waves: []plan.Wave{{Steps: []plan.Step{{ID: "1", Changes: []resource.Change{
		{ID: id("taken"), Action: resource.Update, Before: was, After: was, TakesOver: first},
		{ID: id("taken again"), Action: resource.Update, Before: was, After: was, TakesOver: again},
		{ID: id("given"), Action: resource.Update, Before: was, After: was, GivesBack: first},
		{ID: id("given to kubectl"), Action: resource.Update, Before: was, After: was, GivesBack: &resource.Takeover{From: "kubectl"}},
	}}}}}}
	var entries []Entry
	for _, c := range p.Steps()[0].Changes {
		entries = append(entries, entry(Intended, "1", c.ID.Name))
	}
	before, _ := Before(p, entries)
	for i, want := range []struct {
		givesBack *resource.Takeover
		release   *resource.Release
		adopt     bool
	}{{first, nil, false}, {nil, nil, false}, {nil, release, false}, {nil, nil, true}} {
		got := before[i]
		if got.GivesBack != want.givesBack || got.Release != want.release || got.Adopt != want.adopt {
			t.Errorf("%s: %+v", got.ID.Name, got)
		}
	}
}

// What nobody owned of a pre-image is no part of what is wanted again.
func TestBeforeDefaults(t *testing.T) {
	const defaults = `{"f:spec":{"f:replicas":{}}}`
	p := &plan.Plan{Waves: []plan.Wave{{Steps: []plan.Step{{ID: "1", Changes: []resource.Change{
		{ID: id("a"), Action: resource.Update, Before: resource.Object{"a": "1"}, Defaults: defaults, After: resource.Object{"a": "2"}},
	}}}}}}
	before, _ := Before(p, []Entry{entry(Intended, "1", "a")})
	if len(before) != 1 || before[0].Defaults != defaults {
		t.Errorf("before: %+v, want its defaults", before)
	}
}

// What gates saw before a step is no state of it.
func TestBeforehandIsNoState(t *testing.T) {
	entries := []Entry{entry(Applying, "1", ""), {Mark: Beforehand, Step: "1", Samples: []Sample{{Gate: "x", Verdict: "fail"}, {Gate: "y", Verdict: "pass"}}}}
	if mark := States(entries)["1"].Mark; mark != Applying {
		t.Errorf("the step is %q", mark)
	}
	if diff := cmp.Diff([]Sample{{Gate: "x", Verdict: "fail"}}, FailingBefore(entries, "1")); diff != "" {
		t.Errorf("failing before (-want +got):\n%s", diff)
	}
	if got := FailingBefore(entries, "2"); got != nil {
		t.Errorf("failing before another step: %v", got)
	}
}

func TestUnverified(t *testing.T) {
	finished := func(o Outcome) Entry { return Entry{Mark: RunFinished, Outcome: o} }
	for _, test := range []struct {
		reason  string
		entries []Entry
		want    []plan.StepID
	}{
		{"nothing was announced", []Entry{entry(Applying, "1", "")}, nil},
		{"cut off while writing", []Entry{entry(Applying, "1", ""), entry(Intended, "1", "made")}, []plan.StepID{"1"}},
		{"cut off in the bake", []Entry{entry(Intended, "1", "made"), entry(Written, "1", "made"), entry(Baking, "1", "")}, []plan.StepID{"1"}},
		{"done", []Entry{entry(Intended, "1", "made"), entry(Done, "1", "")}, nil},
		{"taken back", []Entry{entry(Intended, "1", "made"), entry(Failed, "1", ""), entry(RolledBack, "1", ""), finished(WasRolledBack)}, nil},
		{"not to be taken back", []Entry{entry(Intended, "1", "made"), entry(Stuck, "1", ""), finished(Incomplete)}, []plan.StepID{"1"}},
		{"held by its gates", []Entry{entry(Intended, "1", "made"), entry(Held, "1", ""), finished(WasHeld)}, []plan.StepID{"1"}},
		{"held before it wrote", []Entry{entry(Intended, "1", "made"), entry(Done, "1", ""), entry(Held, "2", ""), finished(WasHeld)}, nil},
		{"refused", []Entry{entry(Intended, "1", "made"), finished(Refused)}, nil},
		{"two of them, in their order", []Entry{entry(Intended, "2", "deleted"), entry(Intended, "1", "made"), entry(Intended, "2", "never")}, []plan.StepID{"2", "1"}},
	} {
		if diff := cmp.Diff(test.want, Unverified(test.entries)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.reason, diff)
		}
	}
}
