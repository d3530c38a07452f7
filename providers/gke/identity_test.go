package gke

import (
	"encoding/base64"
	"encoding/pem"
	"testing"

	container "google.golang.org/api/container/v1"
)

func authority(text string) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte(text)})
}

// TestMatch tells the API servers of a cluster from those of others by all that GKE
// says of them, and says when it cannot.
func TestMatch(t *testing.T) {
	identity := identityOf(&container.Cluster{
		Id: "0f3c", Endpoint: "203.0.113.7",
		MasterAuth:           &container.MasterAuth{ClusterCaCertificate: base64.StdEncoding.EncodeToString(authority("ours"))},
		PrivateClusterConfig: &container.PrivateClusterConfig{PrivateEndpoint: "10.0.0.2", PublicEndpoint: "203.0.113.7"},
		ControlPlaneEndpointsConfig: &container.ControlPlaneEndpointsConfig{
			DnsEndpointConfig: &container.DNSEndpointConfig{Endpoint: "gke-0f3c-1.us-central1-a.gke.goog"},
			IpEndpointsConfig: &container.IPEndpointsConfig{PrivateEndpoint: "10.0.0.3"},
		},
	})
	if identity.ID != "0f3c" {
		t.Errorf("ID = %q", identity.ID)
	}
	for _, test := range []struct {
		host string
		ca   []byte
		want Match
	}{
		{"https://203.0.113.7", authority("ours"), Same},
		{"https://203.0.113.7:443", nil, Same},
		{"https://10.0.0.2", nil, Same},
		{"10.0.0.3:443", nil, Same},
		{"https://gke-0f3c-1.us-central1-a.gke.goog", nil, Same},
		{"https://127.0.0.1:8443", authority("ours"), Same}, // a tunnel
		{"https://127.0.0.1:8443", append(authority("another"), authority("ours")...), Same},
		{"https://203.0.113.8", authority("theirs"), Proxied},
		{"https://gke-4711-1.us-central1-a.gke.goog", nil, Other},
		{"https://gke-4711-1.us-central1-a.gke.goog", authority("ours"), Other},
		{"https://rancher.example.org/k8s/clusters/c-x", authority("rancher's"), Proxied},
		{"https://connectgateway.googleapis.com/v1/projects/1/locations/global/gkeMemberships/prod", nil, Unknown},
		{"https://203.0.113.7:8443", nil, Unknown},
	} {
		if got := identity.Match(test.host, test.ca); got != test.want {
			t.Errorf("%s with %d bytes of authority: %d, want %d", test.host, len(test.ca), got, test.want)
		}
	}
	if got := (Identity{}).Match("https://203.0.113.7", authority("ours")); got != Unknown {
		t.Errorf("what GKE says nothing of is %d", got)
	}
}
