// Package gke reads and writes the node pools of one GKE cluster through
// container/v1.
//
// Place in the pipeline: at both ends; it is a reader for observe, and a writer
// and prober for run. A desired node pool is the JSON tree of a container/v1
// NodePool with only those fields that the author wrote; the others are GKE's and
// never a difference, and neither is the number of nodes.
package gke

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"
	container "google.golang.org/api/container/v1"
	"google.golang.org/api/option"
)

// Config says which cluster a [Provider] is for.
type Config struct {
	Cluster  string // name of the cluster block
	Project  string
	Location string // zone or region
	Name     string // of the cluster in GKE
	Owner    string // name of the hubcap config; marks what it owns

	// Endpoint of the GKE API; empty: Google's. Requests to a plain http
	// endpoint (an emulator on this machine) bear no credentials.
	Endpoint string

	// HTTPClient replaces the client and its credentials; nil: application
	// default credentials, found at the first call.
	HTTPClient *http.Client

	// Poll is the longest pause between two looks at an operation; default 5s.
	// The first pauses are shorter.
	Poll time.Duration

	// Patience is for how long a request that meets a failing or overloaded
	// service is tried again; default 2m for writes, a tenth of it for reads.
	// Waiting for other operations is bounded by the context only.
	Patience time.Duration

	// Progress is told in one line what is waited for; may be nil.
	Progress func(text string)

	Now func() time.Time // default time.Now
}

// A Provider reads and writes the node pools of one cluster. It is safe for
// concurrent use; writes follow one another.
type Provider struct {
	// What seals need is set before the first call.
	ClusterUID string  // of its kube-system
	Seals      Seals   // nil: nothing is sealed, so no pool is ever taken for ours to delete
	Records    Records // set where Seals is

	c     Config
	owner string        // c.Owner as a resource label holds it
	turn  chan struct{} // holds one token: whose turn it is to write

	mu     sync.Mutex
	svc    *container.Service
	source oauth2.TokenSource // nil without credentials
}

// New returns a provider. It looks for no credentials and asks nothing yet, so
// that it succeeds offline.
func New(c Config) (*Provider, error) {
	for what, value := range map[string]string{
		"cluster block": c.Cluster, "project": c.Project, "location": c.Location, "cluster name": c.Name, "owner": c.Owner,
	} {
		if value == "" {
			return nil, fmt.Errorf("open GKE cluster: %s is not set", what)
		}
	}
	if c.Endpoint != "" {
		u, err := url.Parse(c.Endpoint)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return nil, fmt.Errorf("open GKE cluster %s: endpoint %q is not an http or https URL", c.Name, c.Endpoint)
		}
	}
	if c.Poll == 0 {
		c.Poll = 5 * time.Second
	}
	if c.Patience == 0 {
		c.Patience = 2 * time.Minute
	}
	if c.Progress == nil {
		c.Progress = func(string) {}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	p := &Provider{c: c, owner: labelText(c.Owner), turn: make(chan struct{}, 1)}
	p.turn <- struct{}{}
	return p, nil
}

// Where returns where the cluster is, for people: "us-central1-a".
func (p *Provider) Where() string { return p.c.Location }

// scopes are those of gke-gcloud-auth-plugin: without the e-mail address RBAC
// would see a number instead of the account's name.
var scopes = []string{
	"https://www.googleapis.com/auth/cloud-platform",
	"https://www.googleapis.com/auth/userinfo.email",
}

// anonymous reports whether requests bear no credentials of Google's.
func (p *Provider) anonymous() bool {
	u, err := url.Parse(p.c.Endpoint)
	return err == nil && u.Scheme == "http"
}

// service returns the client of the API, made at the first call.
func (p *Provider) service(ctx context.Context) (*container.Service, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.svc != nil {
		return p.svc, nil
	}
	var options []option.ClientOption
	if p.c.Endpoint != "" {
		options = append(options, option.WithEndpoint(p.c.Endpoint))
	}
	switch {
	case p.c.HTTPClient != nil:
		options = append(options, option.WithHTTPClient(p.c.HTTPClient))
	case p.anonymous():
		options = append(options, option.WithHTTPClient(&http.Client{}))
	default:
		// The credentials outlive this call, and with them their context.
		found, err := google.FindDefaultCredentials(context.WithoutCancel(ctx), scopes...)
		if err != nil {
			return nil, fmt.Errorf("find Google credentials: %w", err)
		}
		p.source = found.TokenSource
		options = append(options, option.WithTokenSource(found.TokenSource))
	}
	svc, err := container.NewService(context.WithoutCancel(ctx), options...)
	if err != nil {
		return nil, fmt.Errorf("open GKE API: %w", err)
	}
	svc.UserAgent = "hubcap"
	p.svc = svc
	return svc, nil
}

// parent returns the resource name of the cluster's location.
func (p *Provider) parent() string {
	return fmt.Sprintf("projects/%s/locations/%s", p.c.Project, p.c.Location)
}

// cluster returns the resource name of the cluster.
func (p *Provider) cluster() string { return p.parent() + "/clusters/" + p.c.Name }

// pool returns the resource name of a node pool.
func (p *Provider) pool(name string) string { return p.cluster() + "/nodePools/" + name }

// take waits for the turn to write; done gives it back.
func (p *Provider) take(ctx context.Context) (done func(), err error) {
	select {
	case <-p.turn:
		return func() { p.turn <- struct{}{} }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
