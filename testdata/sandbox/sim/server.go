package sim

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

type serverState int

const (
	serverPending serverState = iota + 1
	serverReady
	serverStopping
)

// A server is a user's, as the hub records it.
type server struct {
	pod, user, name, repo, image, token string

	state  serverState
	asked  time.Duration
	ready  time.Duration // not before
	until  time.Duration // its user leaves; 0: stays until told to stop
	seen   bool          // its pod was in the cluster
	failed string        // why, once it failed
	remove bool          // its record too
}

// Why the hub did not start a server.
var (
	errHubDown   = errors.New("the hub does not answer: connection refused")
	errProxyDown = errors.New("the proxy does not answer: connection refused")
	errTimeout   = errors.New("HTTP 599: Timeout while connecting")
	errFailed    = errors.New("HTTP 500: Internal Server Error")
	errThrottled = errors.New("HTTP 429: too many users trying to log in right now")
	errFull      = errors.New("HTTP 429: active user limit exceeded")
	errExists    = errors.New("HTTP 400: the server is running or pending already")
)

// startTimeout is after what time a server that did not start has failed.
const startTimeout = 300 * time.Second

// A wish is for a server.
type wish struct{ user, name, repo, image string }

// spawn asks the hub for a server. It is pending at first.
func (h *Hub) spawn(w wish) (*server, error) {
	if h.hub == nil || !h.hub.up {
		return nil, errHubDown
	}
	p := h.hub
	pod := podOf(w.user, w.name)
	if h.servers[pod] != nil || h.dropped[pod] { // or it is still stopping
		return nil, errExists
	}
	if err := h.admit(); err != nil {
		return nil, err
	}
	if h.random.Float64() < p.timesOut() {
		p.backlog += 3
		return nil, errTimeout
	}
	p.requests("POST", userHandler, "201", 1, p.latency())
	p.spawned(h.now, h.load)
	if p.has(Errors) && h.random.Float64() < errorShare {
		p.metrics.spawns.observe(spawnStatus("failure"), 1, 1)
		return nil, errFailed
	}
	if p.has(Underload) && p.launchesPerMinute(h.now) > h.load.UnderloadAbove && h.random.Float64() < 0.8 {
		p.metrics.spawns.observe(spawnStatus("failure"), 60, 1)
		p.requests("POST", serverHandler, "500", 1, 60)
		return nil, errFailed
	}
	p.requests("POST", serverHandler, "202", 1, p.latency())
	s := &server{
		pod: pod, user: w.user, name: w.name, repo: w.repo, image: w.image, state: serverPending, asked: h.now,
		ready: h.now + seconds(3+2*h.random.ExpFloat64()+p.latency()), token: fmt.Sprintf("%016x%016x", h.random.Uint64(), h.random.Uint64()),
	}
	delete(h.records, pod)
	h.servers[pod] = s
	h.do(CreateUser{Pod: pod, User: w.user, Server: w.name, Image: w.image})
	return s, nil
}

// admit holds the hub's limits.
func (h *Hub) admit() error {
	pending := len(h.servers) - h.running()
	switch p := h.hub; {
	case h.settings.ConcurrentSpawn > 0 && pending >= h.settings.ConcurrentSpawn:
		p.metrics.spawns.observe(spawnStatus("throttled"), 0.01, 1)
		p.requests("POST", serverHandler, "429", 1, p.latency())
		return errThrottled
	case h.settings.ActiveServers > 0 && len(h.servers) >= h.settings.ActiveServers:
		p.metrics.spawns.observe(spawnStatus("too-many-users"), 0.01, 1)
		p.requests("POST", serverHandler, "429", 1, p.latency())
		return errFull
	}
	return nil
}

// podOf is the name of the pod of a user's server.
func podOf(user, name string) string {
	pod := "jupyter-" + strings.ToLower(user)
	if name != "" {
		pod += "--" + strings.ToLower(name)
	}
	return pod
}

// watchServers compares the servers with their pods.
func (h *Hub) watchServers(pods map[string]Pod, busy func(string) bool) {
	h.adopt(pods, busy)
	for _, s := range h.sorted() {
		p, exists := pods[s.pod]
		s.seen = s.seen || exists
		gone := s.seen && (!exists || p.Deleting)
		switch {
		case s.state == serverStopping && gone:
			h.forget(s)
		case s.state == serverReady && gone:
			h.lose(s)
		case s.state == serverPending && gone:
			h.fail(s, "its pod is gone")
		case s.state == serverPending && h.now-s.asked > startTimeout:
			h.fail(s, "not ready in time")
		case s.state == serverPending && exists && p.Ready && h.now >= s.ready:
			h.succeed(s)
		}
	}
}

func (h *Hub) succeed(s *server) {
	s.state = serverReady
	if h.hub != nil {
		h.hub.metrics.spawns.observe(spawnStatus("success"), (h.now - s.asked).Seconds(), 1)
		h.hub.metrics.proxyAdd.observe(labelled("status", "success"), 0.01, 1)
	}
}

// adopt takes in the servers that were there before this model, or that a test made.
func (h *Hub) adopt(pods map[string]Pod, busy func(string) bool) {
	for name := range h.dropped {
		if _, exists := pods[name]; !exists && !busy(name) {
			delete(h.dropped, name)
		}
	}
	for name, p := range pods {
		if p.Component != userComponent || !p.Ready || p.Deleting || h.servers[name] != nil || h.dropped[name] {
			continue
		}
		user := strings.TrimPrefix(name, "jupyter-")
		h.servers[name] = &server{pod: name, user: user, image: p.Image, state: serverReady, asked: h.now, seen: true}
	}
}

// fail ends a server that never got ready. Who asked for it finds out why.
func (h *Hub) fail(s *server, why string) {
	s.failed = why
	if h.hub != nil {
		h.hub.metrics.spawns.observe(spawnStatus("failure"), (h.now - s.asked).Seconds(), 1)
	}
	delete(h.servers, s.pod)
	h.do(Delete{Pod: s.pod})
}

// lose is for a session that someone else ended.
func (h *Hub) lose(s *server) {
	if s.until == 0 || h.now < s.until {
		h.ledger.Lost++
	}
	h.forget(s)
}

func (h *Hub) forget(s *server) {
	delete(h.servers, s.pod)
	if s.name != "" && !s.remove {
		h.records[s.pod] = record{s.user, s.name}
	}
	if h.hub != nil && h.hub.has(Flood) && !h.known[s.user] {
		h.leftOver++
	}
}

// stop is what the culler, and DELETE, do to a server.
func (h *Hub) stop(s *server) {
	if s.state == serverStopping {
		return
	}
	s.state = serverStopping
	h.do(Delete{Pod: s.pod})
	if h.hub != nil {
		h.hub.requests("DELETE", serverHandler, "204", 1, h.hub.latency())
		h.hub.metrics.stops.observe(labelled("status", "success"), 1, 1)
		h.hub.metrics.proxyDelete.observe(labelled("status", "success"), 0.01, 1)
	}
}

// cullIdle is the culler's turn: it stops the servers whose users have left, and
// deletes users who have none.
func (h *Hub) cullIdle() {
	if h.hub == nil || !h.hub.up || h.settings.CullEvery <= 0 || h.now < h.cull {
		return
	}
	h.cull = h.now + h.settings.CullEvery
	p := h.hub
	p.requests("GET", userListHandler, "200", 1, p.latency())
	for _, s := range h.sorted() {
		if s.state == serverReady && s.until > 0 && h.now >= s.until {
			h.stop(s)
		}
	}
	if !p.has(Flood) {
		p.requests("DELETE", userHandler, "204", float64(h.leftOver), p.latency())
		p.backlog += float64(h.leftOver) / 10
		h.leftOver = 0
	}
}
