package records

import (
	"testing"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	kubetesting "k8s.io/client-go/testing"

	"hubcap/engine"
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
