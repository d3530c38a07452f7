// Package memory is a whole cluster in memory, or in one file: objects with
// field ownership, people, a lock and a journal. Tests of the engine run against
// it, and so can the command line.
//
// Place in the pipeline: a provider like any other, at both its ends. It is a
// real one in all but where its objects live: it passes providers/providertest.
package memory

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"hubcap/engine"
	"hubcap/engine/expand"
	"hubcap/engine/plan"
	"hubcap/engine/resource"
	"hubcap/engine/run"
)

// ErrDead is what every call of a world returns after it was told to die, until
// it is revived: as if the process had been killed at that instant.
var ErrDead = errors.New("the process is dead")

// A World is one cluster. It is safe for use by several goroutines.
type World struct {
	// Name is the cluster's, and Owner the name of the config whose objects are
	// ours here.
	Name, Owner string

	// Broken are images, or parts of them, whose pods never get ready.
	Broken []string

	// Gate answers for gates; nil means that all pass.
	Gate func(plan.Gate, resource.Component) run.Sample

	// Fault, if set, is asked before every call and its error returned instead.
	Fault func(call Call) error

	// Admission, if set, may change an object that is about to be written: what is
	// stored is what it returns. It must not change o. Same in, same out.
	Admission func(id resource.ID, o resource.Object) resource.Object

	// Rejects, if set, says why the server would refuse to write an object; empty when
	// it would not.
	Rejects func(resource.ID) string

	// Polls is how many times a written workload is probed before it is ready.
	Polls int

	// Now is the world's clock; nil means time.Now.
	Now func() time.Time

	mu     sync.Mutex
	file   string
	state  state
	held   *lock // taken by this process
	calls  []Call
	dieAt  int // number of the call, from 1; 0: never
	late   bool
	dead   bool
	polled map[resource.ID]int
}

// A Call is one call of the world: its name, and the object it is about.
type Call struct {
	Name string // "read", "look", "write", "probe", "sample", "create", "append", "claim", "secrets", "lock" …
	ID   resource.ID
}

// state is what a file keeps of a world. Secrets are in it: it is the cluster.
type state struct {
	Identity string          `json:"identity"`
	Objects  []*record       `json:"objects"`
	Census   resource.Census `json:"census"`
	Runs     []*storedRun    `json:"runs,omitempty"`
	Key      []byte          `json:"key,omitempty"`

	Origins map[string]engine.Origin `json:"origins,omitempty"` // by config

	SealKey    []byte `json:"seal_key,omitempty"`
	SealPublic string `json:"seal_public,omitempty"`

	Holder  *holder         `json:"holder,omitempty"`
	Changes int64           `json:"changes,omitempty"` // how many times the lock was taken
	Version int64           `json:"version"`
	Denied  map[string]bool `json:"denied,omitempty"` // kinds that may not be written
	index   map[resource.ID]*record
}

// A record is one object: what it is, and what hubcap wrote of it.
type record struct {
	ID        resource.ID        `json:"id"`
	Address   resource.Address   `json:"address,omitzero"`
	Component resource.Component `json:"component,omitzero"`
	Owner     string             `json:"owner,omitempty"`
	Object    resource.Object    `json:"object"`            // plain: nothing is sensitive to the cluster itself
	Applied   resource.Object    `json:"applied,omitempty"` // as last written by hubcap
	Stamp     *resource.Applied  `json:"stamp,omitempty"`
	Seal      string             `json:"seal,omitempty"`
	Version   int64              `json:"version"`
	Edits     map[string]edit    `json:"edits,omitempty"` // by path: who else wrote a field
}

type edit struct {
	Manager string    `json:"manager"`
	Time    time.Time `json:"time"`
}

// New returns an empty world.
func New(name, owner string) *World {
	return &World{
		Name: name, Owner: owner,
		state:  state{Identity: "memory-" + name, index: map[resource.ID]*record{}},
		polled: map[resource.ID]int{},
	}
}

// Open returns the world that file keeps, or an empty one that it will keep.
func Open(name, owner, file string) (*World, error) {
	w := New(name, owner)
	w.file = file
	text, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return w, nil
	}
	if err != nil {
		return nil, fmt.Errorf("open world: %w", err)
	}
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.UseNumber()
	if err := d.Decode(&w.state); err != nil {
		return nil, fmt.Errorf("open world %s: %w", file, err)
	}
	w.state.index = make(map[resource.ID]*record, len(w.state.Objects))
	for _, r := range w.state.Objects {
		r.Object, r.Applied = numbers(r.Object), numbers(r.Applied)
		w.state.index[r.ID] = r
	}
	return w, nil
}

// numbers turns JSON's numbers into those of objects.
func numbers(o resource.Object) resource.Object {
	if o == nil {
		return nil
	}
	var turn func(v any) any
	turn = func(v any) any {
		switch v := v.(type) {
		case json.Number:
			if i, err := v.Int64(); err == nil {
				return i
			}
			f, _ := v.Float64()
			return f
		case map[string]any:
			for k, e := range v {
				v[k] = turn(e)
			}
		case []any:
			for i, e := range v {
				v[i] = turn(e)
			}
		}
		return v
	}
	turn(map[string]any(o))
	return o
}

// save writes the file, if there is one, whole or not at all.
func (w *World) save() error {
	if w.file == "" {
		return nil
	}
	text, err := json.MarshalIndent(&w.state, "", " ")
	if err != nil {
		return fmt.Errorf("save world: %w", err)
	}
	temporary, err := os.CreateTemp(filepath.Dir(w.file), filepath.Base(w.file)+".*")
	if err != nil {
		return fmt.Errorf("save world: %w", err)
	}
	_, err = temporary.Write(text)
	err = errors.Join(err, temporary.Close())
	if err == nil {
		err = os.Rename(temporary.Name(), w.file)
	}
	if err != nil {
		return fmt.Errorf("save world: %w", errors.Join(err, os.Remove(temporary.Name())))
	}
	return nil
}

// Cluster returns the world as the engine takes it.
func (w *World) Cluster() *engine.Cluster {
	return &engine.Cluster{
		Name: w.Name, Where: "memory", Identity: w.state.Identity,
		Reader: w, Writer: w, Prober: w, Sampler: w, Census: w, Checker: w,
		Locker: w, Store: w, Keys: w, Seals: w, Sealer: w, Rotator: w, Origins: w, Images: w, Journal: w,
		Facts: expand.Facts{Lookup: w.lookup},
	}
}

// do makes one call: the effect happens under the lock, unless the world is dead
// or dies right before; when it dies right after, the effect is there and the
// caller never learns of it.
func (w *World) do(ctx context.Context, call Call, effect func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.dead {
		return ErrDead
	}
	w.calls = append(w.calls, call)
	dies := len(w.calls) == w.dieAt
	if dies && !w.late {
		w.dead = true
		return ErrDead
	}
	if w.Fault != nil {
		if err := w.Fault(call); err != nil {
			return err
		}
	}
	err := effect()
	if err == nil && call.changes() {
		err = w.save()
	}
	if dies {
		w.dead = true
		return ErrDead
	}
	return err
}

// changes reports whether a call can change the world.
func (c Call) changes() bool {
	switch c.Name {
	case "write", "delete", "create", "append", "key", "seal", "lock", "release":
		return true
	}
	return false
}

// DieAt makes the world die at its n-th call from now, counted from 1: right
// before its effect, or right after it when late.
func (w *World) DieAt(n int, at Moment) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls, w.dieAt, w.late = nil, n, at == AfterEffect
}

// Moment is when a dying world dies.
type Moment int

// The moments.
const (
	BeforeEffect Moment = iota + 1
	AfterEffect
)

// Revive ends death: the world is as it was, only its lock has expired. It returns
// whether the world had died.
func (w *World) Revive() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	died := w.dead
	w.dead, w.dieAt, w.calls = false, 0, nil
	w.state.Holder, w.held = nil, nil
	return died
}

// Calls returns the calls since the world was made, or told to die, or revived.
func (w *World) Calls() []Call {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]Call(nil), w.calls...)
}

func (w *World) now() time.Time {
	if w.Now != nil {
		return w.Now().UTC()
	}
	return time.Now().UTC()
}
