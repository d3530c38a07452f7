//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	container "google.golang.org/api/container/v1"
)

// pools returns the cluster's node pools as the GKE API tells them.
func pools(t *testing.T) []*container.NodePool {
	t.Helper()
	var list container.ListNodePoolsResponse
	if err := json.Unmarshal(emulator(t, "GET", "/v1/"+site.sandbox.GKECluster+"/nodePools", nil), &list); err != nil {
		t.Fatal(err)
	}
	return list.NodePools
}

// A fault is armed in the emulator; see emulator.Fault.
type fault struct {
	Method string `json:"method,omitempty"`
	Path   string `json:"path,omitempty"`
	Nth    int    `json:"nth,omitempty"`
	Times  int    `json:"times,omitempty"`
	Kind   string `json:"kind"`
	Delay  string `json:"delay,omitempty"`
	Status int    `json:"status,omitempty"`
	Reason string `json:"reason,omitempty"`

	Message string `json:"message,omitempty"`
	Nodes   int    `json:"nodes,omitempty"`
}

// inject arms faults until the test ends.
func inject(t *testing.T, faults ...fault) {
	t.Helper()
	for _, f := range faults {
		emulator(t, "POST", "/_emulator/faults", f)
	}
	t.Cleanup(func() {
		for _, request := range []*http.Request{
			must(http.NewRequest("DELETE", site.sandbox.GKEEndpoint+"/_emulator/faults", nil)),
			must(http.NewRequest("POST", site.sandbox.GKEEndpoint+"/_emulator/release", nil)),
		} {
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Errorf("disarm faults: %v", err)
				continue
			}
			drain(response.Body)
		}
	})
}

func must(r *http.Request, err error) *http.Request {
	if err != nil {
		panic(err)
	}
	return r
}

// operations counts the operations in each state.
func operations(t *testing.T) map[string]int {
	t.Helper()
	var state struct{ Operations []struct{ Status string } }
	decode(t, string(emulator(t, "GET", "/_emulator/state", nil)), &state)
	n := map[string]int{}
	for _, o := range state.Operations {
		n[o.Status]++
	}
	return n
}

// idle waits until the cluster works on nothing: GKE refuses a second operation,
// and a test that killed hubcap may have left one behind.
func idle(t *testing.T) {
	t.Helper()
	await(t, time.Minute, "the cluster's operations", func() string {
		// In one look: between two an operation would go from one state to the other.
		n := operations(t)
		delete(n, "DONE")
		if len(n) > 0 {
			return fmt.Sprint("still ", n)
		}
		return ""
	})
}

func decode(t *testing.T, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("decode: %v in %s", err, text)
	}
}
