package sim

import (
	"io"
	"slices"
)

// hubMetrics are what a hub counts. The names, labels and buckets are JupyterHub's.
type hubMetrics struct {
	requests, spawns, stops, loop, routes, startup, initSpawners, proxyPoll, proxyAdd, proxyDelete *histogram
}

var (
	usualBuckets = []float64{.005, .01, .025, .05, .075, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10}
	spawnBuckets = []float64{.5, 1, 2.5, 5, 10, 15, 30, 60, 120, 180, 300, 600}
	loopBuckets  = []float64{.025, .03, .035, .04, .045, .05, .055, .06, .065, .07, .075, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10}
)

func newHubMetrics() hubMetrics {
	m := hubMetrics{
		requests: newHistogram(usualBuckets...), spawns: newHistogram(spawnBuckets...), stops: newHistogram(usualBuckets...),
		loop: newHistogram(loopBuckets...), routes: newHistogram(usualBuckets...), startup: newHistogram(usualBuckets...),
		initSpawners: newHistogram(usualBuckets...), proxyPoll: newHistogram(usualBuckets...),
		proxyAdd: newHistogram(usualBuckets...), proxyDelete: newHistogram(usualBuckets...),
	}
	for _, status := range []string{"success", "failure", "already-pending", "throttled", "too-many-users"} { // there from the start, at 0
		m.spawns.at(spawnStatus(status))
	}
	for _, status := range []string{"success", "failure"} {
		m.proxyAdd.at(labelled("status", status))
		m.proxyDelete.at(labelled("status", status))
		m.stops.at(labelled("status", status))
	}
	return m
}

func spawnStatus(status string) metricLabels { return labelled("status", status) }

// writeHub is GET /hub/metrics.
func (h *Hub) writeHub(w io.Writer) {
	e, p := exposition{w}, h.hub
	m := p.metrics
	e.gauge("jupyterhub_running_servers", "the number of user servers currently running", float64(h.running()))
	e.gauge("jupyterhub_total_users", "total number of users", float64(h.users()))
	active := counters{}
	for _, period := range []string{"24h", "7d", "30d"} {
		active[labelled("period", period)] = float64(h.users())
	}
	e.gauges("jupyterhub_active_users", "number of users who were active in the given time period", active)
	e.histogram("jupyterhub_request_duration_seconds", "Request duration for all HTTP requests", m.requests)
	e.histogram("jupyterhub_server_spawn_duration_seconds", "Time taken for server spawning operation", m.spawns)
	e.histogram("jupyterhub_server_stop_seconds", "Time taken for server stopping operation", m.stops)
	e.histogram("jupyterhub_event_loop_interval_seconds", "Distribution of measured event loop intervals", m.loop)
	e.histogram("jupyterhub_check_routes_duration_seconds", "Time taken to validate all routes in proxy", m.routes)
	e.histogram("jupyterhub_hub_startup_duration_seconds", "Time taken for Hub to start", m.startup)
	e.histogram("jupyterhub_init_spawners_duration_seconds", "Time taken for spawners to initialize", m.initSpawners)
	e.histogram("jupyterhub_proxy_poll_duration_seconds", "duration for polling all routes from proxy", m.proxyPoll)
	e.histogram("jupyterhub_proxy_add_duration_seconds", "duration for adding user routes to proxy", m.proxyAdd)
	e.histogram("jupyterhub_proxy_delete_duration_seconds", "duration for deleting user routes from proxy", m.proxyDelete)
	memory := p.memory(len(h.servers), h.users())
	e.gauge("process_resident_memory_bytes", "Resident memory size in bytes.", memory)
	e.gauge("process_virtual_memory_bytes", "Virtual memory size in bytes.", memory*3+8*mib*p.threads)
	e.counter("process_cpu_seconds_total", "Total user and system CPU time spent in seconds.", p.cpu)
	e.gauge("process_open_fds", "Number of open file descriptors.", 24+float64(len(h.servers)))
	e.gauge("process_max_fds", "Maximum number of open file descriptors.", 1<<20)
	e.gauge("process_start_time_seconds", "Start time of the process since unix epoch in seconds.", h.wall(p.began))
}

// binderMetrics are what a binder counts. The names, labels and buckets are
// BinderHub's.
type binderMetrics struct {
	launchTime, buildTime   *histogram
	launchCount, buildCount counters
}

func newBinderMetrics() binderMetrics {
	return binderMetrics{
		launchTime:  newHistogram(2, 5, 10, 20, 30, 60, 120, 300, 600),
		buildTime:   newHistogram(60, 120, 300, 600, 1800, 3600, 7200),
		launchCount: counters{}, buildCount: counters{},
	}
}

// writeBinder is GET /metrics of a binder.
func (h *Hub) writeBinder(w io.Writer, b *binderProcess) {
	e := exposition{w}
	launching, building := 0.0, 0.0
	for _, l := range h.launches {
		switch {
		case l.binder != b.uid:
		case l.stage == stageBuild:
			building++
		default:
			launching++
		}
	}
	e.histogram("binderhub_launch_time_seconds", "Histogram of launch times", b.metrics.launchTime)
	e.histogram("binderhub_build_time_seconds", "Histogram of build times", b.metrics.buildTime)
	e.counters("binderhub_launch_count_total", "Counter of launches by repo", b.metrics.launchCount)
	e.counters("binderhub_build_count_total", "Counter of builds by repo", b.metrics.buildCount)
	e.gauge("binderhub_inprogress_builds", "Builds currently in progress", building)
	e.gauge("binderhub_inprogress_launches", "Launches currently in progress", launching)
	e.gauge("binderhub_github_rate_limit_remaining", "GitHub rate limit remaining", 4980)
	e.gauge("process_resident_memory_bytes", "Resident memory size in bytes.", b.memory)
	e.counter("process_cpu_seconds_total", "Total user and system CPU time spent in seconds.", b.cpu)
	e.gauge("process_open_fds", "Number of open file descriptors.", 20+launching+building+b.connects)
}

// binder returns the running binder of that pod, or nil.
func (h *Hub) binder(pod string) *binderProcess {
	i := slices.IndexFunc(h.binders, func(b *binderProcess) bool { return b.pod == pod })
	if i < 0 {
		return nil
	}
	return h.binders[i]
}
