package sim

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// A stream is a list of server-sent events to one caller.
type stream struct {
	w http.ResponseWriter
	r *http.Request
}

func newStream(w http.ResponseWriter, r *http.Request) *stream {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-cache")
	w.WriteHeader(http.StatusOK)
	return &stream{w, r}
}

func (s *stream) send(event map[string]any) {
	data, err := json.Marshal(event)
	if err != nil {
		panic(err) // only texts, numbers and flags are sent
	}
	fmt.Fprintf(s.w, "data: %s\n\n", data)
	_ = http.NewResponseController(s.w).Flush()
}

// follow polls look, which is called while nothing else happens, until it says that
// all has been said, or the caller goes. It is false when the caller went.
func (s *Simulator) follow(r *http.Request, look func() (done bool)) bool {
	for !look() {
		if !s.pause(r, tick) {
			return false
		}
	}
	return true
}

// progress tells how a server starts, until it is ready or has failed.
func progress(c *call) {
	server := c.server()
	if server == nil {
		c.json(http.StatusNotFound, map[string]any{"status": 404, "message": "No such server"})
		return
	}
	out := newStream(c.w, c.r)
	out.send(map[string]any{"progress": 0, "message": "Server requested"})
	if server.state == serverPending {
		out.send(map[string]any{"progress": 50, "message": "Spawning server..."})
	}
	c.s.follow(c.r, func() bool {
		switch {
		case server.failed != "":
			out.send(map[string]any{"progress": 100, "failed": true, "message": "Spawn failed: " + server.failed})
		case server.state == serverReady:
			out.send(map[string]any{"progress": 100, "ready": true, "message": "Server ready at " + c.userURL(server), "url": c.userURL(server)})
		case server.state == serverStopping:
			out.send(map[string]any{"progress": 100, "failed": true, "message": "Spawn failed: the server was stopped"})
		default:
			return false
		}
		return true
	})
}

// build is BinderHub's event stream: it builds if need be, launches, and says where.
func (s *Simulator) build(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.hubs[r.PathValue("namespace")]
	if h == nil {
		http.NotFound(w, r)
		return
	}
	if len(h.binders) == 0 {
		drop(w)
		return
	}
	if !strings.Contains(r.Header.Get("Accept"), "text/event-stream") {
		http.Error(w, "400: Accept must be text/event-stream", http.StatusBadRequest)
		return
	}
	if r.URL.Query().Get("build_only") == "true" {
		http.Error(w, "400: build_only is for API-only mode", http.StatusBadRequest)
		return
	}
	out := newStream(w, r)
	parts := strings.Split(r.PathValue("spec"), "/")
	if r.PathValue("provider") != "gh" || len(parts) < 3 {
		out.send(map[string]any{"phase": "failed", "message": "Spec is not of the form \"user/repo/ref\": " + r.PathValue("spec"), "status_code": 400})
		return
	}
	repo := parts[0] + "/" + parts[1]
	l := h.launch(repo, h.now, strings.HasPrefix(parts[2], "build"))
	l.visitor = true
	s.tell(out, h, l)
}

// tell streams a launch's phases. A caller who goes leaves the launch to itself,
// and its server to the culler.
func (s *Simulator) tell(out *stream, h *Hub, l *launch) {
	said := stage(0)
	say := func(now stage, events ...map[string]any) {
		if said < now {
			said = now
			for _, e := range events {
				out.send(e)
			}
		}
	}
	there := s.follow(out.r, func() bool {
		switch {
		case l.stage == stageDone && l.outcome == Succeeded:
			out.send(map[string]any{"phase": "ready", "message": "server running at " + h.Namespace + "\n", "image": l.server.image,
				"repo_url": "https://github.com/" + l.repo, "token": l.server.token,
				"url": s.opts.URL + "/" + h.Namespace + "/user/" + l.user + "/"})
		case l.stage == stageDone:
			out.send(map[string]any{"phase": "failed", "message": l.why + "\n", "status_code": 500})
		case l.stage == stageBuild:
			say(stageBuild, map[string]any{"phase": "waiting", "message": "Waiting for build to start...\n"})
			return false
		default:
			say(stageWait, map[string]any{"phase": "built", "message": "Found built image, launching...\n", "imageName": h.image(l.repo)},
				map[string]any{"phase": "launching", "message": "Launching server...\n"})
			return false
		}
		return true
	})
	if !there && l.server != nil {
		l.server.until = h.now
	}
}

func binderHealth(c *call) {
	h := c.hub
	hubOK := h.hub != nil && h.hub.up && h.random.Float64() >= h.hub.timesOut()
	builds := 0
	for _, l := range h.launches {
		if l.stage == stageBuild {
			builds++
		}
	}
	status := http.StatusOK
	if !hubOK {
		status = http.StatusServiceUnavailable
	}
	c.json(status, map[string]any{"ok": hubOK, "checks": []any{
		map[string]any{"service": "Docker registry", "ok": true},
		map[string]any{"service": "JupyterHub API", "ok": hubOK},
		map[string]any{"service": "Pod quota", "ok": true, "total_pods": len(h.servers) + builds, "build_pods": builds, "user_pods": len(h.servers), "quota": nil},
	}})
}

func binderVersions(c *call) {
	c.json(http.StatusOK, map[string]any{
		"builder_info": map[string]string{"build_image": "quay.io/jupyterhub/repo2docker:2026.4.1"},
		"binderhub":    tagOf(c.hub.binders[0].image), "builder": "quay.io/jupyterhub/repo2docker:2026.4.1",
	})
}

// userServer answers below /user/: for a server that runs its API, for one that
// does not what the proxy has there.
func userServer(c *call) {
	user, rest, _ := strings.Cut(c.r.PathValue("path"), "/")
	s := c.hub.servers[podOf(user, "")]
	if s == nil || s.state != serverReady {
		name, after, _ := strings.Cut(rest, "/")
		if named := c.hub.servers[podOf(user, name)]; name != "" && named != nil && named.state == serverReady {
			s, rest = named, after
		}
	}
	if s == nil || s.state != serverReady {
		c.text(http.StatusFailedDependency, "Binder not found")
		return
	}
	token := strings.TrimPrefix(strings.TrimPrefix(c.r.Header.Get("Authorization"), "token "), "Bearer ")
	if token == "" {
		token = c.r.URL.Query().Get("token")
	}
	switch {
	case token != s.token && !slices.Contains(c.hub.settings.Tokens, token):
		c.json(http.StatusForbidden, map[string]string{"message": "Forbidden"})
	case rest == "api" || rest == "api/" || rest == "api/status":
		c.json(http.StatusOK, map[string]string{"version": "2.17.0"})
	case rest == "api/shutdown" && c.r.Method == http.MethodPost:
		c.hub.stop(s)
		c.w.WriteHeader(http.StatusOK)
	default:
		c.text(http.StatusNotFound, "Not Found")
	}
}

func sortedKeys(m map[string]bool) []string { return slices.Sorted(maps.Keys(m)) }

// A record is of a named server in the hub's database. It stays when the server
// stops, unless it is removed.
type record struct{ user, name string }

// has reports whether there is a record of a named server.
func (h *Hub) has(user, name string) bool {
	_, exists := h.records[podOf(user, name)]
	return exists && name != ""
}
