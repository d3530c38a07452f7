package sim

import (
	"math"
	"slices"
	"time"
)

const mib = 1 << 20

// How a hub works: measured on mybinder.org and in the incidents, rounded.
const (
	baseMemory    = 160 * mib
	serverMemory  = 0.8 * mib
	userMemory    = 0.05 * mib
	baseThreads   = 14
	floodedBy     = 7000 // idle threads that use a whole core
	usualLimit    = 2048 * mib
	baseCPU       = 0.03
	perLaunch     = 0.005 // cores for each launch a minute
	perRequest    = 0.004 // cores for each request a second
	mostCPU       = 1.25  // of one Python process with its libraries
	saturatedAt   = 1.0
	probesPerSec  = 0.6  // the kubelet's
	perServerRate = 0.05 // requests a second for each running server: activity, and the routes
	errorShare    = 0.3  // of the requests, with Errors
)

// The handlers as JupyterHub names them in its metrics.
const (
	healthHandler   = "jupyterhub.handlers.pages.HealthCheckHandler"
	activityHandler = "jupyterhub.apihandlers.users.ActivityAPIHandler"
	userHandler     = "jupyterhub.apihandlers.users.UserAPIHandler"
	userListHandler = "jupyterhub.apihandlers.users.UserListAPIHandler"
	serverHandler   = "jupyterhub.apihandlers.users.UserServerAPIHandler"
)

// A hubProcess is one run of JupyterHub, from its start to its end. What it counts
// begins anew with the next.
type hubProcess struct {
	pod, uid, image string
	faults          []Fault
	limit           float64 // bytes; beyond it the kernel ends the process
	began           time.Duration
	readyAt         time.Duration
	up              bool
	startup         float64 // seconds it took

	spawnedAt []time.Duration // of the last minute
	leaked    float64         // bytes
	threads   float64
	backlog   float64 // requests that come again because they failed
	demand    float64 // cores it could use
	cpu       float64 // seconds of real time, since the start
	metrics   hubMetrics
}

func newHubProcess(pod Pod, now time.Duration, startup time.Duration) *hubProcess {
	p := &hubProcess{
		pod: pod.Name, uid: pod.UID, image: pod.Image, faults: faultsOf(pod.Tags), limit: float64(pod.MemoryLimit),
		began: now, readyAt: now + startup, startup: startup.Seconds(), threads: baseThreads, metrics: newHubMetrics(),
	}
	if p.limit == 0 {
		p.limit = usualLimit
	}
	return p
}

func (p *hubProcess) has(f Fault) bool { return slices.Contains(p.faults, f) }

// memory is what the process uses, in bytes.
func (p *hubProcess) memory(servers, users int) float64 {
	return baseMemory + serverMemory*float64(servers) + userMemory*float64(users) + p.leaked
}

// launchesPerMinute is the rate over the last minute.
func (p *hubProcess) launchesPerMinute(now time.Duration) float64 {
	p.spawnedAt = slices.DeleteFunc(p.spawnedAt, func(t time.Duration) bool { return now-t > time.Minute })
	return float64(len(p.spawnedAt))
}

// spawned counts an attempt to start a server.
func (p *hubProcess) spawned(now time.Duration, load Load) {
	p.spawnedAt = append(p.spawnedAt, now)
	if p.has(Leak) {
		p.leaked += load.LeakMiB * mib
		p.threads += load.LeakThreads
	}
}

// A pace is how much time has passed since the step before.
type pace struct{ simulated, real float64 } // seconds

// work lets the process run: it answers what it is asked, and uses CPU.
func (p *hubProcess) work(now time.Duration, dt pace, h *Hub) {
	flood := 0.0
	if p.has(Flood) {
		flood = 1 + h.load.FloodPerUser*float64(h.leftOver)
	}
	servers := float64(len(h.servers))
	p.demand = baseCPU + 0.9*servers/h.load.Capacity + perLaunch*p.launchesPerMinute(now) +
		0.9*(p.threads-baseThreads)/floodedBy + perRequest*(flood+p.backlog)
	// Who got no answer asks again, for a while.
	p.backlog *= math.Exp(-dt.simulated / 300)
	p.cpu += min(p.demand, mostCPU) * dt.real
	if !p.up {
		return
	}
	took := p.latency()
	p.requests("GET", healthHandler, "200", probesPerSec*dt.simulated, took)
	p.requests("POST", activityHandler, "200", perServerRate*servers*dt.simulated, took)
	p.requests("DELETE", serverHandler, "400", flood*dt.simulated, took)
	p.metrics.loop.observe("", 0.02+took, dt.real/0.02)
}

// requests counts requests; with Errors part of them end in 500.
func (p *hubProcess) requests(method, handler, code string, n, took float64) {
	if n == 0 {
		return
	}
	if p.has(Errors) && handler != healthHandler {
		p.metrics.requests.observe(labelled("code", "500", "handler", handler, "method", method), took, n*errorShare)
		n *= 1 - errorShare
	}
	p.metrics.requests.observe(labelled("code", code, "handler", handler, "method", method), took, n)
}

// latency is how long a request takes, in seconds: the busier the longer.
func (p *hubProcess) latency() float64 {
	if p.demand >= saturatedAt {
		return min(30, 2+20*(p.demand-saturatedAt))
	}
	return 0.005 / (1 - p.demand)
}

// timesOut is the share of the requests that get no answer in time.
func (p *hubProcess) timesOut() float64 {
	return min(1, max(0, (p.demand-0.95)/0.15))
}

// A binderProcess is one run of BinderHub.
type binderProcess struct {
	pod, uid, image string
	faults          []Fault
	quota           quota
	connects        float64 // connections to the hub that were not given back
	memory          float64
	cpu             float64 // seconds of real time
	metrics         binderMetrics
}

func newBinderProcess(pod Pod, q quota) *binderProcess {
	return &binderProcess{pod: pod.Name, uid: pod.UID, image: pod.Image, faults: faultsOf(pod.Tags), quota: q, memory: 120 * mib, metrics: newBinderMetrics()}
}

func (b *binderProcess) has(f Fault) bool { return slices.Contains(b.faults, f) }
