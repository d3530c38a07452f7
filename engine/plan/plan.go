// Package plan arranges changes into the waves and steps in which they will run,
// says what each does to people, and gives the result a file format.
//
// Place in the pipeline: between diff and run. Building a plan is pure.
package plan

import (
	"cmp"
	"fmt"
	"time"

	"hubcap/engine/resource"
)

// FormatVersion is the version of the plan file and of the plan's JSON. A minor
// step only adds keys.
const FormatVersion = "2.0"

// A Plan is everything apply will do, in order. It is plain data: it holds no
// clients, functions or interfaces, so that it can be printed, saved, compared
// and resumed.
type Plan struct {
	FormatVersion string                `json:"format_version"`
	ID            string                `json:"id"`               // sha256 of the document without its ID, in hex
	Version       string                `json:"version"`          // of hubcap
	Config        string                `json:"config"`           // name of the config that owns the objects
	Origin        string                `json:"origin,omitempty"` // tells it from other configs of its name
	Commit        string                `json:"commit,omitempty"`
	Given         []string              `json:"variables,omitempty"` // names of the variables that got a value from outside of the config
	Created       time.Time             `json:"created"`
	Scope         Scope                 `json:"scope,omitzero"` // what it was asked to be about
	Clusters      []Cluster             `json:"clusters"`
	Waves         []Wave                `json:"waves"`
	Takeovers     []Takeover            `json:"takeovers,omitempty"`  // objects of others that become the config's
	Drift         []Drift               `json:"drift,omitempty"`      // fields that someone else wrote
	Kept          []Kept                `json:"kept,omitempty"`       // wanted no more, and yet not deleted
	Undeclared    []Undeclared          `json:"undeclared,omitempty"` // hubs that stay although no block asks for them
	Unreadable    []resource.Unreadable `json:"unreadable,omitempty"`
	Refused       []Refused             `json:"refused,omitempty"` // objects that may not be written
	Warnings      []string              `json:"warnings,omitempty"`
	LeftOut       []string              `json:"left_out,omitempty"` // addresses left out by --only and --except
	Unchanged     int                   `json:"unchanged"`          // number of objects that are as desired
	Outputs       map[string]any        `json:"outputs,omitempty"`
	Charts        []resource.Chart      `json:"charts,omitempty"` // that the objects come from, by block, parents first
	Versions      Versions              `json:"versions,omitzero"`
	Verdicts      []Verdict             `json:"verdicts,omitempty"` // what policies have against the plan, hardest first
	Standings     []Standing            `json:"-"`                  // of its guards when it is shown, which is no part of it; nil: they were not asked
}

// A Scope narrows what is planned, as somebody did on the command line.
type Scope struct {
	Only   []string `json:"only,omitempty"`   // addresses of blocks or components; empty: all
	Except []string `json:"except,omitempty"` // likewise, left out
	Delete []string `json:"delete,omitempty"` // addresses that may be deleted although people's work is on them
}

// A Cluster is one that the plan reads or writes.
type Cluster struct {
	Name     string `json:"name"`               // of its block
	Identity string `json:"identity,omitempty"` // UID of the namespace kube-system; empty when it does not exist yet
	GKE      *GKE   `json:"gke,omitempty"`      // what it is in GKE; nil when it is not known to be there
	Where    string `json:"where,omitempty"`    // "us-central1-a" or the context's name, for people
	Sessions int    `json:"sessions"`           // user pods running when the plan was made
}

// GKE is a cluster as the GKE API knows it.
type GKE struct {
	Project  string `json:"project"`
	Location string `json:"location"`
	Name     string `json:"name"`
	ID       string `json:"id,omitempty"` // GKE's own, which no other cluster ever has; empty when it could not be asked
}

// Other returns what tells c from the cluster that was meant, or "" when nothing does.
// What is not known of either tells nothing.
func (c Cluster) Other(meant Cluster) string {
	differ := func(what, is, was string) string {
		if is == "" || was == "" || is == was {
			return ""
		}
		return fmt.Sprintf("its %s is %q, and was %q", what, is, was)
	}
	var is, was GKE
	if c.GKE != nil {
		is = *c.GKE
	}
	if meant.GKE != nil {
		was = *meant.GKE
	}
	if c.GKE == nil && meant.GKE != nil {
		return "it is not in GKE, and was"
	}
	return cmp.Or(differ("identity", c.Identity, meant.Identity), differ("project", is.Project, was.Project),
		differ("location", is.Location, was.Location), differ("name in GKE", is.Name, was.Name), differ("ID in GKE", is.ID, was.ID))
}

// A Wave is the steps of some blocks that are made before the next wave begins.
type Wave struct {
	Name        string `json:"name"`                   // "hub.staging", "node pools", "10%"
	Rollout     string `json:"rollout,omitempty"`      // the block that put it in its place; empty when none did
	MaxParallel int    `json:"max_parallel,omitempty"` // so many of its blocks are changed at once; zero: one
	Steps       []Step `json:"steps"`
}

// StepID is stable across saving, loading and resuming a plan.
type StepID string

// A Step is the changes of one component: made together, checked together and
// undone together.
type Step struct {
	ID        StepID             `json:"id"` // "03-hub.prod/binder"
	Component resource.Component `json:"component"`
	Cluster   string             `json:"cluster"`
	Class     resource.Class     `json:"class"`
	Impact    resource.Impact    `json:"impact"`
	Back      *resource.Impact   `json:"back,omitempty"`      // of taking the step back when it fails; nil: there is no way back, or none is taken
	Relies    *SessionBound      `json:"relies_on,omitempty"` // nil: the step neither ends nor interrupts sessions
	Changes   []resource.Change  `json:"changes"`             // in the order in which they are written
	Gates     []Gate             `json:"gates,omitempty"`
	Hook      string             `json:"hook,omitempty"` // "pre-upgrade": the step runs hooks of the block's chart
	Timeout   time.Duration      `json:"timeout_ns"`     // to converge
	OnFailure OnFailure          `json:"on_failure"`
	Bisect    bool               `json:"bisect,omitempty"`   // when it fails, find out which of its parts did
	Extent    Extent             `json:"rollback,omitempty"` // what is undone beside the step when it fails; empty: nothing
	After     []StepID           `json:"after,omitempty"`    // earlier steps that make what this one cannot do without
	Guards    []Guard            `json:"guards,omitempty"`   // what must hold before it begins
	Admission Admission          `json:"admission,omitempty"`
}

// OnFailure says what to do when a step fails.
type OnFailure string

// What to do when a step fails.
const (
	Rollback OnFailure = "rollback" // undo this component, then stop
	Stop     OnFailure = "stop"     // leave it as it is and stop: held, resumable
)

// Extent is what is undone when a step fails.
type Extent string

// How far undoing goes, beside the component that failed.
const (
	WholeWave Extent = "wave" // what the run did of the step's wave
	WholeRun  Extent = "run"  // what the run did
)

// Admission is what a step does to how many people are let in.
type Admission string

// What a step does to admission; the zero Admission is nothing.
const (
	RaisesAdmission Admission = "raised"
	LowersAdmission Admission = "lowered" // and changes nothing else: a lower limit, a ban
)

// Drift is the fields of one object that someone other than hubcap wrote.
type Drift struct {
	Kind    DriftKind          `json:"kind"`
	ID      resource.ID        `json:"id"`
	Address resource.Address   `json:"address"`
	Fields  []resource.Foreign `json:"fields"`
}

// DriftKind tells drift from what only looks like it.
type DriftKind string

// The kinds of drift.
const (
	Drifted    DriftKind = "drift"    // the config is as applied, live is not
	Conflicted DriftKind = "conflict" // live and config both moved since the last apply
)

// Kept is an object that is wanted no more and that no plan deletes unasked.
type Kept struct {
	ID      resource.ID      `json:"id"`
	Address resource.Address `json:"address"`
	Reason  string           `json:"reason"` // "persistent volume claims are deleted only by name"
}

// Undeclared is a hub that no block of the config asks for any more, and that nobody
// named for deletion.
type Undeclared struct {
	Address  resource.Address `json:"address"`
	Objects  int              `json:"objects"`
	Sessions int              `json:"sessions"` // user servers on it, when the plan was made
}

// Refused is a desired object that may not be written.
type Refused struct {
	ID      resource.ID      `json:"id"`
	Address resource.Address `json:"address"`
	Reason  string           `json:"reason"`
	Missing bool             `json:"missing,omitempty"` // there is no such object
	Origin  resource.Range   `json:"origin,omitzero"`
}

// Steps returns all steps in order.
func (p *Plan) Steps() []Step {
	var steps []Step
	for _, w := range p.Waves {
		steps = append(steps, w.Steps...)
	}
	return steps
}

// Empty reports whether apply would do nothing.
func (p *Plan) Empty() bool { return len(p.Steps()) == 0 }
