package records

import (
	"context"
	"fmt"
	"os"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"hubcap/engine"
)

// Held returns who holds the cluster's lock now, or nil when nobody does. It
// takes nothing.
func (r *Records) Held(ctx context.Context) (*engine.LockedError, error) {
	lease, err := r.client.CoordinationV1().Leases(r.namespace).Get(ctx, leaseName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read lease %s/%s: %w", r.namespace, leaseName, err)
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("name this host: %w", err)
	}
	held, by := heldBy(lease, host)
	if !held {
		return nil, nil
	}
	return &engine.LockedError{Cluster: r.cluster, Holder: by.Holder, Renewed: lease.Spec.RenewTime.Time}, nil
}
