package records

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"hubcap/engine"
)

// The lock's times: a lease that was not renewed for leaseTime is free again.
const (
	leaseTime = 60 * time.Second
	renewTime = 15 * time.Second
)

const annotationHolder = "hubcap.dev/holder"

// holder is who holds the lease, with what it takes to see that the process is
// gone when it ran on this machine.
type holder struct {
	engine.Holder
	Host string `json:"host"`
	PID  int    `json:"pid"`
}

// Lock takes the cluster's lock, or returns an engine.LockedError. It is renewed
// in the background until it is released. A lease whose time ran out is free, and
// so is one whose holder was a process of this machine that is no more.
func (r *Records) Lock(ctx context.Context, h engine.Holder) (engine.Lock, error) {
	if err := r.ensureNamespace(ctx); err != nil {
		return nil, err
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("name this host: %w", err)
	}
	me := holder{Holder: h, Host: host, PID: os.Getpid()}
	leases := r.client.CoordinationV1().Leases(r.namespace)
	for {
		lease, err := leases.Get(ctx, leaseName, metav1.GetOptions{})
		write := leases.Update
		switch {
		case apierrors.IsNotFound(err):
			lease = &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: leaseName}}
			write = func(ctx context.Context, l *coordinationv1.Lease, _ metav1.UpdateOptions) (*coordinationv1.Lease, error) {
				return leases.Create(ctx, l, metav1.CreateOptions{})
			}
		case err != nil:
			return nil, fmt.Errorf("read lease %s/%s: %w", r.namespace, leaseName, err)
		}
		if me.holds(lease) { // the answer to the last write got lost
			return r.keepAlive(lease), nil
		}
		if held, by := heldBy(lease, host); held {
			return nil, &engine.LockedError{Cluster: r.cluster, Holder: by.Holder, Renewed: lease.Spec.RenewTime.Time}
		}
		if err := me.sign(lease); err != nil {
			return nil, err
		}
		taken, err := write(ctx, lease, metav1.UpdateOptions{})
		if apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) {
			continue // somebody was quicker: look who
		}
		if err != nil {
			return nil, fmt.Errorf("take lease %s/%s: %w", r.namespace, leaseName, err)
		}
		return r.keepAlive(taken), nil
	}
}

// sign makes the lease me's. The resource version that lease carries makes the
// write that follows fail when anybody else took it since.
func (me holder) sign(lease *coordinationv1.Lease) error {
	text, err := json.Marshal(me)
	if err != nil {
		return fmt.Errorf("encode the lock's holder: %w", err)
	}
	if lease.Annotations == nil {
		lease.Annotations = map[string]string{}
	}
	lease.Annotations[annotationHolder] = string(text)
	seconds, now := int32(leaseTime/time.Second), metav1.NowMicro()
	identity := me.identity()
	lease.Spec.HolderIdentity, lease.Spec.LeaseDurationSeconds = &identity, &seconds
	lease.Spec.AcquireTime, lease.Spec.RenewTime = &now, &now
	return nil
}

func (me holder) identity() string { return fmt.Sprintf("%s/%d/%s", me.Who, me.PID, me.Run) }

// holds reports whether the lease is this very run's.
func (me holder) holds(lease *coordinationv1.Lease) bool {
	return me.Run != "" && lease.Spec.HolderIdentity != nil && *lease.Spec.HolderIdentity == me.identity()
}

// heldBy tells whether lease is held now, seen from host, and by whom.
func heldBy(lease *coordinationv1.Lease, host string) (bool, holder) {
	var by holder
	spec := lease.Spec
	if spec.HolderIdentity == nil || *spec.HolderIdentity == "" || spec.RenewTime == nil {
		return false, by
	}
	if err := json.Unmarshal([]byte(lease.Annotations[annotationHolder]), &by); err != nil {
		by.Who = *spec.HolderIdentity
	}
	duration := leaseTime
	if spec.LeaseDurationSeconds != nil {
		duration = time.Duration(*spec.LeaseDurationSeconds) * time.Second
	}
	if time.Since(spec.RenewTime.Time) > duration {
		return false, by
	}
	gone := by.Host == host && by.PID > 0 && syscall.Kill(by.PID, 0) == syscall.ESRCH
	return !gone, by
}

// A lock is one lease while it is ours.
type lock struct {
	records *Records
	lost    chan struct{}
	stop    context.CancelFunc
	stopped chan struct{}

	mu    sync.Mutex
	lease *coordinationv1.Lease
}

func (r *Records) keepAlive(lease *coordinationv1.Lease) *lock {
	ctx, stop := context.WithCancel(context.Background())
	l := &lock{records: r, lost: make(chan struct{}), stop: stop, stopped: make(chan struct{}), lease: lease}
	go l.renew(ctx)
	return l
}

// Lost is closed when the lease is no longer surely ours.
func (l *lock) Lost() <-chan struct{} { return l.lost }

// renew renews the lease until ctx ends. It gives the lock up when somebody else
// holds it, or when it could not be renewed while its time ran out.
func (l *lock) renew(ctx context.Context) {
	defer close(l.stopped)
	renewed := time.Now()
	ticker := time.NewTicker(renewTime)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		err := l.renewOnce(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			renewed = time.Now()
		case apierrors.IsConflict(err), apierrors.IsNotFound(err), time.Since(renewed) > leaseTime-renewTime:
			close(l.lost)
			return
		}
	}
}

func (l *lock) renewOnce(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, renewTime)
	defer cancel()
	l.mu.Lock()
	defer l.mu.Unlock()
	leases := l.records.client.CoordinationV1().Leases(l.records.namespace)
	updated, err := leases.Update(ctx, kept(l.lease), metav1.UpdateOptions{})
	if apierrors.IsConflict(err) { // somebody's, or our own write whose answer got lost
		live, getErr := leases.Get(ctx, leaseName, metav1.GetOptions{})
		if getErr != nil {
			return getErr
		}
		if !sameHolder(live, l.lease) {
			return err
		}
		updated, err = leases.Update(ctx, kept(live), metav1.UpdateOptions{})
	}
	if err == nil {
		l.lease = updated
	}
	return err
}

// kept returns the lease as it is written to keep it.
func kept(lease *coordinationv1.Lease) *coordinationv1.Lease {
	next, now := lease.DeepCopy(), metav1.NowMicro()
	next.Spec.RenewTime = &now
	return next
}

func sameHolder(a, b *coordinationv1.Lease) bool {
	return a.Spec.HolderIdentity != nil && b.Spec.HolderIdentity != nil && *a.Spec.HolderIdentity != "" &&
		*a.Spec.HolderIdentity == *b.Spec.HolderIdentity
}

// Release gives the lock back. A lease that is somebody else's by now is left
// alone.
func (l *lock) Release(ctx context.Context) error {
	l.stop()
	<-l.stopped
	l.mu.Lock()
	defer l.mu.Unlock()
	free := ""
	l.lease.Spec.HolderIdentity = &free
	_, err := l.records.client.CoordinationV1().Leases(l.records.namespace).Update(ctx, l.lease, metav1.UpdateOptions{})
	if err != nil && !apierrors.IsConflict(err) && !apierrors.IsNotFound(err) {
		return fmt.Errorf("release lease %s/%s: %w", l.records.namespace, leaseName, err)
	}
	return nil
}
