package render

import (
	"strings"
	"testing"
	"time"

	"hubcap/engine/journal"
	"hubcap/engine/plan"
	"hubcap/engine/resource"
)

// leak is the account of a run whose hub leaked: two steps, one done, one rolled
// back by a gate that measured.
func leak() journal.Run {
	at := func(seconds int) time.Time { return noon.Add(time.Duration(seconds) * time.Second) }
	gap := resource.Impact{LaunchGap: 40 * time.Second, PodsRestarted: 1}
	measured := resource.Impact{LaunchGap: 31 * time.Second, PodsRestarted: 1, Basis: "measured"}
	r := journal.Run{
		ID: "20261121-120000-a1b2", Kind: journal.ApplyRun, Config: "mybinder", Holder: "ada@<laptop>", Started: noon,
		Plan: &plan.Plan{Commit: "3f2a91c", Waves: []plan.Wave{{Name: "hub.prod", Steps: []plan.Step{
			{ID: "01-hub.prod/binder", Class: resource.ClassBinder, Impact: gap},
			{ID: "02-hub.prod/hub", Class: resource.ClassHub, Impact: gap},
			{ID: "03-hub.prod/proxy", Class: resource.ClassProxy, Impact: resource.Impact{SessionsInterrupted: 400}},
		}}}},
		Entries: []journal.Entry{
			{Time: at(0), Mark: journal.RunStarted},
			{Time: at(1), Mark: journal.Applying, Step: "01-hub.prod/binder"},
			{Time: at(1), Mark: journal.Intended, Step: "01-hub.prod/binder"},
			{Time: at(2), Mark: journal.Converging, Step: "01-hub.prod/binder"},
			{Time: at(32), Mark: journal.Done, Step: "01-hub.prod/binder", Impact: &measured, Class: resource.ClassBinder},
			{Time: at(33), Mark: journal.Applying, Step: "02-hub.prod/hub"},
			{Time: at(34), Mark: journal.Converging, Step: "02-hub.prod/hub"},
			{Time: at(60), Mark: journal.Baking, Step: "02-hub.prod/hub"},
		},
	}
	for i := range 10 {
		value, bound := 400+30*float64(i*i)/4, 700.0
		s := journal.Sample{Gate: "hub_memory", Time: at(60 + 30*i), Verdict: "pass", Value: &value, Bound: &bound, Reason: "rss below 700"}
		if value > bound {
			s.Verdict, s.Reason = "fail", "rss above 700"
		}
		r.Entries = append(r.Entries, journal.Entry{Time: at(60 + 30*i), Mark: journal.Baking, Step: "02-hub.prod/hub", Samples: []journal.Sample{s}})
	}
	return withEnd(r, at)
}

func withEnd(r journal.Run, at func(int) time.Time) journal.Run {
	r.Entries = append(r.Entries,
		journal.Entry{Time: at(331), Mark: journal.Baking, Step: "02-hub.prod/hub", Gate: "hub_memory", Verdict: "fail", Reason: "rss above 700"},
		journal.Entry{Time: at(331), Mark: journal.Failed, Step: "02-hub.prod/hub", Reason: "gate hub_memory failed: rss above 700"},
		journal.Entry{Time: at(332), Mark: journal.RollingBack, Step: "02-hub.prod/hub"},
		journal.Entry{Time: at(361), Mark: journal.RolledBack, Step: "02-hub.prod/hub"},
		journal.Entry{Time: at(362), Mark: journal.RunFinished, Outcome: journal.WasRolledBack, Reason: "02-hub.prod/hub: gate hub_memory failed | rss"},
	)
	return r
}

func TestTimeline(t *testing.T) {
	oslo := time.FixedZone("CET", 3600)
	golden(t, "timeline.md", Timeline(leak(), oslo))
	bare := leak()
	bare.Plan = nil
	got := Timeline(bare, time.UTC)
	if !strings.Contains(got, "| launches paused | unknown | 31s |") || strings.Contains(got, "CET") {
		t.Errorf("without its plan and in UTC:\n%s", got)
	}
	overridden := journal.Run{ID: "x", Started: noon, Entries: []journal.Entry{{Time: noon, Mark: journal.Overridden, Guard: "guard.quiet", Reason: "exams"}}}
	if got := Timeline(overridden, time.UTC); !strings.Contains(got, "guard.quiet: exams") {
		t.Errorf("nobody knows what was overridden: %s", got)
	}
	if got := Timeline(journal.Run{ID: "x", Started: noon}, time.UTC); !strings.Contains(got, "unfinished") {
		t.Errorf("a run without entries:\n%s", got)
	}
}

// TestPage checks what a page shows, and that it needs nothing beside itself.
func TestPage(t *testing.T) {
	got, err := Page(leak(), time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"<title>Run 20261121-120000-a1b2: rolled back</title>", "02-hub.prod/hub, hub_memory: fail, 10 samples kept, 3 bad, last 1008 against 700",
		`class="bar rolling-back"`, `class="bar baking" style="left:16.575%`, "<svg ", "ada@&lt;laptop&gt;", "not begun",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, never := range []string{"<script", "src=", "href=\"http", "@import", "url("} {
		if strings.Contains(got, never) {
			t.Errorf("the page has %q: it needs something beside itself", never)
		}
	}
	if _, err := Page(journal.Run{ID: "x", Started: noon}, time.UTC); err != nil {
		t.Errorf("a run without entries: %v", err)
	}
}

// What was bad before a step is told where it was seen, and beside why the step failed;
// it is no sample of the step.
func TestUnwellBefore(t *testing.T) {
	seen := journal.Sample{Gate: "alive", Verdict: "fail", Reason: "status 503"}
	fine := journal.Sample{Gate: "pods", Verdict: "pass"}
	r := journal.Run{ID: "20261121-120000-a1b2", Kind: journal.ApplyRun, Started: noon, Entries: []journal.Entry{
		{Time: noon, Mark: journal.Beforehand, Step: "01-hub.prod/proxy", Samples: []journal.Sample{fine}},
		{Time: noon, Mark: journal.Beforehand, Step: "02-hub.prod/hub", Samples: []journal.Sample{fine, seen}},
		{Time: noon, Mark: journal.Failed, Step: "02-hub.prod/hub", Reason: "gate alive failed: status 503"},
		{Time: noon, Mark: journal.RolledBack, Step: "02-hub.prod/hub", Reason: "gate alive was failing before this step: status 503"},
	}}
	const told = "02-hub.prod/hub failing before anything was changed: gate alive: status 503"
	for name, text := range map[string]string{"timeline": Timeline(r, time.UTC), "account": Run(r, Style{})} {
		text = strings.Join(strings.Fields(text), " ")
		if !strings.Contains(text, told) || strings.Contains(text, "01-hub.prod/proxy failing") {
			t.Errorf("%s:\n%s", name, text)
		}
	}
	const why = "**02-hub.prod/hub** rolled back: gate alive failed: status 503; gate alive was failing before this step: status 503"
	if text := Timeline(r, time.UTC); !strings.Contains(text, why) || strings.Contains(text, "1 sample") {
		t.Errorf("steps of the timeline:\n%s", text)
	}
}
