package gke

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"testing"

	"hubcap/engine/resource"
	"hubcap/engine/run"
	"hubcap/providers/gke/emulator"
)

// TestLastCheck checks that a write that ends sessions is asked about once more after
// the operations of others that it waits for, and right before its request.
func TestLastCheck(t *testing.T) {
	rolled := desired("user", setting("n1-standard-16", "config", "machineType"))
	for name, after := range map[string][]resource.Desired{"delete": nil, "update": {rolled}} {
		in(t, emulator.Options{}, func(t *testing.T, w *world) {
			w.apply(t, desired("user"))
			c := w.changes(t, after...)[0]
			s, err := w.Look(w.ctx, c)
			if err != nil {
				t.Fatal(err)
			}
			w.server.StartOperation(home, "user", "UPGRADE_NODES", 3)
			before := w.server.Pools()
			crowded, waited := errors.New("somebody came"), false
			sent := len(w.server.Requests())
			_, err = w.Write(run.WithLastCheck(w.ctx, func(context.Context) error {
				waited = w.idleNow(t)
				return crowded
			}), c, s)
			if !errors.Is(err, crowded) || !waited {
				t.Errorf("%s: write = %v, asked after the wait: %v; want it to end with what the last check says", name, err, waited)
			}
			wrote := slices.ContainsFunc(w.server.Requests()[sent:], func(r emulator.Request) bool { return r.Method != http.MethodGet })
			if wrote || len(w.server.Pools()) != len(before) {
				t.Errorf("%s: a request was made all the same", name)
			}
		})
	}
}

// idleNow reports whether no operation is under way.
func (w *world) idleNow(t *testing.T) bool {
	t.Helper()
	ops, err := w.operations(w.ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, op := range ops {
		if op.Status != "DONE" {
			return false
		}
	}
	return true
}
