package memory

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"hubcap/engine"
	"hubcap/engine/journal"
	"hubcap/providers/process"
)

// A storedRun is one run as it lies in the world. Entries are kept encoded, as a
// real store keeps them.
type storedRun struct {
	Run      journal.Run       `json:"run"`
	Config   string            `json:"config,omitempty"` // that it is listed under; empty in files of older versions
	Created  time.Time         `json:"created,omitzero"`
	Document []byte            `json:"document"`
	Secrets  map[string]string `json:"secrets,omitempty"`
	Lines    []json.RawMessage `json:"lines"`
}

// Create makes a run durable, as engine.Store says.
func (w *World) Create(ctx context.Context, r journal.Run, document []byte, secrets map[string]string) error {
	return w.do(ctx, Call{Name: "create"}, func() error {
		if w.stored(r.ID) != nil {
			return fmt.Errorf("create run %s: it exists", r.ID)
		}
		s := &storedRun{Run: r, Config: r.Config, Created: w.now(), Document: append([]byte(nil), document...), Secrets: maps.Clone(secrets)}
		for _, e := range r.Entries {
			if err := s.append(e); err != nil {
				return err
			}
		}
		s.Run.Entries, s.Run.Plan = nil, nil
		w.state.Runs = append(w.state.Runs, s)
		return nil
	})
}

func (s *storedRun) append(e journal.Entry) error {
	line, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encode entry %d: %w", e.Seq, err)
	}
	s.Lines = append(s.Lines, line)
	return nil
}

// run returns the run with what of its entries can be decoded.
func (s *storedRun) run() journal.Run {
	r := s.Run
	r.Created, r.Untrusted = s.Created, ""
	for i, line := range s.Lines {
		var e journal.Entry
		if err := json.Unmarshal(line, &e); err != nil {
			r.Untrusted = fmt.Sprintf("it cannot be read: entry %d is not what hubcap wrote", i+1)
			continue
		}
		r.Entries = append(r.Entries, e)
	}
	return r
}

func (w *World) stored(id string) *storedRun {
	for _, s := range w.state.Runs {
		if s.Run.ID == id {
			return s
		}
	}
	return nil
}

// Append makes more entries durable, as engine.Store says.
func (w *World) Append(ctx context.Context, id string, entries ...journal.Entry) error {
	return w.do(ctx, Call{Name: "append"}, func() error {
		s := w.stored(id)
		if s == nil {
			return fmt.Errorf("append to run %s: %w", id, engine.ErrNoRun)
		}
		for _, e := range entries {
			if err := s.append(e); err != nil {
				return err
			}
		}
		return nil
	})
}

// AddSecrets keeps more values of a run, as engine.ImageSecrets says.
func (w *World) AddSecrets(ctx context.Context, id string, _ int, values map[string]string) error {
	return w.do(ctx, Call{Name: "secrets"}, func() error {
		s := w.stored(id)
		if s == nil {
			return fmt.Errorf("keep secrets of run %s: %w", id, engine.ErrNoRun)
		}
		if s.Secrets == nil {
			s.Secrets = make(map[string]string)
		}
		maps.Copy(s.Secrets, values)
		return nil
	})
}

// Runs returns all runs, as engine.Store says.
func (w *World) Runs(ctx context.Context, config string) ([]journal.Run, error) {
	var runs []journal.Run
	err := w.do(ctx, Call{Name: "runs"}, func() error {
		for _, s := range w.state.Runs {
			if config == "" || s.Config == "" || s.Config == config {
				runs = append(runs, s.run())
			}
		}
		slices.SortFunc(runs, journal.Compare)
		return nil
	})
	return runs, err
}

// Load returns one run, as engine.Store says.
func (w *World) Load(ctx context.Context, id string) (engine.Record, error) {
	var record engine.Record
	err := w.do(ctx, Call{Name: "load"}, func() error {
		s := w.stored(id)
		if s == nil {
			return fmt.Errorf("load run %s: %w", id, engine.ErrNoRun)
		}
		record = engine.Record{Run: s.run(), Document: append([]byte(nil), s.Document...), Secrets: maps.Clone(s.Secrets)}
		return nil
	})
	return record, err
}

// Run returns one run without its plan, as engine.Journal says.
func (w *World) Run(ctx context.Context, id string) (journal.Run, error) {
	record, err := w.Load(ctx, id)
	return record.Run, err
}

// Forget drops all runs: the journal is lost.
func (w *World) Forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.state.Runs = nil
}

// Key returns the key of digests, as engine.Keys says.
func (w *World) Key(ctx context.Context) ([]byte, error) {
	var key []byte
	err := w.do(ctx, Call{Name: "key"}, func() error {
		key = w.state.Key
		return nil
	})
	return key, err
}

// EnsureKey returns the key of digests and draws it when there is none.
func (w *World) EnsureKey(ctx context.Context) ([]byte, error) {
	var key []byte
	err := w.do(ctx, Call{Name: "key"}, func() error {
		if w.state.Key == nil {
			w.state.Key = make([]byte, 32)
			if _, err := rand.Read(w.state.Key); err != nil {
				return fmt.Errorf("draw key: %w", err)
			}
		}
		key = w.state.Key
		return nil
	})
	return key, err
}

// A holder has the world's lock, which may lie in a file that processes share.
type holder struct {
	engine.Holder
	PID     int    `json:"pid"`
	Process string `json:"process,omitempty"`
}

// Lock takes the world's lock, as engine.Locker says. It has no time limit: whoever
// holds it is alive until its process has ended, or [World.Revive] or [World.LoseLock]
// says otherwise.
func (w *World) Lock(ctx context.Context, h engine.Holder) (engine.Lock, error) {
	var taken *lock
	err := w.do(ctx, Call{Name: "lock"}, func() error {
		if by := w.state.Holder; by != nil && !process.HasEnded(by.Process, by.PID) {
			return &engine.LockedError{Cluster: w.Name, Holder: by.Holder, Renewed: w.now()}
		}
		w.state.Holder = &holder{Holder: h, PID: os.Getpid(), Process: process.Current().String()}
		w.state.Changes++
		taken = &lock{world: w, number: w.state.Changes, lost: make(chan struct{})}
		w.held = taken
		return nil
	})
	if err != nil {
		return nil, err
	}
	return taken, nil
}

// LoseLock makes the holder lose the lock.
func (w *World) LoseLock() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.held != nil {
		w.state.Holder = nil
		w.held.lose()
		w.held = nil
	}
}

// A lock is the world's lock while it is held.
type lock struct {
	world  *World
	number int64
	lost   chan struct{}
	once   sync.Once
}

func (l *lock) lose() { l.once.Do(func() { close(l.lost) }) }

// Lost is closed when the lock was lost.
func (l *lock) Lost() <-chan struct{} { return l.lost }

// Deadline is never near, as engine.Lock says, until the lock is lost.
func (l *lock) Deadline() time.Time {
	select {
	case <-l.lost:
		return time.Time{}
	default:
		return time.Now().Add(time.Hour)
	}
}

// Number is how many times the lock was taken.
func (l *lock) Number() int64 { return l.number }

// Release gives the lock back; one that is somebody else's by now is left alone.
func (l *lock) Release(ctx context.Context) error {
	return l.world.do(ctx, Call{Name: "release"}, func() error {
		if l.world.held == l {
			l.world.state.Holder, l.world.held = nil, nil
		}
		return nil
	})
}

// A Stored is one run as it lies in the world, for tests that change it behind hubcap's
// back.
type Stored struct {
	Run      *journal.Run
	Config   *string // that it is listed under
	Document *[]byte
	Secrets  map[string]string
	Lines    *[]json.RawMessage // its entries, encoded
}

// Tamper lets change do what it likes to each stored run, the oldest first.
func (w *World) Tamper(change func(Stored)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.state.Runs {
		change(Stored{Run: &s.Run, Config: &s.Config, Document: &s.Document, Secrets: s.Secrets, Lines: &s.Lines})
	}
}
