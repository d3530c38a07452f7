package kube

import (
	"fmt"
	"io"
	"net/http"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// Patient returns a client that repeats what failed for the moment, for users
// that do not look again by themselves: hubcap's own records. A request whose
// answer got lost may have been done, and repeating it then ends in a conflict or
// in "already exists", which the caller has to expect.
func (c *Client) Patient() (kubernetes.Interface, error) {
	cfg := rest.CopyConfig(c.Config)
	cfg.Wrap(func(next http.RoundTripper) http.RoundTripper { return &patient{next: next} })
	typed, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		return nil, fmt.Errorf("prepare connection to %s: %w", c.where, err)
	}
	return typed, nil
}

// A patient repeats requests.
type patient struct{ next http.RoundTripper }

// RoundTrip sends the request until it has an answer that is worth passing on, or
// patience ends.
func (p *patient) RoundTrip(r *http.Request) (*http.Response, error) {
	for n := 0; ; n++ {
		resp, err := p.next.RoundTrip(r)
		again := err == nil && isBusy(resp) || err != nil && isRepeatable(r) && isTransient(err)
		if !again || !pause(r.Context(), n) {
			return resp, err
		}
		if resp != nil {
			_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // so that the connection is used again
			_ = resp.Body.Close()
		}
		if r, err = rewound(r); err != nil {
			return nil, err
		}
	}
}

// isBusy reports an answer that says that nothing was done, and not when to come
// again: with that, client-go repeats the request by itself.
func isBusy(resp *http.Response) bool {
	busy := resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode == http.StatusServiceUnavailable
	return busy && resp.Header.Get("Retry-After") == ""
}

// isRepeatable reports whether doing it twice is as doing it once, or is refused
// the second time.
func isRepeatable(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodPut, http.MethodPost:
		return true
	case http.MethodPatch:
		return r.Header.Get("Content-Type") == string(types.MergePatchType)
	}
	return false
}

// rewound returns the request as it was before it was sent.
func rewound(r *http.Request) (*http.Request, error) {
	fresh := r.Clone(r.Context())
	if r.Body == nil || r.Body == http.NoBody {
		return fresh, nil
	}
	if r.GetBody == nil {
		return nil, fmt.Errorf("repeat %s %s: its body is gone", r.Method, r.URL.Path)
	}
	body, err := r.GetBody()
	fresh.Body = body
	return fresh, err
}
