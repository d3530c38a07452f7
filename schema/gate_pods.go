package schema

import (
	"time"

	"hubcap/engine/resource"
)

// PodsCheck looks at pods.
type PodsCheck struct {
	Block            resource.Address // all pods of this block; zero: of the component changed
	MaxRestarts      int64
	MaxPending       int64
	PendingAfter     time.Duration
	MaxTerminating   *int64
	TerminatingAfter time.Duration
	Users            bool          // the user servers of the hub
	MaxAge           time.Duration // of a user server; zero: any
}

// How long a pod may take to end, and a user server to start, before it counts as
// stuck.
const (
	terminatingAfter = 10 * time.Minute
	startingAfter    = 5 * time.Minute
)

func (b *body) podsCheck() *PodsCheck {
	p := b.block("pods")
	if p == nil {
		return nil
	}
	check := &PodsCheck{
		MaxRestarts:      p.number("max_restarts", atLeast0, 0),
		MaxPending:       p.number("max_pending", atLeast0, 0),
		PendingAfter:     p.duration("pending_after"),
		MaxTerminating:   p.integer("max_terminating", atLeast0),
		TerminatingAfter: p.duration("terminating_after"),
		Users:            p.flag("users"),
		MaxAge:           p.positive("max_age"),
	}
	if t := p.ref("block", "hub", "chart", "manifest"); t != nil {
		check.Block = t.address
		if check.Users && t.kind != "hub" {
			p.errorIn("block", "User servers of what is no hub", "%s has no user servers. Write block = hub.NAME, or leave it out.", t.address)
		}
	}
	if check.TerminatingAfter == 0 {
		check.TerminatingAfter = terminatingAfter
	}
	if check.Users && !p.has("pending_after") { // somebody always starts one
		check.PendingAfter = startingAfter
	}
	if p.has("terminating_after") && !p.has("max_terminating") {
		p.errorIn("terminating_after", "Attribute without effect", "It says which pods max_terminating counts. Write that too.")
	}
	if p.has("max_age") && !check.Users {
		p.errorIn("max_age", "Attribute without effect", "Only user servers have an age at which they should be gone. Write users = true too.")
	}
	p.done()
	return check
}
