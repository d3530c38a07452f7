package engine_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hubcap/engine"
	"hubcap/engine/journal"
	"hubcap/engine/plan"
	"hubcap/engine/resource"
	"hubcap/engine/run"
	"hubcap/engine/seal"
	"hubcap/providers/memory"
	"hubcap/schema"
)

// cutOff returns a world in which first was applied, and then a run of next died before
// the n-th append to its journal, and that run's ID.
func cutOff(t *testing.T, n int) (*memory.World, string) {
	t.Helper()
	w := settled(t)
	e := newEngine(w, next)
	p := mustPlan(t, e)
	w.Fault = func(c memory.Call) error {
		if c.Name == "append" {
			if n--; n < 0 {
				return errors.New("the process is killed")
			}
		}
		return nil
	}
	o, err := e.Apply(t.Context(), p)
	w.Fault = nil
	if err == nil || o.Run == "" {
		t.Fatalf("apply that is cut off = %+v, %v", o, err)
	}
	return w, o.Run
}

// last lets change do what it likes to the last run.
func last(w *memory.World, change func(memory.Stored)) {
	var all []memory.Stored
	w.Tamper(func(s memory.Stored) { all = append(all, s) })
	change(all[len(all)-1])
}

func edit(t *testing.T, line *json.RawMessage, change func(e *journal.Entry)) {
	t.Helper()
	var e journal.Entry
	if err := json.Unmarshal(*line, &e); err != nil {
		t.Fatal(err)
	}
	change(&e)
	text, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	*line = text
}

// TestTamperedRun holds P4 and P9 for what lies in a cluster: a run that was changed in
// any way, that is another's or has no seal is told by history, and neither resumed nor
// rolled back nor asked for anything; planning and applying anew goes on.
func TestTamperedRun(t *testing.T) {
	tampered := map[string]func(t *testing.T, w *memory.World){
		"version 1": func(t *testing.T, w *memory.World) {
			last(w, func(s memory.Stored) {
				s.Run.FormatVersion, s.Run.Seal, s.Run.DocumentDigest, s.Run.SecretsDigest = "", "", "", ""
				for i := range *s.Lines {
					edit(t, &(*s.Lines)[i], func(e *journal.Entry) { e.Seal = "" })
				}
			})
		},
		"version said to be 1": func(_ *testing.T, w *memory.World) { last(w, func(s memory.Stored) { s.Run.FormatVersion = "" }) },
		"plan":                 func(t *testing.T, w *memory.World) { last(w, func(s memory.Stored) { forge(t, s.Document) }) },
		"plan cut off": func(_ *testing.T, w *memory.World) {
			last(w, func(s memory.Stored) { *s.Document = (*s.Document)[:100] })
		},
		"plan of another run": func(_ *testing.T, w *memory.World) {
			var first []byte
			w.Tamper(func(s memory.Stored) {
				if first == nil {
					first = *s.Document
				}
				*s.Document = first
			})
		},
		"kind": func(_ *testing.T, w *memory.World) {
			last(w, func(s memory.Stored) { s.Run.Kind = journal.RollbackRun })
		},
		"plan ID": func(_ *testing.T, w *memory.World) { last(w, func(s memory.Stored) { s.Run.PlanID = "f00" }) },
		"secret": func(_ *testing.T, w *memory.World) {
			last(w, func(s memory.Stored) {
				for place := range s.Secrets {
					s.Secrets[place] += "x"
				}
			})
		},
		"seal": func(_ *testing.T, w *memory.World) { last(w, func(s memory.Stored) { s.Run.Seal = "v1." }) },
		"entry": func(t *testing.T, w *memory.World) {
			last(w, func(s memory.Stored) {
				edit(t, &(*s.Lines)[1], func(e *journal.Entry) { e.Reason += "." })
			})
		},
		"newest entry": func(t *testing.T, w *memory.World) {
			last(w, func(s memory.Stored) {
				edit(t, &(*s.Lines)[len(*s.Lines)-1], func(e *journal.Entry) { e.Mark = journal.Done })
			})
		},
		"undecodable entry": func(_ *testing.T, w *memory.World) {
			last(w, func(s memory.Stored) { (*s.Lines)[1] = json.RawMessage(`{"seq": "two"}`) })
		},
		"entry removed": func(_ *testing.T, w *memory.World) {
			last(w, func(s memory.Stored) { *s.Lines = slices.Delete(*s.Lines, 1, 2) })
		},
		"entry removed, others renumbered": func(t *testing.T, w *memory.World) {
			last(w, func(s memory.Stored) {
				*s.Lines = slices.Delete(*s.Lines, 1, 2)
				for i := range *s.Lines {
					edit(t, &(*s.Lines)[i], func(e *journal.Entry) { e.Seq = i + 1 })
				}
			})
		},
		"entries in another order": func(t *testing.T, w *memory.World) {
			last(w, func(s memory.Stored) {
				edit(t, &(*s.Lines)[1], func(e *journal.Entry) { e.Seq = 3 })
				edit(t, &(*s.Lines)[2], func(e *journal.Entry) { e.Seq = 2 })
				(*s.Lines)[1], (*s.Lines)[2] = (*s.Lines)[2], (*s.Lines)[1]
			})
		},
		"entry added": func(_ *testing.T, w *memory.World) {
			last(w, func(s memory.Stored) {
				e := journal.Entry{Seq: len(*s.Lines) + 1, Mark: journal.RunFinished, Outcome: journal.Succeeded}
				text, _ := json.Marshal(e)
				*s.Lines = append(*s.Lines, text)
			})
		},
		"entries of another run": func(_ *testing.T, w *memory.World) {
			var first []json.RawMessage
			w.Tamper(func(s memory.Stored) {
				if first == nil {
					first = *s.Lines
				}
				*s.Lines = first
			})
		},
		"lost key":      func(_ *testing.T, w *memory.World) { w.LoseKey() },
		"other cluster": func(_ *testing.T, w *memory.World) { w.Reidentify("another-cluster") },
	}
	for name, tamper := range tampered {
		t.Run(name, func(t *testing.T) {
			w, id := cutOff(t, 6)
			tamper(t, w)
			w.Revive() // counts its calls anew
			e := newEngine(w, next)
			inFull := strings.HasPrefix(name, "plan") && name != "plan ID" || name == "secret" // the list does not read these
			for _, r := range history(t, e) {
				if r.ID == id && r.Untrusted == "" && !inFull {
					t.Error("history does not say that the run is not to be acted on")
				}
			}
			if r, _ := e.Load(t.Context(), id); r.Untrusted == "" {
				t.Error("the run itself does not say that it is not to be acted on")
			}
			if o, err := e.Resume(t.Context(), id); !errors.Is(err, engine.ErrUntrusted) || !strings.Contains(err.Error(), "make a new plan") {
				t.Errorf("resume = %+v, %v; want ErrUntrusted, and what to do instead", o, err)
			}
			if o, err := e.Resume(t.Context(), ""); !errors.Is(err, engine.ErrUntrusted) {
				t.Errorf("resume of the last run = %+v, %v; want ErrUntrusted", o, err)
			}
			for _, named := range []string{id, ""} {
				if p, err := e.Undo(t.Context(), named, engine.Options{}); !errors.Is(err, engine.ErrUntrusted) {
					t.Errorf("undo %q = %v, %v; want ErrUntrusted", named, p, err)
				}
			}
			for _, c := range w.Calls() {
				if c.Name == "write" || c.Name == "sample" {
					t.Errorf("%s %s, although the run is not to be acted on", c.Name, c.ID)
				}
			}
			e = newEngine(w, next)
			if p := mustPlan(t, e); !p.Empty() {
				apply(t, e)
			}
			if diff := cmp.Diff(wanted(next()), w.Objects()); diff != "" {
				t.Errorf("after a new plan (-want +got):\n%s", diff)
			}
		})
	}
}

// TestPublicKeyOfOthers holds that whoever publishes another public key makes nothing
// valid: what was planned by it is stale, and the key is set right.
func TestPublicKeyOfOthers(t *testing.T) {
	w := settled(t)
	before := w.Objects()
	forged, err := seal.Draw()
	if err != nil {
		t.Fatal(err)
	}
	w.Publish(forged.Public())
	e := newEngine(w, next)
	for _, r := range history(t, e) {
		if r.Untrusted == "" {
			t.Errorf("run %s is trusted under a key that did not seal it", r.ID)
		}
	}
	p := mustPlan(t, e)
	if o, err := e.Apply(t.Context(), p); !errors.Is(err, engine.ErrStale) || o.Run != "" {
		t.Errorf("apply of what was planned by another key = %+v, %v; want ErrStale", o, err)
	}
	if diff := cmp.Diff(before, w.Objects()); diff != "" {
		t.Errorf("and yet (-before +got):\n%s", diff)
	}
	apply(t, newEngine(w, next))
	for _, r := range history(t, newEngine(w, next)) {
		if r.Untrusted != "" {
			t.Errorf("run %s is untrusted under the cluster's key: %s", r.ID, r.Untrusted)
		}
	}
}

// TestUntrustedBlocksNothing holds that a run which cannot be read, or was changed, keeps
// nobody from the others: they are planned with, resumed and rolled back.
func TestUntrustedBlocksNothing(t *testing.T) {
	for name, spoil := range map[string]func(memory.Stored){
		"entry": func(s memory.Stored) { (*s.Lines)[0] = json.RawMessage(`{"seq": "one"}`) },
		"plan":  func(s memory.Stored) { *s.Document = []byte("{}") },
		"seal":  func(s memory.Stored) { s.Run.Seal = "" },
	} {
		t.Run(name, func(t *testing.T) {
			w := settled(t)
			apply(t, newEngine(w, next))
			isFirst := true
			w.Tamper(func(s memory.Stored) {
				if isFirst {
					spoil(s)
				}
				isFirst = false
			})
			w.Remove(id("ConfigMap", "new"))
			e := newEngine(w, next)
			p := mustPlan(t, e)
			if !slices.ContainsFunc(p.Drift, func(d plan.Drift) bool { return d.ID == id("ConfigMap", "new") }) {
				t.Errorf("drift = %+v, want the object that somebody deleted", p.Drift)
			}
			apply(t, e)
			if err := e.DuringIncident(t.Context(), mustPlan(t, newEngine(w, func() []resource.Desired {
				return append(next()[:6:6], first()[6], next()[7])
			}))); err != nil {
				t.Errorf("a revert during an incident: %v", err)
			}
			runs := history(t, e)
			p, err := e.Undo(t.Context(), runs[len(runs)-2].ID, engine.Options{})
			if err != nil || p.Empty() {
				t.Fatalf("undo of the run after it = %v, %v", p, err)
			}
		})
	}
}

// forge makes the plan run a program, as a plan that is whole in itself.
func forge(t *testing.T, document *[]byte) {
	t.Helper()
	p, err := plan.Decode(*document)
	if err != nil {
		t.Fatal(err)
	}
	p.Waves[0].Steps[0].Gates = []plan.Gate{{Name: "ok", Interval: time.Second, Failures: 1, Exec: &plan.ExecCheck{Command: []string{"id"}, Timeout: time.Second}}}
	forged, _, err := plan.Encode(p, plan.Mask{})
	if err != nil || bytes.Equal(forged, *document) {
		t.Fatalf("forge: %v", err)
	}
	*document = forged
}

// A loss is what is done when entries of a run are lost that died at an append; at the
// 1000th: it came to its end.
type loss struct {
	died int
	remedy
}

func (l loss) String() string { return fmt.Sprintf("%s, died at %d", l.name, l.died) }

// TestTruncatedJournal holds P2 when the newest entries of a journal are lost, or
// somebody removed them: it is as if the process had died before it wrote them, except
// that what they told was done. Whatever is left of the journal, resume ends in desired,
// rollback in before, a plan and apply in desired.
func TestTruncatedJournal(t *testing.T) {
	t.Parallel()
	var variants []loss
	for _, died := range []int{2, 5, 7, 1000} {
		for _, r := range remedies {
			variants = append(variants, loss{died, r})
		}
	}
	matrix(t, 40, variants, func(t *testing.T, l loss, n int) bool { return truncated(t, l.remedy, l.died, n) })
}

// truncated removes the newest entries of a run that died, or came to its end, and tries
// a remedy. It reports whether there were so many.
func truncated(t *testing.T, r remedy, died, cut int) bool {
	t.Helper()
	w := made(t, "died", func() *memory.World {
		if died < 1000 {
			w, _ := cutOff(t, died)
			return w
		}
		w := settled(t)
		apply(t, newEngine(w, next))
		return w
	})
	left := 0
	last(w, func(s memory.Stored) {
		if left = len(*s.Lines) - cut; left > 0 {
			*s.Lines = (*s.Lines)[:left]
		}
	})
	w.Revive() // whoever died holds no lock
	if left <= 0 {
		return false
	}
	where := fmt.Sprintf("%s with %d entries after a death at append %d", r.name, left, died)
	e := newEngine(w, next)
	if runs := history(t, e); runs[len(runs)-1].Untrusted != "" {
		t.Fatalf("%s: the run is not trusted: %s", where, runs[len(runs)-1].Untrusted)
	}
	if p := mustPlan(t, e); r.name != "plan and apply" || !p.Empty() {
		r.do(t, e)
	}
	if diff := cmp.Diff(wanted(r.ends()), w.Objects()); diff != "" {
		t.Fatalf("%s (-want +got):\n%s", where, diff)
	}
	return true
}

// TestJournalStaysHome holds that a config's journal and key of digests are where its
// runs are, also after a cluster was added before that one: a run that died is resumed,
// the hooks and objects of earlier runs are known, and new runs go where those are.
func TestJournalStaysHome(t *testing.T) {
	w, died := cutOff(t, 6)
	w.Revive()
	added := memory.New("alpha", "default")
	e := newEngine(w, next)
	e.Clusters["alpha"] = added.Cluster()
	if left := unverified(t, w); len(left) == 0 {
		t.Fatal("the run left nothing: the test proves nothing")
	}
	o, err := e.Resume(t.Context(), "")
	if err != nil || o.Run != died || o.Outcome != journal.Succeeded {
		t.Fatalf("resume = %+v, %v", o, err)
	}
	e = newEngine(w, first)
	e.Clusters["alpha"] = added.Cluster()
	w.Remove(id("ConfigMap", "stays"))
	p := mustPlan(t, e)
	if !slices.ContainsFunc(p.Drift, func(d plan.Drift) bool { return d.ID == id("ConfigMap", "stays") }) {
		t.Errorf("drift = %+v, want the object that somebody deleted", p.Drift)
	}
	if o, err := e.Apply(t.Context(), p); err != nil || o.Outcome != journal.Succeeded {
		t.Fatalf("apply = %+v, %v", o, err)
	}
	for _, c := range added.Calls() {
		if c.Name == "create" || c.Name == "key" {
			t.Errorf("%s in the cluster that was added: the journal is elsewhere", c.Name)
		}
	}
	if runs := history(t, newEngine(w, first)); len(runs) != 3 {
		t.Errorf("the cluster with the journal has %d runs, want all 3", len(runs))
	}
}

// withGate returns an engine whose config has a gate that runs a program, and a rollout
// with it.
func withGate(w *memory.World, command ...string) *engine.Engine {
	e := newEngine(w, next)
	gate := resource.Address{Kind: "gate", Name: "works"}
	e.Config.Hubs = []schema.Hub{{Block: schema.Block{Address: resource.Address{Kind: "hub", Name: "prod"}}, Cluster: resource.Address{Kind: "cluster", Name: "prod"}, Namespace: "prod"}}
	if len(command) > 0 {
		e.Config.Gates = []schema.Gate{{Block: schema.Block{Address: gate}, Interval: time.Second, Exec: &schema.ExecCheck{Command: command, Dir: ".", Timeout: time.Second}}}
		e.Config.Rollouts = []schema.Rollout{{
			Block: schema.Block{Address: resource.Address{Kind: "rollout", Name: "all"}}, Gates: []resource.Address{gate},
			Order: [][]resource.Address{{{Kind: "hub", Name: "prod"}}},
		}}
	}
	return e
}

// TestProgramsOfTheConfig holds that a run which is gone on with runs only programs that
// the config at hand has for the same gate: otherwise its step is held.
func TestProgramsOfTheConfig(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := settled(t)
		e := withGate(w, "check", "hub")
		n := 2
		w.Fault = func(c memory.Call) error {
			if c.Name == "append" {
				if n--; n < 0 {
					return errors.New("the process is killed")
				}
			}
			return nil
		}
		o, _ := e.Apply(t.Context(), mustPlan(t, e))
		w.Fault = nil
		w.Revive()
		sampled := 0
		w.Gate = func(g plan.Gate, _ resource.Component) run.Sample {
			sampled++
			return run.Sample{Verdict: run.Pass}
		}
		for _, other := range [][]string{nil, {"check", "binder"}} {
			held, err := withGate(w, other...).Resume(t.Context(), o.Run)
			if err != nil || held.Outcome != journal.WasHeld || !strings.Contains(held.Reason, "gate works runs a program") {
				t.Errorf("resume with programs %v = %+v, %v; want the step to be held", other, held, err)
			}
		}
		if sampled > 0 {
			t.Errorf("a gate was sampled %d times, whose program the config does not have", sampled)
		}
		if done, err := withGate(w, "check", "hub").Resume(t.Context(), o.Run); err != nil || done.Outcome != journal.Succeeded || sampled == 0 {
			t.Errorf("resume with the same config = %+v, %v after %d samples", done, err, sampled)
		}
	})
}
