package plan

import "time"

// A Standing is how one guard stands towards one step when a plan is shown. It is
// for people to see beforehand, and no part of the plan: right before the step the
// guard is asked again, and only that counts.
type Standing struct {
	Step   StepID     `json:"step"`
	Guard  string     `json:"guard"` // its address
	Check  string     `json:"check"`
	Level  GuardLevel `json:"level"`
	Holds  bool       `json:"holds"` // it would hold the step now, or advises against it
	Reason string     `json:"reason,omitempty"`
	Untold string     `json:"untold,omitempty"` // why it cannot be told now how it stands
	Since  time.Time  `json:"since,omitzero"`   // when it began to hold; zero: nobody knows
	Until  time.Time  `json:"until,omitzero"`   // when it stops to hold by itself; zero: nobody knows
}

// Standing returns how a guard of the step stands, given its answer.
func (s Step) Standing(g Guard, stand Stand) Standing {
	return Standing{
		Step: s.ID, Guard: g.Address(), Check: g.Check(), Level: g.Level,
		Holds: stand.Holds, Reason: stand.Reason, Since: stand.Since, Until: stand.Until,
	}
}

// KnownStandings returns how the guards that need nothing of the outside world
// stood towards the steps of p when it was made. What a policy has against a step is
// a verdict of the plan, and not among them.
func (p *Plan) KnownStandings() []Standing {
	var all []Standing
	for _, step := range p.Steps() {
		for _, g := range step.Guards {
			if g.Verdict != nil {
				continue
			}
			if stand, known := g.Stand(Asked{At: p.Created, Step: step, Drift: p.Drift}); known {
				all = append(all, step.Standing(g, stand))
			}
		}
	}
	return all
}
