package journal

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"hubcap/engine/plan"
)

func TestRejected(t *testing.T) {
	with := func(m Mark, digest string) Entry { return Entry{Mark: m, Step: "1", Digest: digest, Reason: string(m)} }
	bad := []Entry{with(Applying, ""), with(Converging, ""), with(Failed, "d"), with(RollingBack, ""), with(RolledBack, "")}
	seen := func(m Mark, gate string) Entry { // a gate that failed, beforehand or in the bake
		if m == Beforehand {
			return Entry{Mark: m, Step: "1", Samples: []Sample{{Gate: gate, Verdict: "fail"}, {Gate: "other", Verdict: "pass"}}}
		}
		return Entry{Mark: m, Step: "1", Gate: gate, Verdict: "fail"}
	}
	by := func(before string, failed ...string) []Run {
		entries := []Entry{with(Applying, ""), seen(Beforehand, before), with(Converging, "")}
		for _, gate := range failed {
			entries = append(entries, seen(Baking, gate))
		}
		return []Run{{Kind: ApplyRun, Entries: append(entries, bad[2:]...)}}
	}
	for _, test := range []struct {
		reason string
		runs   []Run
		want   []string
	}{
		{"made, failed, rolled back", []Run{{Kind: ApplyRun, Entries: bad}}, []string{"d"}},
		{"not made at all", []Run{{Kind: ApplyRun, Entries: []Entry{with(Applying, ""), with(Failed, "d"), with(RolledBack, "")}}}, nil},
		{"failed, and the way back was not whole", []Run{{Kind: ApplyRun, Entries: append(bad[:4:4], with(Stuck, ""))}}, []string{"d"}},
		{"applied with success since", []Run{{Kind: ApplyRun, Entries: bad}, {Kind: ApplyRun, Entries: []Entry{with(Done, "d")}}}, nil},
		{"applied with success before", []Run{{Kind: ApplyRun, Entries: []Entry{with(Done, "d")}}, {Kind: ApplyRun, Entries: bad}}, []string{"d"}},
		{"by a gate that was failing before", by("alive", "alive"), nil},
		{"by another gate", by("alive", "leak"), []string{"d"}},
		{"by that and another gate", by("alive", "alive", "leak"), []string{"d"}},
		{"by another gate and that", by("alive", "leak", "alive"), []string{"d"}},
		{"before any gate was asked", by("alive"), []string{"d"}},
		{"a rollback that failed", []Run{{Kind: RollbackRun, Entries: bad}}, nil},
		{"an old journal without digests", []Run{{Kind: ApplyRun, Entries: []Entry{with(Converging, ""), with(Failed, ""), with(RolledBack, "")}}}, nil},
	} {
		got := Rejected(test.runs)
		var digests []string
		for d, r := range got {
			digests = append(digests, d)
			if diff := cmp.Diff(plan.Rejection{Reason: "failed"}, r); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.reason, diff)
			}
		}
		if diff := cmp.Diff(test.want, digests); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.reason, diff)
		}
	}
}
