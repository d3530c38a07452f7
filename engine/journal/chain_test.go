package journal

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"hubcap/engine/plan"
	"hubcap/engine/resource"
	"hubcap/engine/seal"
)

// sealedRun returns a run with n entries as a store would give it back.
func sealedRun(t *testing.T, key seal.Key, id string, n int) Run {
	t.Helper()
	r := Run{ID: id, Kind: ApplyRun, Config: "uni", Started: time.Date(2026, 12, 1, 12, 0, 0, 123456789, time.FixedZone("", 3600)), DocumentDigest: "d"}
	chain, err := r.Start(key, "cluster")
	if err != nil {
		t.Fatal(err)
	}
	value := 0.1
	for i := range n {
		e := Entry{
			Seq: i + 1, Time: time.Date(2026, 12, 1, 12, 0, i, 1000*i, time.UTC), Mark: Baking, Step: plan.StepID(fmt.Sprint(i)), Reason: "é <&>",
			Changes: []resource.ID{{Cluster: "c", Kind: "Pod", Name: "p"}}, Impact: &resource.Impact{LaunchGap: time.Second}, Samples: []Sample{{Gate: "g", Value: &value}},
		}
		if e, chain, err = chain.Append(key, e); err != nil {
			t.Fatal(err)
		}
		r.Entries = append(r.Entries, e)
	}
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var back Run
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	return back
}

// TestChain holds that a run verifies as it was stored, cut off after any entry, and
// with no other change: of each field, of the order, of the place or of the key.
func TestChain(t *testing.T) {
	key, err := seal.Draw()
	if err != nil {
		t.Fatal(err)
	}
	whole := sealedRun(t, key, "a", 6)
	other := sealedRun(t, key, "b", 6)
	for n := range len(whole.Entries) + 1 {
		r := whole
		r.Entries = whole.Entries[:n]
		chain, err := r.Verify(key.Public(), "cluster")
		if err != nil {
			t.Fatalf("with %d entries: %v", n, err)
		}
		e, _, err := chain.Append(key, Entry{Seq: n + 1, Mark: RunFinished})
		if err != nil {
			t.Fatal(err)
		}
		r.Entries = append(r.Entries[:n:n], e)
		if _, err := r.Verify(key.Public(), "cluster"); err != nil {
			t.Errorf("gone on with after %d entries: %v", n, err)
		}
	}
	changes := map[string]func(r *Run){
		"config":         func(r *Run) { r.Config = "lab" },
		"document":       func(r *Run) { r.DocumentDigest = "e" },
		"ID":             func(r *Run) { r.ID = "b" },
		"version":        func(r *Run) { r.FormatVersion = "" },
		"no seal":        func(r *Run) { r.Seal = "" },
		"entry's field":  func(r *Run) { r.Entries[2].Verdict = "pass" },
		"newest entry":   func(r *Run) { r.Entries[5].Reason = "" },
		"no entry seal":  func(r *Run) { r.Entries[5].Seal = "" },
		"seal of before": func(r *Run) { r.Entries[5].Seal = r.Entries[4].Seal },
		"first removed":  func(r *Run) { r.Entries = r.Entries[1:] },
		"middle removed": func(r *Run) { r.Entries = append(r.Entries[:3], r.Entries[4:]...) },
		"renumbered": func(r *Run) {
			r.Entries = append(r.Entries[:3], r.Entries[4:]...)
			for i := range r.Entries {
				r.Entries[i].Seq = i + 1
			}
		},
		"swapped":           func(r *Run) { r.Entries[1], r.Entries[2] = r.Entries[2], r.Entries[1] },
		"twice":             func(r *Run) { r.Entries = append(r.Entries, r.Entries[5]) },
		"another's entry":   func(r *Run) { r.Entries[5] = other.Entries[5] },
		"another's entries": func(r *Run) { r.Entries = other.Entries },
	}
	for name, change := range changes {
		r := whole
		r.Entries = append([]Entry(nil), whole.Entries...)
		change(&r)
		if _, err := r.Verify(key.Public(), "cluster"); err == nil {
			t.Errorf("%s: a run that was changed verifies", name)
		}
	}
	another, err := seal.Draw()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := whole.Verify(another.Public(), "cluster"); err == nil || !strings.Contains(err.Error(), "of key") {
		t.Errorf("under another key: %v, want to be told the key", err)
	}
	if _, err := whole.Verify(key.Public(), "other"); err == nil {
		t.Error("a run of another cluster verifies")
	}
	if _, err := whole.Verify(seal.Public{}, "cluster"); err == nil {
		t.Error("a run verifies without a key")
	}
}

// TestBounded holds that texts of others are cut where they are recorded, between
// characters, and that their beginning and end stay.
func TestBounded(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		long := "first " + strings.Repeat([]string{"é", "x", "日本"}[random.IntN(3)], 4000+random.IntN(9000)) + " last"
		e := Entry{Reason: long, Samples: []Sample{{Reason: "short"}, {Reason: long}}}
		got := e.Bounded()
		for _, text := range []string{got.Reason, got.Samples[1].Reason} {
			if len(text) > maxReason+100 || !utf8.ValidString(text) || !strings.HasPrefix(text, "first ") || !strings.HasSuffix(text, " last") {
				t.Fatalf("cut to %d bytes: %.40q", len(text), text)
			}
		}
		if got.Samples[0].Reason != "short" || e.Samples[1].Reason != long {
			t.Fatal("what is short was cut, or the entry itself was changed")
		}
	}
}
