package records

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"
	kubetesting "k8s.io/client-go/testing"

	"hubcap/engine"
	"hubcap/providers/process"
)

var leaseResource = schema.GroupVersionResource{Group: "coordination.k8s.io", Version: "v1", Resource: "leases"}

// A write of the lease whose answer got lost is refused as a conflict when it is
// repeated. The lock is ours all the same.
func TestLockWithoutAnAnswer(t *testing.T) {
	records, client := testRecords()
	once := true
	client.PrependReactor("create", "leases", func(a kubetesting.Action) (bool, runtime.Object, error) {
		if !once {
			return false, nil, nil
		}
		once = false
		made := a.(kubetesting.CreateAction).GetObject()
		if err := client.Tracker().Create(leaseResource, made, a.GetNamespace()); err != nil {
			t.Error(err)
		}
		return true, nil, apierrors.NewAlreadyExists(leaseResource.GroupResource(), leaseName)
	})
	taken, err := records.Lock(t.Context(), engine.Holder{Who: "ada", Run: "r1"})
	if err != nil {
		t.Fatalf("lock: %v", err)
	}
	l := taken.(*lock)
	defer func() { _ = l.Release(t.Context()) }()

	conflicts := 1
	client.PrependReactor("update", "leases", func(kubetesting.Action) (bool, runtime.Object, error) {
		if conflicts == 0 {
			return false, nil, nil
		}
		conflicts--
		return true, nil, apierrors.NewConflict(leaseResource.GroupResource(), leaseName, nil)
	})
	if err := l.renewOnce(t.Context()); err != nil {
		t.Errorf("renew after an answer that got lost: %v", err)
	}

	other, err := client.Tracker().Get(leaseResource, "hubcap", leaseName)
	if err != nil {
		t.Fatal(err)
	}
	theirs := other.(*coordinationv1.Lease).DeepCopy()
	somebody := "grace/1/r2"
	theirs.Spec.HolderIdentity = &somebody
	if err := client.Tracker().Update(leaseResource, theirs, "hubcap"); err != nil {
		t.Fatal(err)
	}
	conflicts = 1
	if err := l.renewOnce(t.Context()); !apierrors.IsConflict(err) {
		t.Errorf("renew a lease that is somebody else's: %v", err)
	}
}

// A lock is one at a time, names its holder, and counts how often it changed hands.
func TestLock(t *testing.T) {
	r, _ := testRecords()
	ctx := t.Context()
	for n := range int64(3) {
		lock, err := r.Lock(ctx, engine.Holder{Who: "ada@desk", Run: "1"})
		if err != nil {
			t.Fatal(err)
		}
		if got := lock.Number(); got != n+1 {
			t.Errorf("taken for the %d. time: number %d", n+1, got)
		}
		if left := time.Until(lock.Deadline()); left <= 0 || left > leaseTime-renewTime {
			t.Errorf("writes have to have ended in %s", left)
		}
		var locked *engine.LockedError
		if _, err := r.Lock(ctx, engine.Holder{Who: "bob@desk"}); !errors.As(err, &locked) || locked.Holder.Who != "ada@desk" {
			t.Fatalf("second Lock = %v, want it to name ada@desk", err)
		}
		if err := lock.Release(ctx); err != nil {
			t.Fatal(err)
		}
	}
}

// There is one lock for a cluster, whatever namespaces configs name for their journals.
func TestLockIsOne(t *testing.T) {
	r, client := testRecords()
	if _, err := r.Lock(t.Context(), engine.Holder{Who: "ada", Run: "a"}); err != nil {
		t.Fatal(err)
	}
	other := New(client, "other-team", "prod")
	var locked *engine.LockedError
	if _, err := other.Lock(t.Context(), engine.Holder{Who: "bob", Run: "b"}); !errors.As(err, &locked) {
		t.Errorf("one cluster is locked twice (err = %v)", err)
	}
}

// Two containers that resume one run have user, host, process number and run in common.
func TestLockTwiceBySameName(t *testing.T) {
	r, client := testRecords()
	h := engine.Holder{Who: "root@runner", Run: "20261201-000000-aaaa"}
	if _, err := r.Lock(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	var locked *engine.LockedError
	if _, err := New(client, "hubcap", "prod").Lock(t.Context(), h); !errors.As(err, &locked) {
		t.Errorf("a lock that is held was given a second time (err = %v)", err)
	}
}

// elsewhere makes a lease that a process of another machine holds.
func elsewhere(t *testing.T, client *fake.Clientset, edit func(*coordinationv1.Lease)) {
	t.Helper()
	me, err := newHolder(engine.Holder{Who: "ada@far", Run: "a"})
	if err != nil {
		t.Fatal(err)
	}
	me.Process, me.Host = "", "far"
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: leaseName}}
	if err := me.sign(lease); err != nil {
		t.Fatal(err)
	}
	edit(lease)
	if _, err := client.CoordinationV1().Leases("hubcap").Create(t.Context(), lease, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// A lease is taken over only after it was watched without a change for as long as it
// lasts. What the holder's clock says of it counts for nothing.
func TestLockIsWatched(t *testing.T) {
	for _, skew := range []time.Duration{0, -61 * time.Second, -24 * time.Hour, 24 * time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			r, client := testRecords()
			elsewhere(t, client, func(l *coordinationv1.Lease) {
				at := metav1.NewMicroTime(time.Now().Add(skew))
				l.Spec.RenewTime = &at
			})
			began := time.Now()
			for {
				lock, err := r.Lock(t.Context(), engine.Holder{Who: "bob@near", Run: "b"})
				watched := time.Since(began)
				var locked *engine.LockedError
				if errors.As(err, &locked) {
					if locked.Renewing || locked.Wait != leaseTime-watched || locked.Holder.Who != "ada@far" {
						t.Fatalf("clock off by %s, watched for %s: %+v", skew, watched, locked)
					}
					time.Sleep(min(locked.Wait, 7*time.Second))
					continue
				}
				if err != nil || watched != leaseTime || lock.Number() != 2 {
					t.Fatalf("clock off by %s: taken after %s, %v", skew, watched, err)
				}
				if err := lock.Release(t.Context()); err != nil {
					t.Error(err)
				}
				return
			}
		})
	}
}

// A lease that is renewed while it is watched is held by somebody who lives; when the
// renewals end, the time counts from the last one that was seen.
func TestLockIsRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, client := testRecords()
		elsewhere(t, client, func(*coordinationv1.Lease) {})
		look := func(after time.Duration) *engine.LockedError {
			time.Sleep(after)
			lock, err := r.Lock(t.Context(), engine.Holder{Who: "bob@near", Run: "b"})
			var locked *engine.LockedError
			if errors.As(err, &locked) {
				return locked
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := lock.Release(t.Context()); err != nil {
				t.Error(err)
			}
			return nil
		}
		if l := look(0); l == nil || l.Renewing {
			t.Errorf("at the first look: %+v", l)
		}
		time.Sleep(59 * time.Second)
		lease, err := client.CoordinationV1().Leases("hubcap").Get(t.Context(), leaseName, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.CoordinationV1().Leases("hubcap").Update(t.Context(), kept(lease), metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		if l := look(time.Second); l == nil || !l.Renewing || l.Wait != leaseTime {
			t.Errorf("renewed after 59 s: %+v", l)
		}
		if l := look(leaseTime - time.Second); l == nil || l.Wait != time.Second {
			t.Errorf("59 s after that: %+v", l)
		}
		if l := look(time.Second); l != nil {
			t.Errorf("60 s after that: %+v", l)
		}
	})
}

// The API server stops answering right after a renewal. Whoever holds the lock has to
// know that it is lost before anybody else may take it, with time for what is under way.
func TestLockLostBeforeExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		records, client := testRecords()
		start := time.Now()
		taken, err := records.Lock(t.Context(), engine.Holder{Who: "ada", Run: "r1"})
		if err != nil {
			t.Fatal(err)
		}
		l := taken.(*lock)
		client.PrependReactor("*", "leases", func(kubetesting.Action) (bool, runtime.Object, error) {
			time.Sleep(renewTime) // what a call without an answer takes
			return true, nil, errors.New("no answer")
		})
		if got := l.Deadline().Sub(start); got != leaseTime-renewTime {
			t.Errorf("writes have to have ended %s after the renewal began", got)
		}
		<-l.Lost()
		if margin := leaseTime - time.Since(start); margin < renewTime {
			t.Errorf("the holder knows %s before the lease is anybody's, which leaves less than %s", margin, renewTime)
		}
		if l.Deadline().After(start) {
			t.Error("a lock that is lost has a deadline to come")
		}
		l.stop()
		<-l.stopped
	})
}

// A machine that was asleep has not seen the time go by, and its ticker has not ticked.
// It must not write before it has looked at the clock that goes on.
func TestLockLostAsleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		records, _ := testRecords()
		asleep := time.Duration(0)
		records.uptime = func() time.Duration { return asleep }
		taken, err := records.Lock(t.Context(), engine.Holder{Who: "ada", Run: "r1"})
		if err != nil {
			t.Fatal(err)
		}
		l := taken.(*lock)
		time.Sleep(500 * time.Millisecond)
		if !l.Deadline().After(time.Now()) {
			t.Fatal("the lock is lost although it was renewed a moment ago")
		}
		asleep = leaseTime
		if l.Deadline().After(time.Now()) {
			t.Error("after a sleep as long as the lease lasts, writes are let through")
		}
		<-l.Lost()
		l.stop()
		<-l.stopped
	})
}

// Somebody else has the lease, whyever: its holder finds out soon.
func TestLockNoticesTheft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		records, client := testRecords()
		taken, err := records.Lock(t.Context(), engine.Holder{Who: "ada", Run: "r1"})
		if err != nil {
			t.Fatal(err)
		}
		l := taken.(*lock)
		time.Sleep(time.Second)
		stolen := time.Now()
		client.PrependReactor("update", "leases", func(kubetesting.Action) (bool, runtime.Object, error) {
			return true, nil, apierrors.NewConflict(leaseResource.GroupResource(), leaseName, nil)
		})
		client.PrependReactor("get", "leases", func(kubetesting.Action) (bool, runtime.Object, error) {
			other := l.lease.DeepCopy()
			who := "grace/1/r2"
			other.Spec.HolderIdentity = &who
			return true, other, nil
		})
		<-l.Lost()
		if late := time.Since(stolen); late > time.Second {
			t.Errorf("for %s the holder goes on writing under a lease that is somebody else's", late)
		}
		l.stop()
		<-l.stopped
	})
}

// A lock is renewed for as long as it is held, and was never anybody else's.
func TestLockIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		records, client := testRecords()
		taken, err := records.Lock(t.Context(), engine.Holder{Who: "ada", Run: "r1"})
		if err != nil {
			t.Fatal(err)
		}
		other := New(client, "hubcap", "prod")
		renewing := false
		for range 300 {
			time.Sleep(time.Second)
			var locked *engine.LockedError
			if _, err := other.Lock(t.Context(), engine.Holder{Who: "bob", Run: "r2"}); !errors.As(err, &locked) {
				t.Fatalf("a lock that is held was given away: %v", err)
			}
			renewing = renewing || locked.Renewing
		}
		if !renewing {
			t.Error("nobody saw it renewed")
		}
		if err := taken.Release(t.Context()); err != nil {
			t.Error(err)
		}
		if lock, err := other.Lock(t.Context(), engine.Holder{Who: "bob", Run: "r2"}); err != nil || lock.Release(t.Context()) != nil {
			t.Errorf("after it was given back: %v", err)
		}
	})
}

// A run that was killed on this machine does not make the next one wait, and nothing but
// that is taken for it: two containers, or two machines made of one image, have one
// host name and different processes.
func TestLockOfADeadProcess(t *testing.T) {
	me := process.Current()
	if me.String() == "" {
		t.Skip("this system does not tell processes apart")
	}
	died := exec.Command(os.Args[0], "-test.run=^$")
	if err := died.Run(); err != nil {
		t.Fatal(err)
	}
	dead := me
	dead.PID = died.Process.Pid
	with := func(edit func(*process.Process)) string { p := dead; edit(&p); return p.String() }
	for _, test := range []struct {
		reason  string
		process string
		pid     int
		gone    bool
	}{
		{"it has ended", dead.String(), dead.PID, true},
		{"its number is another's by now", (process.Process{Boot: me.Boot, Space: me.Space, PID: me.PID, Start: "1"}).String(), me.PID, true},
		{"it lives", me.String(), me.PID, false},
		{"before this machine was switched on, or on another", with(func(p *process.Process) { p.Boot = "another" }), dead.PID, false},
		{"in another container", with(func(p *process.Process) { p.Space = "pid:[1]" }), dead.PID, false},
		{"the record contradicts itself", dead.String(), me.PID, false},
		{"of a version that noted only the number", "", dead.PID, false},
		{"not what hubcap wrote", "a/b/c/d", dead.PID, false},
	} {
		r, client := testRecords()
		elsewhere(t, client, func(l *coordinationv1.Lease) {
			host, err := os.Hostname()
			if err != nil {
				t.Fatal(err)
			}
			text := l.Annotations[annotationHolder]
			text = strings.Replace(text, fmt.Sprintf(`"pid":%d`, os.Getpid()), fmt.Sprintf(`"pid":%d,"process":%q`, test.pid, test.process), 1)
			l.Annotations[annotationHolder] = strings.Replace(text, `"host":"far"`, fmt.Sprintf(`"host":%q`, host), 1)
		})
		lock, err := r.Lock(t.Context(), engine.Holder{Who: "bob@desk"})
		if (err == nil) != test.gone {
			t.Errorf("%s: %v", test.reason, err)
		}
		if err == nil {
			_ = lock.Release(t.Context())
		}
	}
}
