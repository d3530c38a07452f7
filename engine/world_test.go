package engine_test

import (
	"fmt"
	"maps"
	"os"
	"testing"
	"time"

	"hubcap/engine"
	"hubcap/engine/journal"
	"hubcap/engine/plan"
	"hubcap/engine/resource"
	"hubcap/engine/run"
	"hubcap/providers/memory"
	"hubcap/schema"
)

const password = "hunter2-is-no-password"

func id(kind, name string) resource.ID {
	group := map[string]string{"Deployment": "apps", resource.KindNodePool: resource.GroupGKE}[kind]
	namespace := "prod"
	if kind == resource.KindNodePool || kind == "Namespace" {
		namespace = ""
	}
	return resource.ID{Cluster: "prod", Group: group, Kind: kind, Namespace: namespace, Name: name}
}

func object(kind, name, component string, body map[string]any) resource.Desired {
	o := resource.Object{"kind": kind, "metadata": map[string]any{"name": name, "namespace": "prod"}}
	maps.Copy(o, body)
	block := resource.Address{Kind: "hub", Name: "prod"}
	address := block
	address.Object = kind + "/" + name
	return resource.Desired{
		ID: id(kind, name), Address: address, Component: resource.Component{Block: block, Name: component},
		Object: o, Presence: resource.Managed, Origin: resource.Range{File: "hub.hcl", Line: 10},
	}
}

func deployment(name, image, secret, checksum string) resource.Desired {
	return object("Deployment", name, name, map[string]any{"spec": map[string]any{
		"replicas": int64(1),
		"template": map[string]any{
			"metadata": map[string]any{"annotations": map[string]any{"checksum/config": checksum}},
			"spec": map[string]any{
				"containers": []any{map[string]any{"name": name, "image": image, "env": []any{
					map[string]any{"name": "TOKEN", "valueFrom": map[string]any{"secretKeyRef": map[string]any{"name": secret, "key": "token"}}},
				}}},
			},
		},
	}})
}

func pool(name string, most int64) resource.Desired {
	block := resource.Address{Kind: "node_pool", Name: name}
	return resource.Desired{
		ID: id(resource.KindNodePool, name), Address: block, Component: resource.Component{Block: block},
		Object: resource.Object{
			"name":        name,
			"autoscaling": map[string]any{"enabled": true, "maxNodeCount": most},
		},
		Presence: resource.Managed, Origin: resource.Range{File: "pools.hcl", Line: 3},
	}
}

func secret(name, component, token string) resource.Desired {
	return object("Secret", name, component, map[string]any{"data": map[string]any{"token": resource.Secret(token)}})
}

// first is a hub with its pools; next is what it becomes: one object is new, one
// goes, the rest change.
func first() []resource.Desired {
	return []resource.Desired{
		pool("user", 10),
		pool("spare", 2),
		secret("hub", "hub", password),
		deployment("proxy", "chp:1", "hub", "a"),
		deployment("hub", "hub:1", "hub", "a"),
		object("ConfigMap", "old", "binder", map[string]any{"data": map[string]any{"x": "1", "y": "2"}}),
		object("ConfigMap", "stays", "binder", map[string]any{"data": map[string]any{"x": "1", "y": "2"}}),
		deployment("binder", "binder:1", "hub", "a"),
	}
}

func next() []resource.Desired {
	return []resource.Desired{
		pool("user", 20),
		pool("spare", 1),
		secret("hub", "hub", password+"-rotated"),
		deployment("proxy", "chp:1", "hub", "a"),
		deployment("hub", "hub:2", "hub", "b"),
		object("ConfigMap", "new", "binder", map[string]any{"data": map[string]any{"x": "1"}}),
		object("ConfigMap", "stays", "binder", map[string]any{"data": map[string]any{"x": "3", "z": "2"}}),
		deployment("binder", "binder:2", "hub", "b"),
	}
}

// newEngine returns an engine over w that desires what desired returns.
func newEngine(w *memory.World, desired func() []resource.Desired) *engine.Engine {
	e := &engine.Engine{
		Version: "test", Holder: "ada@desk", Config: &schema.Config{Settings: schema.Settings{Name: "default", Origin: "home"}},
		Clusters: map[string]*engine.Cluster{"prod": w.Cluster()}, Now: clock,
	}
	e.Want(desired)
	return e
}

// stride is how far the crash and fault matrices step from one call to the next: every
// call where HUBCAP_MATRIX is set, as "make test" does; every seventh otherwise, so
// that the tests of every day stay short.
func stride() int {
	if os.Getenv("HUBCAP_MATRIX") != "" {
		return 1
	}
	return 7
}

// clock is every engine's: runs follow one another.
var clock = ticking()

// ticking returns a clock that moves on by a second each time it is read.
func ticking() func() time.Time {
	var at int64 = 1_700_000_000
	tick := make(chan int64, 1)
	tick <- at
	return func() time.Time {
		n := <-tick + 1
		tick <- n
		return time.Unix(n, 0).UTC()
	}
}

// settled returns a world in which first was applied.
func settled(t *testing.T) *memory.World {
	t.Helper()
	return made(t, "first", func() *memory.World {
		w := memory.New("prod", "default")
		apply(t, newEngine(w, first))
		return w
	})
}

func mustPlan(t *testing.T, e *engine.Engine) *plan.Plan {
	t.Helper()
	p, diags, err := e.Plan(t.Context(), engine.Options{})
	if err != nil || diags.HasErrors() {
		t.Fatalf("plan: %v %v", diags, err)
	}
	return p
}

// apply plans and applies, and fails the test unless it succeeds.
func apply(t *testing.T, e *engine.Engine) engine.Outcome {
	t.Helper()
	o, err := e.Apply(t.Context(), mustPlan(t, e))
	if err != nil || o.Outcome != journal.Succeeded {
		t.Fatalf("apply = %+v, %v", o, err)
	}
	return o
}

// A death is that of the process: right before or after the effect of its n-th call.
type death struct {
	n  int
	at memory.Moment
}

func (d death) String() string { return fmt.Sprintf("death at call %d (moment %d)", d.n, d.at) }

// dies applies p with e in a process that dies so, and gives the world back to those
// after it. It reports whether the apply lived so long as to die there, and returns
// the run that it had begun: nil when there was none yet.
func (d death) dies(t *testing.T, w *memory.World, e *engine.Engine, p *plan.Plan) (began *journal.Run, died bool) {
	t.Helper()
	runs := history(t, e)
	w.DieAt(d.n, d.at)
	if _, err := e.Apply(t.Context(), p); !w.Revive() {
		if err != nil {
			t.Fatalf("apply that was not killed: %v", err)
		}
		return nil, false
	}
	now := history(t, e)
	if len(now) == len(runs) {
		return nil, true
	}
	return &now[len(now)-1], true
}

// history returns all runs.
func history(t *testing.T, e *engine.Engine) []journal.Run {
	t.Helper()
	runs, err := e.History(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return runs
}

// wanted returns the objects of desired as they should live.
func wanted(desired []resource.Desired) map[resource.ID]resource.Object {
	all := make(map[resource.ID]resource.Object, len(desired))
	for _, d := range desired {
		m, _ := resource.Reveal(d.Object).(map[string]any)
		all[d.ID] = m
	}
	return all
}

func stepIDs(p *plan.Plan) []string {
	var ids []string
	for _, s := range p.Steps() {
		ids = append(ids, string(s.ID))
	}
	return ids
}

// events gathers what a run tells.
func events(e *engine.Engine) *[]run.Event {
	var all []run.Event
	e.Notify = func(ev run.Event) { all = append(all, ev) }
	return &all
}
