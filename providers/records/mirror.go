package records

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"hubcap/engine"
	"hubcap/engine/journal"
)

// A Mirror is a store that also keeps a copy of every run on this machine, for
// reading when the cluster is out of reach. The copy is never what a run relies
// on: when the disk is full the run goes on, and Warn is told once.
type Mirror struct {
	engine.Store
	Dir  string // made when missing; one folder per run
	Warn func(text string)

	broken bool
}

// Create makes the run durable in the store, then copies it. Secrets are not
// copied: they never reach a disk.
func (m *Mirror) Create(ctx context.Context, r journal.Run, document []byte, secrets map[string]string) error {
	if err := m.Store.Create(ctx, r, document, secrets); err != nil {
		return err
	}
	m.copy(r, document)
	return nil
}

func (m *Mirror) copy(r journal.Run, document []byte) {
	dir := filepath.Join(m.Dir, r.ID)
	entries := r.Entries
	r.Entries = nil
	text, err := json.MarshalIndent(r, "", "  ")
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "run.json"), append(text, '\n'), 0o600)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "plan.json"), document, 0o600)
	}
	for _, e := range entries {
		err = errors.Join(err, m.line(r.ID, e))
	}
	m.note(err)
}

// Append makes the entries durable in the store, then copies them.
func (m *Mirror) Append(ctx context.Context, id string, entries ...journal.Entry) error {
	if err := m.Store.Append(ctx, id, entries...); err != nil {
		return err
	}
	for _, e := range entries {
		m.note(m.line(id, e))
	}
	return nil
}

func (m *Mirror) line(id string, e journal.Entry) error {
	if m.broken {
		return nil
	}
	text, err := encodeEntry(e)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(m.Dir, id, "entries.jsonl"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text + "\n")
	return errors.Join(err, f.Close())
}

// note tells once that the copy is not whole.
func (m *Mirror) note(err error) {
	if err == nil || m.broken {
		return
	}
	m.broken = true
	m.Warn(fmt.Sprintf("the journal's local copy is incomplete: %v (the cluster has it whole)", err))
}
