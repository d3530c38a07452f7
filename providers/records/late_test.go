package records

import (
	"encoding/json"
	"errors"
	"strconv"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	kubetesting "k8s.io/client-go/testing"

	"hubcap/engine/journal"
	"hubcap/engine/run"
)

// versioned makes ConfigMaps of the fake have versions that patches are held against, as
// an API server does. lose, if set, loses the answer to the next patch: it was made, and
// repeating it is a conflict.
func versioned(t *testing.T, client *fake.Clientset, lose *bool) {
	t.Helper()
	resource := corev1.SchemeGroupVersion.WithResource("configmaps")
	client.PrependReactor("create", "configmaps", func(a kubetesting.Action) (bool, runtime.Object, error) {
		cm := a.(kubetesting.CreateAction).GetObject().(*corev1.ConfigMap).DeepCopy()
		cm.ResourceVersion = "1"
		return true, cm, client.Tracker().Create(resource, cm, a.GetNamespace())
	})
	client.PrependReactor("patch", "configmaps", func(a kubetesting.Action) (bool, runtime.Object, error) {
		p := a.(kubetesting.PatchAction)
		live, err := client.Tracker().Get(resource, a.GetNamespace(), p.GetName())
		if err != nil {
			return true, nil, err
		}
		cm := live.(*corev1.ConfigMap).DeepCopy()
		var patch struct {
			Metadata metav1.ObjectMeta
			Data     map[string]string
		}
		if err := json.Unmarshal(p.GetPatch(), &patch); err != nil {
			t.Error(err)
		}
		conflict := apierrors.NewConflict(resource.GroupResource(), cm.Name, nil)
		if patch.Metadata.ResourceVersion != cm.ResourceVersion {
			return true, nil, conflict
		}
		for key, text := range patch.Data {
			cm.Data[key] = text
		}
		n, err := strconv.Atoi(cm.ResourceVersion)
		if err != nil {
			t.Error(err)
		}
		cm.ResourceVersion = strconv.Itoa(n + 1)
		if err := client.Tracker().Update(resource, cm, a.GetNamespace()); err != nil {
			t.Error(err)
		}
		if *lose {
			*lose = false
			return true, nil, conflict
		}
		return true, cm, nil
	})
}

// Another process goes on with a run, and what the first one still has on its way to the
// journal is refused: it does not write over what is there by then.
func TestLateAppend(t *testing.T) {
	r, client := testRecords()
	lose := false
	versioned(t, client, &lose)
	ctx := t.Context()
	entry := func(seq int, reason string) journal.Entry {
		return journal.Entry{Seq: seq, Mark: journal.Applying, Reason: reason}
	}
	if err := r.Create(ctx, testRun("a"), []byte("{}"), nil); err != nil {
		t.Fatal(err)
	}
	if err := r.Append(ctx, "a", entry(2, "first")); err != nil {
		t.Fatal(err)
	}
	lose = true
	if err := r.Append(ctx, "a", entry(3, "first")); err != nil || lose {
		t.Fatalf("an append whose answer was lost: %v", err)
	}
	labelled, err := client.CoreV1().ConfigMaps("hubcap").Get(ctx, runName("a"), metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	labelled.Labels["somebody"], labelled.ResourceVersion = "else", "77"
	if _, err := client.CoreV1().ConfigMaps("hubcap").Update(ctx, labelled, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := r.Append(ctx, "a", entry(4, "first")); err != nil {
		t.Errorf("an append after somebody put a label on the record: %v", err)
	}

	second := New(client, "hubcap", "prod")
	if _, err := second.Load(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	if err := second.Append(ctx, "a", entry(5, "second")); err != nil {
		t.Fatal(err)
	}
	if err := r.Append(ctx, "a", entry(5, "first, and late")); !errors.Is(err, run.ErrLost) {
		t.Errorf("a late append: %v", err)
	}
	got, err := second.Run(ctx, "a")
	if err != nil {
		t.Fatal(err)
	}
	if last := got.Entries[len(got.Entries)-1]; last.Seq != 5 || last.Reason != "second" {
		t.Errorf("the journal ends with %+v", last)
	}
}

// After an append whose fate is not known the next one goes to a part of its own, and
// replaces what may have been written: but not what another process has written since.
func TestLateAppendAfterFailure(t *testing.T) {
	for _, isWritten := range []bool{false, true} {
		r, client := testRecords()
		ctx := t.Context()
		entry := func(seq int, reason string) journal.Entry {
			return journal.Entry{Seq: seq, Mark: journal.Applying, Reason: reason}
		}
		if err := r.Create(ctx, testRun("a"), []byte("{}"), nil); err != nil {
			t.Fatal(err)
		}
		gone := errors.New("no answer")
		client.PrependReactor("patch", "configmaps", func(a kubetesting.Action) (bool, runtime.Object, error) {
			if isWritten {
				if _, _, err := kubetesting.ObjectReaction(client.Tracker())(a); err != nil {
					t.Error(err)
				}
			}
			return true, nil, gone
		})
		if err := r.Append(ctx, "a", entry(2, "first")); !errors.Is(err, gone) {
			t.Fatal(err)
		}
		client.ReactionChain = client.ReactionChain[1:]
		if err := r.Append(ctx, "a", entry(2, "first, again")); err != nil {
			t.Fatalf("written %v: nobody else was there: %v", isWritten, err)
		}

		client.PrependReactor("patch", "configmaps", func(a kubetesting.Action) (bool, runtime.Object, error) { return true, nil, gone })
		if err := r.Append(ctx, "a", entry(3, "first")); !errors.Is(err, gone) {
			t.Fatal(err)
		}
		client.ReactionChain = client.ReactionChain[1:]
		second := New(client, "hubcap", "prod")
		if _, err := second.Load(ctx, "a"); err != nil {
			t.Fatal(err)
		}
		if err := second.Append(ctx, "a", entry(3, "second")); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := r.Append(ctx, "a", entry(3, "first, and late")); !errors.Is(err, run.ErrLost) {
				t.Errorf("a late append after one that failed: %v", err)
			}
		}
		got, err := second.Run(ctx, "a")
		if err != nil {
			t.Fatal(err)
		}
		if last := got.Entries[len(got.Entries)-1]; last.Seq != 3 || last.Reason != "second" {
			t.Errorf("the journal ends with %+v", last)
		}
	}
}
