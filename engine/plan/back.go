package plan

import "hubcap/engine/resource"

// back returns what taking a step back would do to people: what was changed
// changes again, what was made goes, what went is made anew. There is no way back
// from what is one-way.
func back(s Step) *resource.Impact {
	if s.Class == resource.ClassOneWay || s.Impact.OneWay || s.OnFailure == Stop {
		return nil
	}
	var again []resource.Change
	for _, c := range s.Changes {
		if c.Action == resource.Update || c.Action == resource.Replace {
			again = append(again, c)
		}
	}
	impact := sum(again)
	impact.Basis = ""
	return &impact
}
