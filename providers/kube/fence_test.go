package kube

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hubcap/engine/run"
)

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// A request that may change something is let through only while the lock is held, and
// ends before anybody else may have it. Reading is free.
func TestFence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		end := time.Now().Add(10 * time.Second)
		ctx := run.WithLock(t.Context(), func() time.Time { return end })
		sent := 0
		hangs := false
		f := fence(transport(func(r *http.Request) (*http.Response, error) {
			sent++
			if hangs {
				<-r.Context().Done()
				return nil, r.Context().Err()
			}
			return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader("{}"))}, nil
		}))
		ask := func(method string) error {
			r, err := http.NewRequestWithContext(ctx, method, "http://127.0.0.1/", strings.NewReader("{}"))
			if err != nil {
				t.Fatal(err)
			}
			resp, err := f.RoundTrip(r)
			if err != nil {
				return err
			}
			return resp.Body.Close()
		}
		writes := []string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}
		for _, method := range append(writes, http.MethodGet) {
			if err := ask(method); err != nil {
				t.Errorf("%s while the lock is held: %v", method, err)
			}
		}
		hangs = true
		began := time.Now()
		if err := ask(http.MethodPatch); !errors.Is(err, context.DeadlineExceeded) || !time.Now().Equal(end) {
			t.Errorf("a write that hangs ends after %s: %v", time.Since(began), err)
		}
		hangs = false
		before := sent
		for _, method := range writes {
			if err := ask(method); !errors.Is(err, run.ErrLost) || isTransient(err) || isDoubtful(err) {
				t.Errorf("%s after the lock was lost: %v", method, err)
			}
		}
		if sent != before {
			t.Errorf("%d writes were sent after the lock was lost", sent-before)
		}
		if err := ask(http.MethodGet); err != nil {
			t.Errorf("reading after the lock was lost: %v", err)
		}
	})
}
