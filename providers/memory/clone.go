package memory

import (
	"maps"
	"slices"

	"hubcap/engine/resource"
)

// Clone returns a world of its own that is like w: with the same objects and runs, and
// without whoever holds its lock.
func (w *World) Clone() *World {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := New(w.Name, w.Owner)
	c.Broken, c.Gate, c.Fault, c.Admission, c.Rejects, c.Polls, c.Now = w.Broken, w.Gate, w.Fault, w.Admission, w.Rejects, w.Polls, w.Now
	c.state = w.state
	c.state.Holder, c.state.Objects, c.state.Runs = nil, nil, nil
	c.state.index = make(map[resource.ID]*record, len(w.state.Objects))
	for _, r := range w.state.Objects {
		one := *r
		one.Object, one.Applied, one.Edits = r.Object.Copy(), r.Applied.Copy(), maps.Clone(r.Edits)
		c.state.Objects, c.state.index[r.ID] = append(c.state.Objects, &one), &one
	}
	for _, s := range w.state.Runs {
		one := *s
		one.Document, one.Secrets, one.Lines = slices.Clone(s.Document), maps.Clone(s.Secrets), slices.Clone(s.Lines)
		c.state.Runs = append(c.state.Runs, &one)
	}
	c.state.Origins, c.state.Denied = maps.Clone(w.state.Origins), maps.Clone(w.state.Denied)
	census := &c.state.Census
	census.PerNamespace, census.PerPool, census.Carriers = maps.Clone(census.PerNamespace), maps.Clone(census.PerPool), maps.Clone(census.Carriers)
	return c
}
