package kube

import (
	"net/http"

	"hubcap/engine/run"
)

// A fenced transport lets a request that may change something through only while the
// lock of its run is held, at each try, and ends it before anybody else may have the
// lock. It is the innermost one: nothing that repeats requests goes around it.
type fenced struct{ next http.RoundTripper }

func fence(next http.RoundTripper) http.RoundTripper { return &fenced{next: next} }

// RoundTrip sends the request, or returns a [run.ErrLost].
func (f *fenced) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return f.next.RoundTrip(r)
	}
	ctx, cancel, err := run.Try(r.Context())
	if err != nil {
		if r.Body != nil {
			_ = r.Body.Close() // a transport closes it in any case
		}
		return nil, err
	}
	resp, err := f.next.RoundTrip(r.WithContext(ctx))
	if err != nil {
		cancel()
		return nil, err
	}
	resp.Body = &slotBody{ReadCloser: resp.Body, free: cancel}
	return resp, nil
}
