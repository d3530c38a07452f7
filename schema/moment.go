package schema

import (
	"time"

	"hubcap/engine/resource"
)

// A Moment is a time that a block names: before it the config asks for, or lets
// through, something else than after it.
type Moment struct {
	Address   resource.Address
	Attribute string // as it is written, "until"
	Time      time.Time
}

// Between returns the first of the config's moments from one time to another, in
// whichever order they are given, or nil.
func (c *Config) Between(a, b time.Time) *Moment {
	if b.Before(a) {
		a, b = b, a
	}
	var first *Moment
	for i := range c.Moments {
		m := &c.Moments[i]
		if !m.Time.Before(a) && !m.Time.After(b) && (first == nil || m.Time.Before(first.Time)) {
			first = m
		}
	}
	return first
}

// moment keeps a time that the block under way names; [loader.settleMoments] says of
// which block it is.
func (b *body) moment(attribute string, at time.Time) {
	if !at.IsZero() {
		b.l.config.Moments = append(b.l.config.Moments, Moment{Attribute: attribute, Time: at})
	}
}

// settleMoments gives the moments that have no block yet to the one that was decoded.
func (l *loader) settleMoments(address resource.Address) {
	for i := range l.config.Moments {
		if m := &l.config.Moments[i]; m.Address.IsZero() {
			m.Address = address
		}
	}
}
