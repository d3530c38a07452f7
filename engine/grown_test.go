package engine_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"hubcap/engine"
	"hubcap/engine/journal"
	"hubcap/engine/plan"
	"hubcap/engine/resource"
	"hubcap/providers/memory"
)

// TestClaimGrown holds that a claim that somebody enlarged is drift, and stops nothing
// else: neither an apply nor its rollback. Less than hubcap wrote last is refused.
func TestClaimGrown(t *testing.T) {
	claim := id("PersistentVolumeClaim", "hub-db")
	w := memory.New("prod", "default")
	apply(t, newEngine(w, withClaim(first, 2)))
	w.Edit(claim, "kubectl-edit", int64(9), "spec", "gigabytes")

	e := newEngine(w, withClaim(next, 2))
	p := mustPlan(t, e)
	want := []plan.Drift{{Kind: plan.Drifted, ID: claim, Address: p.Drift[0].Address, Fields: []resource.Foreign{{
		Path: "spec.gigabytes", Manager: "kubectl-edit", Time: p.Drift[0].Fields[0].Time, Wanted: int64(2), Live: int64(9),
		Note: "live has 9, config 2: a claim cannot shrink; write 9",
	}}}}
	if diff := cmp.Diff(want, p.Drift); diff != "" || len(p.Refused) > 0 {
		t.Errorf("refused %v, drift (-want +got):\n%s", p.Refused, diff)
	}
	if o := apply(t, e); o.Outcome != journal.Succeeded {
		t.Fatalf("apply = %+v", o)
	}
	after := wanted(withClaim(next, 9)())
	if diff := cmp.Diff(after, w.Objects()); diff != "" {
		t.Errorf("after the apply (-want +got):\n%s", diff)
	}
	back, err := e.Undo(t.Context(), "", engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if o, err := e.ApplyUndo(t.Context(), back, ""); err != nil || o.Outcome != journal.Succeeded {
		t.Errorf("rollback = %+v, %v", o, err)
	}
	if diff := cmp.Diff(wanted(withClaim(first, 9)()), w.Objects()); diff != "" {
		t.Errorf("after the rollback (-want +got):\n%s", diff)
	}

	if p := mustPlan(t, newEngine(w, withClaim(first, 1))); len(p.Refused) != 1 || p.Refused[0].ID != claim {
		t.Errorf("less than was written last: refused %v, want the claim", p.Refused)
	}
	followed := newEngine(w, withClaim(first, 9))
	apply(t, followed)
	if p := mustPlan(t, followed); len(p.Drift)+len(p.Steps()) > 0 {
		t.Errorf("the config that followed: %+v", p)
	}
	if p := mustPlan(t, newEngine(w, withClaim(first, 2))); len(p.Refused) != 1 {
		t.Errorf("less than hubcap has: refused %v, want the claim", p.Refused)
	}
}
