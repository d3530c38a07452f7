package kube

import (
	"context"
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A gauge is a transport that says how many requests are under way.
type gauge struct {
	now, most atomic.Int64
	open      chan struct{} // requests wait for it
}

func (g *gauge) RoundTrip(*http.Request) (*http.Response, error) {
	n := g.now.Add(1)
	for {
		most := g.most.Load()
		if n <= most || g.most.CompareAndSwap(most, n) {
			break
		}
	}
	<-g.open
	g.now.Add(-1)
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(""))}, nil
}

func TestLimitReads(t *testing.T) {
	g := &gauge{open: make(chan struct{})}
	transport := limitReads(3)(g)
	request := func(method string) *http.Request {
		r, err := http.NewRequestWithContext(t.Context(), method, "http://example.org", nil)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			resp, err := transport.RoundTrip(request(http.MethodGet))
			if err != nil {
				t.Error(err)
				return
			}
			_ = resp.Body.Close()
		})
	}
	for range 20 {
		g.open <- struct{}{}
	}
	all.Wait()
	if most := g.most.Load(); most > 3 {
		t.Errorf("%d reads at once, at most 3 are allowed", most)
	}
	for range 3 { // answers that nobody has read yet hold their slots
		go func() { g.open <- struct{}{} }()
		if _, err := transport.RoundTrip(request(http.MethodGet)); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := transport.RoundTrip(request(http.MethodGet).WithContext(ctx)); !errors.Is(err, context.Canceled) {
		t.Errorf("a read that waits for a slot when its context ends: %v", err)
	}
	go func() { g.open <- struct{}{} }()
	if _, err := transport.RoundTrip(request(http.MethodPatch)); err != nil {
		t.Errorf("a write waits for no slot: %v", err)
	}
}

func TestTransient(t *testing.T) {
	status := func(code int32, reason metav1.StatusReason, message string) error {
		return &apierrors.StatusError{ErrStatus: metav1.Status{Code: code, Reason: reason, Message: message}}
	}
	for _, tc := range []struct {
		reason    string
		err       error
		transient bool
	}{
		{"nothing happened", nil, false},
		{"the caller gave up", context.Canceled, false},
		{"the connection ended", io.ErrUnexpectedEOF, true},
		{"a load balancer says 502", status(502, "", "bad gateway"), true},
		{"the server is busy", status(429, metav1.StatusReasonTooManyRequests, ""), true},
		{"an object does not fit its type, which the server calls its own failure",
			status(500, "", "failed to create typed patch object (x): field not declared in schema"), false},
		{"it is forbidden", status(403, metav1.StatusReasonForbidden, ""), false},
		{"it is invalid", status(422, metav1.StatusReasonInvalid, ""), false},
	} {
		if got := isTransient(tc.err); got != tc.transient {
			t.Errorf("%s: transient = %v", tc.reason, got)
		}
	}
}

// TestKubeconfigThatIsMissing holds that a file which the environment names, and
// which is not there, is named.
func TestKubeconfigThatIsMissing(t *testing.T) {
	gone := filepath.Join(t.TempDir(), "gone")
	t.Setenv("KUBECONFIG", gone)
	for reason, o := range map[string]Options{"alone": {}, "with a context": {Context: "prod"}} {
		_, err := Connect(o)
		if err == nil || !strings.Contains(err.Error(), "KUBECONFIG names "+gone+", which is not there") {
			t.Errorf("%s: %v", reason, err)
		}
	}
}
