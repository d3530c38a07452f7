package records

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	v1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"
	k8stesting "k8s.io/client-go/testing"

	"hubcap/engine/journal"
	"hubcap/engine/resource"
)

// limit makes the fake refuse what an API server does: more than 1 MiB in one object.
func limit(client *fake.Clientset) {
	const most = 1 << 20
	refuse := func(kind string, size int) (bool, runtime.Object, error) {
		if size <= most {
			return false, nil, nil
		}
		return true, nil, apierrors.NewInvalid(schema.GroupKind{Kind: kind}, "x", nil)
	}
	client.PrependReactor("create", "configmaps", func(a k8stesting.Action) (bool, runtime.Object, error) {
		return refuse("ConfigMap", sizeOf(a.(k8stesting.CreateAction).GetObject().(*corev1.ConfigMap)))
	})
	client.PrependReactor("create", "secrets", func(a k8stesting.Action) (bool, runtime.Object, error) {
		size := 0
		for _, text := range a.(k8stesting.CreateAction).GetObject().(*corev1.Secret).Data {
			size += len(text)
		}
		return refuse("Secret", size)
	})
	client.PrependReactor("patch", "configmaps", func(a k8stesting.Action) (bool, runtime.Object, error) {
		p := a.(k8stesting.PatchAction)
		live, err := client.Tracker().Get(a.GetResource(), a.GetNamespace(), p.GetName())
		if err != nil {
			return false, nil, nil
		}
		return refuse("ConfigMap", sizeOf(live.(*corev1.ConfigMap))+len(p.GetPatch()))
	})
}

func sizeOf(cm *corev1.ConfigMap) int {
	size := 0
	for key, text := range cm.Data {
		size += len(key) + len(text)
	}
	for key, text := range cm.BinaryData {
		size += len(key) + len(text)
	}
	return size
}

// mustEntries checks that a run has its entries, from 1 to last.
func mustEntries(t *testing.T, r *Records, id string, last int) []journal.Entry {
	t.Helper()
	record, err := r.Load(t.Context(), id)
	if err != nil || record.Run.Untrusted != "" {
		t.Fatalf("load = %v, %q", err, record.Run.Untrusted)
	}
	runs, err := r.Runs(t.Context(), "")
	if err != nil || len(runs) == 0 {
		t.Fatalf("runs = %d, %v", len(runs), err)
	}
	if diff := cmp.Diff(record.Run, runs[0]); diff != "" {
		t.Errorf("Load and Runs differ:\n%s", diff)
	}
	if len(record.Run.Entries) != last {
		t.Fatalf("%d entries came back of %d", len(record.Run.Entries), last)
	}
	for i, e := range record.Run.Entries {
		if e.Seq != i+1 {
			t.Fatalf("entry %d has the number %d", i+1, e.Seq)
		}
	}
	return record.Run.Entries
}

// many returns an entry about many objects that are written side by side.
func many(seq, n int) journal.Entry {
	e := journal.Entry{Seq: seq, Mark: journal.Intended, Step: "01-x"}
	for i := range n {
		e.Changes = append(e.Changes, resource.ID{Cluster: "prod", Kind: "ConfigMap", Namespace: "many", Name: fmt.Sprint(strings.Repeat("n", 240), i)})
	}
	return e
}

// TestLargeEntries holds that what one entry says may be larger than an API server
// takes in one object: the run goes on, and can be resumed.
func TestLargeEntries(t *testing.T) {
	r, client := testRecords()
	limit(client)
	if err := r.Create(t.Context(), testRun("a"), []byte("{}"), nil); err != nil {
		t.Fatal(err)
	}
	for _, e := range []journal.Entry{many(2, 2600), many(3, 1), many(4, 8000), {Seq: 5, Mark: journal.RunFinished}} {
		if err := r.Append(t.Context(), "a", e); err != nil {
			t.Fatalf("append entry %d: %v", e.Seq, err)
		}
	}
	got := mustEntries(t, r, "a", 5)
	if diff := cmp.Diff(many(4, 8000), got[3]); diff != "" {
		t.Errorf("entry 4 (-want +got):\n%s", diff)
	}
}

// TestTornEntry lets a write of a large entry be cut off after each of its requests:
// the entry is not there, and another of its number can be written.
func TestTornEntry(t *testing.T) {
	for whole := range 3 {
		r, client := testRecords()
		if err := r.Create(t.Context(), testRun("a"), []byte("{}"), nil); err != nil {
			t.Fatal(err)
		}
		left, cut := whole, errors.New("cut off")
		tear := func(k8stesting.Action) (bool, runtime.Object, error) {
			left--
			return left < 0, nil, cut
		}
		client.PrependReactor("patch", "configmaps", tear)
		if err := r.Append(t.Context(), "a", many(2, 4000)); !errors.Is(err, cut) {
			t.Fatalf("append = %v, want it to be cut off", err)
		}
		client.ReactionChain = client.ReactionChain[1:]
		mustEntries(t, r, "a", 1)
		for _, next := range []*Records{r, New(client, "hubcap", "prod")} {
			if err := next.Append(t.Context(), "a", many(2, 3999)); err != nil {
				t.Fatal(err)
			}
			if got := mustEntries(t, next, "a", 2); len(got[1].Changes) != 3999 {
				t.Errorf("after %d requests: entry 2 is about %d objects, want those of the second write", whole, len(got[1].Changes))
			}
		}
	}
}

// TestLostAnswer holds that an entry whose write seemed to fail, and did not, is
// replaced by what is written next.
func TestLostAnswer(t *testing.T) {
	r, client := testRecords()
	if err := r.Create(t.Context(), testRun("a"), []byte("{}"), nil); err != nil {
		t.Fatal(err)
	}
	lost := errors.New("the answer got lost")
	client.PrependReactor("patch", "configmaps", func(a k8stesting.Action) (bool, runtime.Object, error) {
		_, _, err := k8stesting.ObjectReaction(client.Tracker())(a)
		return true, nil, errors.Join(lost, err)
	})
	if err := r.Append(t.Context(), "a", journal.Entry{Seq: 2, Mark: journal.Applying}, journal.Entry{Seq: 3, Mark: journal.Applying}); !errors.Is(err, lost) {
		t.Fatal(err)
	}
	client.ReactionChain = client.ReactionChain[1:]
	if err := r.Append(t.Context(), "a", journal.Entry{Seq: 2, Mark: journal.RunFinished}); err != nil {
		t.Fatal(err)
	}
	if got := mustEntries(t, r, "a", 2); got[1].Mark != journal.RunFinished {
		t.Errorf("entry 2 = %+v, want what was written last", got[1])
	}
}

// TestLargeSecret holds that a Secret as large as an API server takes can be applied:
// what is before and after it is kept, however large one value is.
func TestLargeSecret(t *testing.T) {
	r, client := testRecords()
	limit(client)
	large := make([]byte, 900<<10)
	if _, err := rand.NewChaCha8([32]byte{2}).Read(large); err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("%x", large)
	secrets := map[string]string{"before": text, "after": strings.ToUpper(text)}
	if err := r.Create(t.Context(), testRun("a"), []byte("{}"), secrets); err != nil {
		t.Fatal(err)
	}
	record, err := r.Load(t.Context(), "a")
	if err != nil || record.Run.Untrusted != "" {
		t.Fatalf("load = %v, %q", err, record.Run.Untrusted)
	}
	if diff := cmp.Diff(secrets, record.Secrets); diff != "" {
		t.Error("the secrets that came back differ")
	}
}

// TestUnreadableRun holds that a run which cannot be decoded, or one entry of it, is
// listed and said to be unreadable, and keeps nobody from the others.
func TestUnreadableRun(t *testing.T) {
	r, client := testRecords()
	ctx := t.Context()
	maps := client.CoreV1().ConfigMaps("hubcap")
	spoil := map[string]func(cm *corev1.ConfigMap){
		"b-head":   func(cm *corev1.ConfigMap) { cm.Data[runKey] = `{"id": 1` },
		"c-entry":  func(cm *corev1.ConfigMap) { cm.Data["entry-000001"] = `{"seq": "no` },
		"d-number": func(cm *corev1.ConfigMap) { cm.Data["entry-000007"] = cm.Data["entry-000001"] },
		"e-key":    func(cm *corev1.ConfigMap) { cm.Data["entry-x"] = "{}" },
		"f-id":     func(cm *corev1.ConfigMap) { cm.Data[runKey] = strings.ReplaceAll(cm.Data[runKey], "f-id", "a-good") },
	}
	for _, id := range []string{"a-good", "b-head", "c-entry", "d-number", "e-key", "f-id", "g-plan", "h-secrets"} {
		if err := r.Create(ctx, testRun(id), []byte("{}"), map[string]string{"place": "hush"}); err != nil {
			t.Fatal(err)
		}
		cm, err := maps.Get(ctx, runName(id), v1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if change := spoil[id]; change != nil {
			change(cm)
			if _, err := maps.Update(ctx, cm, v1.UpdateOptions{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := maps.Delete(ctx, partName("g-plan", planParts, 0), v1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	secret := &corev1.Secret{ObjectMeta: v1.ObjectMeta{Name: partName("h-secrets", secretParts, 0)}, Data: map[string][]byte{"part": []byte("hush")}}
	secret.Labels = labels(secretParts, "h-secrets")
	if _, err := client.CoreV1().Secrets("hubcap").Update(ctx, secret, v1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	runs, err := r.Runs(ctx, "")
	if err != nil || len(runs) != 8 {
		t.Fatalf("runs = %d, %v; want all 8", len(runs), err)
	}
	for i, run := range runs {
		unreadable := strings.HasPrefix(run.Untrusted, "it cannot be read: ")
		if want := i >= 1 && i <= 5; unreadable != want {
			t.Errorf("run %s: untrusted = %q, want it said: %v", run.ID, run.Untrusted, want)
		}
		record, err := r.Load(ctx, run.ID)
		if err != nil || (record.Run.Untrusted == "") != (run.ID == "a-good") || strings.Contains(record.Run.Untrusted, "hush") {
			t.Errorf("load %s = %v, untrusted %q", run.ID, err, record.Run.Untrusted)
		}
	}
}

// TestPrune holds which runs are kept: the last ones of each config, each that can go
// on or that nobody has seen to work, and each that cannot be read.
func TestPrune(t *testing.T) {
	r, client := testRecords()
	r.keep = 2
	ctx := t.Context()
	one := resource.ID{Cluster: "prod", Kind: "ConfigMap", Name: "x"}
	n := 0
	create := func(config, id string, entries ...journal.Entry) {
		n++
		run := testRun(id)
		run.Config, run.Started = config, run.Started.Add(time.Duration(n)*time.Minute)
		for i, e := range entries {
			e.Seq = i + 2
			run.Entries = append(run.Entries, e)
		}
		if err := r.Create(ctx, run, []byte("{}"), nil); err != nil {
			t.Fatal(err)
		}
	}
	finished := func(o journal.Outcome) journal.Entry {
		return journal.Entry{Mark: journal.RunFinished, Outcome: o}
	}
	intended := journal.Entry{Mark: journal.Intended, Step: "01", Change: &one}
	create("uni", "a-died")
	create("uni", "b-died-after-resume", intended, finished(journal.WasHeld), journal.Entry{Mark: journal.RunStarted}, journal.Entry{Mark: journal.Baking, Step: "01"})
	create("uni", "c-held", finished(journal.WasHeld))
	create("uni", "d-interrupted", finished(journal.WasInterrupted))
	create("uni", "e-unverified", intended, finished(journal.Incomplete))
	create("uni", "f-unreadable", finished(journal.Succeeded))
	cm, err := client.CoreV1().ConfigMaps("hubcap").Get(ctx, runName("f-unreadable"), v1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	cm.Data["entry-000002"] = "?"
	if _, err := client.CoreV1().ConfigMaps("hubcap").Update(ctx, cm, v1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	create("lab", "g-of-lab", finished(journal.Succeeded))
	for i := range 4 {
		create("uni", fmt.Sprint("h", i), finished(journal.Succeeded))
	}
	create("uni", "i-rolled-back", intended, finished(journal.WasRolledBack))
	runs, err := r.Runs(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, run := range runs {
		got = append(got, run.ID)
	}
	want := []string{"a-died", "b-died-after-resume", "c-held", "d-interrupted", "e-unverified", "f-unreadable", "g-of-lab", "h3", "i-rolled-back"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("kept runs (-want +got):\n%s", diff)
	}
}
