package plan

import (
	"fmt"
	"slices"
	"strings"

	"hubcap/engine/resource"
)

// A SessionBound is how many user servers a step relies on finding, at most, where
// it may end or interrupt them. They are counted again right before the step acts:
// more of them, or a count that fails, holds it.
type SessionBound struct {
	Counted    int      `json:"counted"` // when the plan was made
	Max        int      `json:"max"`
	Namespaces []string `json:"namespaces,omitempty"`
	Pools      []string `json:"pools,omitempty"` // live names
}

// Places are where the bound has to be counted.
func (s *SessionBound) Places() resource.Places {
	return resource.Places{Namespaces: s.Namespaces, Pools: len(s.Pools) > 0}
}

// Count returns how many of a census's user servers the bound is about. The error
// says why they were not counted.
func (s *SessionBound) Count(c resource.Census) (int, error) {
	n := 0
	for _, name := range s.Namespaces {
		n += c.PerNamespace[name]
	}
	if len(s.Pools) > 0 && c.PoolsUnknown != "" {
		return 0, fmt.Errorf("user servers on node pools cannot be counted: %s", c.PoolsUnknown)
	}
	for _, name := range s.Pools {
		n += c.PerPool[name]
	}
	return n, nil
}

// String says where the bound is about: "namespace prod, node pool user".
func (s *SessionBound) String() string {
	var parts []string
	for _, name := range s.Namespaces {
		parts = append(parts, "namespace "+name)
	}
	for _, name := range s.Pools {
		parts = append(parts, "node pool "+name)
	}
	return strings.Join(parts, ", ")
}

// The margin for people who come between a plan and its apply: a plan that says
// nobody has none.
const (
	marginShare = 5 // one in so many of those who were counted
	leastMargin = 5
)

// relyOn returns the bound of what was counted.
func relyOn(counted int) int {
	if counted == 0 {
		return 0
	}
	return counted + max((counted+marginShare-1)/marginShare, leastMargin)
}

// Disturbs reports whether a change may end or interrupt sessions.
func Disturbs(c resource.Change) bool {
	if isPool(c.ID) {
		return c.Action == resource.Delete || c.Action == resource.Update && c.Class >= resource.ClassNodeRolling
	}
	switch c.Class {
	case resource.ClassProxy, resource.ClassOutage:
		return true // what is made may cut people off, too
	case resource.ClassDestructive:
		return c.Action != resource.Create
	case resource.ClassOneWay:
		return c.Impact.SessionsLost+c.Impact.SessionsInterrupted > 0 || c.Action == resource.Delete && interrupts(c.Component)
	}
	return false
}

// reach returns where a change that disturbs may end or interrupt sessions.
func (b *builder) reach(c resource.Change) (namespaces, pools []string) {
	switch {
	case isPool(c.ID):
		return b.carried(c.ID), []string{c.ID.Name}
	case c.ID.Within() != "":
		return []string{c.ID.Within()}, nil
	}
	return b.namespacesOf(c.Address.Block()), nil
}

// sessionsAt returns how many user servers there are where a change of anything but a
// node pool is felt.
func (b *builder) sessionsAt(c resource.Change) int {
	namespaces, _ := b.reach(c)
	n, _ := (&SessionBound{Namespaces: namespaces}).Count(b.Census[c.ID.Cluster]) // no pools: it cannot fail
	return n
}

// namespacesOf returns the namespaces on which a block has objects.
func (b *builder) namespacesOf(block resource.Address) []string {
	var all []string
	for id, o := range b.observed {
		if o.Desired.Address.Block() == block && id.Namespace != "" {
			all = append(all, id.Namespace)
		}
	}
	for id, l := range b.orphans {
		if l.Address.Block() == block && id.Namespace != "" {
			all = append(all, id.Namespace)
		}
	}
	return sortedSet(all)
}

// relies returns the bound of a step, nil when it neither ends nor interrupts
// sessions.
func (b *builder) relies(changes []resource.Change) *SessionBound {
	var bound SessionBound
	for _, c := range changes {
		if !Disturbs(c) {
			continue
		}
		namespaces, pools := b.reach(c)
		bound.Namespaces = append(bound.Namespaces, namespaces...)
		bound.Pools = append(bound.Pools, pools...)
	}
	bound.Namespaces, bound.Pools = sortedSet(bound.Namespaces), sortedSet(bound.Pools)
	if len(bound.Namespaces)+len(bound.Pools) == 0 {
		return nil
	}
	bound.Counted, _ = bound.Count(b.Census[changes[0].ID.Cluster])
	bound.Max = relyOn(bound.Counted)
	return &bound
}

func sortedSet(texts []string) []string {
	slices.Sort(texts)
	return slices.Compact(texts)
}
