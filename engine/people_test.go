package engine_test

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hubcap/engine"
	"hubcap/engine/journal"
	"hubcap/engine/plan"
	"hubcap/engine/resource"
	"hubcap/engine/run"
	"hubcap/providers/memory"
	"hubcap/schema"
)

// onPool is a world with n user servers on the pool spare.
func onPool(n int) resource.Census {
	return resource.Census{PerPool: map[string]int{"spare": n}, Carriers: map[string][]resource.Carrier{"user": nil}}
}

// inHub is a world with n user servers in the hub's namespace.
func inHub(n int) resource.Census {
	return resource.Census{PerNamespace: map[string]int{"prod": n}}
}

// newProxy is first with another proxy, for which everybody is interrupted, after
// another binder, for which nobody is.
func newProxy() []resource.Desired {
	all := first()
	all[3] = deployment("proxy", "chp:2", "hub", "a")
	return append(all, object("ConfigMap", "more", "binder", map[string]any{"data": map[string]any{"x": "1"}}))
}

// TestCountedAgain checks that the people that a plan relies on are counted again
// before its first write: more of them make it stale, and nothing is changed.
func TestCountedAgain(t *testing.T) {
	for _, test := range []struct {
		reason  string
		desired func() []resource.Desired
		planned resource.Census
		now     resource.Census
		stale   string // empty: it is carried out
	}{
		{"nobody was on a pool, and nobody is", func() []resource.Desired { return first()[2:] }, onPool(0), onPool(0), ""},
		{"nobody was on a pool, and one person is", func() []resource.Desired { return first()[2:] }, onPool(0), onPool(1), "1 user server by now (node pool spare), and the plan relies on at most 0"},
		{"the proxy was nobody's, and one person came", newProxy, inHub(0), inHub(1), "1 user server by now (namespace prod), and the plan relies on at most 0"},
		{"40 people are interrupted, and 48 are there", newProxy, inHub(40), inHub(48), ""},
		{"40 people are interrupted, and 49 are there", newProxy, inHub(40), inHub(49), "49 user servers by now (namespace prod), and the plan relies on at most 48"},
		{"1 person is interrupted, and 6 are there", newProxy, inHub(1), inHub(6), ""},
		{"1 person is interrupted, and 7 are there", newProxy, inHub(1), inHub(7), "at most 6"},
		{"nobody is disturbed, and anybody may come", func() []resource.Desired { return first()[:7] }, inHub(0), inHub(0), ""},
	} {
		w := settled(t)
		w.Seat(test.planned)
		e := newEngine(w, test.desired)
		p := mustPlan(t, e)
		before := w.Objects()
		w.Seat(test.now)
		o, err := e.Apply(t.Context(), p)
		switch {
		case test.stale == "" && (err != nil || o.Outcome != journal.Succeeded):
			t.Errorf("%s: apply = %+v, %v; want it done", test.reason, o, err)
		case test.stale != "" && (!errors.Is(err, engine.ErrStale) || !strings.Contains(err.Error(), test.stale) || o.Run != ""):
			t.Errorf("%s: apply = %+v, %v; want it stale: %s", test.reason, o, err, test.stale)
		case test.stale != "" && !maps.EqualFunc(before, w.Objects(), func(a, b resource.Object) bool { return resource.Equal(a, b) }):
			t.Errorf("%s: something was changed", test.reason)
		}
	}
}

// TestCameLater checks that a step is held, and can be gone on with, when more people
// than it relies on came after the run's first write, or when they cannot be counted.
func TestCameLater(t *testing.T) {
	gone := func() []resource.Desired { // another user pool, then one fewer
		all := first()
		return append([]resource.Desired{pool("user", 20)}, all[2:]...)
	}
	spare := id(resource.KindNodePool, "spare")
	for _, test := range []struct {
		reason string
		come   func(w *memory.World)
		want   string
	}{
		{"somebody came", func(w *memory.World) { w.Seat(onPool(1)) }, "1 user server by now (node pool spare)"},
		{"nobody may be counted", func(w *memory.World) { w.Seat(resource.Census{PoolsUnknown: "pods may not be listed"}) }, "cannot be counted: pods may not be listed"},
	} {
		w := settled(t)
		w.Seat(onPool(0))
		e := newEngine(w, gone)
		p := mustPlan(t, e)
		e.Notify = func(ev run.Event) {
			if _, made := ev.(run.ChangeMade); made {
				test.come(w)
			}
		}
		o, err := e.Apply(t.Context(), p)
		if err != nil || o.Outcome != journal.WasHeld || !strings.Contains(o.Reason, test.want) {
			t.Fatalf("%s: apply = %+v, %v; want it held: %s", test.reason, o, err, test.want)
		}
		if !slices.Contains(w.IDs(), spare) {
			t.Fatalf("%s: the pool was deleted", test.reason)
		}
		w.Seat(resource.Census{})
		e.Notify = nil
		resume(t, e)
		if slices.Contains(w.IDs(), spare) {
			t.Errorf("%s: the empty pool is still there after resume", test.reason)
		}
	}
}

// TestUncountedWayBack checks that a step that made a hub and failed leaves the hub, and
// says so, when nobody can be counted by then, and takes it away when nobody is there.
func TestUncountedWayBack(t *testing.T) {
	for _, fails := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			w := memory.New("prod", "default")
			made := func() []resource.Desired { return []resource.Desired{first()[2], first()[4]} }
			e := checked(newEngine(w, made), schema.Gate{HTTP: &schema.HTTPCheck{URL: "http://127.0.0.1/"}, Failures: 1, Interval: time.Second})
			w.Gate = func(plan.Gate, resource.Component) run.Sample {
				w.Fault = func(c memory.Call) error {
					if fails && c.Name == "count" {
						return errors.New("the server is away")
					}
					return nil
				}
				return run.Sample{Verdict: run.Fail, Reason: "status 503"}
			}
			hub := id("Deployment", "hub")
			o, err := e.Apply(t.Context(), mustPlan(t, e))
			if stays := slices.Contains(w.IDs(), hub); err != nil || stays != fails {
				t.Errorf("count fails %v: apply = %+v, %v; hub is there: %v", fails, o, err, stays)
			}
			want := journal.WasRolledBack
			if fails {
				want = journal.Incomplete
			}
			if o.Outcome != want || fails != strings.Contains(o.Reason, "cannot be counted: the server is away") {
				t.Errorf("count fails %v: outcome %+v, want %s", fails, o, want)
			}
		})
	}
}

// TestNamespaceIsCounted checks that the people in a namespace that goes are counted when
// the plan is made, and again before it goes.
func TestNamespaceIsCounted(t *testing.T) {
	namespace := object("Namespace", "lab", "", nil)
	namespace.Object = resource.Object{"kind": "Namespace", "metadata": map[string]any{"name": "lab"}}
	namespace.ID.Name, namespace.Address, namespace.Component = "lab", resource.ParseAddress("manifest.x/Namespace/lab"), resource.Component{Block: resource.ParseAddress("manifest.x")}
	w := memory.New("prod", "default")
	apply(t, newEngine(w, func() []resource.Desired { return append(first(), namespace) }))
	in := func(n int) resource.Census { return resource.Census{PerNamespace: map[string]int{"lab": n}} }
	w.Seat(in(7))
	e := newEngine(w, first)
	p, _, err := e.Plan(t.Context(), engine.Options{Delete: []string{"manifest.x/Namespace/lab"}})
	if err != nil || len(p.Steps()) != 1 || p.Steps()[0].Impact.SessionsLost != 7 {
		t.Fatalf("plan: %v, %+v; want 7 lost", err, p.Steps())
	}
	w.Seat(in(13))
	if o, err := e.Apply(t.Context(), p); !errors.Is(err, engine.ErrStale) || o.Run != "" {
		t.Errorf("apply = %+v, %v; want the plan to be stale", o, err)
	}
}

// TestRolledBackIsSpent checks that a step that was rolled back has spent what it
// interrupted: the journal says so, and a budget counts it.
func TestRolledBackIsSpent(t *testing.T) {
	proxy := func(image string) func() []resource.Desired {
		return func() []resource.Desired {
			all := first()
			all[3] = deployment("proxy", image, "hub", "a")
			return all
		}
	}
	w := settled(t)
	w.Seat(inHub(40))
	w.Broken = []string{"chp:2"}
	e := newEngine(w, proxy("chp:2"))
	if o, err := e.Apply(t.Context(), mustPlan(t, e)); err != nil || o.Outcome != journal.WasRolledBack {
		t.Fatalf("apply = %+v, %v; want it rolled back", o, err)
	}
	e = newEngine(w, proxy("chp:3"))
	most := int64(79)
	e.Config.Guards = []schema.Guard{{Block: schema.Block{Address: resource.Address{Kind: "guard", Name: "people"}}, Level: string(plan.Soft), MaxWait: time.Hour, Interval: time.Minute, Budget: &schema.Budget{PerWeek: &most}}}
	e.Leave.NoWait = true
	o, err := e.Apply(t.Context(), mustPlan(t, e))
	if err != nil || o.Outcome != journal.WasHeld || !strings.Contains(o.Reason, "40 sessions would be cut off, 40 were within 7 days, and 79 per week are allowed") {
		t.Errorf("apply = %+v, %v; want it held by the budget", o, err)
	}
}

// TestGoneHubIsCounted checks that a hub that left the config still has people.
func TestGoneHubIsCounted(t *testing.T) {
	w := settled(t)
	w.Seat(inHub(3))
	e := newEngine(w, func() []resource.Desired { return first()[:1] })
	p, _, err := e.Plan(t.Context(), engine.Options{Delete: []string{"hub.prod"}})
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(p.Steps(), func(s plan.Step) bool { return s.Component.String() == "hub.prod/proxy" })
	if i < 0 || p.Steps()[i].Relies == nil || p.Steps()[i].Relies.Max != 8 {
		t.Fatalf("the step that removes the proxy relies on nobody: %v", p.Steps())
	}
	w.Seat(inHub(9))
	if o, err := e.Apply(t.Context(), p); !errors.Is(err, engine.ErrStale) || o.Run != "" {
		t.Errorf("apply = %+v, %v; want the plan to be stale", o, err)
	}
}

// TestMoved checks that a block that is renamed keeps its objects: only their marks
// change, and nobody has to name anything.
func TestMoved(t *testing.T) {
	w := memory.New("prod", "default")
	hub := func(name string) []resource.Desired {
		all := first()[2:]
		for i := range all {
			d := &all[i]
			d.Address.Name, d.Component.Block.Name = name, name
			d.Object.Set(d.Address.String(), "metadata", "annotations", "hubcap.dev/address")
		}
		return all
	}
	apply(t, newEngine(w, func() []resource.Desired { return hub("chem") }))
	before := w.IDs()
	w.Seat(inHub(40))
	e := newEngine(w, func() []resource.Desired { return hub("chemistry") })
	e.Config.Moved = []schema.Moved{{From: resource.ParseAddress("hub.chem"), To: resource.ParseAddress("hub.chemistry")}}
	p := mustPlan(t, e)
	for _, s := range p.Steps() {
		for _, c := range s.Changes {
			was := "was " + strings.Replace(c.Address.String(), "chemistry", "chem", 1)
			if s.Class != resource.ClassLive || c.Action != resource.Update || !slices.Contains(c.Notes, was) {
				t.Errorf("%s: %s, %s, notes %q; want its marks changed", c.Address, s.Class, c.Action, c.Notes)
			}
		}
	}
	if o, err := e.Apply(t.Context(), p); err != nil || o.Outcome != journal.Succeeded || !slices.Equal(before, w.IDs()) {
		t.Errorf("apply = %+v, %v; want the same objects", o, err)
	}
	// Where its namespace goes along with the key, another hub would start.
	elsewhere := func() []resource.Desired {
		all := hub("chemistry")
		for i := range all {
			all[i].ID.Namespace = "chemistry"
		}
		return all
	}
	e = newEngine(w, elsewhere)
	if p := mustPlan(t, e); len(p.Refused) != 1 || !strings.Contains(p.Refused[0].Reason, "an empty hub in the place of") {
		t.Errorf("in another namespace: refused %v", p.Refused)
	}
}

// TestMovedBeside checks that a block does not move to one that lives beside it, and is
// deleted by its own name; what an apply that was cut off has moved in part moves on.
func TestMovedBeside(t *testing.T) {
	hub := func(name string) []resource.Desired {
		all := first()[2:]
		for i := range all {
			d := &all[i]
			d.ID.Namespace, d.Address.Name, d.Component.Block.Name = name, name, name
			d.Object.Set(name, "metadata", "namespace")
		}
		return all
	}
	w := memory.New("prod", "default")
	apply(t, newEngine(w, func() []resource.Desired { return append(hub("chem"), hub("chemistry")...) }))
	e := newEngine(w, func() []resource.Desired { return hub("chemistry") })
	e.Config.Moved = []schema.Moved{{From: resource.ParseAddress("hub.chem"), To: resource.ParseAddress("hub.chemistry")}}
	p := mustPlan(t, e)
	const want = "hub.chemistry exists already; hub.chem stays where it is: what moves it has no effect"
	if !p.Empty() || !slices.Equal(p.Warnings, []string{want}) || len(p.Undeclared) != 1 || p.Undeclared[0].Address.String() != "hub.chem" {
		t.Errorf("steps %v, warnings %q, undeclared %v; want the old hub to stay hub.chem", stepIDs(p), p.Warnings, p.Undeclared)
	}
	p, _, err := e.Plan(t.Context(), engine.Options{Delete: []string{"hub.chem"}})
	if err != nil || p.Empty() || slices.ContainsFunc(p.Steps(), func(s plan.Step) bool { return s.Component.Block.Name != "chem" }) {
		t.Errorf("named: %v, steps %v; want hub.chem deleted", err, stepIDs(p))
	}
	partly := memory.New("prod", "default")
	apply(t, newEngine(partly, func() []resource.Desired { return append(hub("chem")[:3], hub("chemistry")[3:]...) }))
	e = newEngine(partly, func() []resource.Desired { return hub("chemistry")[4:] })
	e.Config.Moved = []schema.Moved{{From: resource.ParseAddress("hub.chem"), To: resource.ParseAddress("hub.chemistry")}}
	if p := mustPlan(t, e); len(p.Warnings) != 0 || slices.ContainsFunc(p.Kept, func(k plan.Kept) bool { return k.Address.Name != "chemistry" }) {
		t.Errorf("moved in part: warnings %q, kept %v; want all of it moved", p.Warnings, p.Kept)
	}
}

// TestRemoved checks that a removed block names a hub for deletion, as a person would.
func TestRemoved(t *testing.T) {
	w := settled(t)
	e := newEngine(w, func() []resource.Desired { return first()[:2] })
	if p := mustPlan(t, e); !p.Empty() || len(p.Undeclared) != 1 {
		t.Fatalf("without a removed block: steps %v, undeclared %v", stepIDs(p), p.Undeclared)
	}
	e.Config.Removed = []schema.Removed{{From: resource.ParseAddress("hub.prod")}}
	apply(t, e)
	for _, left := range w.IDs() {
		if left.Namespace == "prod" && left != id("Secret", "hub") {
			t.Errorf("left of the hub: %s", left)
		}
	}
	if p := mustPlan(t, e); !p.Empty() || len(p.Undeclared) != 0 || len(p.Kept) != 1 {
		t.Errorf("after it: steps %v, undeclared %v, kept %v; want the Secret kept", stepIDs(p), p.Undeclared, p.Kept)
	}
}
