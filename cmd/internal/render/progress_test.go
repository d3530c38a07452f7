package render

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"hubcap/engine/journal"
	"hubcap/engine/plan"
	"hubcap/engine/run"
)

// A moment is an event and when it comes, in seconds after the start; a nil
// event is a tick.
type moment struct {
	at    int
	event run.Event
}

// rollout is a run that waits long, fails at its gate and is rolled back.
func rollout() []moment {
	p := full()
	steps := p.Steps()
	id := steps[3].ID
	move := func(i int, m journal.Mark, reason string) run.StepMoved {
		return run.StepMoved{Step: steps[i], Index: i + 1, Total: len(steps), Mark: m, Reason: reason}
	}
	unready := []string{"Deployment/hub: 0 of 1 pods ready", "Pod/hub-0: pulling image", "c", "d"}
	out := []moment{
		{0, run.RunBegan{Run: "20261121-120000-3f2a", Kind: journal.ApplyRun, Plan: p}},
		{0, move(0, journal.Applying, "")},
		{5, nil},
		{11, nil}, // nothing was said for 11 s
		{30, run.ChangeMade{Step: steps[0].ID, Change: steps[0].Changes[0]}},
		{31, move(0, journal.Converging, "")},
		{40, move(0, journal.Done, "")},
		{40, move(3, journal.Applying, "")},
		{41, run.ChangeMade{Step: id, Change: steps[3].Changes[0]}},
		{41, run.ChangeMade{Step: id, Change: steps[3].Changes[1]}},
		{42, move(3, journal.Converging, "")},
	}
	for i := range 13 { // the same reasons each second: said once, then at each heartbeat
		out = append(out, moment{43 + i, run.Waited{Step: id, For: time.Duration(i+1) * time.Second, Unready: unready}})
	}
	gate := plan.Gate{Name: "health", Bake: 10 * time.Minute}
	return append(out,
		moment{60, move(3, journal.Baking, "")},
		moment{70, run.GateSampled{Step: id, Gate: gate, Sample: run.Sample{Verdict: run.Pass, Reason: "status 200"}, Elapsed: 10 * time.Second}},
		moment{80, run.Warned{Text: "the local copy of the journal cannot be written\x1b[2J"}},
		moment{90, run.GateSampled{Step: id, Gate: gate, Sample: run.Sample{Verdict: run.Fail, Reason: "status 503, wanted 200"}, Elapsed: 30 * time.Second}},
		moment{90, move(3, journal.Failed, "gate health failed: status 503, wanted 200")},
		moment{90, move(3, journal.RollingBack, "")},
		moment{120, move(3, journal.RolledBack, "")},
		moment{120, run.RunEnded{Run: "20261121-120000-3f2a", Outcome: journal.WasRolledBack, Done: 1}},
		moment{140, nil}, // silent after the end
	)
}

func TestProgressPlain(t *testing.T) {
	var p Progress
	var b strings.Builder
	for _, m := range rollout() {
		now := noon.Add(time.Duration(m.at) * time.Second)
		var lines []string
		if m.event == nil {
			lines = p.Tick(now)
		} else {
			lines = p.Feed(m.event, now)
		}
		for _, line := range lines {
			fmt.Fprintf(&b, "%3d %s\n", m.at, line)
		}
	}
	fmt.Fprintf(&b, "live: %s\n", p.Live())
	golden(t, "progress.txt", b.String())
}

func TestProgressLive(t *testing.T) {
	var b strings.Builder
	for _, style := range []Style{{}, {Color: true}} {
		var p Progress
		for i, m := range rollout() {
			now := noon.Add(time.Duration(m.at) * time.Second)
			if m.event != nil {
				p.Feed(m.event, now)
			}
			if i%6 != 0 && m.at < 120 {
				continue
			}
			fmt.Fprintf(&b, "--- %d\n%s\n", m.at, strings.Join(p.Frame(now, style, 24), "\n"))
		}
	}
	golden(t, "live.txt", b.String())
}

func TestFrameFitsItsTerminal(t *testing.T) {
	for _, height := range []int{5, 6, 8, 24} {
		for _, width := range []int{48, 80} {
			var p Progress
			for _, m := range rollout() {
				now := noon.Add(time.Duration(m.at) * time.Second)
				if m.event != nil {
					p.Feed(m.event, now)
				}
				lines := p.Frame(now, Style{Width: width}, height)
				if most := max(height, 6); len(lines) > most {
					t.Errorf("height %d at %d s: %d lines", height, m.at, len(lines))
				}
				for _, line := range lines {
					if cells(line) > width || strings.ContainsAny(line, "\n\x1b") {
						t.Errorf("width %d at %d s: %q", width, m.at, line)
					}
				}
			}
		}
	}
}

func TestHistory(t *testing.T) {
	at := func(s int) time.Time { return noon.Add(time.Duration(s) * time.Second) }
	runs := []journal.Run{
		{ID: "20261121-120000-3f2a", Kind: journal.ApplyRun, Holder: "ada@lovelace", Started: noon, Steps: 1, Entries: []journal.Entry{
			{Seq: 1, Time: at(0), Mark: journal.RunStarted},
			{Seq: 2, Time: at(1), Mark: journal.Applying, Step: "01-hub.prod/hub"},
			{Seq: 3, Time: at(1), Mark: journal.Intended, Step: "01-hub.prod/hub", Change: &full().Waves[1].Steps[2].Changes[0].ID},
			{Seq: 4, Time: at(9), Mark: journal.Done, Step: "01-hub.prod/hub", Impact: &full().Waves[1].Steps[2].Impact},
			{Seq: 5, Time: at(9), Mark: journal.RunFinished, Outcome: journal.Succeeded},
		}},
		{ID: "20261121-130000-77aa", Kind: journal.RollbackRun, Undoes: "20261121-120000-3f2a", Holder: "ci@runner (job 12)", Started: at(3600), Steps: 5, Entries: []journal.Entry{
			{Seq: 1, Time: at(3600), Mark: journal.RunStarted},
			{Seq: 2, Time: at(3601), Mark: journal.Baking, Step: "01-hub.prod/hub", Gate: "health", Verdict: "fail", Reason: "status 503"},
		}},
	}
	others := []journal.Run{
		{ID: "20261119-120000-0001", Kind: journal.ApplyRun, Holder: "of an old version", Started: at(-172800), Entries: []journal.Entry{
			{Seq: 1, Mark: journal.Done, Step: "01-hub.prod/hub"},
		}},
		{ID: "20261120-120000-0002", Kind: journal.ApplyRun, Holder: "one step of two was taken back", Started: at(-86400), Steps: 4, Entries: []journal.Entry{
			{Seq: 1, Mark: journal.Done, Step: "01-hub.prod/hub"},
			{Seq: 2, Mark: journal.Done, Step: "02-hub.prod/proxy"},
			{Seq: 3, Mark: journal.Failed, Step: "03-hub.prod/binder"},
			{Seq: 4, Mark: journal.RolledBack, Step: "02-hub.prod/proxy"},
			{Seq: 5, Mark: journal.RunFinished, Outcome: journal.WasRolledBack, Time: at(-86400 + 60)},
		}},
	}
	golden(t, "history.txt", History(append(others, runs...), Style{}))
	golden(t, "history-none.txt", History(nil, Style{}))
	golden(t, "run.txt", Run(runs[0], Style{Verbose: true})+Run(runs[1], Style{}))
	golden(t, "status.txt", StatusText(Status{
		Clusters: []ClusterStatus{{Name: "prod", Where: "us-central1-a", Identity: "b6c1", Sessions: 412, Locked: "ada@lovelace since 2026-11-21T12:00:00Z, run 20261121-130000-77aa"}, {Name: "dr"}, {Name: "old", Trouble: "connect to old: unreachable"}},
		Last:     &runs[1], Open: []string{runs[1].ID},
	}, at(7200), Style{})+StatusText(Status{}, noon, Style{})+StatusText(Status{Last: &runs[1], UnderWay: []string{runs[1].ID}}, at(7200), Style{}))

	paused := journal.Run{ID: "20261121-140000-1c1c", Kind: journal.ApplyRun, Started: at(0), Holder: "ci", Entries: []journal.Entry{
		{Mark: journal.Ordered, Reason: "promote by ada"}, {Mark: journal.Ordered, Reason: "pause by bob: exams"}, {Mark: journal.Done, Step: "01-hub.prod/hub"},
	}}
	if text := StatusText(Status{Last: &paused, UnderWay: []string{paused.ID}}, at(60), Style{Width: 120}); !strings.Contains(text, "under way, last told: pause by bob: exams") {
		t.Errorf("status of a paused run:\n%s", text)
	}
}

// Markdown stays below GitHub's limit, whatever the plan.
func TestMarkdownIsBounded(t *testing.T) {
	for _, many := range []int{1, 40, 400, 4000} {
		p := full()
		wave := p.Waves[1]
		for range many {
			p.Waves = append(p.Waves, wave)
			p.Drift = append(p.Drift, p.Drift[0])
			p.Kept = append(p.Kept, p.Kept[0])
			p.Warnings = append(p.Warnings, strings.Repeat("long ", 500))
		}
		text := Markdown(p)
		if n := len([]rune(text)); n >= mostMarkdown {
			t.Errorf("%d waves: %d characters", many, n)
		}
		if !strings.Contains(text, Footer(p)) {
			t.Errorf("%d waves: the footer is gone", many)
		}
		if strings.Count(text, "<details>") != strings.Count(text, "</details>") || strings.Count(text, "```")%2 != 0 {
			t.Errorf("%d waves: a fold is not closed", many)
		}
		if text != Markdown(p) {
			t.Errorf("%d waves: not a function of the plan", many)
		}
	}
}
