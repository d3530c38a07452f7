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

// TestServes tells the API servers of a cluster from those of others by all that GKE
// says of them, and says when it cannot.
func TestServes(t *testing.T) {
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
		host      string
		ca        []byte
		is, known bool
	}{
		{"https://203.0.113.7", authority("ours"), true, true},
		{"https://203.0.113.7:443", nil, true, true},
		{"https://10.0.0.2", nil, true, true},
		{"10.0.0.3:443", nil, true, true},
		{"https://gke-0f3c-1.us-central1-a.gke.goog", nil, true, true},
		{"https://127.0.0.1:8443", authority("ours"), true, true}, // a tunnel
		{"https://127.0.0.1:8443", append(authority("another"), authority("ours")...), true, true},
		{"https://203.0.113.8", authority("theirs"), false, true},
		{"https://gke-4711-1.us-central1-a.gke.goog", nil, false, true},
		{"https://connect.example.org", nil, false, false},
		{"https://203.0.113.7:8443", nil, false, false},
	} {
		if is, known := identity.Serves(test.host, test.ca); is != test.is || known != test.known {
			t.Errorf("%s with %d bytes of authority: %t, known %t; want %t, %t", test.host, len(test.ca), is, known, test.is, test.known)
		}
	}
	if is, known := (Identity{}).Serves("https://203.0.113.7", authority("ours")); is || known {
		t.Errorf("what GKE says nothing of is known: %t, %t", is, known)
	}
}
