// Package journal records, durably and in order, what a run meant to do and what
// it did, so that a run that died can be understood, resumed or undone.
//
// Place in the pipeline: beside run. Its records and [Before] are pure; where the
// records are kept is a provider's affair.
package journal

import (
	"time"

	"hubcap/engine/plan"
	"hubcap/engine/resource"
)

// A Mark says how far a step, or one change in it, got. It is written before
// what it announces begins.
type Mark string

// The marks of a run, of a step, and of one change.
const (
	RunStarted  Mark = "run started"
	RunFinished Mark = "run finished" // Outcome says how

	Waiting     Mark = "waiting"    // for Guard, since then; nothing was done yet
	Overridden  Mark = "overridden" // a person decided that Guard does not count; Reason says why
	Advised     Mark = "advised"    // Guard has something against the step, and holds nothing
	Ordered     Mark = "ordered"    // somebody told the run something; Reason says who and what
	Held        Mark = "held"
	Applying    Mark = "applying"
	Beforehand  Mark = "beforehand" // how the step's gates stood before its first write; see Samples
	Intended    Mark = "intended"   // one change is about to be written; it may or may not have been
	Written     Mark = "written"    // the change was written
	Converging  Mark = "converging"
	Baking      Mark = "baking"
	Done        Mark = "done"
	Failed      Mark = "failed" // Reason says why
	RollingBack Mark = "rolling back"
	Bisected    Mark = "bisected" // while it is rolled back; Reason says which part of the step made it fail
	LeftOut     Mark = "left out" // while it is rolled back: the object that cannot go back, or the component that a person left out; Reason says why
	RolledBack  Mark = "rolled back"
	Stuck       Mark = "stuck" // the rollback did not succeed: a person is needed

	Rotated Mark = "key rotated" // the cluster has another key pair now; Reason says which
	Sealing Mark = "sealing"     // the objects are about to be sealed
)

// Outcome is how a run ended.
type Outcome string

// The outcomes.
const (
	Succeeded      Outcome = "succeeded"
	WasRolledBack  Outcome = "rolled back"
	WasHeld        Outcome = "held"
	Incomplete     Outcome = "rollback incomplete"
	WasInterrupted Outcome = "interrupted"
	Refused        Outcome = "refused" // nothing was changed
)

// An Entry is one line of the journal.
type Entry struct {
	Seq     int              `json:"seq"`
	Time    time.Time        `json:"time"`
	Mark    Mark             `json:"mark"`
	Step    plan.StepID      `json:"step,omitempty"`
	Change  *resource.ID     `json:"change,omitempty"`    // the object that Mark is about
	Changes []resource.ID    `json:"changes,omitempty"`   // the objects, when there are several: they are written side by side
	Part    string           `json:"component,omitempty"` // that a rollback left out, since a person excepted it
	Outcome Outcome          `json:"outcome,omitempty"`
	Reason  string           `json:"reason,omitempty"`
	Gate    string           `json:"gate,omitempty"`    // name of the gate that was sampled
	Verdict string           `json:"verdict,omitempty"` // of the gate
	Guard   string           `json:"guard,omitempty"`   // address of the guard or policy that Mark is about
	Cluster string           `json:"cluster,omitempty"` // of the step that Impact is of
	Impact  *resource.Impact `json:"impact,omitempty"`  // as expected, where Mark is Intended; else as measured
	Class   resource.Class   `json:"class,omitempty"`   // of the step that Impact is of

	// Relies says where the people are that Impact is about.
	Relies *plan.SessionBound `json:"relies_on,omitempty"`

	Digest  string   `json:"digest,omitempty"`  // of what the step wanted, when it is done or failed; see plan.Step.Digest
	Samples []Sample `json:"samples,omitempty"` // that the step's gates took since the entry before
	Images  []Image  `json:"images,omitempty"`  // after-images of what was written, where the server's answer was another than was wanted

	Seal string `json:"seal,omitempty"` // over this entry and all before it, see Chain
}

// A Sample is one sample of one gate as it is kept.
type Sample struct {
	Gate     string    `json:"gate"`
	Time     time.Time `json:"time"`
	Verdict  string    `json:"verdict"`
	Reason   string    `json:"reason,omitempty"`
	Value    *float64  `json:"value,omitempty"`
	Bound    *float64  `json:"bound,omitempty"`
	Evidence *float64  `json:"evidence,omitempty"`
	Early    bool      `json:"early,omitempty"` // inconclusive, and too early to be otherwise
	Times    int       `json:"times,omitempty"` // it stands for so many of the same verdict, the last of them; 0: one
}

// Objects returns the objects that e is about.
func (e Entry) Objects() []resource.ID {
	if e.Change != nil {
		return []resource.ID{*e.Change}
	}
	return e.Changes
}

// A Run is one execution of a plan, or of the way back from one.
type Run struct {
	FormatVersion string `json:"format_version,omitempty"` // of the records; empty: 1.0, which had no seals

	ID      string    `json:"id"` // "20261121-123456-3f2a": the time is for people, see Number
	Kind    Kind      `json:"kind"`
	Config  string    `json:"config,omitempty"` // name of the config whose plan it is; clusters are shared
	Holder  string    `json:"holder"`           // user@host, and the CI job if any
	Started time.Time `json:"started"`          // by the clock of whoever began it: for people
	Undoes  string    `json:"undoes,omitempty"` // ID of the run that this one undoes

	// Number orders the runs of one journal: how many times the lock had changed hands
	// when the run took it. Zero in runs of version 1.
	Number  int64     `json:"number,omitempty"`
	Created time.Time `json:"-"` // when its record was made, by the clock of the cluster that keeps it

	PlanID      string    `json:"plan"`            // see plan.Plan.ID
	PlanCreated time.Time `json:"plan_created"`    // with PlanID: a plan is used once
	Steps       int       `json:"steps,omitempty"` // of the plan; zero in runs of versions that did not say

	DocumentDigest string `json:"document_digest,omitempty"` // of the plan's document
	SecretsDigest  string `json:"secrets_digest,omitempty"`  // of what the document hides, under the key of digests
	HandoverDigest string `json:"handover_digest,omitempty"` // likewise, of what it is handed over with
	Seal           string `json:"seal,omitempty"`            // over all of the above

	Plan    *plan.Plan `json:"-"` // kept beside, see plan.Encode
	Entries []Entry    `json:"entries"`

	// Untrusted says why the run is shown and not acted on; empty when it is what
	// hubcap wrote, as far as whoever read it can tell. It is never stored.
	Untrusted string `json:"untrusted,omitempty"`
}

// Kind is what a run is for.
type Kind string

// The kinds of runs.
const (
	ApplyRun    Kind = "apply"
	RollbackRun Kind = "rollback"
	OriginRun   Kind = "origin" // records which directory the config is applied from; it has no steps
	SealRun     Kind = "seal"   // seals objects on a person's word, or rotates the key; likewise
)

// IsOfPlan reports whether the run carries out a plan, so that it can be gone on with and
// taken back.
func (r Run) IsOfPlan() bool { return r.Kind != OriginRun && r.Kind != SealRun }
