package render

import (
	"strings"

	"hubcap/engine/plan"
	"hubcap/engine/resource"
)

// backLine says what the way back costs: of the step that hurts most when it is
// taken back, of all steps, and which of them have none.
func backLine(p *plan.Plan) string {
	var whole toll
	var worst *plan.Step
	var oneWay []string
	steps := p.Steps()
	for i := range steps {
		s := &steps[i]
		if s.Back == nil {
			if s.Class == resource.ClassOneWay || s.Impact.OneWay {
				oneWay = append(oneWay, clean(s.Component.String()))
			}
			continue // else it is left as it is, to be looked at
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
	case worst == nil || pains(*worst.Back) == "":
		line += ", and disturbs nobody"
	case len(steps) == 1:
		line += ": " + pains(*worst.Back)
	default:
		line += "; worst " + clean(worst.Component.String()) + ": " + pains(*worst.Back) + "; all of it: " + whole.pains()
	}
	if len(oneWay) > 0 {
		line += "; no way back from " + strings.Join(oneWay, ", ")
	}
	return line
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
