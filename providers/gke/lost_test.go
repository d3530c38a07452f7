package gke

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"hubcap/engine/run"
)

// The lock is lost while a write waits for its operation: not one more call that changes
// anything is made, and the error says why.
func TestNoCallWithoutLock(t *testing.T) {
	for _, f := range flows() {
		t.Run(f.name, func(t *testing.T) {
			in(t, quick, func(t *testing.T, w *world) {
				c := f.started(t, w)
				s, err := w.Look(w.ctx, c)
				if err != nil {
					t.Fatal(err)
				}
				deadline := time.Now().Add(time.Hour)
				ctx := run.WithLock(w.ctx, func() time.Time { return deadline })
				changes := func() (n int) {
					for _, r := range w.server.Requests() {
						if r.Method != http.MethodGet {
							n++
						}
					}
					return n
				}
				deadline = time.Time{}
				before := changes()
				if _, err := w.Write(ctx, c, s); !errors.Is(err, run.ErrLost) {
					t.Errorf("Write without the lock: %v", err)
				}
				if n := changes() - before; n > 0 {
					t.Errorf("%d calls were made without the lock", n)
				}
				deadline = time.Now().Add(time.Hour)
				if _, err := w.Write(ctx, c, s); err != nil {
					t.Errorf("Write with the lock: %v", err)
				}
			})
		})
	}
}
