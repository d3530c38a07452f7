package gke

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	container "google.golang.org/api/container/v1"

	"hubcap/engine/diff"
	"hubcap/engine/resource"
	"hubcap/engine/run"
	"hubcap/providers/gke/emulator"
)

var home = emulator.ClusterRef{Project: "demo", Location: "us-central1-a", Name: "hubs"}

// A world is a provider and the emulator it talks to, in process, so that it
// runs under a fake clock.
type world struct {
	*Provider
	server *emulator.Server
	ctx    context.Context
	sealed *cabinet
}

// in runs f in a world of its own under a fake clock.
func in(t *testing.T, o emulator.Options, f func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		o.Project = home.Project
		if o.Clusters == nil {
			o.Clusters = []*container.Cluster{{Location: home.Location, Name: home.Name}}
		}
		if o.Work == 0 {
			o.Pending, o.Work = time.Second, 12*time.Second
		}
		s, err := emulator.New(o)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		p, err := New(Config{
			Cluster: "prod", Project: home.Project, Location: home.Location, Name: home.Name, Owner: "default",
			Endpoint: "http://127.0.0.1:1", HTTPClient: &http.Client{Transport: s.Transport()},
		})
		if err != nil {
			t.Fatal(err)
		}
		kept := newCabinet()
		p.ClusterUID, p.Seals, p.Records = "cluster", kept, kept
		f(t, &world{Provider: p, server: s, ctx: t.Context(), sealed: kept})
	})
}

// desired returns a node pool as expand makes it; each edit may change it.
func desired(name string, edits ...func(resource.Object)) resource.Desired {
	block := resource.Address{Kind: "node_pool", Name: "user"}
	o := resource.Object{
		"name":             name,
		"initialNodeCount": int64(2),
		"autoscaling":      map[string]any{"enabled": true, "minNodeCount": int64(0), "maxNodeCount": int64(5)},
		"config": map[string]any{
			"machineType":    "n1-standard-8",
			"diskSizeGb":     int64(200),
			"localSsdCount":  int64(1),
			"labels":         map[string]any{"hub.jupyter.org/node-purpose": "user"},
			"taints":         []any{map[string]any{"key": "hub.jupyter.org_dedicated", "value": "user", "effect": "NO_SCHEDULE"}},
			"resourceLabels": map[string]any{LabelConfig: "default", LabelBlock: "node_pool-user"},
		},
	}
	for _, edit := range edits {
		edit(o)
	}
	return resource.Desired{
		ID:      resource.ID{Cluster: "prod", Group: resource.GroupGKE, Kind: resource.KindNodePool, Name: name},
		Address: block, Component: resource.Component{Block: block}, Object: o, Presence: resource.Managed,
	}
}

func setting(v any, path ...string) func(resource.Object) {
	return func(o resource.Object) { o.Set(v, path...) }
}

// changes returns what it takes to get to desired.
func (w *world) changes(t *testing.T, desired ...resource.Desired) []resource.Change {
	t.Helper()
	reading, err := w.Read(w.ctx, desired)
	if err != nil {
		t.Fatalf("Read: %v", err)
	}
	for _, o := range reading.Observations {
		if o.Refused != "" {
			t.Fatalf("refused: %s", o.Refused)
		}
	}
	return diff.Compare(reading)
}

// apply carries out what it takes to get to desired and returns the changes.
func (w *world) apply(t *testing.T, desired ...resource.Desired) []resource.Change {
	t.Helper()
	changes := w.changes(t, desired...)
	for _, c := range changes {
		s, err := w.Look(w.ctx, c)
		if err != nil {
			t.Fatalf("Look: %v", err)
		}
		if s.State != run.AtBefore {
			t.Fatalf("before %s of %s it is at %v: %s", c.Action, c.ID.Name, s.State, s.Moved)
		}
		if _, err := w.Write(w.ctx, c, s); err != nil {
			t.Fatalf("Write: %v", err)
		}
		if s, err = w.Look(w.ctx, c); err != nil || s.State != run.AtAfter {
			t.Fatalf("after %s of %s it is at %v: %s (%v)", c.Action, c.ID.Name, s.State, s.Moved, err)
		}
		if h, err := w.Probe(w.ctx, c); err != nil || !h.Ready {
			t.Fatalf("after %s of %s it is not ready: %s (%v)", c.Action, c.ID.Name, h.Reason, err)
		}
	}
	return changes
}

func (w *world) settled(t *testing.T, desired ...resource.Desired) {
	t.Helper()
	if changes := w.changes(t, desired...); len(changes) > 0 {
		t.Errorf("the plan after apply is not empty: %+v", changes[0])
	}
}

// pool returns the pool as the emulator has it, nil when there is none.
func (w *world) pool(name string) *emulator.Pool {
	for _, p := range w.server.Pools() {
		if p.NodePool.Name == name {
			return &p
		}
	}
	return nil
}

// P1: what was applied is planned no more.
func TestLifeOfAPool(t *testing.T) {
	in(t, emulator.Options{}, func(t *testing.T, w *world) {
		w.apply(t, desired("user"))
		w.settled(t, desired("user"))
		if got := w.pool("user").Nodes; got != 2 {
			t.Errorf("nodes = %d, want 2", got)
		}
		bigger := desired("user", setting(int64(9), "autoscaling", "maxNodeCount"), setting("yes", "config", "labels", "new"))
		w.apply(t, bigger)
		w.settled(t, bigger)
		if got := w.apply(t); len(got) != 1 || got[0].Action != resource.Delete {
			t.Errorf("changes = %v, want one deletion", got)
		}
		if w.pool("user") != nil {
			t.Error("the pool still exists")
		}
	})
}
