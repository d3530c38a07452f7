package journal

import (
	"testing"

	"hubcap/engine/plan"
	"hubcap/engine/resource"
)

func TestSuperseded(t *testing.T) {
	at := func(n int, config string, entries ...Entry) Run {
		return Run{ID: "r", Config: config, Number: int64(n), Entries: entries}
	}
	done := Entry{Mark: RunFinished, Outcome: Succeeded}
	cut := at(2, "a", entry(Intended, "1", "x"))
	planned := at(2, "a")
	planned.Plan = &plan.Plan{Waves: []plan.Wave{{Steps: []plan.Step{{Changes: []resource.Change{{ID: id("x")}}}}}}}
	for _, test := range []struct {
		reason string
		run    Run
		later  Run
		want   bool
	}{
		{"the same was changed since", cut, at(3, "a", entry(Intended, "1", "x")), true},
		{"something else was", cut, at(3, "a", entry(Intended, "1", "y"), done), false},
		{"it was before", cut, at(1, "a", entry(Intended, "1", "x")), false},
		{"another config's run", cut, at(3, "b", entry(Intended, "1", "x")), false},
		{"it changed nothing, and a later one went well", at(2, "a"), at(3, "a", done), true},
		{"it was about to change the same", planned, at(3, "a", entry(Intended, "1", "x")), true},
		{"it was about to change something else", planned, at(3, "a", entry(Intended, "1", "y"), done), false},
		{"it changed nothing, and a later one did not end", at(2, "a"), at(3, "a"), false},
	} {
		test.later.ID = "later"
		if got := Superseded(test.run, Merge([]Run{test.run, test.later})) == "later"; got != test.want {
			t.Errorf("%s: %t, want %t", test.reason, got, test.want)
		}
	}
}
