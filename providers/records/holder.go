package records

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"hubcap/engine"
)

// Held returns who holds the cluster's lock, or nil when nobody does. It takes nothing,
// and it cannot tell whether the holder is alive: Renewed is for people to judge by.
func (r *Records) Held(ctx context.Context) (*engine.LockedError, error) {
	lease, err := r.client.CoordinationV1().Leases(LockNamespace).Get(ctx, leaseName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read lease %s/%s: %w", LockNamespace, leaseName, err)
	}
	by := holderOf(lease)
	if by == nil {
		return nil, nil
	}
	locked := &engine.LockedError{Cluster: r.cluster, Holder: by.Holder}
	if lease.Spec.RenewTime != nil {
		locked.Renewed = lease.Spec.RenewTime.Time
	}
	return locked, nil
}

// SeemsDead reports whether a lock was last renewed so long ago, as far as two clocks
// agree, that its holder has probably died. It is for what is shown, and decides
// nothing: see [Records.Lock].
func SeemsDead(renewed, now time.Time) bool { return now.Sub(renewed) > leaseTime+renewTime }
