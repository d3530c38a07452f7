package engine_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hubcap/engine"
	"hubcap/engine/journal"
	"hubcap/engine/plan"
	"hubcap/engine/resource"
	"hubcap/engine/run"
	"hubcap/engine/seal"
	"hubcap/providers/memory"
)

// A fault is what can happen to one call on its way.
type fault int

const (
	refused fault = iota + 1 // 403, 429, 5xx: nothing was done
	moved                    // 409, 412: somebody else wrote meanwhile, elsewhere in the object
	lost                     // a timeout, a cut connection: it was done, and nobody says so
	late                     // it was done after a minute
)

var faults = map[fault]string{refused: "refused", moved: "moved", lost: "lost", late: "late"}

var allFaults = []fault{refused, moved, lost, late}

func (f fault) String() string { return faults[f] }

var errFault = errors.New("injected by the test")

// A faulty decorates all that an engine can do to a cluster: calls whose number is
// in at meet that fault.
type faulty struct {
	mu    sync.Mutex
	calls int
	at    map[int]fault
	inner engine.Cluster
}

// decorated returns a cluster whose calls can meet faults.
func decorated(c *engine.Cluster, at map[int]fault) (*engine.Cluster, *faulty) {
	f := &faulty{at: at, inner: *c}
	out := *c
	out.Reader, out.Writer, out.Prober, out.Sampler = f, f, f, f
	out.Census, out.Checker, out.Locker, out.Store, out.Keys, out.Seals = f, f, f, f, f, f
	return &out, f
}

// met counts a call, lets it happen or not, and returns what comes back.
func (f *faulty) met(do func() error) error {
	f.mu.Lock()
	f.calls++
	fate := f.at[f.calls]
	f.mu.Unlock()
	switch fate {
	case refused:
		return errFault
	case moved:
		return fmt.Errorf("%w: %w", run.ErrMoved, errFault)
	case lost:
		if err := do(); err != nil {
			return err
		}
		return errFault
	case late:
		time.Sleep(time.Minute) // of the bubble's clock
	}
	return do()
}

func (f *faulty) Read(ctx context.Context, d []resource.Desired) (r resource.Reading, err error) {
	return r, f.met(func() (err error) { r, err = f.inner.Reader.Read(ctx, d); return err })
}

func (f *faulty) Look(ctx context.Context, c resource.Change) (s run.Sight, err error) {
	return s, f.met(func() (err error) { s, err = f.inner.Writer.Look(ctx, c); return err })
}

func (f *faulty) Write(ctx context.Context, c resource.Change, s run.Sight) (done run.Sight, err error) {
	return done, f.met(func() (err error) { done, err = f.inner.Writer.Write(ctx, c, s); return err })
}

func (f *faulty) Probe(ctx context.Context, c resource.Change) (h resource.Health, err error) {
	return h, f.met(func() (err error) { h, err = f.inner.Prober.Probe(ctx, c); return err })
}

func (f *faulty) Sample(ctx context.Context, q run.Question) (s run.Sample, err error) {
	return s, f.met(func() (err error) { s, err = f.inner.Sampler.Sample(ctx, q); return err })
}

func (f *faulty) Count(ctx context.Context, at resource.Places) (c resource.Census, err error) {
	return c, f.met(func() (err error) { c, err = f.inner.Census.Count(ctx, at); return err })
}

func (f *faulty) Denied(ctx context.Context, c []resource.Change) (l []string, err error) {
	return l, f.met(func() (err error) { l, err = f.inner.Checker.Denied(ctx, c); return err })
}

func (f *faulty) Lock(ctx context.Context, h engine.Holder) (l engine.Lock, err error) {
	err = f.met(func() (err error) { l, err = f.inner.Locker.Lock(ctx, h); return err })
	if err != nil && l != nil { // whoever has a lock without knowing loses it by time
		_ = l.Release(ctx)
		l = nil
	}
	return l, err
}

func (f *faulty) Create(ctx context.Context, r journal.Run, document []byte, secrets map[string]string) error {
	return f.met(func() error { return f.inner.Store.Create(ctx, r, document, secrets) })
}

func (f *faulty) Append(ctx context.Context, id string, entries ...journal.Entry) error {
	return f.met(func() error { return f.inner.Store.Append(ctx, id, entries...) })
}

func (f *faulty) Runs(ctx context.Context, config string) (r []journal.Run, err error) {
	return r, f.met(func() (err error) { r, err = f.inner.Store.Runs(ctx, config); return err })
}

func (f *faulty) Load(ctx context.Context, id string) (r engine.Record, err error) {
	return r, f.met(func() (err error) { r, err = f.inner.Store.Load(ctx, id); return err })
}

func (f *faulty) Key(ctx context.Context) (k []byte, err error) {
	return k, f.met(func() (err error) { k, err = f.inner.Keys.Key(ctx); return err })
}

func (f *faulty) EnsureKey(ctx context.Context) (k []byte, err error) {
	return k, f.met(func() (err error) { k, err = f.inner.Keys.EnsureKey(ctx); return err })
}

func (f *faulty) SigningKey(ctx context.Context) (k seal.Key, err error) {
	return k, f.met(func() (err error) { k, err = f.inner.Seals.SigningKey(ctx); return err })
}

func (f *faulty) PublicKey(ctx context.Context) (k seal.Public, err error) {
	return k, f.met(func() (err error) { k, err = f.inner.Seals.PublicKey(ctx); return err })
}

// TestFaults injects every fault at every call of an apply, one at a time, and
// pairs of them at random; each time the laws hold.
func TestFaults(t *testing.T) {
	t.Parallel()
	const pairs fault = 0 // of two calls, drawn at random
	var mu sync.Mutex
	met := map[string]int{}
	t.Cleanup(func() { t.Logf("%v", met) })
	calls := 0 // of an apply that meets no fault
	synctest.Test(t, func(t *testing.T) {
		w := settled(t)
		e := newEngine(w, next)
		p := mustPlan(t, e)
		c, f := decorated(e.Clusters["prod"], nil)
		e.Clusters["prod"] = c
		if _, err := e.Apply(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		calls = f.calls
	})
	matrix(t, 500, append(slices.Clone(allFaults), pairs), func(t *testing.T, kind fault, n int) bool {
		at := map[int]fault{n: kind}
		if kind == pairs {
			if n > 400 {
				return false
			}
			random := rand.New(rand.NewPCG(1, uint64(n)))
			draw := func() fault { return allFaults[random.IntN(len(allFaults))] }
			at = map[int]fault{1 + random.IntN(calls): draw(), 1 + random.IntN(calls): draw()}
		}
		outcome, reached := withFaults(t, at)
		if kind != pairs && !reached {
			return false
		}
		mu.Lock()
		defer mu.Unlock()
		met[outcome]++
		return true
	})
}

// withFaults applies once with the faults, holds the laws, and reports how the
// apply ended and whether a fault was met at all.
func withFaults(t *testing.T, at map[int]fault) (string, bool) {
	t.Helper()
	w := settled(t)
	e := newEngine(w, next)
	p := mustPlan(t, e)
	c, f := decorated(e.Clusters["prod"], at)
	e.Clusters["prod"] = c
	o, err := e.Apply(t.Context(), p)
	where := fmt.Sprintf("faults %v: %+v, %v", at, o, err)
	last := 0
	for n := range at {
		last = max(last, n)
	}
	holdLaws(t, w, p, o, err, where)
	outcome := string(o.Outcome)
	if o.Run == "" {
		outcome = "refused"
	}
	return outcome, f.calls >= last
}

// holdLaws checks that what an apply says is so, and that everybody can go on.
func holdLaws(t *testing.T, w *memory.World, p *plan.Plan, o engine.Outcome, err error, where string) {
	t.Helper()
	at := func(want func() []resource.Desired) string { return cmp.Diff(wanted(want()), w.Objects()) }
	whole := newEngine(w, next)
	switch {
	case o.Run == "":
		if diff := at(first); err == nil || diff != "" {
			t.Fatalf("%s: no run, and yet (-before +got):\n%s", where, diff)
		}
	case o.Outcome == journal.Succeeded:
		if diff := at(next); diff != "" {
			t.Fatalf("%s (-want +got):\n%s", where, diff)
		}
	case o.Outcome == journal.WasRolledBack:
		mixed(t, w, p, o.Failed, where)
	case o.Outcome == journal.WasHeld, o.Outcome == journal.WasInterrupted:
		r, err := whole.Resume(t.Context(), o.Run)
		where += fmt.Sprintf("; resume: %+v, %v", r, err)
		switch r.Outcome {
		case journal.Succeeded:
			if diff := at(next); diff != "" {
				t.Fatalf("%s (-want +got):\n%s", where, diff)
			}
		case journal.WasRolledBack: // a step had failed before the journal did
			mixed(t, w, p, r.Failed, where)
		default:
			t.Fatal(where)
		}
	case o.Outcome == journal.Refused:
		if diff := at(first); diff != "" {
			t.Fatalf("%s: refused, and yet (-before +got):\n%s", where, diff)
		}
	default: // the way back met the fault, too: a person goes back
		undo(t, whole)
		if diff := at(first); diff != "" {
			t.Fatalf("%s, undone (-want +got):\n%s", where, diff)
		}
	}
	left := mustPlan(t, whole)
	left.Retry()
	if !left.Empty() {
		if o, err := whole.Apply(t.Context(), left); err != nil || o.Outcome != journal.Succeeded {
			t.Fatalf("%s; once more: %+v, %v", where, o, err)
		}
	}
	if p := mustPlan(t, whole); !p.Empty() {
		t.Fatalf("%s; the plan after it has steps %v", where, stepIDs(p))
	}
}

// mixed checks a world after a rollback: the objects of the step that failed are as
// before, each other one is as before or as wanted.
func mixed(t *testing.T, w *memory.World, p *plan.Plan, failed plan.StepID, where string) {
	t.Helper()
	before, after, now := wanted(first()), wanted(next()), w.Objects()
	undone := make(map[resource.ID]bool)
	for _, s := range p.Steps() {
		for _, c := range s.Changes {
			undone[c.ID] = undone[c.ID] || s.ID == failed
		}
	}
	for _, d := range append(first(), next()...) {
		_, isThere := now[d.ID]
		_, was := before[d.ID]
		_, willBe := after[d.ID]
		asBefore := isThere == was && cmp.Equal(now[d.ID], before[d.ID])
		asWanted := isThere == willBe && cmp.Equal(now[d.ID], after[d.ID])
		if !asBefore && (!asWanted || undone[d.ID]) {
			t.Fatalf("%s: %s is %v, before %v, wanted %v", where, d.ID, now[d.ID], before[d.ID], after[d.ID])
		}
	}
}
