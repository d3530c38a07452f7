// Package providertest proves that a provider fits the engine and behaves: what
// the engine relies on is said here once, as laws, and holds for every outside
// system.
//
// Place in the pipeline: none; tests of providers use it.
package providertest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hubcap/engine/diff"
	"hubcap/engine/observe"
	"hubcap/engine/resource"
	"hubcap/engine/run"
)

// A Provider is what the engine needs of an outside system.
type Provider interface {
	observe.Reader
	run.Writer
	run.Prober
}

// A World is a provider and an outside world in which nothing of hubcap's exists.
type World struct {
	Provider Provider

	// Wanted is an object that does not exist yet. Other is the same one wanted
	// otherwise, in a way that can be changed in place.
	Wanted, Other resource.Desired

	// Anew is Wanted in a way that cannot be changed in place; its zero value: there is
	// no such way. Gone deletes the object in the way of somebody else: so does a
	// replacement that is cut off between its two halves.
	Anew resource.Desired
	Gone func(t *testing.T)

	// Move changes a field that Wanted and Other both set to a third value, in
	// the way of somebody who does not use hubcap.
	Move func(t *testing.T)

	Seals Seals // what of it is nil is not done here

	// Writes returns how many writes the outside world has been asked for; nil
	// when it does not count them.
	Writes func() int
}

// Run holds the provider to every law, each in a world of its own. In makes a
// world and calls f in it, under a fake clock if it likes.
func Run(t *testing.T, in func(t *testing.T, f func(t *testing.T, w World))) {
	t.Helper()
	laws := []struct {
		name string
		law  func(*testing.T, World)
	}{
		{"absent is not an error", absent},
		{"what was created is as desired", created},
		{"what was updated is as desired", updated},
		{"writing twice is writing once", twice},
		{"what is gone may be deleted", deleted},
		{"what is wanted no more is an orphan", orphaned},
		{"what somebody moved is told", moved},
		{"what somebody moved is not overwritten", stale},
		{"what was there before can be wanted again", undone},
		{"what was deleted can be wanted again", revived},
		{"what cannot be changed in place is recreated", recreated},
		{"what is written is sealed", sealedWhenWritten},
		{"what bears no seal is kept", unsealed},
		{"what another key sealed is kept", otherKey},
		{"a copy is kept", copied},
		{"a cancelled context ends a call", cancelled},
		{"a context that ends ends a write", expired},
		{"reading changes nothing", reading},
	}
	for _, l := range laws {
		t.Run(l.name, func(t *testing.T) { in(t, l.law) })
	}
}

// prompt is how long a call may go on when its context has ended.
const prompt = 2 * time.Second

func (w World) writes() int {
	if w.Writes == nil {
		return 0
	}
	return w.Writes()
}

// read returns the reading, which must be whole.
func (w World) read(t *testing.T, desired ...resource.Desired) resource.Reading {
	t.Helper()
	r, err := w.Provider.Read(t.Context(), desired)
	if err != nil {
		t.Fatalf("Read: %v", err)
	}
	if len(r.Unreadable) > 0 {
		t.Fatalf("Read: unreadable: %v", r.Unreadable)
	}
	if len(r.Observations) != len(desired) {
		t.Fatalf("Read of %d objects observes %d", len(desired), len(r.Observations))
	}
	return r
}

// change returns the one change that it takes to get to desired.
func (w World) change(t *testing.T, desired ...resource.Desired) resource.Change {
	t.Helper()
	changes := diff.Compare(w.read(t, desired...))
	if len(changes) != 1 {
		t.Fatalf("getting there takes %d changes, want 1", len(changes))
	}
	return changes[0]
}

// look returns where the object stands, which must be where it is expected.
func (w World) look(t *testing.T, c resource.Change, want run.State) run.Sight {
	t.Helper()
	s, err := w.Provider.Look(t.Context(), c)
	if err != nil {
		t.Fatalf("Look: %v", err)
	}
	if s.State != want {
		t.Fatalf("Look for %s: state %d, want %d (moved: %q)", c.Action, s.State, want, s.Moved)
	}
	return s
}

// apply makes the one change that it takes to get to desired and returns it.
func (w World) apply(t *testing.T, desired ...resource.Desired) resource.Change {
	t.Helper()
	c := w.change(t, desired...)
	if _, err := w.Provider.Write(t.Context(), c, w.look(t, c, run.AtBefore)); err != nil {
		t.Fatalf("Write for %s: %v", c.Action, err)
	}
	w.look(t, c, run.AtAfter)
	return c
}

// settled fails the test unless nothing is left to do to get to desired.
func (w World) settled(t *testing.T, desired ...resource.Desired) {
	t.Helper()
	if changes := diff.Compare(w.read(t, desired...)); len(changes) > 0 {
		t.Fatalf("still to do: %s %v", changes[0].Action, changes[0].Fields)
	}
}

func (w World) ready(t *testing.T, c resource.Change) {
	t.Helper()
	h, err := w.Provider.Probe(t.Context(), c)
	if err != nil {
		t.Fatalf("Probe: %v", err)
	}
	if !h.Ready {
		t.Errorf("not ready: %s", h.Reason)
	}
}

func absent(t *testing.T, w World) {
	r := w.read(t, w.Wanted)
	if o := r.Observations[0]; o.Live != nil || o.Same || o.Before != nil || o.Refused != "" {
		t.Errorf("observed of what does not exist: %+v", o)
	}
	if len(r.Orphans) > 0 {
		t.Errorf("orphans in an empty world: %v", r.Orphans)
	}
	c := w.change(t, w.Wanted)
	if c.Action != resource.Create {
		t.Errorf("action %s, want create", c.Action)
	}
	w.look(t, c, run.AtBefore)
	w.look(t, deletion(c), run.AtAfter)
	h, err := w.Provider.Probe(t.Context(), c)
	if err != nil || h.Ready {
		t.Errorf("Probe of what does not exist: %+v, %v; want it not ready and no error", h, err)
	}
}

// deletion returns the change that undoes a creation.
func deletion(created resource.Change) resource.Change {
	d := created
	d.Action, d.Before, d.After = resource.Delete, created.After, nil
	return d
}

func created(t *testing.T, w World) {
	c := w.apply(t, w.Wanted)
	w.ready(t, c)
	w.settled(t, w.Wanted)
	o := w.read(t, w.Wanted).Observations[0]
	if o.Live == nil || o.Live.Owner == "" {
		t.Fatalf("live after creation: %+v; want it there, with its owner", o.Live)
	}
	if o.Live.ID != w.Wanted.ID {
		t.Errorf("live bears the ID %s, want %s", o.Live.ID, w.Wanted.ID)
	}
}

func updated(t *testing.T, w World) {
	w.apply(t, w.Wanted)
	c := w.apply(t, w.Other)
	if c.Action != resource.Update || len(c.Fields) == 0 {
		t.Errorf("change is %s with %d fields, want an update with some", c.Action, len(c.Fields))
	}
	w.ready(t, c)
	w.settled(t, w.Other)
}

func twice(t *testing.T, w World) {
	for _, desired := range [][]resource.Desired{{w.Wanted}, {w.Other}, nil} {
		c := w.apply(t, desired...)
		before := w.writes()
		if _, err := w.Provider.Write(t.Context(), c, w.look(t, c, run.AtAfter)); err != nil {
			t.Fatalf("second Write for %s: %v", c.Action, err)
		}
		if n := w.writes() - before; n > 0 {
			t.Errorf("second Write for %s wrote %d times", c.Action, n)
		}
		w.look(t, c, run.AtAfter)
	}
}

func deleted(t *testing.T, w World) {
	w.apply(t, w.Wanted)
	c := w.apply(t)
	if c.Action != resource.Delete {
		t.Fatalf("action %s, want delete", c.Action)
	}
	w.ready(t, c)
	r := w.read(t, w.Wanted)
	if r.Observations[0].Live != nil || len(r.Orphans) > 0 {
		t.Errorf("after deletion: %+v", r)
	}
	if _, err := w.Provider.Write(t.Context(), c, run.Sight{State: run.AtAfter}); err != nil {
		t.Errorf("deleting what is gone: %v", err)
	}
}

func orphaned(t *testing.T, w World) {
	w.apply(t, w.Wanted)
	r := w.read(t)
	if len(r.Orphans) != 1 || r.Orphans[0].ID != w.Wanted.ID || r.Orphans[0].Owner == "" {
		t.Fatalf("orphans: %+v, want the one object with its owner", r.Orphans)
	}
	if got := r.Orphans[0].Address; got.Block() != w.Wanted.Address.Block() {
		t.Errorf("the orphan's address is %s, want %s", got, w.Wanted.Address)
	}
	if r := w.read(t, w.Wanted); len(r.Orphans) > 0 {
		t.Errorf("orphan although wanted: %v", r.Orphans)
	}
}

func moved(t *testing.T, w World) {
	w.apply(t, w.Wanted)
	c := w.change(t, w.Other)
	w.Move(t)
	s := w.look(t, c, run.Elsewhere)
	if s.Moved == "" {
		t.Error("Look does not say what moved")
	}
	w.refuses(t, c, s)
}

func stale(t *testing.T, w World) {
	w.apply(t, w.Wanted)
	c := w.change(t, w.Other)
	s := w.look(t, c, run.AtBefore)
	w.Move(t)
	w.refuses(t, c, s)
}

// refuses fails the test unless the write is refused as moved, without effect.
func (w World) refuses(t *testing.T, c resource.Change, s run.Sight) {
	t.Helper()
	if _, err := w.Provider.Write(t.Context(), c, s); !errors.Is(err, run.ErrMoved) {
		t.Errorf("Write over somebody's change: %v, want ErrMoved", err)
	}
	w.look(t, c, run.Elsewhere)
}

func undone(t *testing.T, w World) {
	w.apply(t, w.Wanted)
	c := w.apply(t, w.Other)
	before := w.Wanted
	before.Object, before.Defaults = c.Before, c.Defaults
	w.apply(t, before)
	w.settled(t, before)
	w.settled(t, w.Wanted)
}

func revived(t *testing.T, w World) {
	w.apply(t, w.Wanted)
	c := w.apply(t)
	before := w.Wanted
	before.Object, before.Defaults = c.Before, c.Defaults
	w.apply(t, before)
	w.settled(t, w.Wanted)
}

// recreated replaces an object, also when it is cut off in between, and back.
func recreated(t *testing.T, w World) {
	if w.Anew.Object == nil {
		t.Skip("everything is changed in place")
	}
	w.apply(t, w.Wanted)
	c := w.apply(t, w.Anew)
	if c.Action != resource.Replace || len(c.Notes) == 0 {
		t.Errorf("change is %s with the notes %q, want it replaced, and said so", c.Action, c.Notes)
	}
	w.ready(t, c)
	w.settled(t, w.Anew)
	before := w.Wanted
	before.Object, before.Defaults = c.Before, c.Defaults
	back := w.change(t, before)
	w.Gone(t)
	if _, err := w.Provider.Write(t.Context(), back, w.look(t, back, run.AtBefore)); err != nil {
		t.Fatalf("Write of a replacement that was cut off: %v", err)
	}
	w.look(t, back, run.AtAfter)
	w.settled(t, w.Wanted)
}

func cancelled(t *testing.T, w World) {
	c := w.change(t, w.Wanted)
	s := w.look(t, c, run.AtBefore)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	before := w.writes()
	calls := map[string]func() error{
		"Read":  func() error { _, err := w.Provider.Read(ctx, []resource.Desired{w.Wanted}); return err },
		"Look":  func() error { _, err := w.Provider.Look(ctx, c); return err },
		"Write": func() error { _, err := w.Provider.Write(ctx, c, s); return err },
		"Probe": func() error { _, err := w.Provider.Probe(ctx, c); return err },
	}
	for name, call := range calls {
		began := time.Now()
		if err := call(); !errors.Is(err, context.Canceled) {
			t.Errorf("%s with a cancelled context: %v, want it wrapped", name, err)
		}
		if took := time.Since(began); took > prompt {
			t.Errorf("%s with a cancelled context took %v", name, took)
		}
	}
	if n := w.writes() - before; n > 0 {
		t.Errorf("a cancelled Write wrote %d times", n)
	}
}

// expired ends a write's context at once and soon after: it returns, and what it
// has or has not done, a second write brings to its end.
func expired(t *testing.T, w World) {
	c := w.change(t, w.Wanted)
	for _, limit := range []time.Duration{time.Nanosecond, time.Millisecond, 10 * time.Second} {
		s, err := w.Provider.Look(t.Context(), c)
		if err != nil {
			t.Fatalf("Look: %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		began := time.Now()
		_, err = w.Provider.Write(ctx, c, s)
		cancel()
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Write whose context ends after %v: %v", limit, err)
		}
		if took := time.Since(began); took > limit+prompt {
			t.Errorf("Write whose context ends after %v took %v", limit, took)
		}
	}
	s, err := w.Provider.Look(t.Context(), c)
	if err != nil || s.State == run.Elsewhere {
		t.Fatalf("Look after writes that were cut off: %+v, %v", s, err)
	}
	if _, err := w.Provider.Write(t.Context(), c, s); err != nil {
		t.Fatalf("Write after writes that were cut off: %v", err)
	}
	w.settled(t, w.Wanted)
}

func reading(t *testing.T, w World) {
	w.apply(t, w.Wanted)
	before := w.writes()
	kept := w.Other.Object.Copy()
	first, second := w.read(t, w.Other), w.read(t, w.Other)
	if !resource.Equal(map[string]any(kept), map[string]any(w.Other.Object)) {
		t.Error("Read changed the desired object")
	}
	same := cmp.Comparer(func(a, b resource.Object) bool { return resource.Equal(map[string]any(a), map[string]any(b)) })
	if d := cmp.Diff(first, second, same); d != "" {
		t.Errorf("two readings of the same world differ:\n%s", d)
	}
	if n := w.writes() - before; n > 0 {
		t.Errorf("reading wrote %d times", n)
	}
}
