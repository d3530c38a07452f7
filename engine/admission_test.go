package engine_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hubcap/engine"
	"hubcap/engine/journal"
	"hubcap/engine/resource"
	"hubcap/providers/memory"
)

// mirrored is an admission that rewrites images to those of a mirror, and puts a
// prefix before secrets, as mutating webhooks and policies do.
func mirrored(id resource.ID, o resource.Object) resource.Object {
	switch id.Kind {
	case "Deployment":
		containers, _ := o.Value("spec", "template", "spec", "containers")
		list, _ := containers.([]any)
		for _, c := range list {
			m := c.(map[string]any)
			if image, _ := m["image"].(string); !strings.HasPrefix(image, "mirror/") {
				m["image"] = "mirror/" + image
			}
		}
	case "ConfigMap":
		if x := o.Text("data", "x"); x != "" && !strings.HasPrefix(x, "mirror/") {
			o.Set("mirror/"+x, "data", "x")
		}
	case "Secret":
		if token := o.Text("data", "token"); token != "" && !strings.HasPrefix(token, "vault:") {
			o.Set("vault:"+token, "data", "token")
		}
	}
	return o
}

// admitted returns the objects of desired as they live where mirrored admits them.
func admitted(desired []resource.Desired) map[resource.ID]resource.Object {
	all := wanted(desired)
	for id, o := range all {
		all[id] = mirrored(id, o.Copy())
	}
	return all
}

// settledAdmitted returns a world with an admission that changes what is written, in
// which first was applied.
func settledAdmitted(t *testing.T) *memory.World {
	t.Helper()
	return made(t, "admitted", func() *memory.World {
		w := memory.New("prod", "default")
		w.Admission = mirrored
		apply(t, newEngine(w, first))
		return w
	})
}

// TestAdmission holds P1 and the way back where admission changes what was wanted: the
// server's answer is in the journal, without a secret, and undoing restores the world.
func TestAdmission(t *testing.T) {
	w := settledAdmitted(t)
	before := w.Objects()
	if p := mustPlan(t, newEngine(w, first)); !p.Empty() {
		t.Fatalf("the plan after an apply has steps %v", stepIDs(p))
	}
	e := newEngine(w, next)
	o := apply(t, e)
	if diff := cmp.Diff(admitted(next()), w.Objects()); diff != "" {
		t.Fatalf("world after apply (-want +got):\n%s", diff)
	}
	runs := history(t, e)
	images := journal.Images(runs[len(runs)-1].Entries)
	for _, id := range []resource.ID{id("Deployment", "hub"), id("Secret", "hub"), id("ConfigMap", "new")} {
		if images[id] == nil {
			t.Errorf("the journal has no after-image of %s", id)
		}
	}
	if images[id(resource.KindNodePool, "user")] != nil {
		t.Error("the journal has an after-image of what is as it was wanted")
	}
	text, err := json.Marshal(runs)
	if err != nil || strings.Contains(string(text), password) {
		t.Errorf("the journal quotes a secret (%v)", err)
	}
	whole, err := e.Load(t.Context(), o.Run)
	if err != nil {
		t.Fatal(err)
	}
	token, _ := journal.Images(whole.Entries)[id("Secret", "hub")].Value("data", "token")
	if s, hidden := token.(resource.Sensitive); !hidden || s.Reveal() != "vault:"+password+"-rotated" {
		t.Errorf("the secret of the after-image is %T, want what was answered", token)
	}
	undo(t, e)
	if diff := cmp.Diff(before, w.Objects()); diff != "" {
		t.Errorf("world after undo (-want +got):\n%s", diff)
	}
}

// TestAdmissionMoved holds that what somebody changed of an object with an after-image
// is told, and not overwritten.
func TestAdmissionMoved(t *testing.T) {
	w := settledAdmitted(t)
	e := newEngine(w, next)
	apply(t, e)
	w.Edit(id("ConfigMap", "stays"), "kubectl-edit", "theirs", "data", "x")
	p, err := e.Undo(t.Context(), "", engine.Options{})
	if err != nil || len(p.Refused) != 1 || p.Refused[0].ID != id("ConfigMap", "stays") {
		t.Fatalf("undo = %+v, %v; want what was edited refused", p, err)
	}
}

// TestCrashAdmission holds P2 where admission changes what is written: a process that
// dies between a write and its record leaves an object that is neither as before nor
// as wanted, and each remedy leads where it must.
func TestCrashAdmission(t *testing.T) {
	t.Parallel()
	matrix(t, 80, crashes(remedies...), crashAdmitted)
}

func crashAdmitted(t *testing.T, r crash, n int) bool {
	t.Helper()
	w := settledAdmitted(t)
	e := newEngine(w, next)
	d := r.death(n)
	last, died := d.dies(t, w, e, mustPlan(t, e))
	if !died || last == nil {
		return died
	}
	if _, ended := journal.Ended(last.Entries); ended && r.name == "resume" {
		return true
	}
	if r.name != "plan and apply" || !mustPlan(t, newEngine(w, next)).Empty() {
		r.do(t, e)
	}
	if r.name == "rollback" && !journal.Touched(last.Entries) {
		return true
	}
	if diff := cmp.Diff(admitted(r.ends()), w.Objects()); diff != "" {
		t.Fatalf("%s after %s (-want +got):\n%s", r.name, d, diff)
	}
	return true
}

// TestFaultsAdmission injects lost and refused answers at every call of an apply where
// admission changes what is written.
func TestFaultsAdmission(t *testing.T) {
	t.Parallel()
	matrix(t, 100, []fault{refused, lost, moved}, func(t *testing.T, kind fault, n int) bool {
		w := settledAdmitted(t)
		e := newEngine(w, next)
		p := mustPlan(t, e)
		c, f := decorated(e.Clusters["prod"], map[int]fault{n: kind})
		e.Clusters["prod"] = c
		o, err := e.Apply(t.Context(), p)
		if f.calls < n {
			return false
		}
		where := fmt.Sprintf("%s at call %d: %+v, %v", faults[kind], n, o, err)
		whole := newEngine(w, next)
		if o.Outcome == journal.WasHeld || o.Outcome == journal.WasInterrupted {
			o, err = whole.Resume(t.Context(), o.Run)
			where += fmt.Sprintf("; resume: %+v, %v", o, err)
		}
		switch o.Outcome {
		case journal.Incomplete:
			undo(t, whole)
		case journal.WasRolledBack, journal.Succeeded, journal.Refused, "":
		default:
			t.Fatal(where)
		}
		left := mustPlan(t, whole)
		left.Retry()
		if !left.Empty() {
			if o, err := whole.Apply(t.Context(), left); err != nil || o.Outcome != journal.Succeeded {
				t.Fatalf("%s; once more: %+v, %v", where, o, err)
			}
		}
		if diff := cmp.Diff(admitted(next()), w.Objects()); diff != "" {
			t.Fatalf("%s (-want +got):\n%s", where, diff)
		}
		return true
	})
}
