package render

import (
	_ "embed"
	"fmt"
	"html/template"
	"slices"
	"strings"
	"time"

	"hubcap/engine/journal"
)

//go:embed page.html
var pageSource string

var pageTemplate = template.Must(template.New("page").Parse(pageSource))

// A page is what the template of [Page] shows.
type page struct {
	ID, Outcome string
	Facts       []pair
	Lanes       []lane
	From, To    string
	Legend      []legend
	Reasons     []pair
	Impact      [][3]string
	Gates       []plotted
	Events      []pair
}

type pair struct{ Name, Value string }

type lane struct {
	Name, State string
	Bars        []bar
}

// A bar is a stretch of a lane, in percent of the run.
type bar struct {
	Class, Title string
	Left, Width  float64
}

type legend struct{ Class, Name string }

type plotted struct {
	Name, Figures, Reason string
	Plot                  template.HTML
}

// Page tells a run as one HTML page that needs nothing beside itself: the steps
// over time, predicted and measured impact, and what each gate measured.
func Page(r journal.Run, local *time.Location) (string, error) {
	a := newAccount(r)
	p := page{ID: r.ID, Outcome: a.outcome, Impact: a.impactRows(), Facts: a.facts(local)}
	p.From, p.To = a.began.UTC().Format("15:04:05Z"), a.ended.UTC().Format("15:04:05Z")
	p.Lanes, p.Legend = a.lanes()
	for _, s := range a.steps {
		if s.reason != "" {
			p.Reasons = append(p.Reasons, pair{string(s.id), s.word() + ": " + clean(s.reason)})
		}
		for _, g := range s.gates {
			plot, err := plotGate(g)
			if err != nil {
				return "", fmt.Errorf("plot gate %s: %w", g.name, err)
			}
			p.Gates = append(p.Gates, plotted{string(s.id) + ", " + g.name, g.figures(), clean(g.reason), plot})
		}
	}
	for _, e := range r.Entries {
		if text, isTold := told(e); isTold {
			p.Events = append(p.Events, pair{both(e.Time, local), clean(text)})
		}
	}
	var b strings.Builder
	if err := pageTemplate.Execute(&b, p); err != nil {
		return "", fmt.Errorf("render the page of run %s: %w", r.ID, err)
	}
	return b.String(), nil
}

func (a account) facts(local *time.Location) []pair {
	r := a.run
	facts := []pair{
		{"Kind", string(r.Kind)}, {"Config", r.Config}, {"Undoes", r.Undoes}, {"By", r.Holder},
		{"Began", both(a.began, local)}, {"Last entry", both(a.ended, local) + ", after " + span(a.ended.Sub(a.began))},
		{"Why", clean(a.reason)}, {"Not acted on", clean(r.Untrusted)},
	}
	if r.Plan != nil {
		facts = append(facts, pair{"Commit", r.Plan.Commit})
	}
	return slices.DeleteFunc(facts, func(f pair) bool { return f.Value == "" })
}

// lanes lays the states of every step out over the time of the run.
func (a account) lanes() ([]lane, []legend) {
	whole := float64(max(a.ended.Sub(a.began), time.Millisecond))
	percent := func(d time.Duration) float64 { return min(100, max(0, 100*float64(d)/whole)) }
	var lanes []lane
	var known []legend
	for _, s := range a.steps {
		l := lane{Name: string(s.id), State: s.word()}
		for _, sp := range s.spans {
			class := strings.ReplaceAll(string(sp.mark), " ", "-")
			left := percent(sp.from.Sub(a.began))
			l.Bars = append(l.Bars, bar{
				Class: class, Left: min(left, 99.7), Width: percent(sp.to.Sub(sp.from)),
				Title: fmt.Sprintf("%s from %s for %s", sp.mark, sp.from.UTC().Format("15:04:05Z"), span(sp.to.Sub(sp.from))),
			})
			if !slices.ContainsFunc(known, func(k legend) bool { return k.Class == class }) {
				known = append(known, legend{class, string(sp.mark)})
			}
		}
		lanes = append(lanes, l)
	}
	return lanes, known
}
