package run

import (
	"context"
	"errors"

	"hubcap/engine/plan"
)

// ErrMoved says that an object is no more as the run last saw it.
var ErrMoved = errors.New("moved since it was planned")

// What a gate can end a step with.
var (
	ErrGate    = errors.New("a gate failed")
	ErrUnclear = errors.New("a gate could not tell")
)

// A gateError is the verdict of a gate that stopped a step.
type gateError struct {
	kind error // ErrGate or ErrUnclear
	gate string
	text string
	held *heldError // when the step is held for it; nil: it failed
}

func (e *gateError) Error() string { return e.text }

// Unwrap returns what the verdict means for the step, and its kind.
func (e *gateError) Unwrap() []error {
	if e.held == nil {
		return []error{e.kind}
	}
	return []error{e.kind, e.held}
}

// FailedGate returns the name of the gate whose verdict err is, or "".
func FailedGate(err error) string {
	var verdict *gateError
	if errors.As(err, &verdict) {
		return verdict.gate
	}
	return ""
}

// A StepError says which step stopped a run, and why.
type StepError struct {
	Step plan.Step
	Err  error
}

func (e *StepError) Error() string { return string(e.Step.ID) + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *StepError) Unwrap() error { return e.Err }

type runKey struct{}

// WithID returns a context that tells providers which run they write for, see
// [ID].
func WithID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, runKey{}, id)
}

// ID returns the run on whose behalf ctx was made, or "": what a provider notes
// beside an object as resource.Applied.Run.
func ID(ctx context.Context) string {
	id, _ := ctx.Value(runKey{}).(string)
	return id
}
