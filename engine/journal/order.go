package journal

import "time"

// An Order is what a person tells a run that is under way.
type Order struct {
	Kind   OrderKind `json:"kind"`
	By     string    `json:"by"` // user@host
	Reason string    `json:"reason,omitempty"`
	Time   time.Time `json:"time"`

	// Execution is which execution of the run it is for, from 1: the first, and one more
	// each time that the run is resumed.
	Execution int `json:"execution,omitempty"`

	Nonce string `json:"nonce,omitempty"` // another one in each order, so that a copy is told from a second order
	Seal  string `json:"seal,omitempty"`  // of who may apply; whoever may only write to the journal has none
}

// OrderKind says what a run shall do.
type OrderKind string

// The orders. A later one replaces an earlier one.
const (
	Pause   OrderKind = "pause"   // begin no further step
	Promote OrderKind = "promote" // end a pause, answer a manual gate, end a bake that shows nothing bad
	Abort   OrderKind = "abort"   // take back what is under way, and begin nothing more
)

// String says who gave the order and why: "abort by ada@laptop: wrong image".
func (o Order) String() string {
	text := string(o.Kind) + " by " + o.By
	if o.Reason != "" {
		text += ": " + o.Reason
	}
	return text
}
