package gke

import (
	"context"
	"errors"
	"fmt"
	"slices"

	container "google.golang.org/api/container/v1"

	"hubcap/engine/resource"
)

// hopeless are the conditions that do not go away by waiting.
var hopeless = []string{
	"GCE_STOCKOUT", "GCE_QUOTA_EXCEEDED", "GKE_SERVICE_ACCOUNT_DELETED", "CLOUD_KMS_KEY_ERROR", "CLOUD_KMS_KEY_DESTROYED",
	"NODE_SERVICE_ACCOUNT_MISSING_PERMISSIONS",
}

// Probe tells whether the pool has settled: it runs and GKE complains of
// nothing; or, for a deletion, it is gone. Whether its nodes are ready is for the
// cluster to say.
func (p *Provider) Probe(ctx context.Context, change resource.Change) (resource.Health, error) {
	name := change.ID.Name
	_, np, err := p.get(ctx, name)
	gone := change.After == nil
	if errors.Is(err, errNoCluster) && gone {
		return resource.Health{Ready: true}, nil
	}
	if err != nil {
		return resource.Health{}, fmt.Errorf("probe node pool %s: %w", name, err)
	}
	switch {
	case np == nil && gone:
		return resource.Health{Ready: true}, nil
	case np == nil:
		return resource.Health{Terminal: true, Reason: fmt.Sprintf("node pool %s does not exist", name)}, nil
	case gone:
		h := resource.Health{Reason: fmt.Sprintf("node pool %s still exists with status %s", name, np.Status)}
		h.Terminal = np.Status == "ERROR" || np.Status == "RUNNING_WITH_ERROR"
		h.Details = complaints(np)
		return h, nil
	}
	return health(np), nil
}

func health(np *container.NodePool) resource.Health {
	h := resource.Health{Details: complaints(np)}
	terminal := np.Status == "ERROR" || np.Status == "STOPPING"
	for _, c := range np.Conditions {
		terminal = terminal || slices.Contains(hopeless, c.Code)
	}
	switch {
	case np.Status == "RUNNING" && !terminal:
		h.Ready = true
		return h
	case np.Status == "PROVISIONING" || np.Status == "RECONCILING":
		// GKE is still at it; what it complains of may pass.
		h.Reason = fmt.Sprintf("node pool %s is %s", np.Name, np.Status)
		return h
	}
	h.Terminal = terminal
	h.Reason = fmt.Sprintf("node pool %s is %s", np.Name, np.Status)
	if len(h.Details) > 0 {
		h.Reason += ": " + h.Details[0]
	}
	return h
}

// complaints returns what GKE says is wrong with a pool.
func complaints(np *container.NodePool) []string {
	var texts []string
	for _, c := range np.Conditions {
		text := c.Code
		if text == "" || text == "UNKNOWN" {
			text = c.CanonicalCode
		}
		if c.Message != "" {
			text += ": " + c.Message
		}
		texts = append(texts, text)
	}
	if len(texts) == 0 && np.StatusMessage != "" {
		texts = append(texts, np.StatusMessage)
	}
	return texts
}
