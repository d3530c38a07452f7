package records

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"hubcap/engine"
	"hubcap/providers/process"
)

// The lock's times. A lease that somebody has watched for leaseTime without seeing it
// renewed is free. Its holder stops writing when the last renewal that succeeded was
// begun leaseTime-renewTime ago: what is under way then has renewTime to end.
const (
	leaseTime = 60 * time.Second
	renewTime = 15 * time.Second

	lookTime   = time.Second     // how often the holder looks whether the lease is its own
	answerTime = 5 * time.Second // for one request of the holder's
)

// The one Lease of a cluster, whatever namespaces configs name for their journals.
const (
	LockNamespace = "hubcap"
	LockName      = leaseName
	leaseName     = "hubcap"
)

const annotationHolder = "hubcap.dev/holder"

// holder is who holds the lease, with what it takes to see that the process is
// gone when it ran on this machine.
type holder struct {
	engine.Holder
	Host    string `json:"host"`
	PID     int    `json:"pid"`
	Process string `json:"process,omitempty"` // see process

	identity string // of the lease while it is this holder's; random, so that no two are alike
}

// newHolder returns h as it holds the lease from this process.
func newHolder(h engine.Holder) (holder, error) {
	host, err := os.Hostname()
	if err != nil {
		return holder{}, fmt.Errorf("name this host: %w", err)
	}
	me := holder{Holder: h, Host: host, PID: os.Getpid(), identity: h.Who + "/" + rand.Text()}
	me.Process = process.Current().String()
	return me, nil
}

// Lock takes the cluster's lock, or returns an engine.LockedError. It is renewed
// in the background until it is released. A lease is free when it was given back, when
// its holder was a process of this machine that is no more, and when it has not changed
// for as long as it lasts while these records watched it: at one look after another, by
// the clock of this process. What the holder's clock says counts for nothing.
func (r *Records) Lock(ctx context.Context, h engine.Holder) (engine.Lock, error) {
	if err := r.ensureNamespace(ctx, LockNamespace); err != nil {
		return nil, err
	}
	me, err := newHolder(h)
	if err != nil {
		return nil, err
	}
	leases := r.client.CoordinationV1().Leases(LockNamespace)
	began := r.now() // before the first write that may have made the lease ours
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
			return nil, fmt.Errorf("read lease %s/%s: %w", LockNamespace, leaseName, err)
		}
		if me.holds(lease) { // the answer to the last write got lost
			return r.keepAlive(lease, began), nil
		}
		if locked := r.lockedBy(lease); locked != nil {
			return nil, locked
		}
		if err := me.sign(lease); err != nil {
			return nil, err
		}
		taken, err := write(ctx, lease, metav1.UpdateOptions{})
		if apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) {
			continue // somebody was quicker, or the answer got lost: look who
		}
		if err != nil {
			return nil, fmt.Errorf("take lease %s/%s: %w", LockNamespace, leaseName, err)
		}
		return r.keepAlive(taken, began), nil
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
	seconds, changes, now := int32(leaseTime/time.Second), changes(lease)+1, metav1.NowMicro()
	lease.Spec.HolderIdentity, lease.Spec.LeaseDurationSeconds = &me.identity, &seconds
	lease.Spec.AcquireTime, lease.Spec.RenewTime = &now, &now
	lease.Spec.LeaseTransitions = &changes
	return nil
}

// holds reports whether the lease is this very holder's.
func (me holder) holds(lease *coordinationv1.Lease) bool { return identityOf(lease) == me.identity }

func identityOf(lease *coordinationv1.Lease) string {
	if lease.Spec.HolderIdentity == nil {
		return ""
	}
	return *lease.Spec.HolderIdentity
}

// changes returns how many times the lease has changed hands.
func changes(lease *coordinationv1.Lease) int32 {
	if lease.Spec.LeaseTransitions == nil {
		return 0
	}
	return *lease.Spec.LeaseTransitions
}

// holderOf returns who holds the lease, or nil when nobody does: it was given back, or
// its holder was a process of this machine that is no more.
func holderOf(lease *coordinationv1.Lease) *holder {
	identity := identityOf(lease)
	if identity == "" {
		return nil
	}
	var by holder
	if err := json.Unmarshal([]byte(lease.Annotations[annotationHolder]), &by); err != nil {
		by = holder{Holder: engine.Holder{Who: identity}}
	}
	if host, err := os.Hostname(); err == nil && by.Host == host && process.HasEnded(by.Process, by.PID) {
		return nil
	}
	return &by
}

// A watch is what was seen of a lease that is somebody else's.
type watch struct {
	mu      sync.Mutex
	record  string    // what the lease was like at the last look; empty before the first one
	since   time.Time // it has been like that, by this process's own clock
	changed bool      // it was something else at an earlier look
}

// look takes in the lease as it was just read.
func (w *watch) look(lease *coordinationv1.Lease) (unchanged time.Duration, changed bool) {
	record := fmt.Sprint(lease.UID, "/", lease.ResourceVersion, "/", identityOf(lease), "/", lease.Spec.RenewTime)
	w.mu.Lock()
	defer w.mu.Unlock()
	if record != w.record {
		w.changed = w.record != ""
		w.record, w.since = record, time.Now()
	}
	return time.Since(w.since), w.changed
}

// lockedBy tells by whom the lease is held, or returns nil when it may be taken.
func (r *Records) lockedBy(lease *coordinationv1.Lease) *engine.LockedError {
	by := holderOf(lease)
	if by == nil {
		return nil
	}
	locked := &engine.LockedError{Cluster: r.cluster, Holder: by.Holder}
	if lease.Spec.RenewTime != nil {
		locked.Renewed = lease.Spec.RenewTime.Time
	}
	duration := leaseTime
	if s := lease.Spec.LeaseDurationSeconds; s != nil && *s > 0 {
		duration = time.Duration(*s) * time.Second
	}
	unchanged, changed := r.watch.look(lease)
	if unchanged >= duration {
		return nil
	}
	locked.Renewing, locked.Wait = changed, duration-unchanged
	return locked
}
