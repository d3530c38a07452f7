package engine

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"hubcap/engine/journal"
	"hubcap/engine/plan"
	"hubcap/engine/run"
	"hubcap/engine/seal"
)

// cleanupTime bounds what is done after a run was told to stop.
const cleanupTime = 30 * time.Second

// A session is one run while it holds its locks.
type session struct {
	*Engine
	plan  *plan.Plan
	run   journal.Run
	locks []Lock
	first Lock // of home
	lost  chan struct{}
	done  chan struct{} // ends the watch over the locks
	home  *Cluster      // that keeps the run's journal
	store Store

	earlier []journal.Run // in home's journal when this one began

	key   seal.Key      // of home, that seals what the run records
	chain journal.Chain // of what was recorded
	mu    sync.Mutex    // of run.Entries and chain
	began time.Time

	foreign map[plan.StepID]string // steps with a gate, here by name, whose program the config at hand does not have
	digests plan.Mask              // under which the digests of steps are made
	desk    run.Desk
	telling sync.Mutex
	week    weekly
}

// runID returns a new run's name: it sorts by time.
func (e *Engine) runID() string {
	var random [2]byte
	if _, err := rand.Read(random[:]); err != nil {
		panic("engine: no random numbers: " + err.Error())
	}
	return e.now().UTC().Format("20060102-150405-") + hex.EncodeToString(random[:])
}

// open takes the locks of all clusters that the plan of r touches, in order, and checks
// that they are the clusters that it was made for. home keeps the journal of r. What is
// done on behalf of the session is done with its context: see [session.bind].
func (e *Engine) open(ctx context.Context, home *Cluster, r journal.Run) (*session, error) {
	p := r.Plan
	s := &session{
		Engine: e, plan: p, run: r, home: home, store: home.Store, began: e.now(),
		lost: make(chan struct{}), done: make(chan struct{}),
	}
	if err := s.lock(ctx); err != nil {
		s.close(ctx)
		return nil, err
	}
	if err := e.same(p.Clusters); err != nil {
		s.close(ctx)
		return nil, err
	}
	return s, nil
}

// touched returns the clusters that the run writes to, in order.
func (s *session) touched() []string {
	if s.run.Kind == journal.SealRun {
		return []string{s.home.Name}
	}
	if s.run.Kind == journal.OriginRun || s.TakeOver && s.isApply() {
		return s.names() // the name is taken over as a whole
	}
	touched := []string{s.home.Name}
	for _, step := range s.plan.Steps() {
		for _, c := range step.Changes {
			if !slices.Contains(touched, c.ID.Cluster) {
				touched = append(touched, c.ID.Cluster)
			}
		}
	}
	slices.Sort(touched)
	return touched
}

func (s *session) lock(ctx context.Context) error {
	holder := Holder{Who: s.Holder, Plan: s.plan.ID, Run: s.run.ID, When: s.now()}
	for _, name := range s.touched() {
		c := s.Clusters[name]
		if c == nil {
			return fmt.Errorf("lock cluster %s: it is not connected", name)
		}
		l, err := s.acquire(ctx, c, holder)
		if err != nil {
			return err
		}
		s.locks = append(s.locks, l)
		if name == s.home.Name {
			s.first = l
		}
	}
	s.watch()
	return nil
}

// lockEvery is the pause between two looks at a lock that is waited for, and tellEvery
// that between two lines about it.
const (
	lockEvery = time.Second
	tellEvery = 15 * time.Second
)

// acquire takes one lock. One that nobody renews is waited for: its holder may have died,
// and it lasts for so long. One that is renewed meanwhile is held.
func (s *session) acquire(ctx context.Context, c *Cluster, h Holder) (Lock, error) {
	var told time.Time
	for {
		l, err := c.Locker.Lock(ctx, h)
		var locked *LockedError
		if !errors.As(err, &locked) || locked.Renewing || locked.Wait <= 0 {
			return l, err
		}
		if now := time.Now(); now.Sub(told) >= tellEvery {
			told = now
			s.tell(run.Noted{Text: fmt.Sprintf("%v; it is taken in %s unless that run turns out to be alive",
				locked, max(locked.Wait.Round(time.Second), time.Second))})
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), err)
		case <-time.After(min(lockEvery, locked.Wait)):
		}
	}
}

// bind returns the context of all that is done under the session's locks.
func (s *session) bind(ctx context.Context) context.Context {
	return run.WithLock(run.WithID(ctx, s.run.ID), s.deadline)
}

// deadline returns when the first of the locks has to be renewed.
func (s *session) deadline() time.Time {
	var first time.Time
	for i, l := range s.locks {
		if d := l.Deadline(); i == 0 || d.Before(first) {
			first = d
		}
	}
	return first
}

// watch closes s.lost when any of the locks is lost.
func (s *session) watch() {
	var once sync.Once
	for _, l := range s.locks {
		go func() {
			select {
			case <-l.Lost():
				once.Do(func() { close(s.lost) })
			case <-s.done:
			}
		}()
	}
}

// close releases the locks, also after ctx was cancelled.
func (s *session) close(ctx context.Context) {
	close(s.done)
	ctx, cancel := context.WithTimeout(run.WithoutLock(context.WithoutCancel(ctx)), cleanupTime)
	defer cancel()
	for _, l := range slices.Backward(s.locks) {
		if err := l.Release(ctx); err != nil {
			s.tell(run.Warned{Text: err.Error()})
		}
	}
}

// tell passes an event on: one at a time, although lanes run side by side.
func (s *session) tell(e run.Event) {
	if s.Notify == nil {
		return
	}
	s.telling.Lock()
	defer s.telling.Unlock()
	s.Notify(e)
}

// entries returns what the journal has by now.
func (s *session) entries() []journal.Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.run.Entries)
}

// create makes the run durable, with its plan and what the plan hides.
func (s *session) create(ctx context.Context) error {
	var m plan.Mask
	var err error
	if s.home.Keys != nil && s.run.IsOfPlan() { // otherwise there is nothing to hide
		if m.Key, err = s.home.Keys.EnsureKey(ctx); err != nil {
			return fmt.Errorf("draw the key of digests: %w", err)
		}
	}
	if s.key, err = s.signingKey(ctx, s.home); err != nil {
		return err
	}
	s.home.trust(s.earlier, s.key.Public(), nil)
	s.run.Number = journal.Next(s.first.Number(), s.earlier)
	s.digests = m
	document, secrets, err := plan.Encode(s.plan, m)
	if err != nil {
		return err
	}
	s.run.DocumentDigest, s.run.SecretsDigest = seal.Digest(document), secretsDigest(m.Key, s.run.ID, secrets)
	s.run.HandoverDigest = handoverDigest(m.Key, s.run.ID, s.Handover)
	s.run.Entries = nil
	if s.chain, err = s.run.Start(s.key, s.home.Identity); err != nil {
		return err
	}
	first, chain, err := s.chain.Append(s.key, journal.Entry{Seq: 1, Time: s.now().UTC(), Mark: journal.RunStarted})
	if err != nil {
		return err
	}
	s.run.Entries, s.chain = []journal.Entry{first}, chain
	if err := s.store.Create(ctx, s.run, document, secrets); err != nil {
		return fmt.Errorf("create journal: %w", err)
	}
	s.listen(ctx)
	return nil
}

// reread takes the run as its record is now: only what is read under the lock counts,
// since the run may have gone on, or ended, meanwhile.
func (s *session) reread(ctx context.Context) error {
	record, err := s.store.Load(ctx, s.run.ID)
	if err != nil {
		return fmt.Errorf("load run %s: %w", s.run.ID, err)
	}
	if s.digests, err = maskOf(ctx, s.home); err != nil {
		return err
	}
	if s.key, err = s.signingKey(ctx, s.home); err != nil {
		return err
	}
	if s.chain, err = verifyRecord(record, s.key.Public(), s.home.Identity, s.digests.Key); err != nil {
		return err
	}
	if record.Run.Seal != s.run.Seal {
		return &UntrustedError{Run: s.run.ID, Reason: "its record was replaced while it was read"}
	}
	if s.Handover != nil && record.Run.HandoverDigest != handoverDigest(s.digests.Key, s.run.ID, s.Handover) {
		return &UntrustedError{Run: s.run.ID, Reason: "what it was handed over with is not what it was prepared with"}
	}
	s.run.Entries = record.Run.Entries
	unmaskImages(s.run.Entries, s.digests, record.Secrets)
	s.listen(ctx)
	return nil
}

// Record makes entries durable as the run's next.
func (s *session) Record(ctx context.Context, entries ...journal.Entry) error {
	if len(entries) == 0 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	seq := 0
	if n := len(s.run.Entries); n > 0 {
		seq = s.run.Entries[n-1].Seq
	}
	entries = slices.Clone(entries)
	for i := range entries {
		seq++
		entries[i].Seq = seq
		if entries[i].Time.IsZero() {
			entries[i].Time = s.now().UTC()
		}
		switch entries[i].Mark {
		case journal.Failed, journal.Done, journal.Stuck:
			entries[i].Digest = s.digest(entries[i].Step, entries[i].Mark)
		}
	}
	masked, err := s.maskImages(ctx, entries)
	if err != nil {
		return err
	}
	sealed, chain, err := s.sealed(masked)
	if err != nil {
		return err
	}
	if err := s.store.Append(ctx, s.run.ID, sealed...); err != nil {
		return err
	}
	s.run.Entries, s.chain = append(s.run.Entries, entries...), chain
	return nil
}

// sealed returns entries as they are stored, and the chain that ends with them.
func (s *session) sealed(entries []journal.Entry) ([]journal.Entry, journal.Chain, error) {
	sealed, chain := make([]journal.Entry, len(entries)), s.chain
	for i, e := range entries {
		var err error
		if sealed[i], chain, err = chain.Append(s.key, e.Bounded()); err != nil {
			return nil, chain, err
		}
	}
	return sealed, chain, nil
}

// digest returns the digest of what a step wants; of one that is stuck, without what
// was left out when it was taken back.
func (s *session) digest(id plan.StepID, m journal.Mark) string {
	for _, step := range s.plan.Steps() {
		if step.ID == id {
			if m == journal.Stuck {
				step = withoutLeftOut(step, s.run.Entries)
			}
			return step.Digest(s.digests)
		}
	}
	return ""
}

func (s *session) runner(r run.Recorder) *run.Runner {
	targets := make(map[string]run.Target, len(s.Clusters))
	for name, c := range s.Clusters {
		targets[name] = c.target()
	}
	return &run.Runner{
		Targets: targets, Recorder: r, Notify: s.tell, Lost: s.lost, Deadline: s.deadline, Now: s.now,
		Undo: s.rollBack, Verifies: beforehand, Orders: &s.desk, Guarding: s.guarding(), MayBegin: s.mayBegin,
		Persist: s.run.Kind == journal.RollbackRun,
	}
}

// target is what a run needs of the cluster.
func (c *Cluster) target() run.Target {
	t := run.Target{Writer: c.Writer, Prober: c.Prober, Sampler: c.Sampler, Watcher: watcher{c.Census, c.Watcher}}
	if c.Census != nil {
		t.People = c.Census.Count
	}
	return t
}

// standing counts the steps that are done and were not taken back later.
func (s *session) standing() int {
	n := 0
	for _, state := range journal.States(s.run.Entries) {
		if state.Mark == journal.Done {
			n++
		}
	}
	return n
}

// finish records how the run ended and tells.
func (s *session) finish(ctx context.Context, r run.Result) (Outcome, error) {
	o := Outcome{Run: s.run.ID, Outcome: r.Outcome, Steps: min(r.Done, s.standing())}
	if r.Failed != nil {
		o.Failed = r.Failed.ID
	}
	if r.Err != nil {
		o.Reason = r.Err.Error()
	}
	if r.Outcome == "" { // the journal failed: this run stays open, to be resumed
		o.Outcome = journal.WasHeld
		s.ended(o)
		return o, r.Err
	}
	if errors.Is(r.Err, run.ErrLost) { // whoever has the lock now has the journal
		s.ended(o)
		return o, fmt.Errorf("%w: %w", ErrInterrupted, r.Err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer cancel()
	err := s.Record(ctx, journal.Entry{Mark: journal.RunFinished, Outcome: o.Outcome, Reason: o.Reason, Step: ""})
	if err != nil {
		s.tell(run.Warned{Text: "the journal does not say how the run ended: " + err.Error()})
	}
	s.ended(o)
	switch {
	case r.Outcome == journal.WasInterrupted:
		return o, fmt.Errorf("%w: %w", ErrInterrupted, r.Err)
	case r.Barred && r.Outcome == journal.WasHeld:
		return o, fmt.Errorf("%w: %w", ErrGuarded, r.Err)
	case r.Outcome == journal.Refused && errors.Is(r.Err, run.ErrMoved):
		return o, fmt.Errorf("%w: %w", ErrStale, r.Err)
	}
	return o, nil
}

func (s *session) ended(o Outcome) {
	s.tell(run.RunEnded{Run: o.Run, Outcome: o.Outcome, Reason: o.Reason, Took: s.now().Sub(s.began), Done: o.Steps})
}
