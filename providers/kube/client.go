// Package kube reads, previews, writes and watches the objects of one Kubernetes
// cluster.
//
// Place in the pipeline: the far end of observe and run on the Kubernetes side; it
// is the only package that knows client-go. A [Provider] satisfies observe.Reader,
// run.Writer, run.Prober and run.Sampler.
//
// Two rules bind the whole package. What hubcap owns in an object is what its
// field manager owns there (server-side apply), and nothing else is ever compared
// or written. A value of a Secret is marked [resource.Sensitive] as soon as it is
// read and is revealed only in the body of a request.
package kube

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
)

const (
	readsInFlight  = 32 // a full LIST is charged several seats by the server's priority and fairness
	dialTimeout    = 10 * time.Second
	requestTimeout = 60 * time.Second
)

// Options say which cluster to talk to and as whom. With a Host the other way in
// is used: no kubeconfig is read, and WrapTransport brings the credentials.
type Options struct {
	Kubeconfig string // path; empty: $KUBECONFIG, then ~/.kube/config, then the pod's own account
	Context    string // of the kubeconfig; empty: its current one

	Host string // "https://10.0.0.2": a GKE cluster's endpoint
	CA   []byte // PEM of the authority that signed Host's certificate

	Cert, Key []byte // PEM of a client certificate for Host; empty where WrapTransport brings the credentials

	// WrapTransport puts something around the transport: credentials, a
	// counter. It may be nil.
	WrapTransport func(http.RoundTripper) http.RoundTripper

	UserAgent string // "hubcap/1.2.3"
}

// A Client is the connection to one cluster. It is safe for concurrent use. What
// the server can do is asked once and kept until [Client.Reset].
type Client struct {
	Config   *rest.Config
	Typed    kubernetes.Interface
	Dynamic  dynamic.Interface
	Metadata metadata.Interface
	Mapper   *restmapper.DeferredDiscoveryRESTMapper

	discovery discovery.CachedDiscoveryInterface
	types     *typeIndex
	reset     sync.Mutex
	where     string // for messages: the context's name, or the host
}

// Connect prepares the connection. It makes no request, so that an unreachable
// cluster shows only when something is asked of it (see [Client.Identity]).
func Connect(o Options) (*Client, error) {
	quiet()
	cfg, where, err := restConfig(o)
	if err != nil {
		return nil, err
	}
	cfg.QPS = -1 // the server's priority and fairness is the only brake
	cfg.UserAgent = o.UserAgent
	cfg.Timeout = requestTimeout
	cfg.WarningHandler = rest.NoWarnings{}
	cfg.Dial = (&net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}).DialContext
	if o.WrapTransport != nil {
		cfg.Wrap(o.WrapTransport)
	}
	cfg.Wrap(fence)
	cfg.Wrap(limitReads(readsInFlight))
	c := &Client{Config: cfg, where: where}
	return c, c.build()
}

// quiet keeps client-go from writing to standard error: every error it has is
// returned as well, and standard error is for people.
var quiet = sync.OnceFunc(func() {
	utilruntime.ErrorHandlers = nil
	klog.SetSlogLogger(slog.New(slog.DiscardHandler))
})

// restConfig finds the cluster and the credentials, and a name for both.
func restConfig(o Options) (*rest.Config, string, error) {
	if o.Host != "" {
		cfg := &rest.Config{Host: o.Host}
		cfg.CAData, cfg.CertData, cfg.KeyData = o.CA, o.Cert, o.Key
		return cfg, o.Host, nil
	}
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = o.Kubeconfig
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: o.Context})
	cfg, err := loader.ClientConfig()
	if err != nil {
		return nil, "", explainConfig(o, err)
	}
	where := o.Context
	if raw, err := loader.RawConfig(); err == nil && where == "" {
		where = raw.CurrentContext
	}
	if where == "" {
		where = cfg.Host
	}
	return cfg, where, nil
}

// build makes the clients, which share one pool of connections.
func (c *Client) build() error {
	h, err := rest.HTTPClientFor(c.Config)
	if err != nil {
		return fmt.Errorf("prepare connection to %s: %w", c.where, err)
	}
	typed, err := kubernetes.NewForConfigAndClient(c.Config, h)
	if err != nil {
		return fmt.Errorf("prepare connection to %s: %w", c.where, err)
	}
	dyn, err := dynamic.NewForConfigAndClient(c.Config, h)
	if err != nil {
		return fmt.Errorf("prepare connection to %s: %w", c.where, err)
	}
	meta, err := metadata.NewForConfigAndClient(metadata.ConfigFor(c.Config), h)
	if err != nil {
		return fmt.Errorf("prepare connection to %s: %w", c.where, err)
	}
	c.Typed, c.Dynamic, c.Metadata = typed, dyn, meta
	c.discovery = memory.NewMemCacheClient(typed.Discovery())
	c.Mapper = restmapper.NewDeferredDiscoveryRESTMapper(c.discovery)
	c.types = newTypeIndex(typed.Discovery().OpenAPIV3())
	return nil
}

// Reset forgets what the server can do: call it after a CustomResourceDefinition
// was written.
func (c *Client) Reset() {
	c.reset.Lock()
	defer c.reset.Unlock()
	c.Mapper.Reset() // it invalidates the discovery cache as well
	c.types.forget()
}

// Identity returns the UID of the namespace kube-system, which names the cluster
// itself rather than the way to it. Its error tells whether the cluster is
// unreachable, the credentials are refused or the permission is missing.
func (c *Client) Identity(ctx context.Context) (string, error) {
	var uid string
	err := retryRead(ctx, func() error {
		ns, err := c.Typed.CoreV1().Namespaces().Get(ctx, metav1.NamespaceSystem, metav1.GetOptions{})
		if err == nil {
			uid = string(ns.UID)
		}
		return err
	})
	if err != nil {
		return "", c.explain("identify", "cluster", err)
	}
	return uid, nil
}

// Server returns where the API server is, and the authority that has to have signed its
// certificate, in PEM; nil when that is any that the machine trusts.
func (c *Client) Server() (host string, ca []byte, err error) {
	ca = c.Config.CAData
	if len(ca) == 0 && c.Config.CAFile != "" {
		if ca, err = os.ReadFile(c.Config.CAFile); err != nil {
			return "", nil, fmt.Errorf("read the authority of %s: %w", c.where, err)
		}
	}
	return c.Config.Host, ca, nil
}

// limitReads bounds the reads that are under way at once; writes have bounds of
// their own.
func limitReads(n int) func(http.RoundTripper) http.RoundTripper {
	return func(next http.RoundTripper) http.RoundTripper {
		return &readLimiter{next: next, slots: make(chan struct{}, n)}
	}
}

type readLimiter struct {
	next  http.RoundTripper
	slots chan struct{}
}

// RoundTrip holds a slot from before the request until its answer is read.
func (l *readLimiter) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodGet {
		return l.next.RoundTrip(r)
	}
	select {
	case l.slots <- struct{}{}:
	case <-r.Context().Done():
		return nil, context.Cause(r.Context())
	}
	free := sync.OnceFunc(func() { <-l.slots })
	resp, err := l.next.RoundTrip(r)
	if err != nil {
		free()
		return nil, err
	}
	if resp.StatusCode == http.StatusInternalServerError {
		resp.Header.Del("Retry-After") // client-go would obey it ten times, within each of our own tries (see retryRead)
	}
	resp.Body = &slotBody{ReadCloser: resp.Body, free: free}
	return resp, nil
}
