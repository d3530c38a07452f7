package render

import (
	"fmt"
	"time"

	"hubcap/engine/plan"
	"hubcap/engine/resource"
)

// A Summary is the numbers of the human view; it stands beside the plan in the
// JSON.
type Summary struct {
	Add      int             `json:"add"`
	Change   int             `json:"change"`
	Remove   int             `json:"remove"`
	Owners   int             `json:"change_owner"` // objects of which only the owner changes
	Seals    int             `json:"seal"`         // objects that get a seal, and nothing else
	Steps    int             `json:"steps"`
	Gates    int             `json:"gates"`
	Sessions int             `json:"sessions"`
	Impact   resource.Impact `json:"impact"`
	Drifted  int             `json:"drifted"`
	Pending  int             `json:"pending"`
	Complete bool            `json:"complete"` // everything could be read
	Waves    []WaveSummary   `json:"waves"`
	Bake     time.Duration   `json:"bake_ns"` // expected, of all waves
	Pauses   []Pause         `json:"pauses"`  // of launches, by block; Impact has the longest

	// Standings are how the guards stood when the plan was shown: no part of it.
	Standings []plan.Standing `json:"standings"`
}

// document is the JSON of a plan: the plan's own keys and the summary.
type document struct {
	*plan.Plan
	Summary Summary `json:"summary"`
}

// JSON encodes a plan for programs: the keys of the plan file, with each
// sensitive value as {"sensitive": true, "name": "secret#1"}, and a summary. The
// same plan always gives the same bytes. docs/PLANFILE.md describes the keys.
func JSON(p *plan.Plan) ([]byte, error) {
	text, err := encode(document{Plan: masked(p), Summary: summarize(p)})
	if err != nil {
		return nil, fmt.Errorf("encode plan: %w", err)
	}
	return text, nil
}

func summarize(p *plan.Plan) Summary {
	t := total(p)
	s := Summary{Steps: len(p.Steps()), Impact: t.Impact, Pauses: append([]Pause{}, t.pauses...), Drifted: len(p.Drift), Complete: len(p.Unreadable) == 0}
	s.Add, s.Change, s.Remove = Count(p)
	s.Waves = Waves(p)
	s.Bake = totalBake(s.Waves)
	if s.Standings = p.Standings; s.Standings == nil {
		s.Standings = append([]plan.Standing{}, p.KnownStandings()...)
	}
	s.Owners, s.Seals = ownersOnly(p), Seals(p)
	for _, c := range p.Clusters {
		s.Sessions += c.Sessions
	}
	for _, step := range p.Steps() {
		s.Gates += len(step.Gates)
	}
	for _, step := range pendingSteps(p) {
		s.Pending += len(step.Changes)
	}
	return s
}

// masked returns a copy of p that can be encoded.
func masked(p *plan.Plan) *plan.Plan {
	n := secrets{}
	c := *p
	c.Waves = make([]plan.Wave, len(p.Waves))
	for i, w := range p.Waves {
		c.Waves[i] = w
		c.Waves[i].Steps = make([]plan.Step, len(w.Steps))
		for j, step := range w.Steps {
			changes := make([]resource.Change, len(step.Changes))
			for k, change := range step.Changes {
				changes[k] = n.maskChange(change)
			}
			step.Changes = changes
			c.Waves[i].Steps[j] = step
		}
	}
	c.Drift = make([]plan.Drift, len(p.Drift))
	for i, d := range p.Drift {
		d.Fields = n.maskForeign(d.Fields)
		c.Drift[i] = d
	}
	if p.Outputs != nil {
		c.Outputs = n.mask(p.Outputs).(map[string]any)
	}
	return &c
}

func (n secrets) maskChange(c resource.Change) resource.Change {
	fields := make([]resource.Field, len(c.Fields))
	for i, f := range c.Fields {
		fields[i] = resource.Field{Path: f.Path, Before: n.mask(f.Before), After: n.mask(f.After)}
	}
	c.Fields = fields
	c.Before = n.maskObject(c.Before)
	c.After = n.maskObject(c.After)
	c.Foreign = n.maskForeign(c.Foreign)
	return c
}

func (n secrets) maskObject(o resource.Object) resource.Object {
	if o == nil {
		return nil
	}
	return resource.Object(n.mask(map[string]any(o)).(map[string]any))
}

func (n secrets) maskForeign(fields []resource.Foreign) []resource.Foreign {
	if fields == nil {
		return nil
	}
	out := make([]resource.Foreign, len(fields))
	for i, f := range fields {
		f.Wanted, f.Live = n.mask(f.Wanted), n.mask(f.Live)
		out[i] = f
	}
	return out
}
