package gke

import (
	"net/http"
	"testing"

	container "google.golang.org/api/container/v1"

	"hubcap/engine/resource"
	"hubcap/providers/gke/emulator"
	"hubcap/providers/providertest"
)

func TestConformance(t *testing.T) {
	providertest.Run(t, func(t *testing.T, f func(*testing.T, providertest.World)) {
		in(t, emulator.Options{}, func(t *testing.T, w *world) {
			f(t, providertest.World{
				Provider: w.Provider,
				Wanted:   desired("user"),
				Other: desired("user",
					setting(int64(12), "autoscaling", "maxNodeCount"),
					setting(int64(2), "autoscaling", "minNodeCount"),
					setting(map[string]any{"team": "a"}, "config", "labels"),
					setting([]any{}, "config", "taints"),
				),
				Move: func(t *testing.T) {
					err := w.server.Edit(home, "user", func(np *container.NodePool) { np.Autoscaling.MaxNodeCount = 77 })
					if err != nil {
						t.Fatal(err)
					}
				},
				Writes: w.writes,
				Seals: providertest.Seals{
					Strip: func(t *testing.T) {
						w.edit(t, "user", func(np *container.NodePool) { delete(np.Config.ResourceLabels, noteSeal) })
					},
					Rekey: func(*testing.T) { w.sealed.key = testKey("1") },
					Copy:  func(t *testing.T) resource.ID { return w.copyPool(t, "user", "theirs") },
				},
			})
		})
	})
}

// copyPool makes a pool with all the labels of another, and its record.
func (w *world) copyPool(t *testing.T, from, to string) resource.ID {
	t.Helper()
	theirs := desired(to)
	theirs.Object.Set(labelTree(w.pool(from).NodePool.Config.ResourceLabels), "config", "resourceLabels")
	request, err := body[container.CreateNodePoolRequest](resource.Object{"nodePool": map[string]any(theirs.Object)})
	if err != nil {
		t.Fatal(err)
	}
	svc, err := w.service(w.ctx)
	if err != nil {
		t.Fatal(err)
	}
	op, err := svc.Projects.Locations.Clusters.NodePools.Create(w.cluster(), request).Do()
	if err == nil {
		err = w.wait(w.ctx, op)
	}
	if err != nil {
		t.Fatal(err)
	}
	w.sealed.kept[w.place(to)] = w.sealed.kept[w.place(from)]
	return theirs.ID
}

// writes counts the requests that ask for a change.
func (w *world) writes() int {
	n := 0
	for _, r := range w.server.Requests() {
		if r.Method != http.MethodGet {
			n++
		}
	}
	return n
}
