// Package run carries out a plan, step by step: write, converge, bake, and when a
// check fails say so to its caller, who wants what was before.
//
// Place in the pipeline: last. It is the only package that acts.
package run

import (
	"context"
	"time"

	"hubcap/engine/journal"
	"hubcap/engine/plan"
	"hubcap/engine/resource"
)

// A Writer makes one change in the outside world.
type Writer interface {
	// Look returns the object as it is now, restricted to the fields that
	// change.Before and change.After hold, and whether it exists. It is how a
	// run finds out what a step that was cut off has done.
	Look(ctx context.Context, change resource.Change) (Sight, error)

	// Write makes the change if the object is as sight saw it, and returns
	// [ErrMoved] (wrapped, with the field) when it is not. Writing what is already so is not
	// an error. A GKE write returns when its operation is done. The Sight it returns
	// is the server's answer: AtAfter, with the after-image where there is one.
	Write(ctx context.Context, change resource.Change, sight Sight) (Sight, error)
}

// A Sight is one object as it was seen just now.
type Sight struct {
	State   State
	Version string // makes the write that follows conditional
	Moved   string // when State is Elsewhere: the field that is neither before nor after, and who wrote it

	// Image is the after-image, when State is AtAfter and the server made of
	// change.After something else than it says (admission): the same fields with the
	// values that they have. nil: the object is as change.After says.
	Image resource.Object
}

// State is where an object stands between before and after.
type State int

// The zero State is invalid, so that a forgotten one is caught.
const (
	AtBefore  State = iota + 1 // as the plan expected to find it
	AtAfter                    // already as wanted
	Elsewhere                  // neither: someone else moved it
)

// A Prober tells whether an object has settled as wanted: observed, not assumed.
type Prober interface {
	Probe(ctx context.Context, change resource.Change) (resource.Health, error)
}

// A Sampler takes one sample for a gate.
type Sampler interface {
	Sample(ctx context.Context, q Question) (Sample, error)
}

// A Question is what a sampler is asked: how a gate stands at one instant. In a
// replay the instant lies in the past.
type Question struct {
	Gate      plan.Gate
	Component resource.Component // that was changed
	Began     time.Time          // right before the step's first write: what is older is the baseline
	Baking    time.Time          // when the step had converged: what is younger is evidence
	At        time.Time          // the instant; zero: now
}

// A Sample is what a gate saw at one instant.
type Sample struct {
	Verdict  Verdict
	Reason   string   // with the number and the threshold
	Value    *float64 // what was measured, where that is a number
	Bound    *float64 // what it was held against
	Evidence *float64 // how much work it rests on: launches, samples; nil when nothing was asked
	Early    bool     // inconclusive because the bake is young: evidence is on its way
}

// Verdict is what a sample, or a whole gate, says.
type Verdict string

// The verdicts. No data is inconclusive, never a pass.
const (
	Pass         Verdict = "pass"
	Fail         Verdict = "fail"
	Inconclusive Verdict = "inconclusive"
)

// A Recorder makes entries durable before it returns, in their order.
type Recorder interface {
	Record(ctx context.Context, entries ...journal.Entry) error
}
