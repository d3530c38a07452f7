package resource

import "time"

// An Action is what a [Change] does to its object.
type Action int

// The zero Action is invalid, so that a forgotten one is caught.
const (
	Create  Action = iota + 1
	Update         // in place
	Replace        // a new object beside the old one; the old one is kept until it is empty
	Delete
)

var actions = map[Action]string{Create: "create", Update: "update", Replace: "replace", Delete: "delete"}

// String returns the action's word: "create".
func (a Action) String() string { return actions[a] }

// Symbol returns the mark that stands before a change in a plan.
func (a Action) Symbol() string {
	return map[Action]string{Create: "+", Update: "~", Replace: "+/-", Delete: "-"}[a]
}

// MarshalText encodes the action as its word.
func (a Action) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText parses the action's word; an unknown one leaves the zero Action.
func (a *Action) UnmarshalText(text []byte) error {
	*a = word(actions, string(text))
	return nil
}

// A Class says what a change does to the system, from harmless to irreversible.
// Classes are ordered: a later one is worse.
type Class int

// The zero Class is invalid, so that a forgotten one is caught.
const (
	ClassNoop        Class = iota + 1
	ClassAdopt             // only its owner changes
	ClassLive              // takes effect in place, nothing restarts
	ClassNewSpawns         // only servers started from now on get it
	ClassHook              // runs what the chart wants run beside its objects
	ClassRestart           // restarts pods that no user looks at
	ClassBinder            // restarts the binder: launches pause, sessions go on
	ClassHub               // restarts the hub: launches fail for a while, sessions go on
	ClassProxy             // restarts the proxy: everybody's connection drops
	ClassNodeRolling       // recreates nodes one after the other
	ClassReplacePool       // a new pool first, then the old one is emptied
	ClassCacheWipe         // every repository has to be built again
	ClassOutage            // what people reach a hub through, or launch with, goes away and stays away
	ClassDestructive       // something with people's work on it goes away
	ClassOneWay            // cannot be undone
)

var classes = map[Class]string{
	ClassNoop: "no-op", ClassAdopt: "changes owner", ClassLive: "live", ClassNewSpawns: "new spawns only", ClassHook: "hook", ClassRestart: "restart",
	ClassBinder: "restart of binder", ClassHub: "restart of hub", ClassProxy: "restart of proxy",
	ClassNodeRolling: "node rolling", ClassReplacePool: "replace pool", ClassCacheWipe: "cache wipe", ClassOutage: "outage",
	ClassDestructive: "destructive", ClassOneWay: "one-way",
}

// String returns the class's words: "restart of hub".
func (c Class) String() string { return classes[c] }

// MarshalText encodes the class as its words.
func (c Class) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText parses the class's words; unknown ones leave the zero Class.
func (c *Class) UnmarshalText(text []byte) error {
	*c = word(classes, string(text))
	return nil
}

func word[E comparable](words map[E]string, text string) E {
	for e, w := range words {
		if w == text {
			return e
		}
	}
	var zero E
	return zero
}

// Impact is what a change does to the people on the hubs.
type Impact struct {
	SessionsLost        int           `json:"sessions_lost"`
	SessionsInterrupted int           `json:"sessions_interrupted"`
	LaunchGap           time.Duration `json:"launch_gap_ns"` // new launches fail or wait for so long
	PodsRestarted       int           `json:"pods_restarted"`
	LaunchesStop        bool          `json:"launches_stop,omitempty"` // until somebody brings back what went
	OneWay              bool          `json:"one_way,omitempty"`
	Unknown             bool          `json:"unknown,omitempty"` // no rule says what it does: it counts as a restart
	Basis               string        `json:"basis,omitempty"`   // "412 sessions counted; gap measured in run 7 times"
}

// BasisMeasured is the basis of an impact that was measured in whole.
const BasisMeasured = "measured"

// Unchecked is how a note begins that tells of a change which the server was not asked
// about: what it would make of it is a guess.
const Unchecked = "not checked by the server: "

// A Field is one leaf that differs. Before is nil when it was not there, After is
// nil when it will not be.
type Field struct {
	Path   string `json:"path"` // spec.template.spec.containers[hub].image
	Before any    `json:"before"`
	After  any    `json:"after"`
}

// A Change turns one live object into its desired form.
type Change struct {
	ID        ID        `json:"id"`
	Address   Address   `json:"address"`
	Component Component `json:"component"`
	Action    Action    `json:"action"`
	Class     Class     `json:"class"`
	Impact    Impact    `json:"impact"`
	Fields    []Field   `json:"fields,omitempty"`

	// Before is the pre-image: what wanting again means rolling back. nil when
	// the object did not exist.
	Before Object `json:"before,omitempty"`

	// Defaults names the fields of Before that nobody owned, as managed fields do; empty:
	// none. The server filled them in, and on the way back they are left to it.
	Defaults string `json:"defaults,omitempty"`

	// Owners says who else owned fields of Before that get another value: on the way
	// back they are theirs again.
	Owners []FieldOwner `json:"owners,omitempty"`

	// After is the object as it will be written; nil when Action is Delete.
	After Object `json:"after,omitempty"`

	// Image is the after-image: what the server answered when After was written, in
	// the fields of After. nil: nothing was written yet, or the answer was After. It is
	// no part of a plan; the journal has it.
	Image Object `json:"-"`

	Hook *Hook `json:"hook,omitempty"` // the object is a hook's, made for one event; nil: one that is kept as desired

	Replaces *ID `json:"replaces,omitempty"` // the old object of a Replace

	// Alternatives are fields of the live object, defaulted or set by somebody else, that
	// may not be beside what is wanted: they are removed with the write.
	Alternatives []string `json:"alternatives,omitempty"`

	TakesOver *Takeover `json:"takes_over,omitempty"` // the object becomes hubcap's
	GivesBack *Takeover `json:"gives_back,omitempty"` // it becomes its former owner's again: the way back from a take-over

	// Returns says whose fields of After are by the end of the write: the way back from
	// a change that had Owners.
	Returns []FieldOwner `json:"returns,omitempty"`

	Seals bool `json:"seals,omitempty"` // the object gets a seal, which it has not

	Foreign []Foreign `json:"foreign,omitempty"`
	Notes   []string  `json:"notes,omitempty"`
	Needs   []ID      `json:"needs,omitempty"`
	Origin  Range     `json:"origin,omitzero"`
}

// Landed returns the object as it is once c is made: the after-image, or else After.
func (c Change) Landed() Object {
	if c.Image != nil {
		return c.Image
	}
	return c.After
}
