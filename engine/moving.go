package engine

import (
	"fmt"
	"slices"

	"hubcap/engine/resource"
)

// move gives what was read the addresses that the config's moved blocks say: the
// objects are the same ones, only their marks change.
func (e *Engine) move(reading *resource.Reading) {
	if len(e.Config.Moved) == 0 {
		return
	}
	for i := range reading.Orphans {
		e.readdress(&reading.Orphans[i])
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
