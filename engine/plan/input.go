package plan

import (
	"errors"
	"time"

	"hubcap/engine/resource"
)

// Input is everything a plan is made from.
type Input struct {
	Version  string   // of hubcap
	Config   string   // name of the config
	Origin   string   // of the config
	Given    []string // its variables that got a value from outside
	Commit   string
	Created  time.Time
	Clusters []Cluster
	Reading  resource.Reading           // what was seen
	Changes  []resource.Change          // what the comparison of Reading found
	Census   map[string]resource.Census // by name of the cluster
	Rollouts []Rollout
	Sites    []Site                     // where the blocks live
	Guards   []PlannedGuard             // about all blocks
	Measured map[resource.Class]Measure // from earlier runs
	Only     []string                   // addresses of blocks or components; empty means all
	Except   []string
	Delete   []string             // addresses that may be deleted although people's work is on them
	Without  []resource.Component // left out besides: what a saved plan does not have
	Removed  []string             // blocks that the config itself says may be deleted
	Outputs  map[string]any
	Charts   []resource.Chart // that the objects come from
	Faults   []resource.Fault // of the charts' versions
	Policies []Policy
	Releases map[string]string         // version of JupyterHub by version of the jupyterhub chart
	ByHand   []resource.Address        // hubs whose database is backed up by hand
	Warnings []string                  // found while reading
	Rejected map[string]Rejection      // by digest of the step: what was rolled back before
	Vanished map[resource.ID]time.Time // objects that were applied then, and that somebody deleted since
	Mask     Mask                      // under which secrets enter the plan's ID

	// Back says that the plan leads back to what was before a run. Then asking
	// for nothing is no mistake, and what the run created goes again.
	Back bool

	// Asked says, of a way back, that a person asked for it. It holds at one-way steps as
	// an apply does, and keeps what a later way back needs.
	Asked bool

	Hooks []resource.Desired          // of the charts, each for one event
	Owed  map[resource.Address]string // blocks whose hooks after their steps did not all run, and the event
}

// A Rollout says in which order blocks are changed and what is checked after.
type Rollout struct {
	Address     resource.Address
	Order       [][]resource.Address // waves of blocks; empty means that it is about all blocks
	Names       []string             // of the waves, one each; an empty one is made of the blocks
	Components  []string             // in this order within a block; others keep their places
	MaxParallel int                  // blocks of a wave at once; zero: one
	Gates       []Gate
	Guards      []PlannedGuard
	StepTimeout time.Duration // zero: the default
	OnFailure   OnFailure     // empty: Rollback
	Extent      Extent
	Batch       bool // the components of a block are one step
	Bisect      bool // … and when it fails on the first wave, the culprit is looked for
}

// A Measure is what earlier runs of the same class took.
type Measure struct {
	LaunchGap time.Duration // the mean
	Runs      int
}

// ErrEmptyConfig says that the config asks for nothing where something of its
// own lives: more likely a wrong directory than the wish to delete everything.
var ErrEmptyConfig = errors.New("the config asks for nothing, but objects that it owns exist")

// ErrNoSuchAddress says that a selection names nothing that exists or is wanted.
var ErrNoSuchAddress = errors.New("no such block or component")

// How long a step may take to converge unless a rollout says otherwise.
const (
	workloadTimeout = 10 * time.Minute
	poolTimeout     = 30 * time.Minute

	perSession    = time.Second      // more for a hub, for each server it has to look after
	maxStartup    = 45 * time.Minute // charts let a hub be unready for 2000 s
	startupMargin = 3                // times what earlier starts took
)
