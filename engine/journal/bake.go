package journal

import (
	"time"

	"hubcap/engine/plan"
)

// A PastBake is the bake of a step as far as its entries tell.
type PastBake struct {
	Began    time.Time // zero: it did not begin
	Samples  []Sample
	Verdicts map[string]string // by name of the gate
}

// BakeOf returns the bake of a step since its last write: what was seen before
// that was something else.
func BakeOf(entries []Entry, step plan.StepID) PastBake {
	var past PastBake
	for _, e := range entries {
		if e.Step != step {
			continue
		}
		switch e.Mark {
		case Intended, Written, RollingBack:
			past = PastBake{}
		case Baking:
			if past.Began.IsZero() {
				past.Began, past.Verdicts = e.Time, make(map[string]string)
			}
			past.Samples = append(past.Samples, e.Samples...)
			if e.Gate != "" {
				past.Verdicts[e.Gate] = e.Verdict
			}
		}
	}
	return past
}

// Begun returns when a step was about to write for the first time, or the zero
// time.
func Begun(entries []Entry, step plan.StepID) time.Time {
	for _, e := range entries {
		if e.Step == step && e.Mark == Intended {
			return e.Time
		}
	}
	return time.Time{}
}
