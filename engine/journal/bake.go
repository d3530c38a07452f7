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

// FailingBefore returns what the gates of a step saw that was bad before the step wrote
// anything: the step is not to blame for that, and no way back from it mends it.
func FailingBefore(entries []Entry, step plan.StepID) []Sample {
	var failing []Sample
	for _, e := range entries {
		if e.Step != step || e.Mark != Beforehand {
			continue
		}
		for _, s := range e.Samples {
			if s.Verdict == "fail" {
				failing = append(failing, s)
			}
		}
	}
	return failing
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
