package sim

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
)

// surfaces are what the hub, the proxy, the binder and the users' servers answer,
// each below the name of its namespace. Whatever comes to the hub or to a user's
// server comes by the proxy.
func (s *Simulator) surfaces(mux *http.ServeMux) {
	for pattern, answer := range map[string]func(*call){
		"GET /{namespace}/_chp_healthz": func(c *call) { c.json(http.StatusOK, map[string]string{"status": "OK"}) },

		"GET /{namespace}/hub/health":     hubHealth,
		"GET /{namespace}/hub/api/health": hubHealth,
		"GET /{namespace}/hub/metrics":    hubMetricsPage,
		"GET /{namespace}/hub/api/{$}":    func(c *call) { c.json(http.StatusOK, map[string]string{"version": "5.5.0"}) },
		"GET /{namespace}/hub/api":        func(c *call) { c.json(http.StatusOK, map[string]string{"version": "5.5.0"}) },
		"GET /{namespace}/hub/api/info":   authorized(hubInfo),
		"GET /{namespace}/hub/api/users":  authorized(listUsers),

		"GET /{namespace}/hub/api/users/{user}":                           authorized(showUser),
		"POST /{namespace}/hub/api/users/{user}":                          authorized(makeUser),
		"DELETE /{namespace}/hub/api/users/{user}":                        authorized(deleteUser),
		"POST /{namespace}/hub/api/users/{user}/server":                   authorized(startServer),
		"DELETE /{namespace}/hub/api/users/{user}/server":                 authorized(stopServer),
		"GET /{namespace}/hub/api/users/{user}/server/progress":           authorized(progress),
		"POST /{namespace}/hub/api/users/{user}/servers/{server}":         authorized(startServer),
		"DELETE /{namespace}/hub/api/users/{user}/servers/{server}":       authorized(stopServer),
		"GET /{namespace}/hub/api/users/{user}/servers/{server}/progress": authorized(progress),
		"POST /{namespace}/hub/api/users/{user}/tokens":                   authorized(makeToken),
	} {
		onlyIf := needsHub
		if strings.HasSuffix(pattern, "_chp_healthz") {
			onlyIf = needsProxy
		}
		mux.HandleFunc(pattern, s.answer(onlyIf, answer))
	}
	mux.HandleFunc("/{namespace}/user/{path...}", s.answer(needsProxy, userServer))
	mux.HandleFunc("GET /{namespace}/other/{path...}", s.answer(needsProxy, func(c *call) { c.text(http.StatusNotFound, "Binder not found") }))
	mux.HandleFunc("GET /{namespace}/health", s.answer(needsBinder, binderHealth))
	mux.HandleFunc("GET /{namespace}/versions", s.answer(needsBinder, binderVersions))
	mux.HandleFunc("GET /{namespace}/metrics", s.answer(needsBinder, func(c *call) { c.hub.writeBinder(c.w, c.hub.binders[0]) }))
	mux.HandleFunc("GET /{namespace}/build/{provider}/{spec...}", s.build)
	mux.HandleFunc("GET /{namespace}/{$}", s.answer(needsBinder, func(c *call) { c.text(http.StatusOK, "<html><title>GitHub: Binder</title></html>") }))
}

// A call is one request to a hub, made while nothing else happens to it.
type call struct {
	s   *Simulator
	hub *Hub
	w   http.ResponseWriter
	r   *http.Request
}

func (c *call) json(status int, value any) { writeJSON(c.w, status, value) }

func (c *call) text(status int, text string) { http.Error(c.w, text, status) }

// counted counts the request in the hub's metrics.
func (c *call) counted(handler, code string) {
	c.hub.hub.requests(c.r.Method, handler, code, 1, c.hub.hub.latency())
}

// A need is what must be there for an answer. It answers itself when it is not,
// and says how long the answer takes.
type need func(*call) (ok bool, wait time.Duration)

func needsProxy(c *call) (bool, time.Duration) {
	if c.hub.proxy == "" {
		drop(c.w)
		return false, 0
	}
	return true, 0
}

// needsHub is for what comes to the hub by the proxy.
func needsHub(c *call) (bool, time.Duration) {
	if ok, _ := needsProxy(c); !ok {
		return false, 0
	}
	p := c.hub.hub
	if p == nil || !p.up {
		c.text(http.StatusServiceUnavailable, "Service Unavailable")
		return false, 0
	}
	if c.hub.random.Float64() < p.timesOut() {
		return true, 30 * time.Second
	}
	if p.has(Errors) && !strings.HasSuffix(c.r.URL.Path, "/health") && c.hub.random.Float64() < errorShare {
		c.text(http.StatusInternalServerError, `{"status": 500, "message": "Internal Server Error"}`)
		p.metrics.requests.observe(labelled("code", "500", "handler", serverHandler, "method", c.r.Method), p.latency(), 1)
		return false, 0
	}
	return true, seconds(p.latency())
}

func needsBinder(c *call) (bool, time.Duration) {
	if len(c.hub.binders) == 0 {
		drop(c.w)
		return false, 0
	}
	return true, 0
}

// answer finds the hub of a request and lets it answer, after the time it takes.
func (s *Simulator) answer(n need, answer func(*call)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		h := s.hubs[r.PathValue("namespace")]
		if h == nil {
			http.NotFound(w, r)
			return
		}
		c := &call{s, h, w, r}
		ok, wait := n(c)
		if !ok {
			return
		}
		if wait > 50*time.Millisecond && !s.pause(r, wait) {
			return
		}
		if ok, _ := n(c); ok { // it may have gone meanwhile
			answer(c)
		}
	}
}

// pause lets others go on for so long; it is false when the caller has gone.
func (s *Simulator) pause(r *http.Request, d time.Duration) bool {
	s.mu.Unlock()
	defer s.mu.Lock()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
		return false
	}
}

// authorized lets in who has a token of one of the hub's services.
func authorized(answer func(*call)) func(*call) {
	return func(c *call) {
		given := c.r.Header.Get("Authorization")
		token, isToken := strings.CutPrefix(given, "token ")
		if !isToken {
			token, isToken = strings.CutPrefix(given, "Bearer ")
		}
		if !isToken || token == "" || !slices.Contains(c.hub.settings.Tokens, token) {
			c.counted(userHandler, "403")
			c.json(http.StatusForbidden, map[string]any{"status": 403, "message": "Missing or invalid credentials."})
			return
		}
		answer(c)
	}
}

func hubHealth(c *call) {
	c.counted(healthHandler, "200")
	c.w.WriteHeader(http.StatusOK)
}

func hubMetricsPage(c *call) { c.hub.writeHub(c.w) }

func hubInfo(c *call) {
	c.json(http.StatusOK, map[string]any{"version": "5.5.0", "python": "3.12", "spawner": map[string]string{"class": "kubespawner.spawner.KubeSpawner", "version": "7.0.0"}})
}

// server finds the server that a path names.
func (c *call) server() *server {
	return c.hub.servers[podOf(c.r.PathValue("user"), c.r.PathValue("server"))]
}

// userModel is a user as the hub's API shows one.
func (c *call) userModel(name string) (map[string]any, bool) {
	servers, exists := map[string]any{}, c.hub.known[name]
	for _, s := range c.hub.sorted() {
		if s.user != name {
			continue
		}
		exists = true
		servers[s.name] = map[string]any{
			"name": s.name, "ready": s.state == serverReady, "stopped": false, "url": c.userURL(s), "user_options": map[string]any{},
			"pending": map[serverState]any{serverPending: "spawn", serverStopping: "stop", serverReady: nil}[s.state],
		}
	}
	for _, r := range c.hub.records {
		if r.user == name {
			exists = true
			servers[r.name] = map[string]any{"name": r.name, "ready": false, "stopped": true, "pending": nil, "url": nil}
		}
	}
	return map[string]any{"kind": "user", "name": name, "admin": false, "servers": servers}, exists
}

func (c *call) userURL(s *server) string {
	url := "/" + c.hub.Namespace + "/user/" + s.user + "/"
	if s.name != "" {
		url += s.name + "/"
	}
	return url
}

func listUsers(c *call) {
	c.counted(userListHandler, "200")
	names := map[string]bool{}
	for name := range c.hub.known {
		names[name] = true
	}
	for _, s := range c.hub.servers {
		names[s.user] = true
	}
	all := []any{}
	state := c.r.URL.Query().Get("state")
	for _, name := range sortedKeys(names) {
		m, _ := c.userModel(name)
		if active := len(m["servers"].(map[string]any)) > 0; state == "" || active == (state != "inactive") {
			all = append(all, m)
		}
	}
	c.json(http.StatusOK, all)
}

func showUser(c *call) {
	m, exists := c.userModel(c.r.PathValue("user"))
	if !exists {
		c.counted(userHandler, "404")
		c.json(http.StatusNotFound, map[string]any{"status": 404, "message": "No such user"})
		return
	}
	c.counted(userHandler, "200")
	c.json(http.StatusOK, m)
}

func makeUser(c *call) {
	name := c.r.PathValue("user")
	if _, exists := c.userModel(name); exists {
		c.counted(userHandler, "409")
		c.json(http.StatusConflict, map[string]any{"status": 409, "message": "User " + name + " already exists"})
		return
	}
	c.hub.known[name] = true
	c.counted(userHandler, "201")
	m, _ := c.userModel(name)
	c.json(http.StatusCreated, m)
}

func deleteUser(c *call) {
	name := c.r.PathValue("user")
	if _, exists := c.userModel(name); !exists {
		c.counted(userHandler, "404")
		c.json(http.StatusNotFound, map[string]any{"status": 404, "message": "No such user"})
		return
	}
	for _, s := range c.hub.sorted() {
		if s.user == name {
			s.remove = true
			c.hub.stop(s)
		}
	}
	for pod, r := range c.hub.records {
		if r.user == name {
			delete(c.hub.records, pod)
		}
	}
	delete(c.hub.known, name)
	c.counted(userHandler, "204")
	c.w.WriteHeader(http.StatusNoContent)
}

func makeToken(c *call) {
	c.counted(userHandler, "201")
	c.json(http.StatusCreated, map[string]any{"token": "0123456789abcdef", "user": c.r.PathValue("user")})
}

// startServer is POST: the server is pending, and its progress can be followed.
func startServer(c *call) {
	user, name := c.r.PathValue("user"), c.r.PathValue("server")
	if _, exists := c.userModel(user); !exists {
		c.counted(serverHandler, "404")
		c.json(http.StatusNotFound, map[string]any{"status": 404, "message": "No such user"})
		return
	}
	_, err := c.hub.spawn(wish{user: user, name: name, image: c.hub.settings.UserImage})
	status := map[error]int{nil: http.StatusAccepted, errExists: http.StatusBadRequest, errThrottled: http.StatusTooManyRequests,
		errFull: http.StatusTooManyRequests, errFailed: http.StatusInternalServerError, errTimeout: http.StatusGatewayTimeout}[err]
	switch {
	case err == nil:
		c.w.WriteHeader(status)
		return
	case status == http.StatusTooManyRequests:
		c.w.Header().Set("Retry-After", "30")
	case status == 0:
		status = http.StatusServiceUnavailable
	}
	c.json(status, map[string]any{"status": status, "message": err.Error()})
}

// stopServer is DELETE: 202 while the pod goes, 204 when it has gone.
func stopServer(c *call) {
	var want struct {
		Remove bool `json:"remove"`
	}
	_ = json.NewDecoder(c.r.Body).Decode(&want) // the body may be missing
	s := c.server()
	switch {
	case s == nil && c.hub.has(c.r.PathValue("user"), c.r.PathValue("server")):
		delete(c.hub.records, podOf(c.r.PathValue("user"), c.r.PathValue("server")))
		c.counted(serverHandler, "204")
		c.w.WriteHeader(http.StatusNoContent)
	case s == nil:
		c.counted(serverHandler, "404")
		c.json(http.StatusNotFound, map[string]any{"status": 404, "message": "No such server"})
	default:
		s.remove = s.remove || want.Remove
		c.hub.stop(s)
		c.w.WriteHeader(http.StatusAccepted)
	}
}
