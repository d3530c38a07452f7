package engine

import (
	"fmt"
	"slices"

	"hubcap/engine/resource"
)

// move gives what was read the addresses that the config's moved blocks say: the
// objects are the same ones, only their marks change. What is left of a block stays
// where it is when the one that it would move to lives beside it; the warnings say so.
func (e *Engine) move(reading *resource.Reading) []string {
	if len(e.Config.Moved) == 0 {
		return nil
	}
	stays := e.besides(*reading)
	var warnings []string
	for i := range reading.Orphans {
		from := reading.Orphans[i].Address.Block()
		to, isBeside := stays[from]
		if !isBeside {
			e.readdress(&reading.Orphans[i])
			continue
		}
		text := fmt.Sprintf("%s exists already; %s stays where it is: what moves it has no effect", to, from)
		if !slices.Contains(warnings, text) {
			warnings = append(warnings, text)
		}
	}
	for i := range reading.Observations {
		o := &reading.Observations[i]
		if o.Live == nil {
			continue
		}
		live := *o.Live
		if was := live.Address; e.readdress(&live) && !o.Same {
			o.Notes = append(slices.Clone(o.Notes), fmt.Sprintf("was %s", was))
		}
		o.Live = &live
	}
	return warnings
}

// besides returns the blocks that would move to one that lives beside them, and that
// one: both have an object of the same kind and name in the block, and these are two.
func (e *Engine) besides(reading resource.Reading) map[resource.Address]resource.Address {
	lives := make(map[resource.Address]resource.ID)
	for _, o := range reading.Observations {
		if o.Live != nil {
			lives[o.Live.Address] = o.Desired.ID
		}
	}
	for _, l := range reading.Orphans {
		lives[l.Address] = l.ID
	}
	stays := make(map[resource.Address]resource.Address)
	for _, l := range reading.Orphans {
		to := e.Config.MovedTo(l.Address)
		if other, isThere := lives[to]; isThere && other != l.ID && to != l.Address {
			stays[l.Address.Block()] = to.Block()
		}
	}
	return stays
}

// readdress reports whether what it is about has moved.
func (e *Engine) readdress(l *resource.Live) bool {
	was := l.Address
	if was.IsZero() {
		return false
	}
	l.Address = e.Config.MovedTo(was)
	l.Component.Block = e.Config.MovedTo(l.Component.Block)
	return l.Address != was
}

// removed returns the blocks whose objects live and that a removed block gives free.
func (e *Engine) removed(reading resource.Reading) []string {
	var names []string
	for _, l := range reading.Orphans {
		block := l.Address.Block()
		for _, r := range e.Config.Removed {
			if name := block.String(); r.Permits(block) && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}
