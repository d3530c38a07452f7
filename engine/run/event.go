package run

import (
	"time"

	"hubcap/engine/journal"
	"hubcap/engine/plan"
	"hubcap/engine/resource"
)

// An Event tells what a run is doing, for whoever shows it. The set of events is
// closed: see the types in this file.
type Event interface{ event() }

// RunBegan says that a run has its lock and its journal.
type RunBegan struct {
	Run  string
	Kind journal.Kind
	Plan *plan.Plan
}

// StepMoved says that a step came to a new state, one of the marks of a step.
type StepMoved struct {
	Step         plan.Step
	Index, Total int // of the step, from 1
	Mark         journal.Mark
	Reason       string
	Time         time.Time
}

// ChangeMade says that one change was written.
type ChangeMade struct {
	Step   plan.StepID
	Change resource.Change
}

// Waited says what a step still waits for; it comes about every second.
type Waited struct {
	Step    plan.StepID
	For     time.Duration // since it began to converge
	Unready []string      // "Deployment/hub: 0 of 1 pods ready"
}

// GateSampled says what a gate saw.
type GateSampled struct {
	Step    plan.StepID
	Gate    plan.Gate
	Sample  Sample
	Elapsed time.Duration // of the bake
	Of      time.Duration // its length as things stand; missing evidence extends it
}

// GuardWaited says which guards a step waits for; it comes when what they say
// changes, and at every look.
type GuardWaited struct {
	Step    plan.StepID
	Since   time.Time // it waits
	Limit   time.Time // it is held then
	Reasons []string  // "guard.quiet: 34 launches per minute, at most 20 are allowed"
}

// GuardTold says what a guard that holds nothing has against a step.
type GuardTold struct {
	Step   plan.StepID
	Guard  plan.Guard
	Reason string
	Why    Unheld
}

// Unheld says why a guard holds nothing.
type Unheld string

// Why a guard holds nothing.
const (
	IsAdvisory   Unheld = "advisory"
	IsOverridden Unheld = "overridden"
	IsRelaxed    Unheld = "relaxed during the incident"
)

// Noted is something worth a line and no worry: an operation of GKE's that is
// waited for.
type Noted struct{ Text string }

// Warned is anything a person should know that stops nothing.
type Warned struct{ Text string }

// RunEnded is the last event.
type RunEnded struct {
	Run     string
	Outcome journal.Outcome
	Reason  string
	Took    time.Duration
	Done    int // steps that are done
}

func (RunBegan) event()    {}
func (StepMoved) event()   {}
func (ChangeMade) event()  {}
func (Waited) event()      {}
func (GateSampled) event() {}
func (GuardWaited) event() {}
func (GuardTold) event()   {}
func (Noted) event()       {}
func (Warned) event()      {}
func (RunEnded) event()    {}
