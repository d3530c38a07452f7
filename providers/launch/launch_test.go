package launch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"hubcap/engine/plan"
	"hubcap/engine/resource"
	"hubcap/engine/run"
)

// A fakeHub answers as JupyterHub's API does, and misbehaves on demand. The
// behaviour of a real one is tested in modules, with HUBCAP_REALHUB=1.
type fakeHub struct {
	mu      sync.Mutex
	users   map[string]bool // name → its server is there
	looks   int             // until a start is ready
	fails   bool            // every start fails
	full    bool
	broken  bool // 500 to everything
	sticky  int  // refusals to stop
	forbids bool
	made    int
}

func (f *fakeHub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.Header.Get("Authorization") != "token secret" || f.forbids {
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `{"status":403,"message":"Action is not authorized with current scopes"}`)
		return
	}
	if f.broken {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	rest := strings.TrimPrefix(r.URL.Path, "/base/hub/api/users/")
	name, isServer := strings.CutSuffix(rest, "/server")
	_, exists := f.users[name]
	switch {
	case r.Method == http.MethodGet && !exists:
		w.WriteHeader(http.StatusNotFound)
	case r.Method == http.MethodGet:
		f.show(w, name)
	case r.Method == http.MethodPost && !isServer && exists:
		w.WriteHeader(http.StatusConflict)
	case r.Method == http.MethodPost && !isServer:
		f.users[name] = false
		w.WriteHeader(http.StatusCreated)
	case r.Method == http.MethodPost && f.full:
		w.WriteHeader(http.StatusTooManyRequests)
		fmt.Fprint(w, `{"message":"200 active server limit"}`)
	case r.Method == http.MethodPost:
		f.users[name] = true
		f.made++
		w.WriteHeader(http.StatusAccepted)
	case r.Method == http.MethodDelete && isServer && f.sticky > 0:
		f.sticky--
		w.WriteHeader(http.StatusBadRequest)
	case r.Method == http.MethodDelete && isServer:
		f.users[name] = false
		w.WriteHeader(http.StatusNoContent)
	case r.Method == http.MethodDelete:
		delete(f.users, name)
		w.WriteHeader(http.StatusNoContent)
	}
}

func (f *fakeHub) show(w http.ResponseWriter, name string) {
	servers := map[string]any{}
	if f.users[name] {
		f.looks--
		if f.looks < 0 && f.fails {
			f.users[name] = false
		} else {
			servers[""] = server{Ready: f.looks < 0}
		}
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"name": name, "servers": servers})
}

func token(context.Context, plan.Gate) (resource.Sensitive, error) {
	return resource.Secret("secret"), nil
}

func TestViaHub(t *testing.T) {
	for _, test := range []struct {
		reason string
		hub    *fakeHub
		want   run.Verdict
		says   string
		starts int
	}{
		{"a server starts and goes again", &fakeHub{looks: 2}, run.Pass, "launched in", 1},
		{"what an earlier sample left goes first", &fakeHub{users: map[string]bool{"gate": true}, sticky: 1}, run.Pass, "launched in", 1},
		{"a start that fails", &fakeHub{fails: true}, run.Fail, "the server's start failed", 1},
		{"a start that takes too long", &fakeHub{looks: 1000}, run.Fail, "not launched within", 1},
		{"a full hub says nothing about the change", &fakeHub{full: true}, run.Inconclusive, "the hub is full: 200 active server limit", 0},
		{"a token that may not says nothing either", &fakeHub{forbids: true}, run.Inconclusive, "may not look at the user gate: the hub answered 403", 0},
		{"a hub that is broken", &fakeHub{broken: true}, run.Fail, "the hub answered 500", 0},
	} {
		t.Run(test.reason, func(t *testing.T) {
			hub := test.hub
			if hub.users == nil {
				hub.users = map[string]bool{}
			}
			s := httptest.NewServer(hub)
			defer s.Close()
			gate := plan.Gate{Name: "g", Launch: &plan.LaunchCheck{Via: plan.ViaJupyterHub, URL: s.URL + "/base/", User: "gate", Timeout: 5 * time.Second}}
			if hub.looks == 1000 {
				gate.Launch.Timeout = time.Second
			}
			got, err := New(token).Sample(t.Context(), run.Question{Gate: gate})
			if err != nil || got.Verdict != test.want || !strings.Contains(got.Reason, test.says) {
				t.Errorf("got %q %q (%v), want %q %q", got.Verdict, got.Reason, err, test.want, test.says)
			}
			if (got.Value != nil) != (test.want == run.Pass) {
				t.Errorf("value %v with verdict %s", got.Value, got.Verdict)
			}
			if hub.made != test.starts || len(hub.users) != 0 {
				t.Errorf("%d starts, left %v; want %d starts and nothing left", hub.made, hub.users, test.starts)
			}
		})
	}
}

// TestInterrupted checks that a sample which is cut off cleans up all the same.
func TestInterrupted(t *testing.T) {
	hub := &fakeHub{users: map[string]bool{}, looks: 1000}
	ctx, cancel := context.WithCancel(t.Context())
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hub.ServeHTTP(w, r)
		if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/server") {
			cancel()
		}
	}))
	defer s.Close()
	gate := plan.Gate{Launch: &plan.LaunchCheck{Via: plan.ViaJupyterHub, URL: s.URL + "/base", User: "gate", Timeout: time.Minute}}
	if _, err := New(token).Sample(ctx, run.Question{Gate: gate}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want the context's", err)
	}
	if hub.made != 1 || len(hub.users) != 0 {
		t.Errorf("%d starts, left %v", hub.made, hub.users)
	}
}

// A fakeBinder streams phases and then serves the launched server.
type fakeBinder struct {
	events  []string
	status  int
	server  int // status of the launched server's API
	ended   int
	address string
}

func (f *fakeBinder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case strings.HasPrefix(r.URL.Path, "/build/"):
		if r.Header.Get("Accept") != "text/event-stream" || r.URL.Path != "/build/gh/u/r/HEAD" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		if f.status != 0 {
			w.WriteHeader(f.status)
			return
		}
		for _, e := range f.events {
			fmt.Fprintf(w, "data: %s\n\n:keepalive\n\n", strings.ReplaceAll(e, "URL", f.address))
		}
	case r.URL.Path == "/user/x/api" && r.Header.Get("Authorization") == "token tok":
		w.WriteHeader(f.server)
	case r.URL.Path == "/user/x/api/shutdown" && r.Header.Get("Authorization") == "token tok" && r.Method == http.MethodPost:
		f.ended++
	default:
		w.WriteHeader(http.StatusTeapot)
	}
}

func TestViaBinder(t *testing.T) {
	ready := `{"phase":"ready","url":"URL/user/x/","token":"tok"}`
	for _, test := range []struct {
		reason string
		binder fakeBinder
		want   run.Verdict
		says   string
		ended  int
	}{
		{"a launch", fakeBinder{events: []string{`{"phase":"built"}`, `{"phase":"launching"}`, ready}, server: 200}, run.Pass, "launched in", 1},
		{"ready, but its server is not", fakeBinder{events: []string{ready}, server: 503}, run.Fail, "the server answers 503", 1},
		{"a build that fails", fakeBinder{events: []string{`{"phase":"building"}`, `{"phase":"failed","message":"no\nDockerfile"}`}}, run.Fail, "failed after the phase building: no Dockerfile", 0},
		{"a quota says nothing about the change", fakeBinder{events: []string{`{"phase":"failed","message":"Too many users running u/r"}`}}, run.Inconclusive, "turned the launch away", 0},
		{"a stream that breaks off", fakeBinder{events: []string{`{"phase":"launching"}`}}, run.Fail, "ended after the phase launching", 0},
		{"garbage", fakeBinder{events: []string{`{`, `[]`, `null`}}, run.Fail, "ended after the phase", 0},
		{"an answer that is no stream", fakeBinder{status: 504}, run.Fail, "the build answered 504", 0},
		{"too many requests", fakeBinder{status: 429}, run.Inconclusive, "too many requests", 0},
		{"ready without an address", fakeBinder{events: []string{`{"phase":"ready"}`}}, run.Fail, "not where", 0},
	} {
		t.Run(test.reason, func(t *testing.T) {
			binder := test.binder
			s := httptest.NewServer(&binder)
			defer s.Close()
			binder.address = s.URL
			gate := plan.Gate{Launch: &plan.LaunchCheck{Via: plan.ViaBinderHub, URL: s.URL, Spec: "gh/u/r/HEAD", Timeout: 5 * time.Second}}
			got, err := New(token).Sample(t.Context(), run.Question{Gate: gate})
			if err != nil || got.Verdict != test.want || !strings.Contains(got.Reason, test.says) {
				t.Errorf("got %q %q (%v), want %q %q", got.Verdict, got.Reason, err, test.want, test.says)
			}
			if binder.ended != test.ended {
				t.Errorf("%d servers were ended, want %d", binder.ended, test.ended)
			}
			if strings.Contains(got.Reason, "tok") && !strings.Contains(got.Reason, "token") {
				t.Errorf("the token is in %q", got.Reason)
			}
		})
	}
}

// TestNobodyThere checks a hub that does not answer at all.
func TestNobodyThere(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	address := s.URL
	s.Close()
	for _, via := range []plan.Via{plan.ViaBinderHub, plan.ViaJupyterHub} {
		gate := plan.Gate{Launch: &plan.LaunchCheck{Via: via, URL: address, Spec: "gh/u/r/HEAD", User: "gate", Timeout: time.Second}}
		got, err := New(token).Sample(t.Context(), run.Question{Gate: gate})
		if err != nil || got.Verdict != run.Fail || strings.Contains(got.Reason, address) {
			t.Errorf("%s: %+v, %v", via, got, err)
		}
	}
}
