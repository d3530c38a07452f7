package run_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"hubcap/engine/journal"
	"hubcap/engine/resource"
	"hubcap/engine/run"
)

// The lock is lost while a write is under way, and that write meets somebody else's
// (the run that has the lock by now). It must not be tried again: P8.
func TestNoTryWithoutLock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lost := make(chan struct{})
		writes := 0
		s := &stage{}
		s.write = func(context.Context, resource.Change) error {
			writes++
			if writes == 1 {
				time.Sleep(70 * time.Second) // a call that hangs while the lease runs out
				close(lost)
				return fmt.Errorf("write: %w: %s", run.ErrMoved, "resourceVersion")
			}
			return nil
		}
		r := s.runner()
		r.Lost = lost
		result := r.Execute(t.Context(), steps(nil, "a"), nil)
		if writes > 1 {
			t.Errorf("%d writes, %d of them after the lock was lost; outcome %s", writes, writes-1, result.Outcome)
		}
	})
}

// A process that was stopped wakes up after its lock's deadline, before whoever closes
// Lost: not one write is made any more, and the run stays open.
func TestNoWriteAfterDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		deadline := time.Now().Add(45 * time.Second)
		s := &stage{}
		p := steps(nil, "a")
		p.Waves[0].Steps[0].Changes = append(p.Waves[0].Steps[0].Changes, change("b"))
		p.Waves[0].Steps[0].Changes[1].Needs = []resource.ID{change("a").ID} // it comes after
		s.write = func(context.Context, resource.Change) error { time.Sleep(time.Minute); return nil }
		r := s.runner()
		r.Deadline = func() time.Time { return deadline }
		result := r.Execute(t.Context(), p, nil)
		if result.Outcome != journal.WasInterrupted || !errors.Is(result.Err, run.ErrLost) || len(s.written) != 1 {
			t.Errorf("%+v after %d writes, want it interrupted after one", result, len(s.written))
		}
	})
}

// A write that the end of the lock cut off has not failed for its own sake: nothing is
// taken back on the strength of it.
func TestCutOffWriteIsNoFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lost := make(chan struct{})
		s := &stage{}
		s.write = func(context.Context, resource.Change) error {
			close(lost)
			return context.DeadlineExceeded
		}
		r := s.runner()
		r.Lost = lost
		r.Undo = func(context.Context, run.Failure) run.Undone {
			t.Error("the step is taken back without a lock")
			return run.Undone{Outcome: journal.WasRolledBack}
		}
		if result := r.Execute(t.Context(), steps(nil, "a"), nil); result.Outcome != journal.WasInterrupted {
			t.Errorf("%+v, want it interrupted", result)
		}
	})
}

// Each try of a write ends before the lock may be anybody else's, is let through only
// while it is held, and goes by the renewals that came meanwhile.
func TestTry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		end := time.Now().Add(time.Minute)
		ctx := run.WithLock(t.Context(), func() time.Time { return end })
		look := func() (time.Time, error) {
			try, cancel, err := run.Try(ctx)
			if err != nil {
				return time.Time{}, err
			}
			defer cancel()
			got, _ := try.Deadline()
			return got, nil
		}
		if got, err := look(); err != nil || !got.Equal(end) {
			t.Errorf("a try ends at %s, %v; want %s", got, err, end)
		}
		time.Sleep(30 * time.Second)
		end = end.Add(time.Minute)
		if got, err := look(); err != nil || !got.Equal(end) {
			t.Errorf("after a renewal it ends at %s, %v; want %s", got, err, end)
		}
		time.Sleep(90 * time.Second)
		if _, err := look(); !errors.Is(err, run.ErrLost) {
			t.Errorf("at the deadline: %v", err)
		}
		if try, cancel, err := run.Try(run.WithoutLock(ctx)); err != nil || try.Err() != nil {
			t.Errorf("without a lock to bound it: %v", err)
		} else {
			cancel()
		}
	})
}

// An entry that the end of the lock cut off on its way is no broken journal: the run was
// interrupted.
func TestCutOffEntryIsNoBrokenJournal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lost := make(chan struct{})
		s := &stage{}
		r := s.runner()
		r.Lost = lost
		r.Recorder = cutOff(func() { close(lost) })
		if result := r.Execute(t.Context(), steps(nil, "a"), nil); result.Outcome != journal.WasInterrupted || !errors.Is(result.Err, run.ErrLost) {
			t.Errorf("%+v, want it interrupted", result)
		}
	})
}

// A cutOff is a recorder whose requests end with the lock.
type cutOff func()

func (c cutOff) Record(context.Context, ...journal.Entry) error {
	c()
	return context.DeadlineExceeded
}
