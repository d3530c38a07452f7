package kube

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
)

// troubles answers requests with one trouble after the other, then well.
type troubles struct {
	left   []any // an error, or a status
	bodies []string
}

func (s *troubles) RoundTrip(r *http.Request) (*http.Response, error) {
	body := ""
	if r.Body != nil {
		text, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		body = string(text)
	}
	s.bodies = append(s.bodies, body)
	var next any = http.StatusOK
	if len(s.left) > 0 {
		next, s.left = s.left[0], s.left[1:]
	}
	if err, failed := next.(error); failed {
		return nil, err
	}
	return &http.Response{StatusCode: next.(int), Header: http.Header{}, Body: io.NopCloser(strings.NewReader(""))}, nil
}

func TestPatient(t *testing.T) {
	reset := errors.New("http2: server sent GOAWAY and closed the connection")
	stream := errors.New("stream error: stream ID 5; INTERNAL_ERROR; received from peer")
	for _, tc := range []struct {
		reason, method, kind string
		troubles             []any
		sent                 int
		fails                bool
	}{
		{"a read is repeated", "GET", "", []any{reset, 503, stream, io.ErrUnexpectedEOF}, 5, false},
		{"an entry of the journal is written twice without harm", "PATCH", "application/merge-patch+json", []any{stream, 429}, 3, false},
		{"an apply looks again by itself", "PATCH", "application/apply-patch+yaml", []any{stream}, 1, true},
		{"what was refused was not done", "POST", "application/json", []any{503, 429}, 3, false},
		{"what got lost is refused when it was done", "POST", "application/json", []any{stream, 409}, 2, false},
		{"an error that stays is passed on", "GET", "", []any{500}, 1, false},
		{"patience ends", "GET", "", []any{reset, reset, reset, reset, reset, reset, reset, reset}, len(pauses) + 1, true},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := &troubles{left: tc.troubles}
				r, err := http.NewRequestWithContext(t.Context(), tc.method, "https://127.0.0.1/api", strings.NewReader("body"))
				if err != nil {
					t.Fatal(err)
				}
				r.Header.Set("Content-Type", tc.kind)
				resp, err := (&patient{next: server}).RoundTrip(r)
				if (err != nil) != tc.fails || len(server.bodies) != tc.sent {
					t.Errorf("sent %d times, want %d; error %v", len(server.bodies), tc.sent, err)
				}
				if err == nil {
					_ = resp.Body.Close()
				}
				for i, body := range server.bodies {
					if body != "body" {
						t.Errorf("try %d had the body %q", i+1, body)
					}
				}
			})
		})
	}
}
