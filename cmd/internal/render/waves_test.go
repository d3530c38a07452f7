package render

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hubcap/engine/plan"
	"hubcap/engine/resource"
)

// staged is a plan of three waves with a guard that holds what the second one does.
func staged() *plan.Plan {
	step := func(hub string, guards ...plan.Guard) plan.Step {
		return plan.Step{
			ID: plan.StepID(hub), Component: resource.Component{Block: resource.Address{Kind: "hub", Name: hub}, Name: "hub"}, Class: resource.ClassHub,
			Changes: []resource.Change{{ID: resource.ID{Kind: "Deployment", Name: "hub"}, Action: resource.Update}}, Guards: guards,
			Gates: []plan.Gate{{Name: "up", Bake: 10 * time.Minute}, {Name: "short", Bake: time.Minute}},
		}
	}
	at := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	nights := plan.Guard{Name: "nights", Level: plan.Hard, Windows: []plan.Window{{From: "22:00", To: "06:00", Zone: "Europe/Oslo"}}}
	advice := plan.Guard{Name: "exams", Level: plan.Advisory, Freeze: &plan.Freeze{From: at, Until: at.Add(time.Hour)}}
	return &plan.Plan{FormatVersion: "1.0", Created: at, Waves: []plan.Wave{
		{Name: "hub.staging", Rollout: "rollout.all", Steps: []plan.Step{step("staging")}},
		{Name: "50%", Rollout: "rollout.all", MaxParallel: 2, Steps: []plan.Step{step("a", nights), step("b", nights), step("c", advice)}},
		{Name: "rest", Rollout: "rollout.all", MaxParallel: 2, Steps: []plan.Step{step("d")}},
	}}
}

// TestWavesAreShown checks what people and programs are told of waves and guards.
func TestWavesAreShown(t *testing.T) {
	want := []string{
		"1. hub.staging (1 step) · gates up, short · bakes 10m",
		"2. 50%: hub.a, hub.b, hub.c (3 steps) · 2 at once · gates up, short · bakes 20m", // three hubs in two places
		"3. rest: hub.d (1 step) · gates up, short · bakes 10m",
	}
	if diff := cmp.Diff(want, waveLines(Waves(staged()))); diff != "" {
		t.Errorf("waves (-want +got):\n%s", diff)
	}
	text := Plan(staged(), Style{Width: 120})
	for _, want := range []string{
		"3 waves, 5 steps, 10 gates · bakes 40m", "held by guard.nights (hard): outside of the change windows until 22:00 Europe/Oslo",
		"advised against by guard.exams (advisory): frozen until 13:00 UTC; since 2026-11-21 12:00Z", "guard.exams (freeze, advisory), guard.nights (window, hard) · 2 steps would be held now",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing from:\n%s", want, text)
		}
	}
	if comment := Markdown(staged()); !strings.Contains(comment, "held by guard.nights") || !strings.Contains(comment, "3. rest") {
		t.Errorf("comment:\n%s", comment)
	}
	document, err := JSON(staged())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"max_parallel": 2`, `"bake_ns": 1200000000000`, `"guard.nights"`, `"rollout": "rollout.all"`} {
		if !strings.Contains(string(document), want) {
			t.Errorf("%s is missing from the JSON", want)
		}
	}
}

// TestStandingsAreShown checks that what guards said when they were asked is told with
// the steps, summed up, and given to programs.
func TestStandingsAreShown(t *testing.T) {
	p := staged()
	quiet := plan.Guard{Name: "quiet", Level: plan.Soft, Sessions: &plan.SessionsCheck{Max: 300}}
	for i, s := range p.Waves[1].Steps {
		s.Guards = []plan.Guard{quiet}
		p.Waves[1].Steps[i] = s
	}
	a, b, c := p.Waves[1].Steps[0], p.Waves[1].Steps[1], p.Waves[1].Steps[2]
	untold := b.Standing(quiet, plan.Stand{})
	untold.Untold = "list pods: forbidden"
	p.Standings = []plan.Standing{
		a.Standing(quiet, plan.Stand{Holds: true, Reason: "412 sessions, at most 300 are allowed"}), untold,
		c.Standing(quiet, plan.Stand{Reason: "3 sessions, at most 300 are allowed"}),
	}
	text := Plan(p, Style{Width: 120})
	for _, want := range []string{
		"held by guard.quiet (soft): 412 sessions, at most 300 are allowed\n",
		"held by guard.quiet (soft) while it cannot be told, as now: list pods: forbidden\n",
		"guard.quiet (sessions, soft) · 1 step would be held now · of 1 step it cannot be told now\n",
	} {
		if !strings.Contains(strings.Join(strings.Fields(text), " ")+"\n", strings.TrimSuffix(want, "\n")) {
			t.Errorf("%q is missing from:\n%s", want, text)
		}
	}
	if strings.Contains(text, "3 sessions, at most") {
		t.Errorf("a guard that holds nothing is told:\n%s", text)
	}
	document, err := JSON(p)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"standings": [`, `"reason": "412 sessions, at most 300 are allowed"`, `"untold": "list pods: forbidden"`} {
		if !strings.Contains(string(document), want) {
			t.Errorf("%s is missing from the JSON", want)
		}
	}
	if comment := Markdown(p); !strings.Contains(comment, "hub.a/hub: held by guard.quiet") {
		t.Errorf("comment:\n%s", comment)
	}
}
