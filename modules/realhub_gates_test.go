package modules_test

import (
	"context"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"hubcap/engine/plan"
	"hubcap/engine/resource"
	"hubcap/engine/run"
	"hubcap/providers/launch"
	"hubcap/providers/probe"
)

// TestRealHubGates puts a JupyterHub behind the launch and http gates: both pass,
// no record stays of what was launched, and both fail once the hub is stopped.
func TestRealHubGates(t *testing.T) {
	h := newRealHub(t, "jupyterhub")
	h.start(t, nil)
	token := func(context.Context, plan.Gate) (resource.Sensitive, error) { return resource.Secret(h.token), nil }
	launches := run.Question{Gate: plan.Gate{Name: "launch", Launch: &plan.LaunchCheck{
		Via: plan.ViaJupyterHub, URL: h.public(""), User: "hubcap-gate", Timeout: time.Minute,
	}}}
	health := run.Question{Gate: plan.Gate{Name: "health", HTTP: &plan.HTTPCheck{URL: h.public("/hub/health"), Timeout: 10 * time.Second}}}
	sample := func(s run.Sampler, q run.Question) run.Sample {
		t.Helper()
		got, err := s.Sample(t.Context(), q)
		if err != nil {
			t.Fatalf("gate %s: %v", q.Gate.Name, err)
		}
		t.Logf("gate %s: %s: %s", q.Gate.Name, got.Verdict, got.Reason)
		return got
	}
	for range 2 { // the second finds nothing of the first
		if got := sample(launch.New(token), launches); got.Verdict != run.Pass || got.Value == nil {
			t.Errorf("launch: %+v, want it passed with its time", got)
		}
	}
	if users := h.api(t, http.MethodGet, "/users", nil); users.Status != http.StatusOK || strings.Contains(users.Body, "hubcap-gate") {
		t.Errorf("after two launches the hub knows %d %s", users.Status, users.Body)
	}
	if left := h.routes(t); len(left) != 1 {
		t.Errorf("after two launches the proxy routes %v", left)
	}
	if got := sample(probe.New(), health); got.Verdict != run.Pass {
		t.Errorf("http: %+v, want it passed", got)
	}

	wrong := func(context.Context, plan.Gate) (resource.Sensitive, error) {
		return resource.Secret("no-such-token"), nil
	}
	if got := sample(launch.New(wrong), launches); got.Verdict != run.Inconclusive {
		t.Errorf("with a token that nobody knows: %+v, want it inconclusive", got)
	}

	if err := syscall.Kill(-h.hub.Process.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-h.hub.ended
	if got := sample(launch.New(token), launches); got.Verdict != run.Fail {
		t.Errorf("launch without a hub: %+v, want it failed", got)
	}
	if got := sample(probe.New(), health); got.Verdict != run.Fail {
		t.Errorf("http without a hub: %+v, want it failed", got)
	}
}
