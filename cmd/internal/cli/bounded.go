package cli

import (
	"context"
	"time"

	"hubcap/engine"
	"hubcap/engine/journal"
)

// lastBreath is how long a run that is stopped at once may still take to say how
// it ended.
const lastBreath = 2 * time.Second

// bounded runs act until it ends, or until a person wants the program to end at
// once. The journal has every intent before its act, so ending there is as safe
// as being killed.
func (s *session) bounded(i *interruption, act func(context.Context) (engine.Outcome, error)) (engine.Outcome, error) {
	type result struct {
		outcome engine.Outcome
		err     error
	}
	ended := make(chan result, 1)
	go func() {
		o, err := act(i.edge)
		ended <- result{o, err}
	}()
	select {
	case r := <-ended:
		return r.outcome, r.err
	case <-i.hard.Done():
	}
	select {
	case r := <-ended:
		return r.outcome, r.err
	case <-time.After(lastBreath):
		return engine.Outcome{Outcome: journal.WasInterrupted}, engine.ErrInterrupted
	}
}
