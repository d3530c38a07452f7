package plan

import "hubcap/engine/resource"

// back returns what taking a step back would do to people: what was changed
// changes again, what was made goes, what went is made anew. There is no way back
// from what is one-way.
func (b *builder) back(s Step) *resource.Impact {
	if s.Class == resource.ClassOneWay || s.OnFailure == Stop {
		return nil
	}
	var again []resource.Change
	stays := 0
	for _, c := range s.Changes {
		if c.Impact.OneWay { // it is left out, and the rest goes back
			stays++
			continue
		}
		if c.Action == resource.Update || c.Action == resource.Replace {
			again = append(again, b.reversed(c))
		}
	}
	if stays == len(s.Changes) {
		return nil
	}
	impact := sum(again)
	impact.Basis = ""
	return &impact
}

// reversed returns a change as the way back makes it. What ends sessions then is what the
// step leaves behind: the hub that stops is the one that the step started.
func (b *builder) reversed(c resource.Change) resource.Change {
	if isPool(c.ID) || takesNamespace(&c) {
		return c
	}
	r := c
	r.Before, r.After = c.After, c.Before
	if b.ending(&c) != "" {
		r.Impact.SessionsLost = 0
	}
	if b.endingOf(&r, b.wanted) != "" {
		r.Impact.SessionsLost, r.Impact.SessionsInterrupted = b.sessionsAt(c), 0
	}
	if class, _ := b.barrierClass(&r); class > 0 {
		r.Impact.SessionsInterrupted, r.Impact.LaunchesStop = b.sessionsAt(c), class == resource.ClassOutage
		r.Impact.Unknown = r.Impact.Unknown || class != resource.ClassOutage
	}
	return r
}
