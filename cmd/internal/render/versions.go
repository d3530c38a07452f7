package render

import (
	"fmt"
	"slices"
	"strings"

	"hubcap/engine/plan"
	"hubcap/engine/resource"
)

// moves writes which versions a plan moves, by block. Blocks with the same moves
// stand together.
func (s Style) moves(b *strings.Builder, p *plan.Plan) {
	groups := movesOf(p)
	if len(groups) == 0 {
		return
	}
	s.section(b, "Versions", "that move")
	for _, g := range groups {
		s.item(b, several(g.blocks), "")
		for _, move := range g.moves {
			b.WriteString(wrap(clean(move), "      ", s.width()))
		}
	}
}

// A moveGroup is blocks that move the same versions.
type moveGroup struct {
	blocks []string
	moves  []string
}

func movesOf(p *plan.Plan) []moveGroup {
	var order []string
	byBlock := map[string][]string{}
	for _, m := range p.Versions.Moves {
		block := m.Block.String()
		if byBlock[block] == nil {
			order = append(order, block)
		}
		byBlock[block] = append(byBlock[block], moveWords(m))
	}
	var groups []moveGroup
	for _, block := range order {
		at := slices.IndexFunc(groups, func(g moveGroup) bool { return slices.Equal(g.moves, byBlock[block]) })
		if at < 0 {
			at = len(groups)
			groups = append(groups, moveGroup{moves: byBlock[block]})
		}
		groups[at].blocks = append(groups[at].blocks, block)
	}
	return groups
}

// moveWords words one move: "image k8s-hub 3.3.8 → 4.2.0 (hub)".
func moveWords(m plan.Move) string {
	words := m.Name + " " + m.Was + " → " + m.Is
	if m.Kind != plan.AppMove {
		words = string(m.Kind) + " " + words
	}
	if len(m.Components) > 0 {
		words += " (" + strings.Join(m.Components, ", ") + ")"
	}
	return words
}

// most is how many names of a list are shown.
const most = 5

// several lists names, the first few of them.
func several(names []string) string {
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}

// A faultGroup is blocks whose charts have the same fault.
type faultGroup struct {
	text   string
	blocks []string // with their places
}

func faultsOf(p *plan.Plan) []faultGroup {
	var groups []faultGroup
	for _, f := range p.Versions.Faults {
		text := f.String()
		if f.Link != "" {
			text += " (" + f.Link + ")"
		}
		at := slices.IndexFunc(groups, func(g faultGroup) bool { return g.text == text })
		if at < 0 {
			at = len(groups)
			groups = append(groups, faultGroup{text: text})
		}
		groups[at].blocks = append(groups[at].blocks, placed(f.Chart.Address.String(), f.Origin))
	}
	return groups
}

// placed is a name with its place in the config.
func placed(name string, origin resource.Range) string {
	if at := place(origin); at != "" {
		return name + " (" + at + ")"
	}
	return name
}

// faults writes what there is to say against the versions that are wanted.
func (s Style) faults(b *strings.Builder, p *plan.Plan) {
	groups := faultsOf(p)
	if len(groups) == 0 {
		return
	}
	s.section(b, "Charts", "with a version to look at")
	for _, g := range groups {
		s.item(b, several(g.blocks), g.text)
	}
}

// verdictWords are what a verdict of a level is called.
var verdictWords = map[plan.PolicyLevel]string{plan.Deny: "denied", plan.Hold: "held", plan.Warn: "warning"}

// verdicts writes what policies have against the plan, the hardest last.
func (s Style) verdicts(b *strings.Builder, p *plan.Plan) {
	if len(p.Verdicts) == 0 {
		return
	}
	line := ""
	switch {
	case len(p.Denied()) > 0:
		line = "apply refuses this plan"
	case p.Verdicts[0].Level == plan.Hold:
		line = "the steps of these blocks are held"
	}
	s.section(b, "Policies", line)
	for _, v := range slices.Backward(p.Verdicts) {
		s.item(b, verdictName(v), verdictText(v))
	}
}

func verdictName(v plan.Verdict) string { return verdictWords[v.Level] + " by " + v.Name }

func verdictText(v plan.Verdict) string {
	text := placed(v.About.String(), v.Origin) + ": " + v.Text
	if v.Reason != "" {
		text += ". Why: " + v.Reason
	}
	return text
}

// versionLines are the faults and the moves of a plan for Markdown.
func versionLines(p *plan.Plan) (moves, faults, verdicts []string) {
	for _, g := range movesOf(p) {
		moves = append(moves, several(g.blocks)+": "+strings.Join(g.moves, " · "))
	}
	for _, g := range faultsOf(p) {
		faults = append(faults, several(g.blocks)+": "+g.text)
	}
	for _, v := range p.Verdicts {
		verdicts = append(verdicts, verdictName(v)+": "+verdictText(v))
	}
	return moves, faults, verdicts
}
