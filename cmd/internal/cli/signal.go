package cli

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// interruptible returns a context that ends at the first SIGINT or SIGTERM: for
// commands that change nothing.
func (s *session) interruptible(ctx context.Context) (context.Context, func()) {
	return signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
}

// An interruption turns signals into the two ways to stop a run: at the edge of
// the step, and at once.
type interruption struct {
	edge context.Context // ends at the first signal
	hard context.Context // ends at the second
	stop func()
}

// interruption starts listening. say is called at each signal.
func (s *session) interruption(ctx context.Context, say func(n int)) *interruption {
	edge, atEdge := context.WithCancel(ctx)
	hard, atOnce := context.WithCancel(ctx)
	signals := make(chan os.Signal, 2)
	done := make(chan struct{})
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		for n := 1; ; n++ {
			select {
			case <-done:
				return
			case <-signals:
			}
			say(n)
			if n == 1 {
				atEdge()
				continue
			}
			atOnce()
			return
		}
	}()
	return &interruption{edge: edge, hard: hard, stop: func() {
		signal.Stop(signals)
		close(done)
		atEdge()
		atOnce()
	}}
}
