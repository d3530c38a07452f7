package engine

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"hubcap/engine/journal"
	"hubcap/engine/plan"
	"hubcap/engine/resource"
	"hubcap/engine/run"
)

// tries is how many bad samples in a row it takes at least to say that what was
// before does not work any more: it has only just started.
const tries = 3

// verifying returns the gates that show that what was before a step works again:
// those that ask the thing itself, once it is good. What looks back over a time, or
// asks people, would see the failure. Of what the step made there is nothing left to
// ask.
func verifying(step plan.Step) []plan.Gate {
	isNew := slices.ContainsFunc(step.Changes, func(c resource.Change) bool {
		return c.Action == resource.Create && c.ID.Group == "apps"
	})
	if isNew {
		return nil
	}
	var gates []plan.Gate
	for _, g := range step.Gates {
		if g.Advisory || g.HTTP == nil && g.Pods == nil && g.Launch == nil && g.Exec == nil {
			continue
		}
		g.Bake, g.MaxBake, g.WarmUp, g.Of = 0, 0, 0, 0
		g.Failures, g.OnInconclusive = max(g.Failures, tries), plan.HoldWhenUnclear
		gates = append(gates, g)
	}
	return gates
}

// beforehand returns the gates to look at before a step that may be taken back begins:
// what fails by then was ill before the step.
func beforehand(step plan.Step) []plan.Gate {
	if step.OnFailure == plan.Stop || step.Class == resource.ClassOneWay {
		return nil
	}
	return verifying(step)
}

// failingBefore says what was bad before a step: empty when nothing is known to have
// been.
func failingBefore(failing []journal.Sample) string {
	var all []string
	for _, s := range failing {
		all = append(all, fmt.Sprintf("gate %s was failing before this step: %s", s.Gate, s.Reason))
	}
	return strings.Join(all, "; ")
}

// verify gives the last step of the way back from step the gates that verify it. When
// all of it went back before, as a run that was cut off did, there is nothing else to
// do.
func verify(back *plan.Plan, step plan.Step, gates []plan.Gate) {
	if len(back.Waves) == 0 && len(gates) > 0 {
		check := plan.Step{ID: step.ID, Component: step.Component, Cluster: step.Cluster, Class: step.Class, Timeout: step.Timeout, OnFailure: plan.Stop}
		back.Waves = []plan.Wave{{Steps: []plan.Step{check}}}
	}
	if last := len(back.Waves) - 1; last >= 0 {
		steps := back.Waves[last].Steps
		steps[len(steps)-1].Gates = gates
	}
}

// verdict is what the verification of a way back comes to: nil when it is good, or
// when that could not be told. What is still ill is, also when it was before the step:
// the error says which.
func (s *session) verdict(step plan.Step, err error) error {
	switch {
	case errors.Is(err, run.ErrLeftOut) && !errors.Is(err, run.ErrGate):
		return err
	case errors.Is(err, run.ErrUnclear):
		s.tell(run.Warned{Text: fmt.Sprintf("%s is as before, but whether that works again could not be told: %v", step.ID, err)})
		return nil
	case errors.Is(err, run.ErrGate):
		was := "it became ill with this step"
		if gate := run.FailedGate(err); slices.ContainsFunc(journal.FailingBefore(s.entries(), step.ID), func(b journal.Sample) bool { return b.Gate == gate }) {
			was = "it was ill before this step, too"
		}
		return fmt.Errorf("what was before is live again, and does not pass either (%s): %w", was, err)
	}
	return err
}
