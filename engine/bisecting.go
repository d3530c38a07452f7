package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"hubcap/engine/journal"
	"hubcap/engine/plan"
	"hubcap/engine/resource"
	"hubcap/engine/run"
)

// errUntold says of parts of a batch that their checks were inconclusive: that
// blames nobody.
var errUntold = errors.New("inconclusive")

// bisect finds out which part of a batch made it fail: each time half of the
// suspects is made, checked as the step was, and taken back. It needs one bake for
// each halving. The step was taken back before, and is as it was afterwards.
//
// Nothing that goes wrong here changes how the run ends, unless the way back does.
func (s *session) bisect(ctx context.Context, step plan.Step, b *backRecorder) error {
	suspects := step.Parts()
	if !step.Bisect || len(suspects) < 2 {
		return nil
	}
	if unwell := failingBefore(journal.FailingBefore(s.entries(), step.ID)); unwell != "" {
		return s.found(ctx, step, "the parts cannot be told from one another, since "+unwell)
	}
	var safe []string
	bakes := 0
	for len(suspects) > 1 {
		if ctx.Err() != nil || s.desk.Aborted() != nil {
			return s.found(ctx, step, fmt.Sprintf("the search was cut short after %s; left are %s", bakesText(bakes), names(suspects)))
		}
		half := suspects[:(len(suspects)+1)/2]
		failure, err := s.try(ctx, step, half, b)
		if err != nil {
			return err
		}
		bakes++
		rest := suspects[len(half):]
		switch {
		case errors.Is(failure, ErrInterrupted) || s.desk.Aborted() != nil:
			continue
		case errors.Is(failure, errUntold):
			return s.found(ctx, step, fmt.Sprintf("the search ended after %s, since nobody can tell of %s: %s; left are %s",
				bakesText(bakes), names(half), failure, names(suspects))+alsoSafe(safe))
		case failure != nil:
			suspects = half
			s.tell(run.Noted{Text: fmt.Sprintf("bisect: %s fails, too: %s", names(half), failure)})
		default:
			safe = append(safe, names(half))
			suspects = rest
			s.tell(run.Noted{Text: fmt.Sprintf("bisect: %s is well", names(half))})
		}
	}
	text := fmt.Sprintf("%s is the culprit, found with %s", names(suspects), bakesText(bakes))
	return s.found(ctx, step, text+alsoSafe(safe)+"; the rest goes ahead with: "+s.except(step, suspects[0]))
}

func bakesText(n int) string {
	if n == 1 {
		return "1 bake"
	}
	return fmt.Sprintf("%d bakes", n)
}

func alsoSafe(safe []string) string {
	if len(safe) == 0 {
		return ""
	}
	return "; safe: " + strings.Join(safe, ", ")
}

// try makes parts of a step, checks them, and takes them back. failure is what the
// checks said; err is that of the way back, or of the journal.
func (s *session) try(ctx context.Context, step plan.Step, parts []plan.Part, b *backRecorder) (failure, err error) {
	s.tell(run.Noted{Text: fmt.Sprintf("bisect: trying %s of %s", names(parts), step.ID)})
	part := step
	part.Changes, part.Guards = nil, nil
	for _, p := range parts {
		part.Changes = append(part.Changes, p.Changes...)
	}
	part.Changes = inOrder(step.Changes, part.Changes)
	trial := *s.plan
	trial.Waves = []plan.Wave{{Steps: []plan.Step{part}}}
	runner := s.runner(b)
	runner.Undo, runner.Verifies, runner.Notify = nil, nil, func(e run.Event) { s.tellBack(step.ID, e) }
	result := runner.Execute(ctx, &trial, nil)
	if b.broken != nil {
		return nil, b.broken
	}
	if result.Outcome != journal.Succeeded {
		failure = result.Err
	}
	switch result.Outcome {
	case journal.WasInterrupted:
		failure = fmt.Errorf("%w: %w", ErrInterrupted, result.Err)
	case journal.WasHeld:
		failure = fmt.Errorf("%w: %w", errUntold, result.Err)
	}
	back, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*step.Timeout+cleanupTime)
	defer cancel()
	return failure, s.goBack(back, step, b)
}

// inOrder returns those of the changes that are among some, in their order.
func inOrder(changes, some []resource.Change) []resource.Change {
	wanted := make(map[resource.ID]bool, len(some))
	for _, c := range some {
		wanted[c.ID] = true
	}
	var out []resource.Change
	for _, c := range changes {
		if wanted[c.ID] {
			out = append(out, c)
		}
	}
	return out
}

// found records what the search found, and tells.
func (s *session) found(ctx context.Context, step plan.Step, text string) error {
	if err := s.Record(ctx, journal.Entry{Mark: journal.Bisected, Step: step.ID, Reason: text, Time: s.now().UTC().Truncate(time.Millisecond)}); err != nil {
		return fmt.Errorf("write journal: %w", err)
	}
	s.tell(run.Warned{Text: "bisect: " + string(step.ID) + ": " + text})
	return nil
}

// except is how to apply the rest of a batch.
func (s *session) except(step plan.Step, culprit plan.Part) string {
	var flags []string
	for _, name := range strings.Split(culprit.Name, ", ") {
		c := resource.Component{Block: step.Component.Block, Name: name}
		flags = append(flags, "--except "+c.String())
	}
	return "hubcap apply " + strings.Join(flags, " ")
}

func names(parts []plan.Part) string {
	var all []string
	for _, p := range parts {
		all = append(all, p.Name)
	}
	return strings.Join(all, ", ")
}
