package records

import (
	"context"
	"fmt"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A moment is one instant by two clocks of this machine: the one that Go measures
// with, which stands still while the machine is asleep, and one that goes on.
type moment struct {
	awake  time.Time
	uptime time.Duration
}

func (r *Records) now() moment { return moment{time.Now(), r.uptime()} }

// since returns how long ago m was, by the clock that says more.
func (r *Records) since(m moment) time.Duration {
	return max(time.Since(m.awake), r.uptime()-m.uptime)
}

// A lock is one lease while it is ours.
type lock struct {
	records *Records
	number  int64
	lost    chan struct{}
	stop    context.CancelFunc
	stopped chan struct{}

	mu    sync.Mutex // of lease; held while a request is under way
	lease *coordinationv1.Lease

	times   sync.Mutex // of renewed
	renewed moment     // when the last renewal that succeeded was begun
}

// keepAlive keeps the lease, which is ours by a write that was begun at began.
func (r *Records) keepAlive(lease *coordinationv1.Lease, began moment) *lock {
	ctx, stop := context.WithCancel(context.Background())
	l := &lock{
		records: r, number: int64(changes(lease)), lost: make(chan struct{}), stop: stop, stopped: make(chan struct{}),
		lease: lease, renewed: began,
	}
	go l.keep(ctx)
	return l
}

// Lost is closed when the lease is no longer surely ours.
func (l *lock) Lost() <-chan struct{} { return l.lost }

// Number is how many times the lease had changed hands when it became ours.
func (l *lock) Number() int64 { return l.number }

// Deadline is when the lease is given up unless it is renewed until then.
func (l *lock) Deadline() time.Time {
	select {
	case <-l.lost:
		return time.Time{}
	default:
		return time.Now().Add(l.left())
	}
}

// left is for how long the lease is surely ours, with renewTime to spare.
func (l *lock) left() time.Duration {
	l.times.Lock()
	defer l.times.Unlock()
	return leaseTime - renewTime - l.records.since(l.renewed)
}

func (l *lock) sinceRenewal() time.Duration {
	l.times.Lock()
	defer l.times.Unlock()
	return l.records.since(l.renewed)
}

// keep renews the lease until ctx ends, and looks in between whether it is still ours.
// It gives the lock up when somebody else holds it, and when it could not be renewed in
// time. A request that hangs delays neither.
func (l *lock) keep(ctx context.Context) {
	defer close(l.stopped)
	ctx, cancel := context.WithCancel(ctx)
	ticker := time.NewTicker(lookTime)
	defer ticker.Stop()
	answers := make(chan error, 1)
	busy := false
	defer func() {
		cancel()
		if busy {
			<-answers
		}
	}()
	for {
		end, ticked := time.NewTimer(l.left()), false
		select {
		case <-ctx.Done():
			end.Stop()
			return
		case <-end.C:
		case err := <-answers:
			busy = false
			if ctx.Err() == nil && (apierrors.IsConflict(err) || apierrors.IsNotFound(err)) {
				close(l.lost)
				return
			}
		case <-ticker.C:
			ticked = true
		}
		end.Stop()
		if l.left() <= 0 {
			close(l.lost)
			return
		}
		if busy || !ticked {
			continue
		}
		ask := l.look
		if l.sinceRenewal() >= renewTime {
			ask = l.renewOnce
		}
		busy = true
		go func() { answers <- ask(ctx) }()
	}
}

// look returns a conflict when the lease is somebody else's by now.
func (l *lock) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	live, err := l.records.client.CoordinationV1().Leases(LockNamespace).Get(ctx, leaseName, metav1.GetOptions{})
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !sameHolder(live, l.lease) {
		return apierrors.NewConflict(coordinationv1.Resource("leases"), leaseName, fmt.Errorf("it is held by %s", identityOf(live)))
	}
	return nil
}

func (l *lock) renewOnce(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	began := l.records.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.write(ctx, kept); err != nil {
		return err
	}
	l.times.Lock()
	defer l.times.Unlock()
	l.renewed = began
	return nil
}

// write writes the lease as change makes it, if it is still ours. The caller holds mu.
func (l *lock) write(ctx context.Context, change func(*coordinationv1.Lease) *coordinationv1.Lease) error {
	leases := l.records.client.CoordinationV1().Leases(LockNamespace)
	updated, err := leases.Update(ctx, change(l.lease), metav1.UpdateOptions{})
	if apierrors.IsConflict(err) { // somebody's, or our own write whose answer got lost
		live, getErr := leases.Get(ctx, leaseName, metav1.GetOptions{})
		if getErr != nil {
			return getErr
		}
		if !sameHolder(live, l.lease) {
			return err
		}
		updated, err = leases.Update(ctx, change(live), metav1.UpdateOptions{})
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

// freed returns the lease as it is written to give it back. How many times it has
// changed hands stays.
func freed(lease *coordinationv1.Lease) *coordinationv1.Lease {
	next, nobody := lease.DeepCopy(), ""
	next.Spec.HolderIdentity = &nobody
	return next
}

func sameHolder(a, b *coordinationv1.Lease) bool {
	return identityOf(a) != "" && identityOf(a) == identityOf(b)
}

// Release gives the lock back. A lease that is somebody else's by now is left
// alone.
func (l *lock) Release(ctx context.Context) error {
	l.stop()
	<-l.stopped
	l.mu.Lock()
	defer l.mu.Unlock()
	err := l.write(ctx, freed)
	if err != nil && !apierrors.IsConflict(err) && !apierrors.IsNotFound(err) {
		return fmt.Errorf("release lease %s/%s: %w", LockNamespace, leaseName, err)
	}
	return nil
}
