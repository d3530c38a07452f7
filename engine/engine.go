// Package engine is the pipeline in words: expand, observe, compare, build,
// execute.
//
// Place in the pipeline: the whole of it; the commands call nothing else.
package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/hcl/v2"

	"hubcap/engine/expand"
	"hubcap/engine/journal"
	"hubcap/engine/observe"
	"hubcap/engine/plan"
	"hubcap/engine/resource"
	"hubcap/engine/run"
	"hubcap/engine/seal"
	"hubcap/schema"
)

// A Cluster is everything the engine can do to one cluster. Providers fill it.
type Cluster struct {
	Name     string
	Where    string    // for people: location or context
	Identity string    // UID of kube-system; empty while the cluster does not exist
	GKE      *plan.GKE // nil: it is not in GKE

	Facts   expand.Facts // what charts may ask of the live cluster
	Reader  observe.Reader
	Writer  run.Writer
	Prober  run.Prober
	Sampler run.Sampler
	Watcher run.Watcher // may be nil: then guards that ask it hold
	Census  Census
	Checker Checker
	Locker  Locker
	Store   Store
	Keys    Keys         // nil: secrets leave no digests in plans
	Images  ImageSecrets // nil: after-images with sensitive values are not kept
	Seals   Seals        // nil: nothing is sealed, so nothing that asks for a seal is acted on
	Sealer  Sealer       // set where Seals is
	Rotator Rotator      // set where Seals is
	Orders  Orders       // may be nil: then nobody can tell a run anything
	Origins Origins      // nil: nothing is known of where configs come from
	Journal Journal
}

// Keys keeps the random key under which secrets are digested in the cluster.
type Keys interface {
	// Key returns the key, or nil when none was drawn yet.
	Key(ctx context.Context) ([]byte, error)
	// EnsureKey returns the key and draws it when there is none.
	EnsureKey(ctx context.Context) ([]byte, error)
}

// Seals keeps the key pair under which what hubcap acts on later is sealed, one for
// each cluster. Objects are sealed with the key of the cluster that they live in, a
// run's records with that of the cluster that keeps its journal.
type Seals interface {
	// SigningKey returns the private half and draws it when there is none. It is for
	// what applies: it publishes the public half, and tells when another one stood
	// there.
	SigningKey(ctx context.Context) (seal.Key, error)
	// PublicKey returns the public half for readers; the zero key when there is none
	// yet.
	PublicKey(ctx context.Context) (seal.Public, error)
}

// A Census counts the people on a cluster.
type Census interface {
	// Count counts the user servers at the places that are asked for. Every
	// namespace of them is in the answer.
	Count(ctx context.Context, at resource.Places) (resource.Census, error)
}

// A Checker finds out before the first write which writes would be denied.
type Checker interface {
	// Denied returns one line for each change that the caller lacks a
	// permission for, with the permission's name.
	Denied(ctx context.Context, changes []resource.Change) ([]string, error)
}

// A Holder says who holds a lock, and for what.
type Holder struct {
	Who  string    `json:"who"`  // user@host
	Plan string    `json:"plan"` // ID of the plan
	Run  string    `json:"run"`
	When time.Time `json:"when"`
}

// A Locker keeps two runs from one cluster.
type Locker interface {
	// Lock takes the cluster's lock or returns a [*LockedError]. It does not wait, but
	// it remembers: a lock that is asked for again and again, and is not renewed
	// meanwhile for as long as it lasts, is taken from whoever had it.
	Lock(ctx context.Context, h Holder) (Lock, error)
}

// A Lock is held until it is released or lost.
type Lock interface {
	// Lost is closed when the lock could not be renewed in time, or is somebody
	// else's: nothing more may be written.
	Lost() <-chan struct{}
	// Deadline is when writes have to have ended unless the lock is renewed until
	// then, by the clock of this process and well before anybody else may take it. It
	// lies in the past once the lock is lost.
	Deadline() time.Time
	// Number says how many times the lock has changed hands: of two runs the later one
	// has the higher number, whatever their clocks say.
	Number() int64
	Release(ctx context.Context) error
}

// A LockedError says that another run holds the lock.
type LockedError struct {
	Cluster string
	Holder  Holder
	Renewed time.Time // by the holder's clock: for people

	Renewing bool          // it was renewed while it was watched: its holder is alive
	Wait     time.Duration // after which it may be taken unless it is renewed; zero when that is unknown
}

func (e *LockedError) Error() string {
	return fmt.Sprintf("lock cluster %s: held by %s since %s (run %s)",
		e.Cluster, e.Holder.Who, e.Holder.When.UTC().Format(time.RFC3339), e.Holder.Run)
}

// A Store keeps journals in the cluster, where another machine finds them.
type Store interface {
	// Create makes r durable with its plan. What the plan hides goes into
	// secrets, which the store keeps apart (in Kubernetes Secrets).
	Create(ctx context.Context, r journal.Run, document []byte, secrets map[string]string) error
	// Append makes more entries of run id durable, in their order.
	Append(ctx context.Context, id string, entries ...journal.Entry) error
	// Runs returns all runs without their plans, oldest first; those of one config only
	// where it is named, with more of others perhaps. Which config a run is of for that
	// is not sealed: who decides by what is not there asks for all.
	Runs(ctx context.Context, config string) ([]journal.Run, error)
	// Load returns one run with its document and secrets, or [ErrNoRun]. Where
	// secrets may not be read, Hidden says so.
	Load(ctx context.Context, id string) (Record, error)
}

// A Journal reads what a run has written so far.
type Journal interface {
	// Run returns one run without its plan, or [ErrNoRun].
	Run(ctx context.Context, id string) (journal.Run, error)
}

// A Record is one run as it was stored.
type Record struct {
	Run      journal.Run
	Document []byte            // the plan, encoded
	Secrets  map[string]string // digest or place → value, see plan.Encode

	// Hidden says why Secrets could not be read, as by somebody who may not; nil when
	// they were. Such a record can be shown, and not acted on.
	Hidden error
}

// Errors that callers branch on.
var (
	ErrNoRun       = errors.New("no such run")
	ErrStale       = errors.New("the plan is stale")
	ErrUsed        = errors.New("the plan was used already")
	ErrInterrupted = errors.New("interrupted")
	ErrDenied      = errors.New("permission denied")
	ErrIncomplete  = errors.New("something could not be read")
	ErrRefused     = errors.New("an object may not be written")
	ErrNothing     = errors.New("nothing to do")
	ErrUnnamed     = errors.New("it has to be named again")
)

// An Engine plans and applies one config.
type Engine struct {
	Version  string // of hubcap
	Commit   string // of the config's repository, empty when unknown
	Holder   string // user@host
	Config   *schema.Config
	Clusters map[string]*Cluster // by name of the cluster block
	Now      func() time.Time    // nil: time.Now
	Notify   func(run.Event)     // may be nil; must not block
	Leave    Leave

	// Handover is what a run that goes on in a cluster is given of its config; nil: a
	// person carries the run out, with the config at hand.
	Handover []byte

	// TakeOver makes the config's name this config's own where another origin has it.
	TakeOver bool

	keys   keyring
	expand func(*schema.Config, map[string]expand.Facts) (expand.Expanded, hcl.Diagnostics) // nil: expand.All
}

// now reads the clock.
func (e *Engine) now() time.Time {
	if e.Now == nil {
		return time.Now()
	}
	return e.Now()
}

// Options narrow what is planned.
type Options struct {
	Only   []string // block or component addresses; empty means all
	Except []string
	Delete []string // addresses whose objects may be deleted although people's work is on them

	// At is when the plan is made for; zero: now.
	At time.Time
}

// Outcome is how an apply, resume or rollback ended.
type Outcome struct {
	Run     string
	Outcome journal.Outcome
	Failed  plan.StepID // step that failed or is held, if one did
	Reason  string
	Steps   int // done
}
