package gke

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"

	"golang.org/x/oauth2"
	container "google.golang.org/api/container/v1"
)

// Access is how to reach the Kubernetes API server of a cluster.
type Access struct {
	Host       string // "https://203.0.113.7"
	CAData     []byte // PEM; empty when the server's certificate is publicly trusted
	ClientCert []byte // PEM; only where no Google credentials are in use
	ClientKey  []byte // PEM
	Version    string // of the control plane
	Status     string // of the cluster: "RUNNING"
	Identity   Identity

	// Wrap adds a bearer token to every request and renews it in time; it
	// returns base unchanged where no Google credentials are in use.
	Wrap func(base http.RoundTripper) http.RoundTripper
}

// Cluster looks the cluster up and returns how to reach its API server.
func (p *Provider) Cluster(ctx context.Context) (Access, error) {
	what := "read cluster " + p.c.Name
	c, err := p.lookUp(ctx)
	if err != nil {
		return Access{}, fmt.Errorf("%s: %w", what, err)
	}
	a, err := accessOf(c)
	if err != nil {
		return Access{}, fmt.Errorf("%s: %w", what, err)
	}
	source := p.source
	a.Wrap = func(base http.RoundTripper) http.RoundTripper { return base }
	if source != nil {
		a.ClientCert, a.ClientKey = nil, nil
		a.Wrap = func(base http.RoundTripper) http.RoundTripper {
			return &oauth2.Transport{Source: source, Base: base}
		}
	}
	return a, nil
}

// lookUp reads the cluster.
func (p *Provider) lookUp(ctx context.Context) (*container.Cluster, error) {
	svc, err := p.service(ctx)
	if err != nil {
		return nil, err
	}
	return read(ctx, p, func(ctx context.Context) (*container.Cluster, error) {
		return svc.Projects.Locations.Clusters.Get(p.cluster()).Context(ctx).Do()
	})
}

func accessOf(c *container.Cluster) (Access, error) {
	a := Access{Version: "v" + c.CurrentMasterVersion, Status: c.Status, Identity: identityOf(c)}
	if c.Endpoint == "" {
		host := outsideDNS(c)
		if host == "" {
			return a, fmt.Errorf("it has no endpoint that can be reached from here (status %s)", c.Status)
		}
		a.Host = "https://" + host
		return a, nil
	}
	a.Host = c.Endpoint
	if !strings.Contains(a.Host, "://") {
		a.Host = "https://" + a.Host
	}
	if c.MasterAuth == nil {
		return a, nil
	}
	for _, part := range []struct {
		name string
		text string
		into *[]byte
	}{
		{"CA certificate", c.MasterAuth.ClusterCaCertificate, &a.CAData},
		{"client certificate", c.MasterAuth.ClientCertificate, &a.ClientCert},
		{"client key", c.MasterAuth.ClientKey, &a.ClientKey},
	} {
		data, err := base64.StdEncoding.DecodeString(part.text)
		if err != nil {
			return a, fmt.Errorf("decode its %s: %w", part.name, err)
		}
		*part.into = data
	}
	return a, nil
}

// outsideDNS returns the DNS endpoint, if traffic from outside may use it. Its
// certificate is publicly trusted.
func outsideDNS(c *container.Cluster) string {
	if e := c.ControlPlaneEndpointsConfig; e != nil && e.DnsEndpointConfig != nil && e.DnsEndpointConfig.AllowExternalTraffic {
		return e.DnsEndpointConfig.Endpoint
	}
	return ""
}
