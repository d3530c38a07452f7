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

// Serves reports whether the API server at host, whose certificate ca signs, is one of
// this cluster, and whether that can be known: a cluster has an authority of its own,
// and endpoints of its own. A proxy in between may have neither.
func (i Identity) Serves(host string, ca []byte) (is, known bool) {
	for _, h := range i.Hosts {
		if h == hostOf(host) {
			return true, true
		}
	}
	ours, theirs := certificates(i.CA), certificates(ca)
	for _, a := range ours {
		for _, b := range theirs {
			if bytes.Equal(a, b) {
				return true, true
			}
		}
	}
	if len(ours) > 0 && len(theirs) > 0 {
		return false, true
	}
	return false, strings.HasSuffix(hostOf(host), ".gke.goog") // the name of another cluster
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
