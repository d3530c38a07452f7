package engine

import (
	"context"
	"slices"

	"hubcap/engine/journal"
	"hubcap/engine/observe"
	"hubcap/engine/resource"
	"hubcap/engine/run"
)

// withTail returns the entries of a run, and what the newest of them may have told
// before somebody removed them, or a backup of the cluster lost them: a run that has not
// ended and says nothing of a change has made it all the same when the object is as the
// plan wanted it and bears the mark of that run, or is gone as the plan wanted. Resuming
// looks at every change anyway; going back would leave out what is not known to be
// intended.
func (e *Engine) withTail(ctx context.Context, r journal.Run) ([]journal.Entry, error) {
	if _, ended := journal.Ended(r.Entries); ended {
		return r.Entries, nil
	}
	silent, desired := e.silent(r)
	if len(silent) == 0 {
		return r.Entries, nil
	}
	sights, err := e.lookAt(ctx, silent)
	if err != nil {
		return nil, err
	}
	reading, err := observe.Read(ctx, e.readers(), desired)
	if err != nil {
		return nil, err
	}
	isMarked := make(map[resource.ID]bool)
	for _, o := range reading.Observations {
		isMarked[o.Desired.ID] = o.Live != nil && o.Live.Applied != nil && o.Live.Applied.Run == r.ID
	}
	entries := slices.Clone(r.Entries)
	for _, step := range r.Plan.Steps() {
		for _, c := range step.Changes {
			isMade := sights[c.ID].State == run.AtAfter && (isMarked[c.ID] || c.Action == resource.Delete)
			if isMade && slices.ContainsFunc(silent, func(s resource.Change) bool { return s.ID == c.ID }) {
				entries = append(entries, journal.Entry{Seq: len(entries) + 1, Mark: journal.Intended, Step: step.ID, Change: &c.ID})
			}
		}
	}
	return entries, nil
}

// silent returns the changes of a run's plan of which its journal says nothing, and what
// they wanted. Hooks leave nothing that could be taken back.
func (e *Engine) silent(r journal.Run) ([]resource.Change, []resource.Desired) {
	var silent []resource.Change
	var desired []resource.Desired
	states := journal.States(r.Entries)
	for _, step := range r.Plan.Steps() {
		state := states[step.ID]
		if state.Mark == journal.Done || isUndone(state) || step.Hook != "" {
			continue
		}
		for _, c := range step.Changes {
			if state.Intended[c.ID] || c.Hook != nil {
				continue
			}
			silent = append(silent, c)
			if c.Action != resource.Delete {
				desired = append(desired, resource.Desired{ID: c.ID, Address: c.Address, Component: c.Component, Object: c.After, Presence: resource.Managed, Origin: c.Origin})
			}
		}
	}
	return silent, desired
}
