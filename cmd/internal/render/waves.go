package render

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"hubcap/engine/plan"
)

// A WaveSummary is one wave of a plan in numbers; it stands in the JSON.
type WaveSummary struct {
	Name        string        `json:"name"`
	Rollout     string        `json:"rollout,omitempty"`
	Blocks      []string      `json:"blocks"`
	Steps       int           `json:"steps"`
	Gates       []string      `json:"gates"`
	Guards      []string      `json:"guards"`
	MaxParallel int           `json:"max_parallel"`
	Bake        time.Duration `json:"bake_ns"` // expected, with blocks side by side
}

// Waves sums up the waves of a plan.
func Waves(p *plan.Plan) []WaveSummary {
	waves := []WaveSummary{}
	for _, w := range p.Waves {
		if len(w.Steps) == 0 {
			continue
		}
		sum := WaveSummary{
			Name: w.Name, Rollout: w.Rollout, Steps: len(w.Steps), MaxParallel: max(w.MaxParallel, 1),
			Blocks: []string{}, Gates: []string{}, Guards: []string{}, Bake: bakeOf(w),
		}
		for _, step := range w.Steps {
			sum.Blocks = addOnce(sum.Blocks, step.Component.Block.String())
			for _, g := range step.Gates {
				sum.Gates = addOnce(sum.Gates, g.Name)
			}
			for _, g := range step.Guards {
				sum.Guards = addOnce(sum.Guards, g.Address())
			}
		}
		waves = append(waves, sum)
	}
	return waves
}

func addOnce(list []string, one string) []string {
	if slices.Contains(list, one) {
		return list
	}
	return append(list, one)
}

// bakeOf estimates how long the gates of a wave keep it, when the blocks that may
// be changed side by side are.
func bakeOf(w plan.Wave) time.Duration {
	var order []string
	lanes := map[string]time.Duration{}
	for _, step := range w.Steps {
		block := step.Component.Block.String()
		order = addOnce(order, block)
		longest := time.Duration(0)
		for _, g := range step.Gates {
			longest = max(longest, g.Delay()+g.Bake)
		}
		lanes[block] += longest
	}
	places := make([]time.Duration, max(w.MaxParallel, 1))
	for _, block := range order {
		places[slices.Index(places, slices.Min(places))] += lanes[block]
	}
	return slices.Max(places)
}

// totalBake estimates how long the gates of all waves keep a run.
func totalBake(waves []WaveSummary) time.Duration {
	var sum time.Duration
	for _, w := range waves {
		sum += w.Bake
	}
	return sum
}

// waveLines tells each wave of a plan in which a rollout has a say; of other plans
// their order is enough.
func waveLines(waves []WaveSummary) []string {
	isStaged := slices.ContainsFunc(waves, func(w WaveSummary) bool { return w.Rollout != "" })
	if !isStaged {
		if len(waves) < 2 {
			return nil
		}
		var names []string
		for _, w := range waves {
			names = append(names, fmt.Sprintf("%s (%d)", clean(w.Name), w.Steps))
		}
		return []string{strings.Join(names, " → ")}
	}
	var lines []string
	for i, w := range waves {
		lines = append(lines, fmt.Sprintf("%d. %s", i+1, w.line()))
	}
	return lines
}

func (w WaveSummary) line() string {
	line := clean(w.Name)
	if blocks := strings.Join(w.Blocks, ", "); blocks != w.Name {
		line += ": " + some(w.Blocks)
	}
	line += fmt.Sprintf(" (%s)", count(w.Steps, "step"))
	if w.MaxParallel > 1 && len(w.Blocks) > 1 {
		line += fmt.Sprintf(" · %d at once", min(w.MaxParallel, len(w.Blocks)))
	}
	if len(w.Gates) > 0 {
		line += " · gates " + clean(strings.Join(w.Gates, ", "))
	}
	if w.Bake > 0 {
		line += " · bakes " + span(w.Bake)
	}
	return line
}

// some joins names, and counts what would be too much.
func some(names []string) string {
	const most = 6
	if len(names) > most+1 {
		names = append(slices.Clone(names[:most]), fmt.Sprintf("and %d more", len(names)-most))
	}
	return clean(strings.Join(names, ", "))
}

// standings returns how the guards of a plan stood when it was shown, by step. Where
// nobody asked them it is what is known without asking.
func standings(p *plan.Plan) map[plan.StepID][]plan.Standing {
	all := p.Standings
	if all == nil {
		all = p.KnownStandings()
	}
	byStep := make(map[plan.StepID][]plan.Standing)
	for _, st := range all {
		byStep[st.Step] = append(byStep[st.Step], st)
	}
	return byStep
}

// holdLines says what guards have against a step.
func holdLines(stands []plan.Standing) []string {
	var lines []string
	for _, st := range stands {
		guard := fmt.Sprintf("%s (%s)", clean(st.Guard), st.Level)
		switch {
		case st.Untold != "" && st.Level == plan.Advisory:
			lines = append(lines, fmt.Sprintf("%s cannot be told now: %s", guard, clean(st.Untold)))
		case st.Untold != "":
			lines = append(lines, fmt.Sprintf("held by %s while it cannot be told, as now: %s", guard, clean(st.Untold)))
		case st.Holds:
			word := "held"
			if st.Level == plan.Advisory {
				word = "advised against"
			}
			line := fmt.Sprintf("%s by %s: %s", word, guard, clean(st.Reason))
			if !st.Since.IsZero() {
				line += "; since " + clock(st.Since)
			}
			lines = append(lines, line)
		}
	}
	return lines
}

// heldLines says of each step what its guards have against it.
func heldLines(p *plan.Plan) []string {
	var lines []string
	stands := standings(p)
	for _, step := range p.Steps() {
		for _, line := range holdLines(stands[step.ID]) {
			lines = append(lines, step.Component.String()+": "+line)
		}
	}
	return lines
}

// stagedLines are the waves of a plan in which a rollout has a say.
func stagedLines(p *plan.Plan) []string {
	waves := Waves(p)
	if !slices.ContainsFunc(waves, func(w WaveSummary) bool { return w.Rollout != "" }) {
		return nil
	}
	return waveLines(waves)
}

// guardLine sums up the guards of a plan; empty when it has none.
func guardLine(p *plan.Plan) string {
	var names []string
	levels := map[string]plan.Guard{}
	stands, held, untold := standings(p), 0, 0
	for _, step := range p.Steps() {
		for _, g := range step.Guards {
			if g.Verdict == nil {
				names = addOnce(names, g.Address())
				levels[g.Address()] = g
			}
		}
		binds := slices.DeleteFunc(slices.Clone(stands[step.ID]), func(st plan.Standing) bool { return st.Level == plan.Advisory })
		switch {
		case slices.ContainsFunc(binds, func(st plan.Standing) bool { return st.Holds }):
			held++
		case slices.ContainsFunc(binds, func(st plan.Standing) bool { return st.Untold != "" }):
			untold++
		}
	}
	if len(names) == 0 {
		return ""
	}
	slices.Sort(names)
	for i, name := range names {
		names[i] = fmt.Sprintf("%s (%s, %s)", clean(name), levels[name].Check(), levels[name].Level)
	}
	line := strings.Join(names, ", ")
	if held > 0 {
		line += fmt.Sprintf(" · %s would be held now", count(held, "step"))
	}
	if untold > 0 {
		line += fmt.Sprintf(" · of %s it cannot be told now", count(untold, "step"))
	}
	return line
}
