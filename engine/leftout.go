package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"hubcap/engine/journal"
	"hubcap/engine/plan"
	"hubcap/engine/resource"
	"hubcap/engine/run"
)

// A way back does all it can, per object. What cannot go back is left out and named:
// what somebody else changed since, what the server refuses, what is one-way.

// leftOut names what a way back leaves out; nil when that is nothing.
func leftOut(refused []plan.Refused) error {
	if len(refused) == 0 {
		return nil
	}
	var names []string
	for _, r := range refused {
		names = append(names, fmt.Sprintf("%s: %s", r.Address, r.Reason))
	}
	return fmt.Errorf("%w: %s", run.ErrLeftOut, strings.Join(names, "; "))
}

// both joins two errors, each of which may be nil, in one line.
func both(a, b error) error {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	return fmt.Errorf("%w; %w", a, b)
}

// leftOutEntries are the entries of what the way back from a step leaves out.
func leftOutEntries(step plan.StepID, refused []plan.Refused) []journal.Entry {
	var entries []journal.Entry
	for _, r := range refused {
		entries = append(entries, journal.Entry{Mark: journal.LeftOut, Step: step, Change: &r.ID, Reason: r.Reason})
	}
	return entries
}

// withoutLeftOut returns a step without what the way back from it left out: that is as
// the step wanted it, and whoever wants the same again wants the rest.
func withoutLeftOut(step plan.Step, entries []journal.Entry) plan.Step {
	left := make(map[resource.ID]bool)
	for _, e := range entries {
		if e.Step == step.ID && e.Mark == journal.LeftOut && e.Change != nil {
			left[*e.Change] = true
		}
	}
	step.Changes = slices.DeleteFunc(slices.Clone(step.Changes), func(c resource.Change) bool { return left[c.ID] })
	return step
}

// recordLeftOut records what a rollback leaves out from the start: objects that cannot
// go back, and components that a person excepted.
func (s *session) recordLeftOut(ctx context.Context) error {
	if s.run.Kind != journal.RollbackRun {
		return nil
	}
	entries := leftOutEntries("", s.plan.Refused)
	for _, component := range s.plan.LeftOut {
		entries = append(entries, journal.Entry{Mark: journal.LeftOut, Part: component, Reason: "excepted by " + s.Holder})
	}
	if err := s.Record(ctx, entries...); err != nil {
		return fmt.Errorf("write journal: %w", err)
	}
	return nil
}
