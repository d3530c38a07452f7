package modules_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A culler is what the recorder wrote down.
type culler struct {
	Flags          []string `json:"flags"`
	Service        string   `json:"service"`
	RequestTimeout string   `json:"request_timeout"`
	ListUsers      int      `json:"list_users"`
	ReadHub        int      `json:"read_hub"`
}

// culler waits for the record of the culler that the hub started.
func (h *realHub) culler(t *testing.T) culler {
	t.Helper()
	path := filepath.Join(h.dir, "python", "record.json")
	var record culler
	h.wait(t, "the culler to start", func() bool { _, err := os.Stat(path); return err == nil })
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &record); err != nil {
		t.Fatal(err)
	}
	return record
}

// cullerURL is the flag that leads the culler to the hub beside it.
func (h *realHub) cullerURL() string {
	return strings.Replace("--url="+h.hubURL("/hub/api"), "127.0.0.1", "localhost", 1)
}

// launch makes a user and asks for their server.
func (h *realHub) launch(t *testing.T, user string, options any) answer {
	t.Helper()
	h.api(t, http.MethodPost, "/users/"+user, nil) // 409 when there is one
	return h.api(t, http.MethodPost, "/users/"+user+"/server", options)
}

// ready waits until the user's server is up.
func (h *realHub) ready(t *testing.T, user string) {
	t.Helper()
	h.wait(t, "the server of "+user, func() bool {
		var model struct {
			Servers map[string]struct{ Ready bool }
		}
		got := h.api(t, http.MethodGet, "/users/"+user, nil)
		if err := json.Unmarshal([]byte(got.Body), &model); err != nil {
			t.Fatalf("user %s: status %d: %v", user, got.Status, err)
		}
		return model.Servers[""].Ready
	})
}

// shut stops the user's server and waits until it is gone.
func (h *realHub) shut(t *testing.T, user string) {
	t.Helper()
	if got := h.api(t, http.MethodDelete, "/users/"+user+"/server", nil); got.Status != 204 && got.Status != 202 {
		t.Fatalf("stop the server of %s: %d %s", user, got.Status, got.Body)
	}
	h.wait(t, "the server of "+user+" to go", func() bool {
		return !strings.Contains(h.api(t, http.MethodGet, "/users/"+user, nil).Body, `"pending": "stop"`) &&
			h.routes(t)["/user/"+user] == ""
	})
}

// holdSpawn is extra config: a server waits before it starts, for as long as
// its user's name stands in a folder.
const holdSpawn = `
import asyncio, os
async def hold(spawner):
    while os.path.exists(os.path.join(%q, spawner.user.name)):
        await asyncio.sleep(0.05)
c.Spawner.pre_spawn_hook = hold
`

func TestRealHub(t *testing.T) {
	h := newRealHub(t, "jupyterhub")
	held := filepath.Join(h.dir, "held")
	h.write(t, "held/slow", nil)
	h.start(t, map[string]any{
		"hub": map[string]any{
			"concurrentSpawnLimit": 1,
			"activeServerLimit":    2,
			"extraConfig":          map[string]any{"10-hold": fmt.Sprintf(holdSpawn, held)},
		},
		"cull": map[string]any{"every": 660, "timeout": 600, "maxAge": 21600, "concurrency": 5, "adminUsers": false},
	})

	if got := ask(t, http.MethodGet, h.public("/_chp_healthz"), "", nil); got.Status != http.StatusOK {
		t.Errorf("proxy health: %d", got.Status)
	}
	if got := h.api(t, http.MethodGet, "/info", nil); !strings.Contains(got.Body, "SimpleLocalProcessSpawner") {
		t.Errorf("the values' spawner is not in force: %s", got.Body)
	}

	t.Run("culler", func(t *testing.T) {
		want := culler{
			Flags: []string{
				h.cullerURL(), "--timeout=600", "--cull-every=660", "--concurrency=5", "--max-age=21600", "--cull-admin-users=false",
			},
			Service: "jupyterhub-idle-culler", RequestTimeout: "60",
			ListUsers: http.StatusOK, ReadHub: http.StatusForbidden,
		}
		if diff := cmp.Diff(want, h.culler(t)); diff != "" {
			t.Errorf("culler (-want +got):\n%s", diff)
		}
	})

	t.Run("concurrent spawn limit", func(t *testing.T) {
		if got := h.launch(t, "slow", nil); got.Status != http.StatusAccepted {
			t.Fatalf("launch slow: %d %s, want 202", got.Status, got.Body)
		}
		got := h.launch(t, "second", nil)
		if got.Status != http.StatusTooManyRequests || got.Header.Get("Retry-After") == "" {
			t.Errorf("launch beside a pending one: %d %s, want 429 with Retry-After", got.Status, got.Body)
		}
		if err := os.Remove(filepath.Join(held, "slow")); err != nil {
			t.Fatal(err)
		}
		h.ready(t, "slow")
	})

	t.Run("active server limit", func(t *testing.T) {
		h.launch(t, "second", nil)
		h.ready(t, "second")
		got := h.launch(t, "third", nil)
		if got.Status != http.StatusTooManyRequests || !strings.Contains(got.Body, "ctive") {
			t.Errorf("launch beside two active ones: %d %s, want 429 for active servers", got.Status, got.Body)
		}
		h.shut(t, "second")
		if got := h.launch(t, "third", nil); got.Status != http.StatusAccepted {
			t.Errorf("launch after one stopped: %d %s, want 202", got.Status, got.Body)
		}
		h.ready(t, "third")
	})

	t.Run("routes", func(t *testing.T) {
		if got := h.api(t, http.MethodGet, "/proxy", nil); got.Status != http.StatusOK || !strings.Contains(got.Body, `"/user/slow/"`) {
			t.Errorf("GET /hub/api/proxy: %d %s, want the route of slow", got.Status, got.Body)
		}
		if diff := cmp.Diff(h.hubURL(""), strings.TrimSuffix(h.routes(t)["/"], "/")); diff != "" {
			t.Errorf("default route of a JupyterHub (-want +got):\n%s", diff)
		}
		if got := ask(t, http.MethodGet, h.public("/user/slow/api"), "", nil); got.Status != http.StatusOK || !strings.Contains(got.Body, "version") {
			t.Errorf("server of slow through the proxy: %d %s", got.Status, got.Body)
		}
		h.shut(t, "slow")
		h.shut(t, "third")
	})
}

// TestRealHubGivesUp has servers that die at once: after as many in a row as
// the values say, the hub ends, and Kubernetes would start it anew.
func TestRealHubGivesUp(t *testing.T) {
	h := newRealHub(t, "jupyterhub")
	h.start(t, map[string]any{
		"hub": map[string]any{
			"consecutiveFailureLimit": 2,
			"config":                  map[string]any{"Spawner": map[string]any{"http_timeout": 2}},
		},
		"singleuser": map[string]any{"cmd": []any{"false"}},
		"cull":       map[string]any{"enabled": false},
	})
	for _, user := range []string{"one", "two"} {
		if got := h.launch(t, user, nil); got.Status != http.StatusAccepted {
			t.Fatalf("launch %s: %d %s", user, got.Status, got.Body)
		}
		if user == "two" {
			break
		}
		h.wait(t, "the first server to fail", func() bool {
			return !strings.Contains(h.api(t, http.MethodGet, "/users/"+user, nil).Body, `"pending": "spawn"`)
		})
	}
	select {
	case <-h.hub.ended:
		if h.hub.ProcessState.ExitCode() == 0 {
			t.Errorf("the hub ended with %v, as if nothing was wrong", h.hub.ProcessState)
		}
	case <-time.After(time.Until(h.deadline)):
		t.Error("the hub goes on after two failures in a row")
	}
	if _, err := os.Stat(filepath.Join(h.dir, "python", "record.json")); err == nil {
		t.Error("a culler was started though cull.enabled is false")
	}
}

// TestRealHubOfABinder runs the hub of the binderhub chart, with the default
// route away from it as mybinder.org has it.
func TestRealHubOfABinder(t *testing.T) {
	patches := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, "Binder not found")
	}))
	t.Cleanup(patches.Close)

	h := newRealHub(t, "binderhub")
	h.start(t, map[string]any{
		"hub": map[string]any{"config": map[string]any{
			"JupyterHub":    map[string]any{"hub_routespec": "/hub/api/", "authenticator_class": "null"},
			"Proxy":         map[string]any{"extra_routes": map[string]any{"/": patches.URL}},
			"BinderSpawner": map[string]any{"home_dir_template": filepath.Join(h.dir, "home", "{username}"), "auth_enabled": false},
		}},
		"proxy": map[string]any{"chp": map[string]any{"errorTarget": patches.URL + "/hub/error"}},
	})

	if got := h.culler(t); cmp.Diff([]string{
		h.cullerURL(), "--timeout=3600", "--cull-every=600", "--concurrency=10", "--cull-users=true",
	}, got.Flags) != "" || got.ListUsers != http.StatusOK {
		t.Errorf("culler of a BinderHub: %+v", got)
	}

	h.wait(t, "the extra route", func() bool { return h.routes(t)["/"] != "" })
	want := map[string]string{"/": patches.URL, "/hub/api": h.hubURL("")}
	if diff := cmp.Diff(want, trimmed(h.routes(t))); diff != "" {
		t.Errorf("routes (-want +got):\n%s", diff)
	}
	for _, path := range []string{"/", "/hub/spawn", "/other/doesntexist"} {
		if got := ask(t, http.MethodGet, h.public(path), "", nil); got.Status != http.StatusNotFound || got.Body != "Binder not found" {
			t.Errorf("GET %s: %d %q, want it to stay away from the hub", path, got.Status, got.Body)
		}
	}
	if got := ask(t, http.MethodGet, h.public("/hub/api/"), "", nil); got.Status != http.StatusOK {
		t.Errorf("GET /hub/api/ through the proxy: %d", got.Status)
	}

	t.Run("launch with a token", func(t *testing.T) {
		options := map[string]any{"image": "registry.example/i-demo:1", "token": "opensesame", "repo_url": "https://example.org/demo"}
		if got := h.launch(t, "demo-1", options); got.Status != http.StatusAccepted {
			t.Fatalf("launch: %d %s", got.Status, got.Body)
		}
		h.ready(t, "demo-1")
		if got := ask(t, http.MethodGet, h.public("/user/demo-1/api/contents"), "", nil); got.Status != http.StatusForbidden {
			t.Errorf("without the token: %d, want 403", got.Status)
		}
		if got := ask(t, http.MethodGet, h.public("/user/demo-1/api/contents"), "opensesame", nil); got.Status != http.StatusOK {
			t.Errorf("with the token: %d %s, want 200", got.Status, got.Body)
		}
		h.shut(t, "demo-1")
	})
}

// trimmed takes the closing slash off every target.
func trimmed(routes map[string]string) map[string]string {
	for spec, target := range routes {
		routes[spec] = strings.TrimSuffix(target, "/")
	}
	return routes
}
