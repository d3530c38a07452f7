package sandboxtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// watched starts a sandbox with a Prometheus, and nodes.
func watched(t *testing.T) *Sandbox {
	t.Helper()
	s := Start(t, "--prometheus", "--scrape-interval=500ms")
	s.createPool(t, map[string]any{"name": "base", "initialNodeCount": 2, "config": map[string]any{"machineType": "n2-standard-16"}})
	return s
}

const simulatedHub = `
apiVersion: v1
kind: Namespace
metadata: {name: prod}
---
apiVersion: v1
kind: Secret
metadata: {name: hub, namespace: prod}
stringData: {hub.services.probe.apiToken: sesame, values.yaml: "cull: {every: 120}"}
`

const simulatedProgram = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: %[1]s, namespace: prod}
spec:
  selector: {matchLabels: {component: %[1]s}}
  strategy: {type: Recreate}
  template:
    metadata: {labels: {component: %[1]s, app: jupyterhub, release: prod}}
    spec: {containers: [{name: %[1]s, image: "example.org/%[1]s:%[2]s", resources: {limits: {memory: 2Gi}}}]}
`

// ask sends a request to the simulator and decodes the answer.
func (s *Sandbox) ask(t *testing.T, want int, method, path string, body, into any) {
	t.Helper()
	var sent bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&sent).Encode(body); err != nil {
			t.Fatal(err)
		}
	}
	req, err := http.NewRequestWithContext(t.Context(), method, s.Simulator+path, &sent)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "token sesame")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != want {
		t.Fatalf("%s %s: %s %v, want %d: %s", method, path, resp.Status, err, want, text)
	}
	if into != nil {
		if err := json.Unmarshal(text, into); err != nil {
			t.Fatalf("%s %s: %v: %s", method, path, err, text)
		}
	}
}

// query asks Prometheus for one number, as it writes it; "" when it has none.
func (s *Sandbox) query(t *testing.T, promQL string) string {
	t.Helper()
	resp, err := http.Get(s.Prometheus + "/api/v1/query?query=" + url.QueryEscape(promQL))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct {
		Data struct{ Result []struct{ Value [2]any } }
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	if len(answer.Data.Result) != 1 {
		return ""
	}
	return fmt.Sprint(answer.Data.Result[0].Value[1])
}

// awaitNumber waits until a query gives the number.
func (s *Sandbox) awaitNumber(t *testing.T, promQL, want string) {
	t.Helper()
	await(t, time.Minute, func() string {
		if got := s.query(t, promQL); got != want {
			return fmt.Sprintf("%s is %q, want %q", promQL, got, want)
		}
		return ""
	})
}

func TestSimulatedHub(t *testing.T) {
	s := watched(t)
	if n := len(processesOf(t, s.Dir)); n != 6 {
		t.Errorf("found %d of the 6 programs", n)
	}
	s.Apply(t, simulatedHub)
	for _, p := range []string{"hub", "proxy", "binder"} {
		s.Apply(t, fmt.Sprintf(simulatedProgram, p, "1.0.0"))
	}
	s.awaitNumber(t, `up{component="hub"}`, "1")
	t.Run("a server by the hub's API", s.serverByAPI)
	t.Run("a launch by the binder", s.launchByBinder)
	t.Run("people", s.people)
	t.Run("a hub that restarts", s.hubRestarts)
	t.Run("a Grafana that hangs", s.grafanaHangs)
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
	awaitGone(t, s)
}

func (s *Sandbox) serverByAPI(t *testing.T) {
	const user = "/prod/hub/api/users/probe"
	s.ask(t, 404, "GET", user, nil, nil)
	s.ask(t, 201, "POST", user, nil, nil)
	s.ask(t, 202, "POST", user+"/servers/one", nil, nil)
	await(t, time.Minute, func() string {
		var m struct {
			Servers map[string]struct{ Ready bool }
		}
		s.ask(t, 200, "GET", user, nil, &m)
		if !m.Servers["one"].Ready {
			return "the server is not ready"
		}
		return ""
	})
	name := s.Kubectl(t, "get", "pods", "-n", "prod", "-l", "component=singleuser-server,hub.jupyter.org/username=probe", "-o", "name")
	if strings.TrimSpace(name) != "pod/jupyter-probe--one" {
		t.Errorf("the pods of the server are %q", name)
	}
	s.ask(t, 202, "DELETE", user+"/servers/one", nil, nil)
	await(t, time.Minute, func() string {
		return s.Kubectl(t, "get", "pods", "-n", "prod", "-l", "component=singleuser-server", "-o", "name")
	})
	var left struct {
		Servers map[string]struct{ Stopped bool }
	}
	await(t, time.Minute, func() string {
		s.ask(t, 200, "GET", user, nil, &left)
		if !left.Servers["one"].Stopped {
			return fmt.Sprintf("the records are %v", left)
		}
		return ""
	})
	s.ask(t, 204, "DELETE", user+"/servers/one", map[string]bool{"remove": true}, nil)
	s.ask(t, 204, "DELETE", user, nil, nil)
	s.ask(t, 404, "GET", user, nil, nil)
}

func (s *Sandbox) launchByBinder(t *testing.T) {
	req, err := http.NewRequestWithContext(t.Context(), "GET", s.Simulator+"/prod/build/gh/some/repo/build-it", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "text/event-stream")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, phase := range []string{"waiting", "built", "launching", "ready"} {
		if !bytes.Contains(text, []byte(`"phase":"`+phase+`"`)) {
			t.Errorf("no phase %s in %s", phase, text)
		}
	}
	s.awaitNumber(t, `sum(binderhub_build_count_total{status="success"})`, "1")
}

func (s *Sandbox) people(t *testing.T) {
	s.ask(t, 400, "POST", "/_sim/load", map[string]any{"namespace": "prod", "launches_per_minutes": 6}, nil)
	s.ask(t, 404, "POST", "/_sim/load", map[string]any{"namespace": "nowhere"}, nil)
	s.ask(t, 200, "POST", "/_sim/load", map[string]any{"namespace": "prod", "launches_per_minute": 3, "session_minutes": 60}, nil)
	await(t, time.Minute, func() string {
		if got := s.query(t, `jupyterhub_running_servers > bool 20`); got != "1" {
			return "fewer than 20 servers run"
		}
		return ""
	})
	s.ask(t, 200, "POST", "/_sim/load", map[string]any{"namespace": "prod", "launches_per_minute": 0}, nil)
}

func (s *Sandbox) hubRestarts(t *testing.T) {
	before := s.Kubectl(t, "get", "pods", "-n", "prod", "-l", "component=singleuser-server", "-o", "name")
	s.ask(t, 200, "POST", "/_sim/load", map[string]any{"namespace": "prod", "start_seconds": 300}, nil)
	s.Apply(t, fmt.Sprintf(simulatedProgram, "hub", "1.0.1"))
	s.awaitNumber(t, `up{component="hub"}`, "0")
	s.ask(t, 503, "GET", "/prod/hub/health", nil, nil)
	s.ask(t, 200, "GET", "/prod/_chp_healthz", nil, nil)
	s.Kubectl(t, "rollout", "status", "-n", "prod", "deployment/hub", "--timeout=60s")
	s.ask(t, 200, "GET", "/prod/hub/health", nil, nil)
	if n := len(strings.Fields(before)); n < 10 {
		t.Errorf("only %d users were there", n)
	}
	var hubs struct {
		Hubs map[string]struct {
			Lost int `json:"sessions_lost"`
		}
	}
	s.ask(t, 200, "GET", "/_sim/hubs", nil, &hubs)
	if lost := hubs.Hubs["prod"].Lost; lost != 0 {
		t.Errorf("%d sessions were lost by a restart of the hub", lost)
	}
}

func (s *Sandbox) grafanaHangs(t *testing.T) {
	s.ask(t, 200, "POST", "/_sim/grafana", map[string]bool{"hang": true}, nil)
	answered := make(chan error, 1)
	go func() {
		resp, err := http.Post(s.Simulator+"/api/annotations", "application/json", strings.NewReader(`{"text": "late"}`))
		if err == nil {
			err = resp.Body.Close()
		}
		answered <- err
	}()
	s.ask(t, 200, "GET", "/_sim/grafana", nil, nil)
	select {
	case <-answered:
		t.Error("it answered although it hangs")
	case <-time.After(300 * time.Millisecond):
	}
	s.ask(t, 200, "POST", "/_sim/grafana", map[string]bool{"hang": false}, nil)
	if err := <-answered; err != nil {
		t.Error(err)
	}
	var came []map[string]any
	s.ask(t, 200, "GET", "/_sim/grafana", nil, &came)
	if len(came) != 1 || came[0]["text"] != "late" {
		t.Errorf("it has %v", came)
	}
}
