//go:build e2e

package e2e

import (
	"encoding/json"
	"testing"

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
