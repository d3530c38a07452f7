package engine

import (
	"context"
	"errors"
	"slices"

	"hubcap/engine/journal"
	"hubcap/engine/plan"
	"hubcap/engine/resource"
	"hubcap/engine/run"
)

// beforeStep is journal.Before for one step that failed. With hooks it is about all
// steps of their event up to that one: what the hooks made goes as their policies
// say, the one that failed by another than those that succeeded.
func (s *session) beforeStep(step plan.Step) (before []resource.Desired, touched []resource.Change) {
	if step.Hook == "" {
		return journal.Before(s.plan, s.run.Entries, step.ID)
	}
	var phase []plan.StepID
	for _, other := range s.plan.Steps() {
		if other.Hook == step.Hook && other.Component == step.Component {
			phase = append(phase, other.ID)
		}
		if other.ID == step.ID {
			break
		}
	}
	failed := make(map[resource.ID]bool)
	for _, c := range step.Changes {
		failed[c.ID] = c.Action != resource.Delete && resource.Waits(c.ID)
	}
	before, touched = journal.Before(s.plan, s.run.Entries, phase...)
	touched = slices.DeleteFunc(touched, func(c resource.Change) bool {
		policy := resource.DeleteSucceeded
		if failed[c.ID] {
			policy = resource.DeleteFailed
		}
		return c.Hook != nil && !c.Hook.Deletes(policy)
	})
	return before, touched
}

// withoutHooks forgets what was seen of hooks' objects: by the time that one is
// made or deleted, another step of the plan may have done so.
func withoutHooks(sights map[resource.ID]run.Sight, changes []resource.Change) map[resource.ID]run.Sight {
	for _, c := range changes {
		if c.Hook != nil {
			delete(sights, c.ID)
		}
	}
	return sights
}

// owed tells which blocks were changed by a run that did not come to the end of the
// hooks after its steps, and the event of those: the next apply runs them. What the
// journal does not know (a lost journal) is not owed.
func (e *Engine) owed(ctx context.Context, runs []journal.Run) (map[resource.Address]string, error) {
	owed := make(map[resource.Address]string)
	settled := make(map[resource.Address]bool)
	for _, r := range slices.Backward(runs) {
		if !e.Owns(r) {
			continue
		}
		if outcome, ended := journal.Ended(r.Entries); ended && outcome == journal.Succeeded {
			break
		}
		if r.Kind != journal.ApplyRun || !journal.Touched(r.Entries) {
			continue
		}
		p, err := e.document(ctx, r.ID)
		if errors.Is(err, ErrUntrusted) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for block, event := range owedBy(p, r.Entries) {
			if event != "" && !settled[block] {
				owed[block] = event
			}
			settled[block] = true
		}
	}
	return owed, nil
}

// owedBy returns the event of the hooks that a run owes to each block that it
// touched; empty when it owes none.
func owedBy(p *plan.Plan, entries []journal.Entry) map[resource.Address]string {
	states := journal.States(entries)
	owed := make(map[resource.Address]string)
	pending := make(map[resource.Address]string)
	for _, s := range p.Steps() {
		state, block := states[s.ID], s.Component.Block
		switch {
		case s.Hook == "" && len(state.Intended) > 0 && state.Mark != journal.RolledBack:
			owed[block] = ""
		case s.Hook != "" && !resource.IsBefore(s.Hook) && state.Mark != journal.Done:
			pending[block] = s.Hook
		}
	}
	for block := range owed {
		owed[block] = pending[block]
	}
	// Hooks that a run was to make good for an earlier one are owed still.
	for block, event := range pending {
		if _, touched := owed[block]; !touched && onlyHooks(p, block) {
			owed[block] = event
		}
	}
	return owed
}

// onlyHooks reports whether a plan has nothing for a block but hooks.
func onlyHooks(p *plan.Plan, block resource.Address) bool {
	return !slices.ContainsFunc(p.Steps(), func(s plan.Step) bool { return s.Component.Block == block && s.Hook == "" })
}

// hooksBeside returns the hooks that are kept beside the objects of blocks: as they
// were before where that is wanted again, else as they live.
func hooksBeside(before []resource.Desired, live []resource.Live) []resource.Desired {
	var hooks []resource.Desired
	known := make(map[resource.Address]bool)
	for _, d := range before {
		if found := resource.RecordedHooks(d.Object); len(found) > 0 {
			hooks, known[d.Address.Block()] = append(hooks, found...), true
		}
	}
	for _, l := range live {
		if !known[l.Address.Block()] {
			hooks = append(hooks, resource.RecordedHooks(l.Object)...)
		}
	}
	return hooks
}
