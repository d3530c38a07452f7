package render

import (
	"fmt"
	"strings"

	"hubcap/engine/journal"
	"hubcap/engine/resource"
)

// A Comparison is what was predicted of the steps of a run that were measured, beside
// what they came to.
type Comparison struct {
	Predicted resource.Impact `json:"predicted"`
	Measured  resource.Impact `json:"measured"`

	predicted, measured toll
}

// Compare lays the predicted impact of a run beside the measured one; nil when no step
// was measured, or the plan is not at hand.
func Compare(r journal.Run) *Comparison {
	a := newAccount(r)
	if !a.isKnown || !a.isMeasured {
		return nil
	}
	var c Comparison
	for _, s := range a.steps {
		if s.measured != nil && s.predicted != nil {
			c.predicted.add(s.crowd, *s.predicted)
			c.measured.add(s.crowd, *s.measured)
		}
	}
	c.Predicted, c.Measured = c.predicted.Impact, c.measured.Impact
	return &c
}

// String says in one line what was measured and, in brackets, what had been predicted;
// it is empty when there was no impact, and none had been predicted.
func (c *Comparison) String() string {
	if c == nil {
		return ""
	}
	var parts []string
	add := func(what string, isAny bool, measured, predicted string) {
		if isAny {
			parts = append(parts, fmt.Sprintf("%s %s (%s)", what, measured, predicted))
		}
	}
	m, p := c.Measured, c.Predicted
	counted := func(what string, measured, predicted int) {
		add(what, measured+predicted > 0, fmt.Sprint(measured), fmt.Sprint(predicted))
	}
	counted("sessions lost", m.SessionsLost, p.SessionsLost)
	counted("interrupted", m.SessionsInterrupted, p.SessionsInterrupted)
	add("launches paused", m.LaunchGap+p.LaunchGap > 0, strings.ReplaceAll(c.measured.paused(), "≈ ", ""), c.predicted.paused())
	counted("pods restarted", m.PodsRestarted, p.PodsRestarted)
	if len(parts) == 0 {
		return ""
	}
	return "Impact as measured (as predicted): " + strings.Join(parts, " · ") + "\n"
}
