package gke

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hubcap/engine/resource"
	"hubcap/engine/run"
	"hubcap/providers/gke/emulator"
)

// A flow is a write of every kind, with what comes before it.
type flow struct {
	name   string
	before []resource.Desired // applied first
	after  []resource.Desired
}

// quick has operations that are polled a few times only.
var quick = emulator.Options{Pending: 300 * time.Millisecond, Work: time.Second}

func flows() []flow {
	changed := desired("user",
		setting(int64(9), "autoscaling", "maxNodeCount"),
		setting(map[string]any{"a": "1"}, "config", "labels"),
		setting("n1-standard-16", "config", "machineType"))
	return []flow{
		{"create", nil, []resource.Desired{desired("user")}},
		{"update", []resource.Desired{desired("user")}, []resource.Desired{changed}},
		{"delete", []resource.Desired{desired("user")}, nil},
	}
}

// started applies the flow's beginning and returns the change under test.
func (f flow) started(t *testing.T, w *world) resource.Change {
	t.Helper()
	w.apply(t, f.before...)
	changes := w.changes(t, f.after...)
	if len(changes) != 1 {
		t.Fatalf("%d changes, want 1", len(changes))
	}
	return changes[0]
}

// A target is one request of a flow: the nth that matches.
type target struct {
	method, path string
	nth          int
}

func (g target) String() string {
	return fmt.Sprintf("%s %s %d", g.method, strings.Trim(last(g.path), "$"), g.nth)
}

func (g target) aim(f emulator.Fault) emulator.Fault {
	f.Method, f.Path, f.Nth = g.method, g.path, g.nth
	return f
}

// targets returns the requests that the flow makes when nothing goes wrong. Of
// those that it makes again and again it returns the first few.
func (f flow) targets(t *testing.T) []target {
	t.Helper()
	var targets []target
	in(t, quick, func(t *testing.T, w *world) {
		c := f.started(t, w)
		first := len(w.server.Requests())
		if err := w.write(t, c); err != nil {
			t.Fatal(err)
		}
		seen := map[target]int{}
		for _, r := range w.server.Requests()[first:] {
			g := target{method: r.Method, path: r.Path + "$"}
			if strings.Contains(r.Path, "/operations/") {
				g.path = "/operations/operation-"
			}
			seen[g]++ // by method and path, without nth
			if g.nth = seen[g]; g.method != http.MethodGet || g.nth < 4 {
				targets = append(targets, g)
			}
		}
	})
	return targets
}

// write looks and writes, as a run does.
func (w *world) write(t *testing.T, c resource.Change) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, 2*time.Hour)
	defer cancel()
	s, err := w.Look(ctx, c)
	if err != nil {
		return err
	}
	_, err = w.Write(ctx, c, s)
	return err
}

// Every fault that passes by itself is ridden out wherever it strikes: the write
// ends well, made once.
func TestPassingFaults(t *testing.T) {
	faults := []emulator.Fault{
		{Kind: emulator.Status, Status: 429},
		{Kind: emulator.Status, Status: 500},
		{Kind: emulator.Status, Status: 503, Times: 3},
		{Kind: emulator.Cut},
		{Kind: emulator.LoseResponse},
		{Kind: emulator.Delay, Delay: 90 * time.Second},
	}
	for _, f := range flows() {
		for _, g := range f.targets(t) {
			for _, fault := range faults {
				fault = g.aim(fault)
				t.Run(fmt.Sprintf("%s/%s/%s%d", f.name, g, fault.Kind, fault.Status), func(t *testing.T) {
					in(t, quick, func(t *testing.T, w *world) {
						c := f.started(t, w)
						if err := w.server.Inject(fault); err != nil {
							t.Fatal(err)
						}
						if err := w.write(t, c); err != nil {
							t.Fatalf("Write: %v", err)
						}
						w.server.ClearFaults()
						w.settled(t, f.after...)
					})
				})
			}
		}
	}
}

func last(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

// Every fault that does not pass is an error in GKE's own words, and once it is
// gone the same write ends well.
func TestLastingFaults(t *testing.T) {
	faults := []struct {
		fault emulator.Fault
		want  string // in the error; empty: the flow's own
	}{
		{emulator.Fault{Kind: emulator.Status, Status: 403, Message: `Required "container.clusters.update" permission(s).`}, "container.clusters.update"},
		{emulator.Fault{Kind: emulator.Status, Status: 400, Message: "Bad value."}, "Bad value."},
		{emulator.Fault{Kind: emulator.Status, Status: 401}, "invalid authentication"},
		{emulator.Fault{Kind: emulator.Status, Status: 501, Message: "Not implemented here"}, "Not implemented here"},
		{emulator.Fault{Kind: emulator.OpError, Message: "It broke."}, "It broke."},
		{emulator.Fault{Kind: emulator.OpError, Message: "It broke.", Field: "error"}, "It broke."},
		{emulator.Fault{Kind: emulator.OpError, Message: "It broke.", Field: "statusMessage"}, "It broke."},
		{emulator.Fault{Kind: emulator.Abort}, "cancelled"},
		{emulator.Fault{Kind: emulator.Ignore}, ""},
		{emulator.Fault{Kind: emulator.Stuck}, "deadline exceeded"},
	}
	ignored := map[string]string{"create": "the pool is not there", "update": "GKE accepted the change but", "delete": "still there"}
	for _, f := range flows() {
		for _, g := range f.targets(t) {
			if g.method == http.MethodGet {
				continue
			}
			for _, row := range faults {
				row.fault = g.aim(row.fault)
				want := row.want
				if want == "" {
					want = ignored[f.name]
				}
				t.Run(fmt.Sprintf("%s/%s/%s%d", f.name, g, row.fault.Kind, row.fault.Status), func(t *testing.T) {
					in(t, quick, func(t *testing.T, w *world) {
						c := f.started(t, w)
						if err := w.server.Inject(row.fault); err != nil {
							t.Fatal(err)
						}
						err := w.write(t, c)
						notes := row.fault.Kind == emulator.Ignore && err == nil // only our notes are missing
						if !notes && (err == nil || !strings.Contains(err.Error(), want)) {
							t.Fatalf("Write: %v, want an error with %q", err, want)
						}
						w.server.ClearFaults()
						w.server.Release()
						if err := w.write(t, c); err != nil {
							t.Fatalf("second Write: %v", err)
						}
						w.settled(t, f.after...)
					})
				})
			}
		}
	}
}

// A creation may fail and leave a pool behind. It is told, probed as hopeless,
// and deleted by what undoes the step.
func TestPartialCreation(t *testing.T) {
	for _, fault := range []emulator.Fault{
		{Method: "POST", Kind: emulator.Partial, Nodes: 1, Message: "Quota 'IN_USE_ADDRESSES' exceeded.  Limit: 8.0 in region europe-central2."},
		{Method: "POST", Kind: emulator.Stockout, Nodes: 1},
	} {
		t.Run(string(fault.Kind), func(t *testing.T) {
			in(t, emulator.Options{Faults: []emulator.Fault{fault}}, func(t *testing.T, w *world) {
				c := w.changes(t, desired("user"))[0]
				err := w.write(t, c)
				if err == nil || !strings.Contains(err.Error(), "the pool exists with status") {
					t.Fatalf("Write: %v, want it to say that the pool exists", err)
				}
				h, err := w.Probe(w.ctx, c)
				if err != nil || h.Ready || !h.Terminal || len(h.Details) == 0 {
					t.Errorf("Probe: %+v, %v; want it terminal with details", h, err)
				}
				w.apply(t) // wanting nothing, as before
				if w.pool("user") != nil {
					t.Error("the pool still exists")
				}
			})
		})
	}
}

// A service that keeps failing is given up after the provider's patience.
func TestPatienceEnds(t *testing.T) {
	in(t, emulator.Options{}, func(t *testing.T, w *world) {
		c := w.changes(t, desired("user"))[0]
		s, err := w.Look(w.ctx, c)
		if err != nil {
			t.Fatal(err)
		}
		fault := emulator.Fault{Method: "POST", Kind: emulator.Status, Status: 503, Times: -1}
		if err := w.server.Inject(fault); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		_, err = w.Write(w.ctx, c, s)
		if err == nil || !strings.Contains(err.Error(), "currently unavailable") {
			t.Fatalf("Write: %v, want the service's words", err)
		}
		if took := time.Since(began); took > 3*time.Minute {
			t.Errorf("gave up after %v", took)
		}
	})
}

// An operation that GKE cannot find for a while is waited for.
func TestOperationNotFoundYet(t *testing.T) {
	fault := emulator.Fault{Method: "GET", Path: "/operations/", Kind: emulator.Status, Status: 404, Times: 5}
	in(t, emulator.Options{Faults: []emulator.Fault{fault}}, func(t *testing.T, w *world) {
		w.apply(t, desired("user"))
		w.settled(t, desired("user"))
	})
}

// Operations of others are waited for, before a write and when they slip in
// between: the refusal names them.
func TestBusyCluster(t *testing.T) {
	in(t, emulator.Options{}, func(t *testing.T, w *world) {
		w.apply(t, desired("user"))
		c := w.changes(t, desired("user", setting(int64(9), "autoscaling", "maxNodeCount")))[0]
		s, err := w.Look(w.ctx, c)
		if err != nil {
			t.Fatal(err)
		}
		name := w.server.StartOperation(home, "user", "AUTO_REPAIR_NODES", 10)
		var told []string
		w.c.Progress = func(text string) { told = append(told, text) }
		began := time.Now()
		if _, err := w.Write(w.ctx, c, s); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took < 120*time.Second {
			t.Errorf("the write took %v: it did not wait", took)
		}
		if !strings.Contains(strings.Join(told, "\n"), name+" (AUTO_REPAIR_NODES) is running") {
			t.Errorf("progress does not name the operation: %q", told)
		}
	})
}

func TestOperationSlipsIn(t *testing.T) {
	fault := emulator.Fault{
		Method: "POST", Kind: emulator.Status, Status: 400, Reason: "failedPrecondition", Times: 3,
		Message: "Operation operation-1-abc is currently upgrading cluster hubs. Please wait and try again once it is done.",
	}
	in(t, emulator.Options{Faults: []emulator.Fault{fault}}, func(t *testing.T, w *world) {
		w.apply(t, desired("user"))
	})
}

// A state that does not allow a call, and that no operation will end, is an error after a
// few tries, and so is at once what GKE cannot do at all.
func TestRefusedForGood(t *testing.T) {
	for _, fault := range []struct {
		fault emulator.Fault
		calls int
	}{
		{emulator.Fault{Method: "POST", Kind: emulator.Status, Status: 400, Reason: "failedPrecondition", Times: 100, Message: "Wrong state."}, mostRefusals},
		{emulator.Fault{Method: "POST", Kind: emulator.Status, Status: 501, Times: 100, Message: "Not implemented."}, 1},
	} {
		in(t, emulator.Options{Faults: []emulator.Fault{fault.fault}}, func(t *testing.T, w *world) {
			c := w.changes(t, desired("user"))[0]
			err := w.write(t, c)
			if err == nil || !strings.Contains(err.Error(), fault.fault.Message) {
				t.Fatalf("got %v", err)
			}
			n := 0
			for _, r := range w.server.Requests() {
				if r.Method == "POST" {
					n++
				}
			}
			if n != fault.calls {
				t.Errorf("%s was called %d times, want %d", fault.fault.Message, n, fault.calls)
			}
		})
	}
}

// Somebody changes the pool between our look and our update: what we set is
// refused by its etag, looked at again, and not overwritten.
func TestEtagMismatch(t *testing.T) {
	in(t, emulator.Options{}, func(t *testing.T, w *world) {
		w.apply(t, desired("user"))
		c := w.changes(t, desired("user", setting(map[string]any{"a": "1"}, "config", "labels")))[0]
		fault := emulator.Fault{Method: "PUT", Kind: emulator.Status, Status: 409, Message: "etag mismatch"}
		if err := w.server.Inject(fault); err != nil {
			t.Fatal(err)
		}
		if err := w.write(t, c); err != nil {
			t.Errorf("Write after one mismatch: %v", err)
		}
	})
}

func TestQuota(t *testing.T) {
	limits := map[string]float64{"SSD_TOTAL_GB": 250, "LOCAL_SSD_TOTAL_GB": 700}
	in(t, emulator.Options{Limits: limits}, func(t *testing.T, w *world) {
		c := w.changes(t, desired("user"))[0]
		err := w.write(t, c)
		for _, want := range []string{"create node pool user: Insufficient regional quota", `"SSD_TOTAL_GB"`, "short '150.0'", `"LOCAL_SSD_TOTAL_GB"`, "short '50.0'"} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("Write: %v, want it to say %q", err, want)
			}
		}
		if s, err := w.Look(w.ctx, c); err != nil || s.State != run.AtBefore {
			t.Errorf("after the refusal: %+v, %v; want it at before", s, err)
		}
	})
}

// A write that its context cut off while the operation ran is found, not made
// again.
func TestCutOffWriteIsFound(t *testing.T) {
	for _, f := range flows() {
		t.Run(f.name, func(t *testing.T) {
			in(t, emulator.Options{}, func(t *testing.T, w *world) {
				c := f.started(t, w)
				for range 20 {
					ctx, cancel := context.WithTimeout(w.ctx, 6*time.Second)
					s, err := w.Look(ctx, c)
					if err == nil {
						_, err = w.Write(ctx, c, s)
					}
					cancel()
					if err == nil {
						break
					}
					if !errors.Is(err, context.DeadlineExceeded) {
						t.Fatal(err)
					}
				}
				if err := w.write(t, c); err != nil {
					t.Fatal(err)
				}
				w.settled(t, f.after...)
				for verb, n := range w.counts() {
					if n > 1 && f.name != "update" {
						t.Errorf("%s was asked for %d times", verb, n)
					}
				}
			})
		})
	}
}

// counts returns how often each change was asked for.
func (w *world) counts() map[string]int {
	n := map[string]int{}
	for _, r := range w.server.Requests() {
		if r.Method != http.MethodGet {
			n[r.Method+" "+last(r.Path)]++
		}
	}
	return n
}

// Killed before or after any of its requests, a write is gone on with by another
// process, or undone by it, and ends where it should. What is still under way at
// GKE is waited for first. (P2)
func TestKilledAtEveryCall(t *testing.T) {
	for _, f := range flows() {
		for _, g := range f.targets(t) {
			for _, done := range []bool{false, true} {
				for _, undo := range []bool{false, true} {
					t.Run(fmt.Sprintf("%s/%s/done=%v/undo=%v", f.name, g, done, undo), func(t *testing.T) {
						in(t, quick, func(t *testing.T, w *world) {
							c := f.started(t, w)
							was := w.wire(t, "user")
							w.killed(t, c, g, done)
							if !undo {
								if err := w.write(t, c); err != nil {
									t.Fatalf("going on: %v", err)
								}
								w.settled(t, f.after...)
								return
							}
							w.undo(t, c)
							if d := cmp.Diff(was, w.wire(t, "user")); d != "" {
								t.Errorf("undone it is not as it was (-before +now):\n%s", d)
							}
						})
					})
				}
			}
		}
	}
}

// killed writes with a provider whose connection breaks for good at the target,
// before or after it was carried out.
func (w *world) killed(t *testing.T, c resource.Change, g target, done bool) {
	t.Helper()
	ctx, kill := context.WithCancel(w.ctx)
	path, seen := regexp.MustCompile(g.path), 0
	dying := w.c
	dying.HTTPClient = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		if r.Method == g.method && path.MatchString(r.URL.Path) {
			seen++
		}
		if seen < g.nth {
			return w.server.Transport().RoundTrip(r)
		}
		if done {
			_, _ = w.server.Transport().RoundTrip(r) // its answer dies with us
		}
		kill()
		return nil, context.Canceled
	})}
	p, err := New(dying)
	if err != nil {
		t.Fatal(err)
	}
	p.ClusterUID, p.Seals, p.Records = w.ClusterUID, w.Seals, w.Records
	s, err := p.Look(ctx, c)
	if err == nil {
		_, err = p.Write(ctx, c, s)
	}
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("the killed write ended with %v", err)
	}
}

// undo looks at what the write may have done, and then wants what was before.
func (w *world) undo(t *testing.T, c resource.Change) {
	t.Helper()
	if _, err := w.Look(w.ctx, c); err != nil {
		t.Fatal(err)
	}
	var before []resource.Desired
	if c.Before != nil {
		d := desired("user")
		d.Object = c.Before
		before = append(before, d)
	}
	w.apply(t, before...)
	w.settled(t, before...)
}
