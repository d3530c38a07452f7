package render

import (
	"slices"
	"strings"

	"hubcap/engine/plan"
	"hubcap/engine/resource"
)

// backLine says what the way back costs: of the step that hurts most when it is
// taken back, of all steps, whose sessions it does not bring back, and which of them
// have none. That it disturbs nobody it says only of a plan that disturbs nobody.
func backLine(p *plan.Plan) string {
	var whole toll
	var worst *plan.Step
	var oneWay, ended []string
	disturbs := false
	steps := p.Steps()
	for i := range steps {
		s := &steps[i]
		disturbs = disturbs || s.Relies != nil || pains(s.Impact) != "" || s.Impact.Unknown || ends(*s)
		if s.Back == nil {
			if s.Class == resource.ClassOneWay || s.Impact.OneWay {
				oneWay = append(oneWay, clean(s.Component.String()))
			}
			continue // else it is left as it is, to be looked at
		}
		if block := clean(s.Component.Block.String()); endsSessions(*s) && !slices.Contains(ended, block) {
			ended = append(ended, block)
		}
		whole.add(s.Crowd(), *s.Back)
		if worst == nil || hurtsMore(*s.Back, *worst.Back) {
			worst = s
		}
	}
	if worst == nil && len(oneWay) == 0 {
		return ""
	}
	line := "a step that fails goes back by itself"
	switch {
	case !disturbs:
		line += ", and disturbs nobody"
	case worst == nil || pains(*worst.Back) == "":
	case len(steps) == 1:
		line += ": " + pains(*worst.Back)
	default:
		line += "; worst " + clean(worst.Component.String()) + ": " + pains(*worst.Back) + "; all of it: " + whole.pains()
	}
	if len(ended) > 0 {
		line += "; sessions that end by " + strings.Join(ended, ", ") + " do not come back"
	}
	if len(oneWay) > 0 {
		line += "; no way back from " + strings.Join(oneWay, ", ")
	}
	return line
}

// endsSessions reports whether sessions end by a step, so that its way back makes the
// objects again, and not the sessions.
func endsSessions(s plan.Step) bool {
	return s.Impact.SessionsLost > 0 || slices.ContainsFunc(s.Changes, func(c resource.Change) bool {
		return c.Action == resource.Delete && plan.Disturbs(c)
	})
}

func hurtsMore(a, b resource.Impact) bool {
	if x, y := a.SessionsLost*1000+a.SessionsInterrupted, b.SessionsLost*1000+b.SessionsInterrupted; x != y {
		return x > y
	}
	return a.LaunchGap > b.LaunchGap
}

// pains words what an impact does to people; nothing when it does nothing.
func pains(i resource.Impact) string { return toll{Impact: i}.pains() }

func (t toll) pains() string {
	var parts []string
	if t.SessionsLost > 0 {
		parts = append(parts, count(t.SessionsLost, "session")+" lost")
	}
	if t.SessionsInterrupted > 0 {
		parts = append(parts, count(t.SessionsInterrupted, "session")+" interrupted")
	}
	if t.LaunchesStop {
		parts = append(parts, "launches stop")
	} else if t.LaunchGap > 0 {
		parts = append(parts, "launches pause "+t.paused())
	}
	return strings.Join(parts, ", ")
}
