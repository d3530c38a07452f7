package plan

import "hubcap/engine/resource"

// back returns what taking a step back would do to people: what was changed
// changes again, what was made goes, what went is made anew. There is no way back
// from what is one-way.
func back(s Step) *resource.Impact {
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
			again = append(again, c)
		}
	}
	if stays == len(s.Changes) {
		return nil
	}
	impact := sum(again)
	impact.Basis = ""
	return &impact
}
