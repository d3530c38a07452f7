package engine

import (
	"context"
	"errors"
	"slices"
	"time"

	"hubcap/engine/journal"
	"hubcap/engine/resource"
)

// absent returns the desired objects that do not exist: those that are to be created
// and those that may not be.
func absent(observations []resource.Observation) map[resource.ID]bool {
	missing := map[resource.ID]bool{}
	for _, o := range observations {
		if o.Live == nil && o.Desired.Hook == nil {
			missing[o.Desired.ID] = true
		}
	}
	return missing
}

// vanished tells which of the missing objects hubcap applied before, and when:
// somebody deleted them behind its back. Nothing of a deleted object is left to read
// that from, so the journal is asked. What it does not know (an old run, a lost
// journal) counts as new.
func (e *Engine) vanished(ctx context.Context, missing map[resource.ID]bool, runs []journal.Run) (map[resource.ID]time.Time, error) {
	gone := map[resource.ID]time.Time{}
	for _, r := range slices.Backward(runs) {
		written := lastWritten(r, missing)
		if len(written) == 0 {
			continue
		}
		actions, err := e.actions(ctx, r.ID)
		if errors.Is(err, ErrUntrusted) {
			continue
		}
		if err != nil {
			return gone, err
		}
		for id, when := range written {
			delete(missing, id) // an older run has no say
			if action := actions[id]; !when.IsZero() && action != resource.Delete && action != 0 {
				gone[id] = when
			}
		}
	}
	return gone, nil
}

// lastWritten returns when r wrote each of the objects; the zero time when it
// took that back.
func lastWritten(r journal.Run, among map[resource.ID]bool) map[resource.ID]time.Time {
	if len(among) == 0 {
		return nil
	}
	states := journal.States(r.Entries)
	written := map[resource.ID]time.Time{}
	for _, entry := range r.Entries {
		if entry.Mark != journal.Written {
			continue
		}
		for _, id := range entry.Objects() {
			switch {
			case !among[id]:
			case states[entry.Step].Mark == journal.RolledBack:
				written[id] = time.Time{}
			default:
				written[id] = entry.Time
			}
		}
	}
	return written
}

// actions returns what the plan of a run was to do with each object.
func (e *Engine) actions(ctx context.Context, run string) (map[resource.ID]resource.Action, error) {
	p, err := e.document(ctx, run)
	if err != nil {
		return nil, err
	}
	actions := map[resource.ID]resource.Action{}
	for _, s := range p.Steps() {
		for _, c := range s.Changes {
			actions[c.ID] = c.Action
		}
	}
	return actions, nil
}
