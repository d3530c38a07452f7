package emulator

import (
	"net/http"
	"strings"
	"testing"
	"time"

	container "google.golang.org/api/container/v1"
)

// Whatever is asked, the server answers and goes on answering.
func FuzzServe(f *testing.F) {
	const ops = "/v1/projects/demo/locations/us-central1-a/operations"
	for _, seed := range [][3]string{
		{"GET", poolsPath, ""},
		{"GET", ops, ""},
		{"POST", poolsPath, poolBody},
		{"POST", poolsPath, `{"nodePool":{"name":"a","config":{"taints":[null],"accelerators":[null]},"locations":[""]}}`},
		{"PUT", poolsPath + "/first", `{"taints":{"taints":[null]},"locations":[]}`},
		{"PUT", poolsPath + "/first", `{"upgradeSettings":{"strategy":"BLUE_GREEN"}}`},
		{"POST", poolsPath + "/first:setAutoscaling", `{"autoscaling":{"enabled":true,"maxNodeCount":1}}`},
		{"POST", poolsPath + "/first:setManagement", `{"management":null}`},
		{"POST", poolsPath + "/first:setSize", `{"nodeCount":1000}`},
		{"PUT", clusterPath, `{"update":{"desiredReleaseChannel":{}}}`},
		{"POST", strings.TrimSuffix(clusterPath, "/hubs"), `{"cluster":{"name":"x","nodePools":[null]}}`},
		{"DELETE", clusterPath, ""},
		{"POST", ops + "/operation-1:cancel", ""},
		{"POST", "/_emulator/faults", `{"kind":"cut","times":-1}`},
		{"POST", "/_emulator/operations", `{"type":"UPGRADE_NODES","rounds":-1}`},
		{"POST", "/_emulator/nodes", `null`},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	f.Fuzz(func(t *testing.T, method, path, body string) {
		s, err := New(Options{Project: home.Project, Pending: time.Nanosecond, Work: time.Nanosecond, Clusters: []*container.Cluster{{
			Location: home.Location, Name: home.Name, NodePools: []*container.NodePool{{Name: "first", InitialNodeCount: 1}},
		}}})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		for _, ask := range [][3]string{{method, path, body}, {"GET", poolsPath, ""}, {"GET", ops, ""}} {
			r, err := http.NewRequest(ask[0], "http://gke", strings.NewReader(ask[2]))
			if err != nil {
				return // not a method
			}
			r.URL.Path = ask[1]
			a, err := s.Transport().RoundTrip(r)
			if err == nil && (a.StatusCode < 200 || a.StatusCode > 599) {
				t.Errorf("%s %s: status %d", ask[0], ask[1], a.StatusCode)
			}
		}
	})
}
