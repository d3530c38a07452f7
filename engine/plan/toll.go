package plan

import (
	"maps"
	"strings"

	"hubcap/engine/resource"
)

// A Toll is how many sessions some steps end or interrupt. Sessions are people: those
// of one place are counted once for each of the two, however many steps do it to them.
type Toll map[string]Harm

// A Harm is what is done to the people of one place.
type Harm struct {
	Lost        int // as predicted
	Measured    int // lost, as measured: each step found others gone
	Interrupted int
}

// A Crowd is the people that an impact is about.
type Crowd struct {
	Cluster string
	Block   string        // of the step, where nobody knows where they are
	At      *SessionBound // may be nil
}

// Crowd returns whom the impact of a step is about.
func (s Step) Crowd() Crowd { return Crowd{s.Cluster, s.Component.Block.String(), s.Relies} }

// places returns where sessions are lost, and where they are interrupted: on node pools
// when those go, and in the namespaces of hubs.
func (c Crowd) places() (lost, interrupted string) {
	if c.At == nil {
		return c.Cluster + " " + c.Block, c.Cluster + " " + c.Block
	}
	interrupted = c.Cluster + " namespace " + strings.Join(c.At.Namespaces, " ")
	if len(c.At.Pools) > 0 {
		return c.Cluster + " node pool " + strings.Join(c.At.Pools, " "), interrupted
	}
	return interrupted, interrupted
}

// Add counts an impact in.
func (t Toll) Add(c Crowd, i resource.Impact) {
	lostAt, interruptedAt := c.places()
	h := t[lostAt]
	if i.Basis == resource.BasisMeasured {
		h.Measured += i.SessionsLost
	} else {
		h.Lost = max(h.Lost, i.SessionsLost)
	}
	t[lostAt] = h
	h = t[interruptedAt]
	h.Interrupted = max(h.Interrupted, i.SessionsInterrupted)
	t[interruptedAt] = h
}

// With returns the toll with one more impact in it.
func (t Toll) With(c Crowd, i resource.Impact) Toll {
	more := maps.Clone(t)
	if more == nil {
		more = make(Toll)
	}
	more.Add(c, i)
	return more
}

// Lost returns how many sessions are lost.
func (t Toll) Lost() int {
	n := 0
	for _, h := range t {
		n += max(h.Lost, h.Measured)
	}
	return n
}

// Interrupted returns how many sessions are interrupted.
func (t Toll) Interrupted() int {
	n := 0
	for _, h := range t {
		n += h.Interrupted
	}
	return n
}

// CutOff returns how many sessions are lost or interrupted.
func (t Toll) CutOff() int { return t.Lost() + t.Interrupted() }
