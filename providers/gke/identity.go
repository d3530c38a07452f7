package gke

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net"
	"net/url"
	"strings"

	container "google.golang.org/api/container/v1"
)

// An Identity is what GKE says of a cluster by which its API servers can be told from
// those of others.
type Identity struct {
	ID    string   // GKE's own, which no other cluster ever has
	Hosts []string // of its API servers, with a port where it is not 443
	CA    []byte   // PEM of the authority that signs for them; nil when GKE names none
}

// Identity asks GKE which cluster this is.
func (p *Provider) Identity(ctx context.Context) (Identity, error) {
	c, err := p.lookUp(ctx)
	if err != nil {
		return Identity{}, fmt.Errorf("read cluster %s: %w", p.c.Name, err)
	}
	return identityOf(c), nil
}

func identityOf(c *container.Cluster) Identity {
	i := Identity{ID: c.Id}
	hosts := []string{c.Endpoint}
	if p := c.PrivateClusterConfig; p != nil {
		hosts = append(hosts, p.PublicEndpoint, p.PrivateEndpoint)
	}
	if e := c.ControlPlaneEndpointsConfig; e != nil {
		if e.DnsEndpointConfig != nil {
			hosts = append(hosts, e.DnsEndpointConfig.Endpoint)
		}
		if e.IpEndpointsConfig != nil {
			hosts = append(hosts, e.IpEndpointsConfig.PublicEndpoint, e.IpEndpointsConfig.PrivateEndpoint)
		}
	}
	for _, h := range hosts {
		if h != "" {
			i.Hosts = append(i.Hosts, hostOf(h))
		}
	}
	if c.MasterAuth != nil {
		if ca, err := base64.StdEncoding.DecodeString(c.MasterAuth.ClusterCaCertificate); err == nil && len(ca) > 0 {
			i.CA = ca
		}
	}
	return i
}

// A Match is how the API server that a kubeconfig leads to stands to a GKE cluster.
type Match int

// The matches.
const (
	Unknown Match = iota // nothing tells
	Same                 // it has an endpoint or the authority of the cluster
	Proxied              // it has an authority of its own, and no endpoint of the cluster: a proxy, or another cluster
	Other                // it has the endpoint of another cluster
)

// Match compares the API server at host, whose certificate ca signs, with this cluster. A
// GKE cluster has an authority and endpoints of its own. A proxy in between (Rancher,
// Teleport, an identity-aware proxy) shows its own, or none, and nothing that the
// connection shows tells it from another cluster.
func (i Identity) Match(host string, ca []byte) Match {
	for _, h := range i.Hosts {
		if h == hostOf(host) {
			return Same
		}
	}
	if len(i.Hosts) > 0 && strings.HasSuffix(hostOf(host), ".gke.goog") {
		return Other
	}
	ours, theirs := certificates(i.CA), certificates(ca)
	for _, a := range ours {
		for _, b := range theirs {
			if bytes.Equal(a, b) {
				return Same
			}
		}
	}
	if len(ours) > 0 && len(theirs) > 0 {
		return Proxied
	}
	return Unknown
}

func certificates(text []byte) [][]byte {
	var all [][]byte
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" {
			all = append(all, block.Bytes)
		}
	}
	return all
}

// hostOf returns the host of an address, with its port unless that is 443.
func hostOf(address string) string {
	if u, err := url.Parse(address); err == nil && u.Host != "" {
		address = u.Host
	}
	if host, port, err := net.SplitHostPort(address); err == nil && port == "443" {
		return host
	}
	return address
}
