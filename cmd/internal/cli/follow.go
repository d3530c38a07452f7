package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"hubcap/cmd/internal/render"
	"hubcap/engine"
	"hubcap/engine/journal"
	"hubcap/engine/plan"
	"hubcap/engine/run"
)

// followEvery is how often a run elsewhere is looked at.
const followEvery = time.Second

// follow shows a run that goes on elsewhere until it has ended, and ends as it
// did. Looking that fails for a while is told and tried again.
func (s *session) follow(ctx context.Context, e *engine.Engine, id string) error {
	r, err := e.Load(ctx, id)
	if err != nil {
		return err
	}
	w := s.watch()
	f := &following{plan: r.Plan, notify: w.notify}
	w.notify(run.RunBegan{Run: r.ID, Kind: r.Kind, Plan: r.Plan})
	failures := 0
	for {
		f.take(r.Entries)
		if end, ended := render.Ending(r); ended {
			w.close()
			r.Plan = f.plan
			return s.followed(r, end)
		}
		select {
		case <-ctx.Done():
			w.close()
			s.hint("The run goes on. To follow it again: %s", s.again("status", "--watch", id))
			return silently(exitInterrupted)
		case <-time.After(followEvery):
		}
		next, err := e.Run(ctx, id)
		switch {
		case err == nil:
			r, failures = next, 0
		case errors.Is(err, engine.ErrNoRun):
			w.close()
			return err
		case ctx.Err() == nil:
			if failures++; failures == 1 {
				w.notify(run.Warned{Text: fmt.Sprintf("looking at run %s: %v; trying again", id, err)})
			}
		}
	}
}

// followed words how a run elsewhere ended.
func (s *session) followed(r journal.Run, end journal.Entry) error {
	done := 0
	for _, state := range journal.States(r.Entries) {
		if state.Mark == journal.Done {
			done++
		}
	}
	if end.Reason != "" {
		s.complain(errors.New(end.Reason))
	}
	s.tolerate(s.print(render.Ended(r.ID, end.Outcome, done, end.Time.Sub(r.Started)) + render.Compare(r).String()))
	c := codeOfOutcome(end.Outcome)
	s.next(c, r.ID)
	return silently(c)
}

// A following turns the entries of a journal back into the events that made them.
type following struct {
	plan   *plan.Plan
	notify func(run.Event)
	seen   int // entries
}

func (f *following) take(entries []journal.Entry) {
	if len(entries) <= f.seen {
		return
	}
	for _, e := range entries[f.seen:] {
		f.tell(e)
	}
	f.seen = len(entries)
}

func (f *following) tell(e journal.Entry) {
	steps := f.plan.Steps()
	i := slices.IndexFunc(steps, func(s plan.Step) bool { return s.ID == e.Step })
	switch {
	case e.Mark == journal.Ordered:
		f.notify(run.Noted{Text: e.Reason})
	case e.Step == "" || i < 0:
	case e.Mark == journal.Written:
		for _, c := range steps[i].Changes {
			if slices.Contains(e.Objects(), c.ID) {
				f.notify(run.ChangeMade{Step: e.Step, Change: c})
			}
		}
	case e.Mark == journal.Intended, e.Mark == journal.Beforehand:
	case len(e.Samples) > 0:
		f.samples(steps[i], e)
	case e.Gate == "":
		f.notify(run.StepMoved{Step: steps[i], Index: i + 1, Total: len(steps), Mark: e.Mark, Reason: e.Reason, Time: e.Time})
	}
}

func (f *following) samples(step plan.Step, e journal.Entry) {
	for _, s := range e.Samples {
		g := slices.IndexFunc(step.Gates, func(g plan.Gate) bool { return g.Name == s.Gate })
		if g < 0 {
			continue
		}
		f.notify(run.GateSampled{Step: e.Step, Gate: step.Gates[g], Sample: run.Sample{
			Verdict: run.Verdict(s.Verdict), Reason: s.Reason, Value: s.Value, Bound: s.Bound, Evidence: s.Evidence,
		}})
	}
}
