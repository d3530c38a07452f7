package plan_test

import (
	"testing"
	"time"

	"hubcap/engine/plan"
)

// TestWindows goes by the wall clock of a zone, also in the nights in which clocks
// are put forward and back. In Oslo that is on 29 March and 25 October 2026.
func TestWindows(t *testing.T) {
	oslo := func(from, to string, days ...string) plan.Window {
		return plan.Window{Days: days, From: from, To: to, Zone: "Europe/Oslo"}
	}
	night, late := oslo("22:00", "06:00"), oslo("02:30", "04:00")
	for _, test := range []struct {
		reason string
		window plan.Window
		at     string // UTC
		opens  string // UTC; empty: it holds at the time
	}{
		{"in the evening of winter", night, "2026-11-20T21:30:00Z", ""},
		{"just before", night, "2026-11-20T20:59:00Z", "2026-11-20T21:00:00Z"},
		{"the end is not included", night, "2026-11-20T05:00:00Z", "2026-11-20T21:00:00Z"},
		{"summer time is an hour earlier", night, "2026-07-01T19:59:00Z", "2026-07-01T20:00:00Z"},
		{"a night in which an hour is missing ends by the clock", night, "2026-03-29T03:59:00Z", ""},
		{"and not an hour later", night, "2026-03-29T04:00:00Z", "2026-03-29T20:00:00Z"},
		{"a night with an hour twice lasts longer", night, "2026-10-25T04:59:00Z", ""},
		{"until six", night, "2026-10-25T05:00:00Z", "2026-10-25T21:00:00Z"},
		{"a beginning that does not exist is the next minute that does", late, "2026-03-29T00:00:00Z", "2026-03-29T01:00:00Z"},
		{"a beginning that exists twice is the first of them", late, "2026-10-24T23:00:00Z", "2026-10-25T00:30:00Z"},
		{"between the two it is shut: clocks show two again", late, "2026-10-25T01:10:00Z", "2026-10-25T01:30:00Z"},
		{"only on its days", oslo("08:00", "10:00", "mon"), "2026-11-21T08:00:00Z", "2026-11-23T07:00:00Z"},
		{"a night belongs to the day on which it begins", oslo("22:00", "06:00", "fri"), "2026-11-21T03:00:00Z", ""},
		{"and not to the one on which it ends", oslo("22:00", "06:00", "sat"), "2026-11-21T03:00:00Z", "2026-11-21T21:00:00Z"},
		{"a whole day", oslo("00:00", "24:00", "sun"), "2026-11-22T22:59:00Z", ""},
		{"a whole day ends with it", oslo("00:00", "24:00", "sun"), "2026-11-22T23:00:00Z", "2026-11-28T23:00:00Z"},
		{"half an hour off UTC", plan.Window{From: "09:00", To: "10:00", Zone: "Asia/Kolkata"}, "2026-11-20T00:00:00Z", "2026-11-20T03:30:00Z"},
		{"a zone whose summer moves by half an hour", plan.Window{From: "02:15", To: "03:00", Zone: "Australia/Lord_Howe"}, "2026-10-03T15:00:00Z", "2026-10-03T15:30:00Z"},
		{"across the date line", plan.Window{From: "08:00", To: "09:00", Zone: "Pacific/Auckland", Days: []string{"mon"}}, "2026-11-22T18:00:00Z", "2026-11-22T19:00:00Z"},
	} {
		at, err := time.Parse(time.RFC3339, test.at)
		if err != nil {
			t.Fatal(err)
		}
		opens, has := test.window.Opens(at)
		if holds := test.window.Holds(at); holds != (test.opens == "") {
			t.Errorf("%s: holds %v at %s", test.reason, holds, test.at)
		}
		want := test.opens
		if want == "" {
			want = test.at
		}
		if got := opens.UTC().Format(time.RFC3339); !has || got != want {
			t.Errorf("%s: opens at %s (%v), want %s", test.reason, got, has, want)
		}
	}
	if _, has := (plan.Window{From: "10:00", To: "11:00", Zone: "Nowhere/Land"}).Opens(time.Now()); has {
		t.Error("a window in no zone opens")
	}
}

// TestWindowsAgree holds the two ways to ask a window to each other, over a year:
// when it opens it holds, and the minute before it does not.
func TestWindowsAgree(t *testing.T) {
	for _, w := range []plan.Window{
		{From: "22:00", To: "06:00", Zone: "Europe/Oslo"}, {From: "02:15", To: "02:45", Zone: "America/New_York"},
		{From: "01:30", To: "03:00", Zone: "Australia/Lord_Howe", Days: []string{"sat", "sun"}}, {From: "00:00", To: "24:00", Zone: "UTC", Days: []string{"wed"}},
	} {
		for at := time.Date(2026, 1, 1, 0, 17, 0, 0, time.UTC); at.Year() == 2026; at = at.Add(29 * time.Hour) {
			opens, has := w.Opens(at)
			if !has || opens.Before(at) || !w.Holds(opens) {
				t.Fatalf("%+v at %s opens at %s (%v), and holds then: %v", w, at, opens, has, w.Holds(opens))
			}
			if opens.After(at) && w.Holds(opens.Add(-time.Minute)) {
				t.Fatalf("%+v at %s opens at %s, and is open a minute before", w, at, opens)
			}
		}
	}
}

func TestStand(t *testing.T) {
	at := time.Date(2026, 12, 20, 12, 0, 0, 0, time.UTC)
	most := 10
	step := plan.Step{}
	step.Impact.SessionsInterrupted = 4
	for _, test := range []struct {
		reason string
		guard  plan.Guard
		spent  *plan.Spent
		want   string // empty: it does not hold
		final  bool
		known  bool
	}{
		{"outside of windows", plan.Guard{Windows: []plan.Window{{From: "22:00", To: "23:00", Zone: "Europe/Oslo"}}}, nil, "outside of the change windows until 22:00 Europe/Oslo", false, true},
		{"in one of two", plan.Guard{Windows: []plan.Window{{From: "22:00", To: "23:00", Zone: "UTC"}, {From: "12:00", To: "13:00", Zone: "UTC"}}}, nil, "", false, true},
		{"frozen", plan.Guard{Freeze: &plan.Freeze{From: at.Add(-time.Hour), Until: at.Add(48 * time.Hour), Zone: "Europe/Oslo", Reason: "exams"}}, nil, "frozen until 2026-12-22 13:00 Europe/Oslo: exams", false, true},
		{"at its end", plan.Guard{Freeze: &plan.Freeze{From: at.Add(-time.Hour), Until: at}}, nil, "", false, true},
		{"before it", plan.Guard{Freeze: &plan.Freeze{From: at.Add(time.Hour), Until: at.Add(2 * time.Hour)}}, nil, "", false, true},
		{"an event", plan.Guard{Events: []plan.Event{{Name: "class", Title: "Data 8", From: at, Until: at.Add(time.Hour)}}}, nil, "event Data 8 runs until 13:00 UTC", false, true},
		{"a budget that nobody knows", plan.Guard{Budget: &plan.BudgetCheck{PerRun: &most}}, nil, "", false, false},
		{"within it", plan.Guard{Budget: &plan.BudgetCheck{PerRun: &most}}, &plan.Spent{Run: spent(6)}, "", false, true},
		{"over that of the run", plan.Guard{Budget: &plan.BudgetCheck{PerRun: &most}}, &plan.Spent{Run: spent(7)}, "4 sessions would be cut off, 7 were by this run, and 10 per run are allowed", true, true},
		{"over that of the week", plan.Guard{Budget: &plan.BudgetCheck{PerWeek: &most}}, &plan.Spent{Others: 7}, "4 sessions would be cut off, 7 were within 7 days, and 10 per week are allowed", false, true},
		{"load is not known here", plan.Guard{Sessions: &plan.SessionsCheck{Max: 1}}, nil, "", false, false},
	} {
		stand, known := test.guard.Stand(plan.Asked{At: at, Step: step, Spent: test.spent})
		if known != test.known || stand.Holds != (test.want != "") || stand.Reason != test.want || stand.Final != test.final {
			t.Errorf("%s: %+v, known %v, want %q", test.reason, stand, known, test.want)
		}
	}
}
