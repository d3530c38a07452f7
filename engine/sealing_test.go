package engine_test

import (
	"errors"
	"strings"
	"testing"

	"hubcap/engine"
	"hubcap/engine/plan"
	"hubcap/engine/resource"
	"hubcap/engine/seal"
	"hubcap/providers/memory"
)

// without returns first without its last object, the binder's deployment.
func without() []resource.Desired { return first()[:len(first())-1] }

// keptBecause returns why a plan keeps id, and whether it does.
func keptBecause(p *plan.Plan, id resource.ID) (string, bool) {
	for _, k := range p.Kept {
		if k.ID == id {
			return k.Reason, true
		}
	}
	return "", false
}

func deletes(p *plan.Plan, id resource.ID) bool {
	for _, s := range p.Steps() {
		for _, c := range s.Changes {
			if c.ID == id && c.Action == resource.Delete {
				return true
			}
		}
	}
	return false
}

// TestCopiesAreKept: what bears our label and all our marks, and that hubcap did not
// write there, is named and never deleted; what hubcap wrote is deleted beside it.
func TestCopiesAreKept(t *testing.T) {
	w := settled(t)
	ours := first()[len(first())-1].ID
	copied := ours
	copied.Name = "copied"
	w.Copy(ours, copied)
	e := newEngine(w, without)
	p := mustPlan(t, e)
	if why, is := keptBecause(p, copied); !is || !strings.Contains(why, "of another object") {
		t.Errorf("the copy is kept %v: %q", is, why)
	}
	if deletes(p, copied) || !deletes(p, ours) {
		t.Errorf("deletes the copy %v, what hubcap wrote %v", deletes(p, copied), deletes(p, ours))
	}
	apply(t, e)
	if w.Objects()[copied] == nil || w.Objects()[ours] != nil {
		t.Error("after the apply the copy is gone, or hubcap's own is not")
	}
	if p := mustPlan(t, e); !p.Empty() {
		t.Errorf("P1: still to do: %v", stepIDs(p))
	}
}

// TestOlderVersions: what has no seal and the config renders is sealed by the next
// apply, which changes nothing else; what nothing desires is kept and named.
func TestOlderVersions(t *testing.T) {
	w := settled(t)
	for _, id := range w.IDs() {
		w.Unseal(id)
	}
	before := w.Objects()
	e := newEngine(w, without)
	p := mustPlan(t, e)
	orphan := first()[len(first())-1].ID
	if why, is := keptBecause(p, orphan); !is || !strings.Contains(why, "no seal") {
		t.Errorf("the orphan without a seal is kept %v: %q", is, why)
	}
	for _, s := range p.Steps() {
		if s.Class != resource.ClassAdopt || len(s.Gates) > 0 || s.Impact.PodsRestarted+s.Impact.SessionsInterrupted+s.Impact.SessionsLost > 0 || s.Impact.LaunchGap > 0 {
			t.Errorf("%s: class %s, impact %+v; sealing changes nothing", s.ID, s.Class, s.Impact)
		}
		for _, c := range s.Changes {
			if !c.Seals || len(c.Fields) > 0 {
				t.Errorf("%s: seals %v, fields %v", c.Address, c.Seals, c.Fields)
			}
		}
	}
	apply(t, e)
	for id, o := range w.Objects() {
		if !resource.Equal(map[string]any(before[id]), map[string]any(o)) {
			t.Errorf("%s was changed", id)
		}
	}
	if p := mustPlan(t, e); !p.Empty() {
		t.Errorf("P1: still to do: %v", stepIDs(p))
	}
	if p := mustPlan(t, newEngine(w, func() []resource.Desired { return without()[:6] })); len(p.Steps()) == 0 {
		t.Error("what was sealed is not deleted when it is wanted no more")
	}
}

// TestLostKey: losing the key costs deletions, never a correct diff: the plan shows the
// differences that it showed with the key, and an apply seals what the config renders.
func TestLostKey(t *testing.T) {
	diffs := func(p *plan.Plan) map[string]int {
		all := map[string]int{}
		for _, s := range p.Steps() {
			for _, c := range s.Changes {
				if c.Action != resource.Delete && (c.Action != resource.Update || len(c.Fields) > 0) {
					all[c.Action.String()+" "+c.ID.String()] = len(c.Fields)
				}
			}
		}
		return all
	}
	w := settled(t)
	with := mustPlan(t, newEngine(w, next))
	gone := id("ConfigMap", "old")
	if !deletes(with, gone) {
		t.Fatal("with the key nothing is deleted: the test proves nothing")
	}
	w.LoseKey()
	e := newEngine(w, next)
	p := mustPlan(t, e)
	if deletes(p, gone) {
		t.Error("deletes without a key")
	}
	if _, is := keptBecause(p, gone); !is {
		t.Error("what would be deleted is not named")
	}
	for change, n := range diffs(with) {
		if diffs(p)[change] != n {
			t.Errorf("%s: %d fields, with the key %d", change, diffs(p)[change], n)
		}
	}
	if len(diffs(p)) != len(diffs(with)) {
		t.Errorf("differences %v, with the key %v", diffs(p), diffs(with))
	}
	apply(t, e)
	if w.Objects()[gone] == nil {
		t.Error("what has no seal of the new key was deleted")
	}
	if p := mustPlan(t, e); !p.Empty() {
		t.Errorf("P1: still to do: %v", stepIDs(p))
	}
}

// TestForgedPublicKey: with a public key that somebody put in place of the cluster's, no
// record proves whose the config is, so that nothing is planned unless a person takes the
// name; such a plan is not carried out, and the key is set right.
func TestForgedPublicKey(t *testing.T) {
	w := settled(t)
	theirs := id("ConfigMap", "theirs")
	w.Put(theirs, resource.Object{"kind": "ConfigMap"}, "default")
	forged, err := seal.Draw()
	if err != nil {
		t.Fatal(err)
	}
	w.SealWith(theirs, forged)
	w.Publish(forged.Public())
	e := newEngine(w, next)
	if _, _, err := e.Plan(t.Context(), engine.Options{}); !errors.Is(err, engine.ErrOrigin) {
		t.Errorf("plan = %v, want ErrOrigin", err)
	}
	e.TakeOver = true
	p := mustPlan(t, e)
	if !deletes(p, theirs) {
		t.Fatal("the forged key deceives nobody: the test proves nothing")
	}
	if o, err := e.Apply(t.Context(), p); !errors.Is(err, engine.ErrStale) || o.Run != "" {
		t.Fatalf("apply = %+v, %v; want it stale", o, err)
	}
	if w.Objects()[theirs] == nil {
		t.Error("it was deleted all the same")
	}
	e.TakeOver = false
	p = mustPlan(t, e)
	if _, is := keptBecause(p, theirs); deletes(p, theirs) || !is {
		t.Error("the next plan believes the forged key still")
	}
	apply(t, e)
}

// TestForgedHookRecord: hooks of a block that is gone run only from a record that
// hubcap sealed as a whole.
func TestForgedHookRecord(t *testing.T) {
	evil := resource.ID{Cluster: "prod", Group: "rbac.authorization.k8s.io", Kind: "ClusterRoleBinding", Name: "evil"}
	record := resource.ID{Cluster: "prod", Kind: "ConfigMap", Namespace: "tenant", Name: "innocent"}
	forged := resource.Object{
		"kind":     "ConfigMap",
		"metadata": map[string]any{"name": "innocent", "namespace": "tenant", "annotations": map[string]any{resource.AnnotationRecord: "hooks"}},
		"data": resource.HookRecord([]resource.Desired{{
			ID: evil, Address: resource.ParseAddress("hub.gone/ClusterRoleBinding/evil"),
			Object: resource.Object{"kind": "ClusterRoleBinding"}, Hook: &resource.Hook{Event: "post-delete"},
		}}, []resource.ID{evil}),
	}
	w := settled(t)
	w.Put(record, forged, "default")
	w.Unseal(record)
	e := newEngine(w, first)
	p := mustPlan(t, e)
	if why, is := keptBecause(p, record); !is || why == "" || !p.Empty() {
		t.Errorf("the forged record is named %v (%q); steps %v", is, why, stepIDs(p))
	}
	apply(t, newEngine(w, next))
	if w.Objects()[evil] != nil || w.Objects()[record] == nil {
		t.Error("the hook ran, or the record was deleted")
	}
}

// TestTamperedHookRecord: a record that hubcap wrote and somebody changed since is
// kept, named, and its hooks do not run.
func TestTamperedHookRecord(t *testing.T) {
	for _, tampered := range []bool{false, true} {
		w := memory.New("prod", "default")
		apply(t, farewell(t, w, "1"))
		var record resource.ID
		for _, id := range w.IDs() {
			if resource.IsRecord(w.Objects()[id]) {
				record = id
			}
		}
		if record.Name == "" {
			t.Fatal("there is no record")
		}
		if tampered {
			w.Edit(record, "mallory", "true", "data", "more")
		}
		e := farewell(t, w, "")
		p := mustPlan(t, e)
		ran := false
		for _, s := range p.Steps() {
			ran = ran || s.Hook != ""
		}
		if _, is := keptBecause(p, record); ran == tampered || is != tampered {
			t.Errorf("tampered %v: hooks are planned %v, the record is kept %v", tampered, ran, is)
		}
	}
}

// TestResealedRollback: a run that sealed can be taken back like any other, and leaves
// the seals.
func TestResealedRollback(t *testing.T) {
	w := settled(t)
	for _, id := range w.IDs() {
		w.Unseal(id)
	}
	e := newEngine(w, next)
	apply(t, e)
	undo(t, e)
	for _, s := range mustPlan(t, newEngine(w, first)).Steps() {
		for _, c := range s.Changes { // what the run kept, because it had no seal, has none still
			if !c.Seals || c.ID != id("ConfigMap", "old") {
				t.Errorf("after the rollback there is still to do: %s %s", c.Action, c.Address)
			}
		}
	}
}
