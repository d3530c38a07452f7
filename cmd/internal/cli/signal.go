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

// withstand makes a run outlive who watches it, from here to the end of the process: a
// pipe that nobody reads any more yields an error instead of ending the process, and
// writing to a terminal from the background does not stop it. Programs that are started
// from here see a closed pipe as usual.
func withstand() {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	signal.Ignore(syscall.SIGTTOU)
}

// hangUps are the signals of a terminal that is gone. Where they are ignored already, as
// nohup does, they stay so.
func hangUps() []os.Signal {
	if signal.Ignored(syscall.SIGHUP) {
		return nil
	}
	return []os.Signal{syscall.SIGHUP}
}

// An interruption turns signals into the two ways to stop a run: at the edge of
// the step, and at once.
type interruption struct {
	edge context.Context // ends at the first signal
	hard context.Context // ends at the second one that a person sent
	stop func()
}

// A stopping is how a signal stops a run.
type stopping int

const (
	interrupted stopping = iota + 1 // before the next step; a bake is cut
	hungUp                          // the same, since the terminal is gone
	atOnce
)

// interruption starts listening. say is called for each signal that changes how the run
// stops. A terminal that is gone stops it at the edge of its step and, however often it
// says so, never at once: nobody is there who could want that.
func (s *session) interruption(ctx context.Context, say func(stopping)) *interruption {
	edge, atEdge := context.WithCancel(ctx)
	hard, stopNow := context.WithCancel(ctx)
	signals := make(chan os.Signal, 2)
	done := make(chan struct{})
	signal.Notify(signals, append(hangUps(), os.Interrupt, syscall.SIGTERM)...)
	go func() {
		for asked := false; ; {
			var got os.Signal
			select {
			case <-done:
				return
			case got = <-signals:
			}
			switch {
			case got == syscall.SIGHUP && edge.Err() == nil:
				say(hungUp)
				atEdge()
			case got == syscall.SIGHUP:
			case !asked:
				asked = true
				say(interrupted)
				atEdge()
			default:
				say(atOnce)
				stopNow()
				return
			}
		}
	}()
	return &interruption{edge: edge, hard: hard, stop: func() {
		signal.Stop(signals)
		close(done)
		atEdge()
		stopNow()
	}}
}
