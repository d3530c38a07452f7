package modules_test

import (
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"hubcap/engine/gate"
)

// Of the metrics that the catalogue reads, those that a hub exports itself.
var ofTheHub = regexp.MustCompile(`^(jupyterhub_|process_open_fds)`)

// TestRealHubMetrics holds that what the catalogue reads of a JupyterHub is what one
// exports: the names, the labels, and the statuses that are no failures.
func TestRealHubMetrics(t *testing.T) {
	h := newRealHub(t, "jupyterhub")
	h.start(t, map[string]any{"hub": map[string]any{"config": map[string]any{"JupyterHub": map[string]any{"authenticate_prometheus": false}}}})
	got := ask(t, http.MethodGet, h.hubURL("/hub/metrics"), h.token, nil)
	if got.Status != http.StatusOK {
		t.Fatalf("metrics: status %d: %s", got.Status, got.Body)
	}
	labels := map[string]map[string][]string{} // metric → label → values
	series := regexp.MustCompile(`(?m)^([a-z_]+)(?:\{(.*)\})? `)
	for _, m := range series.FindAllStringSubmatch(got.Body, -1) {
		if labels[m[1]] == nil {
			labels[m[1]] = map[string][]string{}
		}
		for _, l := range regexp.MustCompile(`([a-z_]+)="([^"]*)"`).FindAllStringSubmatch(m[2], -1) {
			labels[m[1]][l[1]] = append(labels[m[1]][l[1]], l[2])
		}
	}
	found := labels["jupyterhub_server_spawn_duration_seconds_count"]["status"]
	for _, status := range []string{"success", "failure", "throttled", "too-many-users", "already-pending"} {
		if !slices.Contains(found, status) {
			t.Errorf("spawns have the statuses %v, and not %q", found, status)
		}
	}
	read := 0
	for _, g := range loadHCL(t, catalogue).Gates {
		for _, query := range queries(g) {
			for _, s := range gate.Selectors(query) {
				if !ofTheHub.MatchString(s.Metric) {
					continue
				}
				has, exported := labels[s.Metric]
				if !exported && s.Metric == "jupyterhub_event_loop_interval_seconds_bucket" {
					continue // of JupyterHub 5 and later
				}
				read++
				if !exported {
					t.Errorf("%s reads %s, which the hub does not export", g.Address, s.Metric)
				}
				for _, m := range s.Matchers {
					name := gate.Label(m)
					if slices.Contains([]string{"namespace", "pod", "container"}, name) { // Prometheus gives them
						continue
					}
					if _, is := has[name]; !is {
						t.Errorf("%s reads the label %s of %s, which has %s", g.Address, name, s.Metric, strings.Join(slices.Sorted(maps.Keys(has)), ", "))
					}
				}
			}
		}
	}
	if read == 0 {
		t.Error("the catalogue reads nothing of the hub")
	}
}
