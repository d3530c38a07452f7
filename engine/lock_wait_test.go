package engine_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hubcap/engine"
	"hubcap/engine/journal"
	"hubcap/engine/run"
)

// A slowLocker is one whose lock somebody else has: until free, or for ever when that one
// turns out to be alive at a look after alive.
type slowLocker struct {
	engine.Locker
	free, alive time.Time
}

func (l slowLocker) Lock(ctx context.Context, h engine.Holder) (engine.Lock, error) {
	now := time.Now()
	if !now.Before(l.free) {
		return l.Locker.Lock(ctx, h)
	}
	return nil, &engine.LockedError{
		Cluster: "prod", Holder: engine.Holder{Who: "ada@far", Run: "a"}, Wait: l.free.Sub(now), Renewing: now.After(l.alive),
	}
}

// A lock that nobody renews is waited for, with a line now and then that says how long it
// takes at most; one that is renewed is held, and that is said as soon as it shows.
func TestLockIsWaitedFor(t *testing.T) {
	for _, test := range []struct {
		reason string
		alive  time.Duration // after which its holder turns out to be
		took   time.Duration
		lines  int
	}{
		{"its holder has died", time.Hour, time.Minute, 4},
		{"its holder lives", 10 * time.Second, 11 * time.Second, 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := settled(t)
			e := newEngine(w, next)
			p := mustPlan(t, e)
			began := time.Now()
			e.Clusters["prod"].Locker = slowLocker{w, began.Add(time.Minute), began.Add(test.alive)}
			var lines []string
			taken := time.Duration(0)
			e.Notify = func(ev run.Event) {
				switch ev := ev.(type) {
				case run.Noted:
					lines = append(lines, ev.Text)
				case run.RunBegan:
					taken = time.Since(began)
				}
			}
			o, err := e.Apply(t.Context(), p)
			var locked *engine.LockedError
			switch {
			case errors.As(err, &locked):
				taken = time.Since(began)
				if !locked.Renewing {
					t.Errorf("%s: given up before that was sure", test.reason)
				}
			case err != nil || o.Outcome != journal.Succeeded:
				t.Errorf("%s: %+v, %v", test.reason, o, err)
			}
			if taken != test.took || len(lines) != test.lines {
				t.Errorf("%s: after %s, want %s; %d lines: %q", test.reason, taken, test.took, len(lines), lines)
			}
			if len(lines) > 0 && !strings.Contains(lines[0], "held by ada@far") {
				t.Errorf("%s: the line is %q", test.reason, lines[0])
			}
		})
	}
}

// Runs are numbered by the lock, also when somebody deleted it and it counts anew.
func TestRunsAreNumbered(t *testing.T) {
	w := settled(t)
	e := newEngine(w, next)
	if o, err := e.Apply(t.Context(), mustPlan(t, e)); err != nil || o.Outcome != journal.Succeeded {
		t.Fatalf("apply: %+v, %v", o, err)
	}
	runs, err := e.History(t.Context())
	if err != nil || len(runs) < 2 {
		t.Fatalf("%d runs, %v", len(runs), err)
	}
	for i := 1; i < len(runs); i++ {
		if runs[i-1].Number <= 0 || runs[i].Number <= runs[i-1].Number {
			t.Errorf("run %d has number %d after %d", i, runs[i].Number, runs[i-1].Number)
		}
	}
}
