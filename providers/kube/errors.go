package kube

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/tools/clientcmd"
)

// Causes that callers branch on.
var (
	// ErrUnreachable says that no API server answered.
	ErrUnreachable = errors.New("unreachable")
	// ErrUnauthorized says that the server does not accept the credentials.
	ErrUnauthorized = errors.New("unauthorized")
	// ErrForbidden says that the caller lacks a permission.
	ErrForbidden = errors.New("forbidden")
)

// slotBody gives a slot of the [readLimiter] back when the answer was read.
type slotBody struct {
	io.ReadCloser
	free func()
}

// Close closes the body and frees the slot.
func (b *slotBody) Close() error {
	defer b.free()
	return b.ReadCloser.Close()
}

// explain turns a client error into "verb object: cause" with what to do about
// it. Errors about one object keep their text.
func (c *Client) explain(verb, object string, err error) error {
	if err == nil {
		return nil
	}
	err = withoutQuery(err)
	what := verb + " " + object + " at " + c.where
	var authority x509.UnknownAuthorityError
	var hostname x509.HostnameError
	switch {
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("%s: %w", what, err)
	case strings.Contains(err.Error(), "getting credentials"): // an exec plugin of the kubeconfig
		return fmt.Errorf("%s: %w: %w", what, ErrUnauthorized, rootCause(err))
	case apierrors.IsUnauthorized(err):
		return fmt.Errorf("%s: %w: the server does not accept the credentials, they may have expired "+
			"(log in again, for GKE: gcloud auth login)", what, ErrUnauthorized)
	case apierrors.IsForbidden(err):
		return fmt.Errorf("%s: %w: %s (docs/rbac has the roles hubcap needs)", what, ErrForbidden, plainText(err))
	case errors.As(err, &authority), errors.As(err, &hostname):
		return fmt.Errorf("%s: %w: its certificate is not the expected one: %w (wrong context, or the cluster was made anew)",
			what, ErrUnreachable, err)
	case isNetwork(err):
		return fmt.Errorf("%s: %w: %w (is the context right, and are VPN or authorized networks open?)", what, ErrUnreachable, rootCause(err))
	}
	return fmt.Errorf("%s: %w", what, err)
}

// explainConfig says why a kubeconfig does not lead to a cluster.
func explainConfig(o Options, err error) error {
	file := o.Kubeconfig
	if file == "" {
		file = "kubeconfig"
	}
	if named, missing := missingFiles(o); len(missing) > 0 {
		return fmt.Errorf("read %s: %s names %s, which %s not there", file, named, strings.Join(missing, " and "), map[bool]string{true: "is", false: "are"}[len(missing) == 1])
	}
	if clientcmd.IsEmptyConfig(err) {
		return fmt.Errorf("read %s: no cluster in it: set kubeconfig or context of the cluster block, or KUBECONFIG", file)
	}
	if clientcmd.IsContextNotFound(err) || strings.Contains(err.Error(), "does not exist") {
		return fmt.Errorf("read %s: no context %q in it (kubectl config get-contexts lists them)", file, o.Context)
	}
	return fmt.Errorf("read %s: %w", file, err)
}

// missingFiles returns the kubeconfigs that the environment names and that are not
// there: client-go passes over them.
func missingFiles(o Options) (named string, missing []string) {
	named = clientcmd.RecommendedConfigPathEnvVar
	if o.Kubeconfig != "" {
		return named, nil
	}
	for _, path := range filepath.SplitList(os.Getenv(named)) {
		if _, err := os.Stat(path); path != "" && errors.Is(err, fs.ErrNotExist) {
			missing = append(missing, path)
		}
	}
	return named, missing
}

// rootCause drops the URL that the HTTP client puts around a network error: it
// says nothing that the message does not say already.
func rootCause(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// plainText returns the message of an API error, scrubbed where that was done.
func plainText(err error) string {
	var scrubbed *scrubbedError
	if errors.As(err, &scrubbed) {
		return scrubbed.text
	}
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		return status.Status().Message
	}
	return err.Error()
}

// withoutQuery returns err without the query of the URL that it names: a selector may hold
// sensitive labels.
func withoutQuery(err error) error {
	var u *url.Error
	if !errors.As(err, &u) {
		return err
	}
	bare, _, has := strings.Cut(u.URL, "?")
	if !has {
		return err
	}
	return &scrubbedError{text: strings.ReplaceAll(err.Error(), u.URL, bare), err: err}
}

// isNetwork reports whether no answer came back.
func isNetwork(err error) bool {
	var op *net.OpError
	var dns *net.DNSError
	var u *url.Error
	return errors.As(err, &op) || errors.As(err, &dns) || (errors.As(err, &u) && u.Timeout()) ||
		utilnet.IsProbableEOF(err) || utilnet.IsHTTP2ConnectionLost(err) || isCutStream(err) ||
		errors.Is(err, context.DeadlineExceeded) || utilnet.IsConnectionReset(err) || utilnet.IsConnectionRefused(err)
}

// isCutStream reports that the other side gave up one request of an HTTP/2
// connection, or all of them. The types of these errors are net/http's own.
func isCutStream(err error) bool {
	if err == nil {
		return false
	}
	text := err.Error()
	return strings.Contains(text, "stream error: stream ID ") || strings.Contains(text, "http2: server sent GOAWAY")
}

// isTransient reports whether the same request may succeed a moment later. The
// write that got such an error may still have been made.
func isTransient(err error) bool {
	if err == nil || errors.Is(err, context.Canceled) {
		return false
	}
	var authority x509.UnknownAuthorityError
	if errors.As(err, &authority) {
		return false
	}
	return apierrors.IsTooManyRequests(err) || apierrors.IsServerTimeout(err) || apierrors.IsTimeout(err) ||
		apierrors.IsServiceUnavailable(err) || apierrors.IsResourceExpired(err) || // a LIST whose pages took too long
		isUnexplained(err) || isNetwork(err)
}

// isUnexplained reports a 5xx that carries no reason: a proxy or a load balancer
// in between, a server that is going away.
func isUnexplained(err error) bool {
	var status apierrors.APIStatus
	return errors.As(err, &status) && status.Status().Code >= 500 && status.Status().Code != 501 &&
		!strings.Contains(err.Error(), "typed patch object") // an object that does not fit its type: a 500 that is a 422
}

// isNoKind reports whether the server does not know a kind.
func isNoKind(err error) bool {
	return meta.IsNoMatchError(err) || discovery.IsGroupDiscoveryFailedError(err)
}

// pauses are the waits between the attempts of one request, in all under 8 s.
var pauses = []time.Duration{100 * time.Millisecond, 300 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second}

// pause waits before attempt n+1. It reports false when there is no further
// attempt, or ctx is done.
func pause(ctx context.Context, n int) bool {
	if n >= len(pauses) {
		return false
	}
	timer := time.NewTimer(pauses[n])
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// readPatience is after what time a read is not repeated any more.
const readPatience = 12 * time.Second

// retryRead repeats a read as long as its error is transient. A server that was
// never there is not waited for: a connection that is refused at the first
// attempts is an answer. Where the server says when to come again, as while the objects
// of a definition cannot be converted, client-go obeys it within each attempt.
func retryRead(ctx context.Context, read func() error) error {
	began := time.Now()
	for n := 0; ; n++ {
		err := read()
		if !isTransient(err) || (utilnet.IsConnectionRefused(err) && n >= 2) || time.Since(began) > readPatience || !pause(ctx, n) {
			return err
		}
	}
}
