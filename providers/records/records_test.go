package records

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	k8stesting "k8s.io/client-go/testing"

	"hubcap/engine"
	"hubcap/engine/journal"
)

func testRecords() (*Records, *fake.Clientset) {
	client := fake.NewClientset()
	r := New(client, "hubcap", "prod")
	r.uptime = func() time.Duration { return 0 } // in a bubble time goes by without it
	return r, client
}

func testRun(id string) journal.Run {
	return journal.Run{ID: id, Kind: journal.ApplyRun, Holder: "ada@desk", Started: time.Unix(1000, 0).UTC(),
		Entries: []journal.Entry{{Seq: 1, Time: time.Unix(1000, 0).UTC(), Mark: journal.RunStarted}}}
}

// TestRoundTrip stores a run whose plan and secrets need several parts.
func TestRoundTrip(t *testing.T) {
	r, _ := testRecords()
	ctx := t.Context()
	document := make([]byte, 3*partSize) // random, so that it does not compress
	source := rand.NewChaCha8([32]byte{1})
	if _, err := source.Read(document); err != nil {
		t.Fatal(err)
	}
	secrets := map[string]string{}
	for i := range 5 {
		secrets[fmt.Sprint("place", i)] = strings.Repeat("s", partSize/2)
	}
	if err := r.Create(ctx, testRun("a"), document, secrets); err != nil {
		t.Fatal(err)
	}
	for seq := 2; seq < 12; seq++ {
		if err := r.Append(ctx, "a", journal.Entry{Seq: seq, Time: time.Unix(1001, 0).UTC(), Mark: journal.Applying, Step: "01-x"}); err != nil {
			t.Fatal(err)
		}
	}
	record, err := r.Load(ctx, "a")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(document, record.Document); diff != "" {
		t.Error("document differs")
	}
	if diff := cmp.Diff(secrets, record.Secrets); diff != "" {
		t.Error("secrets differ")
	}
	if len(record.Run.Entries) != 11 || record.Run.Entries[10].Seq != 11 {
		t.Errorf("entries = %+v, want 11 in order", record.Run.Entries)
	}
	if _, err := r.Load(ctx, "b"); !errors.Is(err, engine.ErrNoRun) {
		t.Errorf("Load of an unknown run = %v, want ErrNoRun", err)
	}
}

// TestLongRun appends more entries than one part takes, several at once: all of
// them come back, in order, and go with the run. A process that did not begin the run
// goes on with its last part.
func TestLongRun(t *testing.T) {
	r, client := testRecords()
	limit(client)
	ctx := t.Context()
	if err := r.Create(ctx, testRun("a"), []byte("{}"), nil); err != nil {
		t.Fatal(err)
	}
	const last = 800
	for seq := 2; seq <= last; {
		var entries []journal.Entry
		for ; len(entries) < 9 && seq <= last; seq++ {
			entries = append(entries, journal.Entry{Seq: seq, Mark: journal.Applying, Step: "01-x", Reason: strings.Repeat("r", 900)})
		}
		if seq > last/2 {
			r = New(client, "hubcap", "prod")
		}
		if err := r.Append(ctx, "a", entries...); err != nil {
			t.Fatal(err)
		}
	}
	mustEntries(t, r, "a", last)
	parts, err := client.CoreV1().ConfigMaps("hubcap").List(ctx, partsOf("entries", "a"))
	if err != nil || len(parts.Items) < 2 || len(parts.Items) > 6 {
		t.Errorf("%d parts (%v) for 800 kB", len(parts.Items), err)
	}
	if err := r.delete(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	asked := false // the fake does not delete collections, but tells that it was asked to
	for _, a := range client.Actions() {
		if d, is := a.(k8stesting.DeleteCollectionAction); is {
			asked = asked || strings.Contains(d.GetListRestrictions().Labels.String(), labelRecord+"=entries")
		}
	}
	if !asked {
		t.Error("the entries of a deleted run were left")
	}
	if err := r.Append(ctx, "a", journal.Entry{Seq: 2}); err == nil {
		t.Error("an entry was appended to a run that does not exist")
	}
}

// TestSecretsStayApart checks that no value of a secret is in a ConfigMap.
func TestSecretsStayApart(t *testing.T) {
	r, client := testRecords()
	if err := r.Create(t.Context(), testRun("a"), []byte("{}"), map[string]string{"place": "hush-hush"}); err != nil {
		t.Fatal(err)
	}
	list, err := client.CoreV1().ConfigMaps("hubcap").List(t.Context(), v1.ListOptions{})
	if err != nil || len(list.Items) == 0 {
		t.Fatalf("list: %v, %d items", err, len(list.Items))
	}
	for _, cm := range list.Items {
		if strings.Contains(cm.String(), "hush-hush") {
			t.Errorf("%s holds a secret", cm.Name)
		}
	}
}

// TestPruneIsNoCondition checks that a run begins although old ones cannot be
// deleted.
func TestPruneIsNoCondition(t *testing.T) {
	r, client := testRecords()
	r.keep = 1
	denied := 0
	client.PrependReactor("delete-collection", "*", func(k8stesting.Action) (bool, runtime.Object, error) {
		denied++
		return true, nil, errors.New("forbidden")
	})
	for _, id := range []string{"a", "b", "c"} {
		run := testRun(id)
		run.Entries = append(run.Entries, journal.Entry{Seq: 2, Mark: journal.RunFinished})
		if err := r.Create(t.Context(), run, []byte("{}"), nil); err != nil {
			t.Fatalf("create run %s: %v", id, err)
		}
	}
	if denied == 0 {
		t.Error("nothing was to be pruned: the test proves nothing")
	}
}

func TestKeyIsDrawnOnce(t *testing.T) {
	r, _ := testRecords()
	ctx := t.Context()
	if key, err := r.Key(ctx); key != nil || err != nil {
		t.Fatalf("Key before any = %v, %v; want none", key, err)
	}
	first, err := r.EnsureKey(ctx)
	if err != nil || len(first) != keyBytes {
		t.Fatalf("EnsureKey = %d bytes, %v", len(first), err)
	}
	again, err := r.EnsureKey(ctx)
	if err != nil || string(again) != string(first) {
		t.Errorf("EnsureKey drew another key (%v)", err)
	}
}

// TestMirror checks that the copy is readable and that a disk that fails stops
// nothing.
func TestMirror(t *testing.T) {
	r, _ := testRecords()
	ctx, dir := t.Context(), t.TempDir()
	var warnings []string
	m := &Mirror{Store: r, Dir: dir, Warn: func(text string) { warnings = append(warnings, text) }}
	if err := m.Create(ctx, testRun("a"), []byte("{}"), map[string]string{"p": "hush"}); err != nil {
		t.Fatal(err)
	}
	if err := m.Append(ctx, "a", journal.Entry{Seq: 2, Mark: journal.RunFinished}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "a", "entries.jsonl"))
	if err != nil || strings.Count(string(text), "\n") != 2 {
		t.Errorf("copied entries = %q, %v; want 2 lines", text, err)
	}
	if len(warnings) != 0 {
		t.Errorf("warnings = %q, want none", warnings)
	}
	m.Dir = filepath.Join(dir, "a", "run.json", "no-folder")
	for seq := 3; seq < 6; seq++ {
		if err := m.Append(ctx, "a", journal.Entry{Seq: seq, Mark: journal.Applying}); err != nil {
			t.Fatal(err)
		}
	}
	if len(warnings) != 1 {
		t.Errorf("warnings = %q, want one", warnings)
	}
}
