package render

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"hubcap/engine/journal"
)

// Ending is how a run ended; an unfinished one has none.
func Ending(r journal.Run) (journal.Entry, bool) {
	if _, ended := journal.Ended(r.Entries); !ended {
		return journal.Entry{}, false
	}
	for _, e := range slices.Backward(r.Entries) {
		if e.Mark == journal.RunFinished {
			return e, true
		}
	}
	return journal.Entry{}, false
}

// History renders the runs, newest first.
func History(runs []journal.Run, s Style) string {
	if len(runs) == 0 {
		return "No run is recorded.\n"
	}
	var rows [][]string
	footer := ""
	for _, r := range slices.Backward(runs) {
		outcome, took := "unfinished", ""
		if end, finished := Ending(r); finished {
			outcome, took = string(end.Outcome), span(end.Time.Sub(r.Started))
		}
		if r.Untrusted != "" {
			outcome += ", untrusted"
			footer = "\n" + wrap("What is untrusted is shown and never acted on: hubcap history RUN says why. What such a run left undone a new plan does; to go back behind it, apply the config as it was.", "", s.width())
		}
		rows = append(rows, []string{r.ID, string(r.Kind), r.Config, outcome, stepsOf(r), took, r.Holder})
	}
	return lay([]string{"RUN", "KIND", "CONFIG", "OUTCOME", "STEPS", "TOOK", "BY"}, rows, s) + footer
}

// lay writes rows in columns; what is too long in the last column is wrapped
// within it.
func lay(header []string, rows [][]string, s Style) string {
	if header != nil {
		rows = append([][]string{header}, rows...)
	}
	last := len(rows[0]) - 1
	widths := make([]int, last)
	for _, r := range rows {
		for i := range widths {
			widths[i] = max(widths[i], cells(clean(r[i])))
		}
	}
	used := 0
	for i := range widths {
		used += widths[i] + gap
	}
	t := table.NewWriter()
	style := table.StyleDefault
	style.Options = table.OptionsNoBordersAndSeparators
	style.Box.PaddingLeft, style.Box.PaddingRight = "", strings.Repeat(" ", gap)
	style.Format.Header = 0
	t.SetStyle(style)
	t.SuppressTrailingSpaces()
	t.SetColumnConfigs([]table.ColumnConfig{{Number: last + 1, WidthMax: max(s.width()-used, leastRoom), WidthMaxEnforcer: text.WrapSoft}})
	for _, r := range rows {
		line := make(table.Row, len(r))
		for i, c := range r {
			line[i] = clean(c)
		}
		t.AppendRow(line)
	}
	var b strings.Builder
	for line := range strings.Lines(t.Render() + "\n") {
		b.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
	return b.String()
}

// stepsOf says how many steps of a run's plan are done, and were not taken back.
func stepsOf(r journal.Run) string {
	if !r.IsOfPlan() {
		return ""
	}
	done := 0
	for _, state := range journal.States(r.Entries) {
		if state.Mark == journal.Done {
			done++
		}
	}
	of := r.Steps
	if r.Plan != nil {
		of = len(r.Plan.Steps())
	}
	if of == 0 { // it was made by a version that did not say
		return fmt.Sprintf("%d/?", done)
	}
	return fmt.Sprintf("%d/%d", done, of)
}

// Run renders one run, entry by entry.
func Run(r journal.Run, s Style) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", s.paint(bold, cut(fmt.Sprintf("run %s · %s · %s · by %s", clean(r.ID), r.Kind, clock(r.Started), clean(r.Holder)), s.width())))
	if r.Undoes != "" {
		fmt.Fprintf(&b, "  undoes %s\n", clean(r.Undoes))
	}
	b.WriteString("\n")
	for _, e := range r.Entries {
		if line, isTold := entryLine(e, s.Verbose); isTold {
			text := wrap(e.Time.UTC().Format("15:04:05Z")+"  "+line, "             ", s.width())
			b.WriteString("  " + strings.TrimLeft(text, " "))
		}
	}
	switch {
	case r.Untrusted != "":
		b.WriteString("\n" + wrap("This run is shown and not acted on: "+clean(r.Untrusted)+". What it left undone a new plan does; to go back behind it, apply the config as it was.", "  ", s.width()))
	case r.IsOfPlan() && journal.Resumable(r.Entries):
		b.WriteString("\n  This run is not at its end. Go on with \"hubcap resume\", or go back with\n  \"hubcap rollback\".\n")
	}
	return b.String()
}

// entryLine words one entry for people; false when they need not see it.
func entryLine(e journal.Entry, verbose bool) (string, bool) {
	if e.Mark == journal.Beforehand {
		text, isBad := unwellBefore(e)
		return clean(text), isBad
	}
	onlySamples := len(e.Samples) > 0 && e.Gate == ""
	if !verbose && (e.Mark == journal.Intended || e.Mark == journal.Written || onlySamples) {
		return "", false
	}
	line := string(e.Mark)
	if e.Step != "" {
		line = clean(string(e.Step)) + "  " + line
	}
	if e.Change != nil {
		line += " " + clean(e.Change.String())
	}
	if len(e.Changes) > 0 {
		line += " " + count(len(e.Changes), "object")
	}
	if e.Outcome != "" {
		line += ": " + string(e.Outcome)
	}
	if e.Guard != "" && !strings.HasPrefix(e.Reason, e.Guard) {
		line += ", " + clean(e.Guard)
	}
	if e.Gate != "" {
		line += fmt.Sprintf(", gate %s %s", clean(e.Gate), clean(e.Verdict))
	}
	if e.Reason != "" {
		line += ": " + flat(e.Reason)
	}
	if e.Impact != nil && e.Mark == journal.Done {
		line += fmt.Sprintf(" (measured: launches paused %s, %s restarted)", span(e.Impact.LaunchGap), count(e.Impact.PodsRestarted, "pod"))
	}
	return line, true
}

// A Status is what there is to know about the clusters of a config without
// planning.
type Status struct {
	Clusters []ClusterStatus `json:"clusters"`
	Last     *journal.Run    `json:"last_run"`            // nil when there was none
	Open     []string        `json:"unfinished_runs"`     // which nobody carries out
	UnderWay []string        `json:"under_way,omitempty"` // which somebody holds a lock for
}

// A ClusterStatus is one cluster as seen now.
type ClusterStatus struct {
	Name     string `json:"name"`
	Where    string `json:"where,omitempty"`
	Identity string `json:"identity,omitempty"`
	Sessions int    `json:"sessions"`
	Locked   string `json:"locked_by,omitempty"`
	Trouble  string `json:"trouble,omitempty"` // why it could not be reached
}

// StatusText renders a status.
func StatusText(st Status, now time.Time, s Style) string {
	var b strings.Builder
	for _, c := range st.Clusters {
		line := clean(c.Name)
		if c.Where != "" {
			line += " (" + clean(c.Where) + ")"
		}
		switch {
		case c.Trouble != "":
			line += ": " + s.paint(red, clean(c.Trouble))
		case c.Identity == "":
			line += ": does not exist yet"
		default:
			line += ": " + count(c.Sessions, "session") + ", identity " + clean(c.Identity)
		}
		b.WriteString(wrap("cluster "+line, "", s.width()))
		if c.Locked != "" {
			b.WriteString(wrap("locked by "+clean(c.Locked), "  ", s.width()))
		}
	}
	if st.Last == nil {
		if !slices.ContainsFunc(st.Clusters, func(c ClusterStatus) bool { return c.Trouble != "" }) {
			b.WriteString("no run is recorded\n")
		}
		return b.String()
	}
	line := fmt.Sprintf("last run %s (%s), %s ago, by %s: ", clean(st.Last.ID), st.Last.Kind, span(now.Sub(st.Last.Started)), clean(st.Last.Holder))
	end, finished := Ending(*st.Last)
	switch {
	case slices.Contains(st.UnderWay, st.Last.ID):
		line += "under way"
		if told := lastOrder(*st.Last); told != "" {
			line += ", last told: " + flat(told)
		}
	case finished:
		line += string(end.Outcome)
		if end.Reason != "" {
			line += ", " + flat(end.Reason)
		}
	default:
		line += "unfinished"
	}
	b.WriteString(wrap(line, "", s.width()))
	for _, id := range st.UnderWay {
		b.WriteString(wrap("to follow it: hubcap status --watch "+clean(id), "", s.width()))
	}
	for _, id := range st.Open {
		b.WriteString(wrap("unfinished run "+clean(id)+": hubcap resume "+clean(id)+", or hubcap rollback "+clean(id), "", s.width()))
	}
	return b.String()
}

// lastOrder returns what somebody told a run last, such as "pause by ada"; empty when
// nobody told it anything.
func lastOrder(r journal.Run) string {
	for _, e := range slices.Backward(r.Entries) {
		if e.Mark == journal.Ordered {
			return e.Reason
		}
	}
	return ""
}

// Ended says in one line how a run ended.
func Ended(id string, outcome journal.Outcome, steps int, took time.Duration) string {
	words := map[journal.Outcome]string{
		journal.Succeeded:      "Done",
		journal.WasRolledBack:  "Failed, and rolled back",
		journal.WasHeld:        "Held",
		journal.Incomplete:     "Failed, and the rollback is incomplete",
		journal.WasInterrupted: "Interrupted",
		journal.Refused:        "Refused, nothing was changed",
	}
	word, known := words[outcome]
	if !known {
		word = string(outcome)
	}
	line := fmt.Sprintf("%s: %s done in %s", word, count(steps, "step"), span(took))
	if id != "" {
		line += ", run " + clean(id)
	}
	return line + ".\n"
}

// Span words a duration.
func Span(d time.Duration) string { return span(d) }

// Table lays rows out in columns; none when there are no rows.
func Table(header []string, rows [][]string, none string, s Style) string {
	if len(rows) == 0 {
		return none + "\n"
	}
	return lay(header, rows, s)
}
