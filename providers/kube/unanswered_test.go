package kube

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// TestHopeless tells what is said of one request from what is said of the server.
func TestHopeless(t *testing.T) {
	there := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/version" {
			t.Errorf("the server is asked for %s", r.URL.Path)
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"major": "1"}`)
	}))
	defer there.Close()
	refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
	}))
	defer refusing.Close()
	expired := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
	}))
	defer expired.Close()
	gone := httptest.NewServer(nil)
	gone.Close()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	deadline := &url.Error{Op: "Get", URL: there.URL, Err: context.DeadlineExceeded}
	for _, c := range []struct {
		name   string
		ctx    context.Context
		server *httptest.Server
		err    error
		want   bool
	}{
		{"one request has no answer", t.Context(), there, deadline, false},
		{"one request has no answer, by its context", t.Context(), there, context.DeadlineExceeded, false},
		{"the server tells nobody about itself", t.Context(), refusing, deadline, false},
		{"the credentials expired meanwhile", t.Context(), expired, deadline, true},
		{"the server is gone", t.Context(), gone, deadline, true},
		{"the caller has ended", ended, there, deadline, true},
		{"the request was cancelled", t.Context(), there, context.Canceled, true},
		{"the credentials are refused", t.Context(), there, apierrors.NewUnauthorized(""), true},
		{"one kind is refused", t.Context(), there, apierrors.NewForbidden(schema.GroupResource{}, "", nil), false},
		{"one kind fails", t.Context(), there, apierrors.NewInternalError(context.DeadlineExceeded), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			client, err := Connect(Options{Host: c.server.URL})
			if err != nil {
				t.Fatal(err)
			}
			if got := client.hopeless(c.ctx, c.err); got != c.want {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}
