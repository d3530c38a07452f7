package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"hubcap/engine/journal"
	"hubcap/engine/plan"
	"hubcap/engine/resource"
)

// incidentRuns is how many runs back a revert may go.
const incidentRuns = 30

// DuringIncident refuses, with an [ErrGuarded], a plan that holds anything but
// what is done during an incident: steps that go back to what an earlier run
// applied or found, lower limits, and bans.
func (e *Engine) DuringIncident(ctx context.Context, p *plan.Plan) error {
	var open []plan.Step
	for _, step := range p.Steps() {
		if step.Admission != plan.LowersAdmission {
			open = append(open, step)
		}
	}
	if len(open) == 0 {
		return nil
	}
	known, err := e.known(ctx, open)
	if err != nil {
		return fmt.Errorf("look for what is reverted to: %w", err)
	}
	var lines []string
	for _, step := range open {
		for _, c := range step.Changes {
			if !slices.ContainsFunc(known[c.ID], func(o resource.Object) bool { return sameObject(o, c.After) }) {
				lines = append(lines, fmt.Sprintf("%s (%s) is neither a revert nor a lower limit nor a ban", step.ID, c.Address))
				break
			}
		}
	}
	if len(lines) > 0 {
		return fmt.Errorf("%w: during an incident only these are let through: %s", ErrGuarded, strings.Join(lines, "; "))
	}
	return nil
}

// known returns what the objects of the steps were like before and after earlier
// runs changed them; nil stands for an object that was not there.
func (e *Engine) known(ctx context.Context, steps []plan.Step) (map[resource.ID][]resource.Object, error) {
	known := make(map[resource.ID][]resource.Object)
	for _, step := range steps {
		for _, c := range step.Changes {
			known[c.ID] = nil
		}
	}
	runs, err := e.own(ctx)
	if err != nil {
		return nil, err
	}
	for _, r := range runs[max(0, len(runs)-incidentRuns):] {
		if !journal.Touched(r.Entries) || r.Untrusted != "" {
			continue
		}
		r, err := e.Load(ctx, r.ID)
		if errors.Is(err, ErrUntrusted) || err == nil && r.Untrusted != "" {
			continue
		}
		if err != nil {
			return nil, err
		}
		states := journal.States(r.Entries)
		for _, step := range r.Plan.Steps() {
			for _, c := range step.Changes {
				if _, asked := known[c.ID]; asked && states[step.ID].Intended[c.ID] {
					known[c.ID] = append(known[c.ID], c.Before)
					if states[step.ID].Mark == journal.Done {
						known[c.ID] = append(known[c.ID], c.After)
					}
				}
			}
		}
	}
	return known, nil
}

// sameObject compares what objects say, not what hubcap notes of its writes.
func sameObject(a, b resource.Object) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return resource.Equal(map[string]any(a.Image()), map[string]any(b.Image()))
}
