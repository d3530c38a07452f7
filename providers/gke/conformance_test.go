package gke

import (
	"net/http"
	"testing"

	container "google.golang.org/api/container/v1"

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
			})
		})
	})
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
