package render

import (
	"fmt"
	"strings"
	"time"

	"hubcap/engine/journal"
)

// Timeline tells a run as the timeline of an incident, in Markdown: what came out,
// each step with its gates, predicted against measured impact, and every event
// with its time in UTC and in the zone local.
func Timeline(r journal.Run, local *time.Location) string {
	a := newAccount(r)
	var b strings.Builder
	fmt.Fprintf(&b, "# Run %s: %s\n\n", md(r.ID), md(a.outcome))
	a.summary(&b, local)
	a.stepTable(&b)
	a.impactTable(&b)
	a.events(&b, local)
	return b.String()
}

func (a account) summary(b *strings.Builder, local *time.Location) {
	r := a.run
	row := func(name, value string) {
		if value != "" {
			fmt.Fprintf(b, "- **%s**: %s\n", name, value)
		}
	}
	row("Kind", string(r.Kind))
	row("Config", md(r.Config))
	row("Undoes", md(r.Undoes))
	if r.Plan != nil {
		row("Commit", md(r.Plan.Commit))
	}
	row("Not acted on", md(r.Untrusted))
	row("By", md(r.Holder))
	row("Began", both(a.began, local))
	row("Last entry", both(a.ended, local)+", after "+span(a.ended.Sub(a.began)))
	row("Outcome", md(a.outcome))
	row("Why", md(flat(a.reason)))
	b.WriteString("\n")
}

// both writes an instant in UTC and in the zone local.
func both(t time.Time, local *time.Location) string {
	utc := t.UTC().Format("2006-01-02 15:04:05Z")
	there := t.In(local)
	if name, offset := there.Zone(); offset != 0 {
		return utc + " (" + there.Format("15:04:05 ") + name + ")"
	}
	return utc
}

func (a account) stepTable(b *strings.Builder) {
	if len(a.steps) == 0 {
		return
	}
	b.WriteString("## Steps\n\n| step | state | took | gates |\n|---|---|---|---|\n")
	for _, s := range a.steps {
		var gates []string
		for _, g := range s.gates {
			gates = append(gates, md(g.name)+": "+md(g.figures()))
		}
		took := ""
		if len(s.spans) > 0 {
			took = span(s.took())
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s |\n", md(string(s.id)), s.word(), took, strings.Join(gates, "<br>"))
	}
	b.WriteString("\n")
	for _, s := range a.steps {
		if s.reason != "" {
			fmt.Fprintf(b, "- **%s** %s: %s\n", md(string(s.id)), s.word(), md(flat(s.reason)))
		}
	}
	b.WriteString("\n")
}

func (a account) impactTable(b *strings.Builder) {
	b.WriteString("## Impact\n\n| | predicted | measured |\n|---|---|---|\n")
	for _, row := range a.impactRows() {
		fmt.Fprintf(b, "| %s | %s | %s |\n", row[0], row[1], row[2])
	}
	b.WriteString("\nOf the steps that were begun; measured is what those that finished came to.\n\n")
}

// impactRows lays the predicted impact beside the measured one.
func (a account) impactRows() [][3]string {
	rows := [][3]string{}
	add := func(name string, of func(t toll) string) {
		predicted := "unknown"
		if a.isKnown {
			predicted = of(a.predicted)
		}
		measured := "—"
		if a.isMeasured {
			measured = of(a.measured)
		}
		rows = append(rows, [3]string{name, predicted, measured})
	}
	add("launches paused", func(t toll) string { return strings.ReplaceAll(t.paused(), "≈ ", "") })
	add("sessions lost", func(t toll) string { return fmt.Sprint(t.SessionsLost) })
	add("sessions interrupted", func(t toll) string { return fmt.Sprint(t.SessionsInterrupted) })
	add("pods restarted", func(t toll) string { return fmt.Sprint(t.PodsRestarted) })
	return rows
}

func (a account) events(b *strings.Builder, local *time.Location) {
	b.WriteString("## Timeline\n\n")
	for _, e := range a.run.Entries {
		text, isTold := told(e)
		if !isTold {
			continue
		}
		fmt.Fprintf(b, "- `%s` %s\n", both(e.Time, local), md(text))
	}
}

// unwellBefore words what was bad before a step, if anything was.
func unwellBefore(e journal.Entry) (string, bool) {
	var bad []string
	for _, s := range e.Samples {
		if s.Verdict == "fail" {
			bad = append(bad, "gate "+s.Gate+": "+flat(s.Reason))
		}
	}
	return fmt.Sprintf("%s failing before anything was changed: %s", e.Step, strings.Join(bad, "; ")), len(bad) > 0
}

// told words one entry; what a reader of a timeline does not need is not told.
func told(e journal.Entry) (string, bool) {
	if e.Mark == journal.Beforehand {
		return unwellBefore(e)
	}
	if e.Mark == journal.Intended || e.Mark == journal.Written || len(e.Samples) > 0 && e.Gate == "" {
		return "", false
	}
	text := string(e.Mark)
	if e.Step != "" {
		text = string(e.Step) + " " + text
	}
	if e.Outcome != "" {
		text += ": " + string(e.Outcome)
	}
	if e.Guard != "" && !strings.HasPrefix(e.Reason, e.Guard) {
		text += ", " + e.Guard
	}
	if e.Gate != "" {
		text = fmt.Sprintf("%s gate %s: %s", e.Step, e.Gate, e.Verdict)
	}
	if e.Reason != "" {
		text += ": " + flat(e.Reason)
	}
	return text, true
}
