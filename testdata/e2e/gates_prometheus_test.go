//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"hubcap/testdata/sandboxtest"
)

// watchedHubs are two hubs under a Prometheus. The gates are in a file of their
// own, which comes later: a hub without people gives no evidence.
const watchedHubs = `
hubcap { name = "watched" }

variable "kubeconfig" { type = string }
variable "prometheus" { type = string }
variable "simulator" { type = string }
variable "canary_image" { default = "4.0.0" }
variable "prod_image" { default = "4.0.0" }
variable "binder_image" { default = "1.0.0" }

cluster "sandbox" {
  kubeconfig = var.kubeconfig
  prometheus = var.prometheus
}

hub "canary" {
  cluster   = cluster.sandbox
  namespace = "canary"
  chart     = "builtin:jupyterhub"
  url       = "${var.simulator}/canary"
  images    = { hub = "quay.io/jupyterhub/k8s-hub:${var.canary_image}" }
  values    = yamldecode(file("values.yaml"))
}

hub "prod" {
  cluster   = cluster.sandbox
  namespace = "prod"
  chart     = "builtin:jupyterhub"
  url       = "${var.simulator}/prod"
  images    = { hub = "quay.io/jupyterhub/k8s-hub:${var.prod_image}" }
  values    = yamldecode(file("values.yaml"))
}

hub "lab" {
  cluster   = cluster.sandbox
  namespace = "lab"
  chart     = "builtin:binderhub"
  url       = "${var.simulator}/lab"
  images    = { binder = "quay.io/jupyterhub/k8s-binderhub:${var.binder_image}" }

  values = {
    jupyterhub   = yamldecode(file("values.yaml"))
    resources    = { requests = { cpu = "10m", memory = "64Mi" } }
    imageCleaner = { enabled = false }
    config       = { BinderHub = { use_registry = false } }
  }
}
`

const watchedValues = `
hub:
  db: {type: sqlite-memory}
  resources: {requests: {cpu: 10m, memory: 128Mi}, limits: {memory: 2Gi}}
  services: {gate: {}}
scheduling: {userScheduler: {enabled: false}}
prePuller: {hook: {enabled: false}, continuous: {enabled: false}}
`

// watchedGates are gates of the catalogue, with times for a minute that is an
// hour, and the thresholds that a leak passes.
const watchedGates = `
module "gates" {
  source        = "builtin:gates-jupyterhub"
  bake          = "12s"
  max_bake      = "30s"
  leak_bake     = "15s"
  leak_max_bake = "30s"
  warm_up       = "1s"
  spawn_warm_up = "1s"
  interval      = "1s"
  window        = "8s"
}

gate "memory" {
  bake     = "12s"
  interval = "1s"

  prometheus {
    query  = "max(container_memory_working_set_bytes{namespace=\"$namespace\",container=\"hub\"})"
    max    = "1900Mi"
    window = "5s"
  }
}

gate "cores" {
  bake     = "12s"
  interval = "1s"

  prometheus {
    query  = "sum(rate(container_cpu_usage_seconds_total{namespace=\"$namespace\",container=\"hub\"}[$window]))"
    max    = 0.7
    window = "5s"
  }
}


gate "launch" {
  launch {
    token_secret = "hub/hub.services.gate.apiToken"
    timeout      = "20s"
  }
}

rollout "all" {
  order        = [hub.canary, hub.prod]
  gates        = [gate.memory, gate.cores, module.gates.spawn_success, module.gates.errors, module.gates.hub_threads]
  step_timeout = "60s"
}

module "binder" {
  source   = "builtin:gates-binderhub"
  bake     = "12s"
  max_bake = "40s"
  interval = "1s"
  window   = "8s"
}

rollout "binders" {
  order        = [hub.lab]
  gates        = [module.binder.launch_success, module.binder.build_slots]
  step_timeout = "60s"
}
`

// A watchtower is a sandbox with a Prometheus and the world of who applies to it.
type watchtower struct {
	*world
	sandbox *sandboxtest.Sandbox
	front   *front
	tags    map[string]string // of the hubs' images, by variable
}

// A front stands before Prometheus and can be shut.
type front struct {
	server *httptest.Server
	shut   atomic.Bool
}

func newFront(t *testing.T, to string) *front {
	t.Helper()
	target, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	f := &front{}
	through := httputil.NewSingleHostReverseProxy(target)
	f.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if f.shut.Load() {
			http.Error(w, "no Prometheus today", http.StatusBadGateway)
			return
		}
		through.ServeHTTP(w, r)
	}))
	t.Cleanup(f.server.Close)
	return f
}

func newWatchtower(t *testing.T) *watchtower {
	t.Helper()
	s := sandboxtest.Start(t, "--prometheus", "--scrape-interval=500ms", "--gke-project="+project, "--gke-location="+location, "--gke-cluster="+cluster)
	w := &watchtower{sandbox: s, front: newFront(t, s.Prometheus), tags: map[string]string{}, world: &world{t: t, name: "watched", dir: t.TempDir(), state: t.TempDir()}}
	w.vars = []string{"kubeconfig=" + s.Kubeconfig, "prometheus=" + w.front.server.URL, "simulator=" + s.Simulator}
	w.post(s.GKEEndpoint+"/v1/"+s.GKECluster+"/nodePools", map[string]any{"nodePool": map[string]any{
		"name": "base", "initialNodeCount": 3, "config": map[string]any{"machineType": "n2-standard-32"},
	}})
	w.write("main.hcl", watchedHubs)
	w.write("values.yaml", watchedValues)
	w.apply(0)
	for _, hub := range []string{"canary", "prod"} {
		w.load(hub, map[string]any{"launches_per_minute": 4, "session_minutes": 10})
	}
	w.load("lab", map[string]any{"launches_per_minute": 3, "session_minutes": 5, "build_share": 0.2})
	w.write("gates.hcl", watchedGates)
	for _, hub := range []string{"canary", "prod"} { // a day like any other, of which Prometheus knows
		await(t, time.Minute, "people in "+hub, func() string {
			if n := w.query(fmt.Sprintf(`min_over_time(jupyterhub_running_servers{namespace=%q}[10s]) > 5`, hub)); n == "" {
				return "fewer than five servers run"
			}
			return ""
		})
	}
	return w
}

// query asks Prometheus for one number, as it writes it; "" when it has none.
func (w *watchtower) query(promQL string) string {
	w.t.Helper()
	resp, err := http.Get(w.sandbox.Prometheus + "/api/v1/query?query=" + url.QueryEscape(promQL))
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct {
		Data struct{ Result []struct{ Value [2]any } }
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		w.t.Fatal(err)
	}
	if len(answer.Data.Result) != 1 {
		return ""
	}
	return fmt.Sprint(answer.Data.Result[0].Value[1])
}

func (w *watchtower) post(to string, value any) {
	w.t.Helper()
	body, err := json.Marshal(value)
	if err != nil {
		w.t.Fatal(err)
	}
	resp, err := http.Post(to, "application/json", bytes.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK {
		w.t.Fatalf("POST %s: %s: %s", to, resp.Status, text)
	}
}

func (w *watchtower) load(namespace string, load map[string]any) {
	w.t.Helper()
	load["namespace"] = namespace
	w.post(w.sandbox.Simulator+"/_sim/load", load)
}

// apply runs "apply" with other tags, as in "prod_image=4.0.1", to its end, which
// must be the wanted exit code. What was applied well stays wanted.
func (w *watchtower) apply(want int, tags ...string) result {
	w.t.Helper()
	r := w.command(want, tags, "apply", "--auto-approve")
	if want == 0 {
		w.keep(tags...)
	}
	return r
}

func (w *watchtower) keep(tags ...string) {
	for _, tag := range tags {
		variable, value, _ := strings.Cut(tag, "=")
		w.tags[variable] = value
	}
}

func (w *watchtower) command(want int, tags []string, args ...string) result {
	w.t.Helper()
	for variable, value := range w.tags {
		args = append(args, "--var="+variable+"="+value)
	}
	for _, tag := range tags { // the last one counts
		args = append(args, "--var="+tag)
	}
	r := w.beginWith(w.sandbox.Kubeconfig, args...).wait()
	if r.code != want {
		w.t.Fatalf("exit code %d, want %d: %s", r.code, want, r)
	}
	return r
}

// deployments are the image and the generation of each, by namespace/name.
func (w *watchtower) deployments() map[string]string {
	w.t.Helper()
	out := w.sandbox.Kubectl(w.t, "get", "deployments", "-A", "-o",
		`jsonpath={range .items[*]}{.metadata.namespace}/{.metadata.name} {.metadata.generation} {.spec.template.spec.containers[0].image}{"\n"}{end}`)
	found := map[string]string{}
	for line := range strings.Lines(out) {
		name, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		found[name] = rest
	}
	return found
}

// untouched fails the test when another deployment than the named ones was written.
func (w *watchtower) untouched(before map[string]string, but ...string) {
	w.t.Helper()
	for name, now := range w.deployments() {
		excused := false
		for _, b := range but {
			excused = excused || b == name
		}
		if !excused && now != before[name] {
			w.t.Errorf("%s is %s, and was %s", name, now, before[name])
		}
	}
}

// image fails the test unless the hub of the namespace has the image of that tag.
func (w *watchtower) image(namespace, tag string) {
	w.t.Helper()
	if now := w.deployments()[namespace+"/hub"]; !strings.HasSuffix(now, ":"+tag) {
		w.t.Errorf("the hub of %s is %q, want the image %s", namespace, now, tag)
	}
}

// TestGatesByPrometheus changes hubs that people use, under a real Prometheus.
func TestGatesByPrometheus(t *testing.T) {
	w := newWatchtower(t)
	for _, part := range []struct {
		name string
		run  func(*testing.T, *watchtower)
	}{
		{"a sound image passes", soundImage},
		{"metrics are there for every gate", metricsAreThere},
		{"a leak is caught by its slope", leakingImage},
		{"a culler's flood is caught", floodingImage},
		{"what breaks under load stays in the first wave", underloadImage},
		{"a binder that builds nothing is caught", stuckBuilds},
		{"a binder without connections is caught", lostConnections},
		{"without Prometheus the run is held", noPrometheus},
		{"a Grafana that hangs delays nothing", hangingGrafana},
		{"a launch leaves nothing, and fails without a hub", launches},
	} {
		if !w.run(part.name, func(t *testing.T) { part.run(t, w) }) {
			t.Fatalf("%s failed: what follows stands on it", part.name)
		}
	}
}

func metricsAreThere(t *testing.T, w *watchtower) {
	w.command(0, nil, "doctor", "metrics").has(t, "gate.hub-threads on hub.canary, slope", "gate.errors on hub.prod, before")
}

func launches(t *testing.T, w *watchtower) {
	w.command(0, nil, "gate", "test", "launch", "--component=hub.canary")
	token := w.sandbox.Kubectl(t, "get", "secret", "-n", "canary", "hub", "-o", `go-template={{index .data "hub.services.gate.apiToken" | base64decode}}`)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.sandbox.Simulator+"/canary/hub/api/users", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "token "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if users := drain(resp.Body); resp.StatusCode != http.StatusOK || strings.Contains(users, "hubcap-gate") {
		t.Errorf("the hub answers %s; its users are %s", resp.Status, users)
	}
	w.sandbox.Kubectl(t, "scale", "deployment/hub", "-n", "canary", "--replicas=0")
	await(t, time.Minute, "no hub", func() string {
		return w.sandbox.Kubectl(t, "get", "pods", "-n", "canary", "-l", "component=hub", "-o", "name")
	})
	w.command(1, nil, "gate", "test", "launch", "--component=hub.canary").has(t, "503")
}

func soundImage(t *testing.T, w *watchtower) {
	w.apply(0, "canary_image=4.0.1", "prod_image=4.0.1")
	w.image("canary", "4.0.1")
	w.image("prod", "4.0.1")
}

func leakingImage(t *testing.T, w *watchtower) {
	before := w.deployments()
	r := w.apply(4, "prod_image=4.0.2-leak")
	r.has(t, "hub-threads", "rolled back")
	w.image("prod", "4.0.1")
	w.untouched(before, "prod/hub")
	for _, gate := range []string{"memory", "cores", "spawn-success", "errors"} {
		if strings.Contains(r.out+r.err, "gate "+gate+" failed") {
			t.Errorf("the threshold %s caught it, not the slope: %s", gate, r)
		}
	}
}

func floodingImage(t *testing.T, w *watchtower) {
	before := w.deployments()
	w.apply(4, "prod_image=4.0.3-flood").has(t, "errors", "rolled back")
	w.image("prod", "4.0.1")
	w.untouched(before, "prod/hub")
}

func underloadImage(t *testing.T, w *watchtower) {
	w.load("canary", map[string]any{"underload_above": 2})
	w.load("prod", map[string]any{"underload_above": 2})
	before := w.deployments()
	w.apply(4, "canary_image=4.0.4-underload", "prod_image=4.0.4-underload").has(t, "hub.canary/hub", "spawn-success", "rolled back")
	w.image("canary", "4.0.1")
	w.untouched(before, "canary/hub")
}

func stuckBuilds(t *testing.T, w *watchtower) {
	w.load("lab", map[string]any{"build_share": 0.6}) // in one bake there must be builds enough to be stuck
	before := w.deployments()
	w.apply(4, "binder_image=1.0.1-buildstuck").has(t, "build-slots", "rolled back")
	w.untouched(before, "lab/binder")
}

func lostConnections(t *testing.T, w *watchtower) {
	w.load("lab", map[string]any{"binder_connects": 5, "build_share": 0})
	before := w.deployments()
	w.apply(4, "binder_image=binder-599-2").has(t, "launch-success", "rolled back")
	w.untouched(before, "lab/binder")
}

func noPrometheus(t *testing.T, w *watchtower) {
	w.front.shut.Store(true)
	r := w.apply(6, "canary_image=4.0.5")
	r.has(t, "502")
	w.image("canary", "4.0.5")
	w.front.shut.Store(false)
	w.command(0, []string{"canary_image=4.0.5"}, "resume", "--auto-approve")
	w.image("canary", "4.0.5")
	w.keep("canary_image=4.0.5")
}

func hangingGrafana(t *testing.T, w *watchtower) {
	took := func(tag string) time.Duration {
		began := time.Now()
		w.apply(0, "prod_image="+tag)
		return time.Since(began)
	}
	alone := took("4.0.6")
	w.write("notify.hcl", fmt.Sprintf("notify \"grafana\" {\n  timeout = \"2s\"\n  grafana {\n    url = %q\n  }\n}\n", w.sandbox.Simulator))
	w.post(w.sandbox.Simulator+"/_sim/grafana", map[string]bool{"hang": true})
	hanging := took("4.0.7")
	if hanging > alone+8*time.Second {
		t.Errorf("with a Grafana that hangs it took %v, without %v", hanging, alone)
	}
	w.post(w.sandbox.Simulator+"/_sim/grafana", map[string]bool{"hang": false})
	took("4.0.8")
	resp, err := http.Get(w.sandbox.Simulator + "/_sim/grafana")
	if err != nil {
		t.Fatal(err)
	}
	if came := drain(resp.Body); !strings.Contains(came, "hubcap") {
		t.Errorf("to a Grafana that answers came %s", came)
	}
}
