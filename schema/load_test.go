package schema

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"io/fs"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/hashicorp/hcl/v2"
	"github.com/rogpeppe/go-internal/txtar"

	"hubcap/engine/resource"
)

// goodConfig has every block and most attributes.
const goodConfig = `
hubcap {
  name              = "binder"
  required_version  = ">= 0.1"
  field_manager     = "hubcap-test"
  journal_namespace = "journal"
}

variable "zones" {
  type    = list(string)
  default = ["a", "b"]
}

variable "password" {
  type      = string
  sensitive = true
  default   = "only-a-default"
}

locals {
  region = "us-central1"
  users  = { "mybinder.org/pool-type" = "users" }
}

cluster "prod" {
  project    = "binder-prod"
  location   = local.region
  name       = "prod-a"
  endpoint   = "http://127.0.0.1:8080"
  kubeconfig = "prod.yaml"
  context    = "prod"
  identity   = "4d1b8c4e"
  prometheus = "http://prometheus.example.org"
}

qos_class "core" {
  mode           = "guaranteed"
  cpu            = "500m"
  memory         = "1Gi"
  priority_class = "core"
}

qos_class "binder" {
  mode      = "memory-guaranteed"
  cpu       = "1"
  cpu_limit = "4"
  memory    = "2Gi"
}

qos_class "user" {
  cpu_request  = 0.1
  memory       = "450M"
  memory_limit = "2G"
}

node_pool "user" {
  cluster           = cluster.prod
  name              = "user-202201"
  machine_type      = "n1-highmem-8"
  image_type        = "COS_CONTAINERD"
  min_cpu_platform  = "Intel Skylake"
  initial_nodes     = 2
  locations         = [for z in var.zones : "${local.region}-${z}"]
  labels            = local.users
  tags              = ["hub"]
  resource_labels   = { team = "binder" }
  metadata          = { disable-legacy-endpoints = true }
  oauth_scopes      = ["https://www.googleapis.com/auth/devstorage.read_only"]
  service_account   = "nodes@binder-prod.iam.gserviceaccount.com"
  spot              = false
  max_pods_per_node = 110
  workload_metadata = "GKE_METADATA"
  until             = "2030-01-01T00:00:00Z"
  protected         = true
  disk {
    type    = "pd-balanced"
    size_gb = 800
  }
  local_ssd {
    count = 1
  }
  autoscaling {
    min             = 2
    max             = 12
    total           = true
    location_policy = "ANY"
  }
  taint {
    key    = "hub.jupyter.org_dedicated"
    value  = "user"
    effect = "NO_SCHEDULE"
  }
  management {
    auto_repair  = true
    auto_upgrade = false
  }
  upgrade {
    max_surge       = 1
    max_unavailable = 0
  }
}

node_pool "emergency" {
  like   = node_pool.user
  labels = merge(node_pool.user.labels, { emergency = "yes" })
  disk {
    size_gb = 400
  }
  autoscaling {
    max = 20
  }
}

node_pool "plain" {
  like         = node_pool.emergency
  machine_type = "e2-standard-4"
  tags         = []
  local_ssd {
    count = 0
  }
}

hub "prod" {
  for_each      = toset(["a", "b"])
  cluster       = cluster.prod
  namespace     = "binder-${each.key}"
  release       = "binderhub"
  chart         = "./charts/mybinder"
  chart_version = "~1.0"
  type          = "binderhub"
  values_root   = "binderhub"
  url           = "https://${each.key}.example.org"
  labels        = { hub = each.key }
  images        = { hub = "quay.io/jupyterhub/k8s-hub:4.2.0", binder = "quay.io/jupyterhub/k8s-binderhub@sha256:${sha256("x")}" }
  qos           = { hub = qos_class.core, binder = qos_class.binder, user = qos_class.user }
  node_pools    = { user = node_pool.user }
  protected     = true
  values = {
    config   = { BinderHub = { banner_message = "hello", ratio = 0.5, count = 3, none = null, list = [1, "x", true] } }
    password = "pw:${var.password}"
    nested   = { plain = "text", secret = var.password }
  }
  profiles = [{ display_name = "Small", kubespawner_override = { mem_limit = "1G" } }]
  culling {
    enabled     = true
    timeout     = "10m"
    every       = "11m"
    max_age     = "6h"
    concurrency = 10
    users       = true
  }
  spawn_limits {
    concurrent           = 100
    active               = 0
    consecutive_failures = 5
    start_timeout        = "600s"
  }
  limits {
    per_repo        = 100
    per_repo_higher = 200
    total           = 500
  }
  routing {
    default_route = "not-found"
    not_found_url = "http://proxy-patches"
    error_url     = "http://proxy-patches/hub/error"
  }
  build_slots {
    concurrent   = 32
    replicas     = 2
    max_age      = "1h"
    node_pool    = node_pool.user
    host_lib_dir = "/mnt/disks/ssd0/dind"
  }
  image_cleaner {
    enabled        = true
    threshold_type = "relative"
    threshold_high = 80
    threshold_low  = 60
    interval       = "5m"
    delay          = "1m"
    cordon         = false
  }
}

repo_limit "demo" {
  hubs     = values(hub.prod)
  repo     = "jupyterlab/jupyterlab-demo"
  sessions = 300
  until    = "2030-01-01T00:00:00+02:00"
  reason   = "SciPy"
}

repo_ban "miners" {
  hub      = hub.prod["a"]
  provider = "gitlab"
  pattern  = "^miners%2F.*"
  reason   = "abuse"
}

image_cache "prod" {
  hub         = hub.prod["a"]
  prefix      = "gcr.io/binder-prod/r2d-2024-07-"
  build_image = "quay.io/jupyterhub/repo2docker:2024.07.0"
}

chart "ingress" {
  chart     = "oci://registry.example.org/charts/ingress"
  namespace = "ingress"
  values    = { replicas = 2 }
}

manifest "priority" {
  namespace = "kube-system"
  yaml      = <<-EOT
    apiVersion: scheduling.k8s.io/v1
    kind: PriorityClass
    metadata: {name: core}
    value: 10000
    ---
    apiVersion: v1
    kind: List
    items:
    - {apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {x: "1"}}
    - {apiVersion: v1, kind: ConfigMap, metadata: {name: b}, data: {x: "1.5"}}
  EOT
}

manifest "secret" {
  yaml = "{apiVersion: v1, kind: Secret, metadata: {name: s}, stringData: {a: ${var.password}}}"
}

gate "up" {
  bake     = "5m"
  interval = "30s"
  failures = 2
  http {
    url      = "${hub.prod["a"].url}/health"
    status   = [200, 204]
    contains = "ok"
    timeout  = "3s"
  }
}

gate "steady" {
  pods {
    block        = hub.prod["b"]
    max_restarts = 1
    max_pending  = 2
  }
}

rollout "all" {
  order        = [[node_pool.user, node_pool.emergency], hub.prod]
  gates        = [gate.up, gate.steady]
  step_timeout = "10m"
  on_failure   = "stop"
}

output "where" {
  description = "namespaces"
  value       = [for h in hub.prod : h.namespace]
}

output "password" {
  sensitive = true
  value     = var.password
}
`

// load loads the files of a txtar archive.
func load(t *testing.T, archive string, opts Options) (*Config, hcl.Diagnostics) {
	t.Helper()
	dir := t.TempDir()
	for _, f := range txtar.Parse([]byte(archive)).Files {
		write(t, filepath.Join(dir, f.Name), f.Data)
	}
	return Load(dir, opts)
}

// mustLoad fails on any diagnostic.
func mustLoad(t *testing.T, archive string, opts Options) *Config {
	t.Helper()
	config, diags := load(t, archive, opts)
	for _, d := range diags {
		t.Errorf("%s", d)
	}
	return config
}

func ptr[T any](v T) *T { return &v }

var withoutPlaces = cmp.Options{
	cmpopts.IgnoreFields(Block{}, "Range", "Attrs"), cmpopts.IgnoreFields(QoSRef{}, "Range"), cmp.AllowUnexported(resource.Sensitive{}),
}

func address(text string) resource.Address { return resource.ParseAddress(text) }

func TestGoodConfig(t *testing.T) {
	config := mustLoad(t, "-- main.hcl --\n"+goodConfig, Options{Version: "0.4.0", Now: time.Unix(1e9, 0)})
	if s := config.Settings; s.Name != "binder" || s.FieldManager != "hubcap-test" || s.JournalNamespace != "journal" {
		t.Errorf("settings %+v", s)
	}
	user := config.NodePools[0]
	want := NodePool{
		Block: Block{Address: address("node_pool.user")}, Cluster: address("cluster.prod"), PoolName: "user-202201",
		MachineType: "n1-highmem-8", ImageType: "COS_CONTAINERD", MinCPUPlatform: "Intel Skylake", DiskType: "pd-balanced",
		DiskSizeGB: ptr[int64](800), LocalSSD: &LocalSSD{Count: 1, Mode: SSDMounted},
		Autoscaling: &Autoscaling{Min: 2, Max: 12, Total: true, LocationPolicy: "ANY"}, InitialNodes: ptr[int64](2),
		Locations: []string{"us-central1-a", "us-central1-b"}, Labels: map[string]string{"mybinder.org/pool-type": "users"},
		Taints: []Taint{{Key: "hub.jupyter.org_dedicated", Value: "user", Effect: "NoSchedule"}}, Tags: []string{"hub"},
		ResourceLabels: map[string]string{"team": "binder"}, Metadata: map[string]string{"disable-legacy-endpoints": "true"},
		OAuthScopes:    []string{"https://www.googleapis.com/auth/devstorage.read_only"},
		ServiceAccount: "nodes@binder-prod.iam.gserviceaccount.com", Spot: ptr(false), MaxPodsPerNode: ptr[int64](110),
		AutoRepair: ptr(true), AutoUpgrade: ptr(false), MaxSurge: ptr[int64](1), MaxUnavailable: ptr[int64](0),
		WorkloadMetadata: "GKE_METADATA", Until: ptr(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)), Protected: true,
	}
	if diff := cmp.Diff(want, user, withoutPlaces); diff != "" {
		t.Errorf("node_pool.user (-want +got):\n%s", diff)
	}
	want.Address, want.Like, want.PoolName, want.Until, want.Protected = address("node_pool.emergency"), want.Address, "", nil, false
	want.Labels = map[string]string{"mybinder.org/pool-type": "users", "emergency": "yes"}
	want.DiskSizeGB, want.Autoscaling = ptr[int64](400), &Autoscaling{Min: 2, Max: 20, Total: true, LocationPolicy: "ANY"}
	if diff := cmp.Diff(want, config.NodePools[1], withoutPlaces); diff != "" {
		t.Errorf("node_pool.emergency (-want +got):\n%s", diff)
	}
	want.Address, want.Like, want.MachineType, want.LocalSSD, want.Tags = address("node_pool.plain"), want.Address, "e2-standard-4", nil, []string{}
	if diff := cmp.Diff(want, config.NodePools[2], withoutPlaces); diff != "" {
		t.Errorf("node_pool.plain (-want +got):\n%s", diff)
	}
}

func TestGoodHub(t *testing.T) {
	config := mustLoad(t, "-- main.hcl --\n"+goodConfig, Options{})
	hub := config.Hubs[1]
	core, binder, user := config.QoSClasses[0], config.QoSClasses[1], config.QoSClasses[2]
	for _, q := range []struct {
		got, want QoSClass
	}{
		{core, QoSClass{Mode: Guaranteed, CPURequest: "500m", CPULimit: "500m", MemoryRequest: "1Gi", MemoryLimit: "1Gi", PriorityClass: "core"}},
		{binder, QoSClass{Mode: MemoryGuaranteed, CPURequest: "1", CPULimit: "4", MemoryRequest: "2Gi", MemoryLimit: "2Gi"}},
		{user, QoSClass{Mode: Burstable, CPURequest: "0.1", MemoryRequest: "450M", MemoryLimit: "2G"}},
	} {
		q.got.Block = Block{}
		if diff := cmp.Diff(q.want, q.got); diff != "" {
			t.Errorf("qos_class (-want +got):\n%s", diff)
		}
	}
	password := resource.Secret("only-a-default")
	want := Hub{
		Block: Block{Address: resource.Address{Kind: "hub", Name: `prod["b"]`}}, Type: BinderHub, Cluster: address("cluster.prod"),
		Namespace: "binder-b", Release: "binderhub", Chart: ChartSource{Source: "./charts/mybinder", Version: "~1.0", Dir: hub.Chart.Dir},
		ValuesRoot: "binderhub", URL: "https://b.example.org", Labels: map[string]string{"hub": "b"},
		Values: map[string]any{
			"config": map[string]any{"BinderHub": map[string]any{
				"banner_message": "hello", "ratio": 0.5, "count": int64(3), "none": nil, "list": []any{int64(1), "x", true},
			}},
			"password": resource.Secret("pw:only-a-default"),
			"nested":   map[string]any{"plain": "text", "secret": password},
		},
		Images:      map[string]string{"hub": "quay.io/jupyterhub/k8s-hub:4.2.0", "binder": "quay.io/jupyterhub/k8s-binderhub@sha256:2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"},
		QoS:         map[string]QoSRef{"hub": {Class: core}, "binder": {Class: binder}, "user": {Class: user}},
		NodePools:   map[string]resource.Address{"user": address("node_pool.user")},
		Culling:     &Culling{Enabled: ptr(true), Timeout: 10 * time.Minute, Every: 11 * time.Minute, MaxAge: 6 * time.Hour, Concurrency: ptr[int64](10), Users: ptr(true)},
		SpawnLimits: &SpawnLimits{Concurrent: ptr[int64](100), Active: ptr[int64](0), ConsecutiveFailures: ptr[int64](5), StartTimeout: 10 * time.Minute},
		Limits:      &Limits{PerRepo: ptr[int64](100), PerRepoHigher: ptr[int64](200), Total: ptr[int64](500)},
		Routing:     &Routing{DefaultRoute: "not-found", NotFoundURL: "http://proxy-patches", ErrorURL: "http://proxy-patches/hub/error"},
		BuildSlots:  &BuildSlots{Concurrent: ptr[int64](32), Replicas: ptr[int64](2), MaxAge: time.Hour, NodePool: address("node_pool.user"), HostLibDir: "/mnt/disks/ssd0/dind"},
		ImageCleaner: &ImageCleaner{
			Enabled: ptr(true), ThresholdType: "relative", ThresholdHigh: ptr[int64](80), ThresholdLow: ptr[int64](60),
			Interval: 5 * time.Minute, Delay: time.Minute, Cordon: ptr(false),
		},
		Profiles:  []any{map[string]any{"display_name": "Small", "kubespawner_override": map[string]any{"mem_limit": "1G"}}},
		Protected: true,
	}
	if diff := cmp.Diff(want, hub, withoutPlaces); diff != "" {
		t.Errorf("hub (-want +got):\n%s", diff)
	}
	for _, name := range []string{"culling.timeout", "limits", "chart", "build_slots.host_lib_dir", "images.hub"} {
		if at := hub.At(name); at == hub.Range || at.Start.Line == 0 {
			t.Errorf("no place of %s", name)
		}
	}
}

func TestGoodRest(t *testing.T) {
	config := mustLoad(t, "-- main.hcl --\n"+goodConfig, Options{})
	a, b := resource.Address{Kind: "hub", Name: `prod["a"]`}, resource.Address{Kind: "hub", Name: `prod["b"]`}
	got := map[string]any{
		"limit":   config.RepoLimits[0],
		"ban":     config.RepoBans[0],
		"cache":   config.ImageCaches[0],
		"objects": append(config.Manifests[0].Objects, config.Manifests[1].Objects...),
		"gates":   config.Gates,
		"rollout": config.Rollouts[0],
		"outputs": config.Outputs,
		"secrets": config.Sensitive,
		"cluster": config.Clusters[0],
	}
	block := func(s string) Block { return Block{Address: address(s)} }
	want := map[string]any{
		"limit": RepoLimit{
			Block: block("repo_limit.demo"), Hubs: []resource.Address{a, b}, Match: RepoMatch{"github", "^jupyterlab/jupyterlab-demo/"},
			Sessions: 300, Until: ptr(time.Date(2029, 12, 31, 22, 0, 0, 0, time.UTC)), Reason: "SciPy",
		},
		"ban":   RepoBan{Block: block("repo_ban.miners"), Hubs: []resource.Address{a}, Match: RepoMatch{"gitlab", "^miners%2F.*"}, Reason: "abuse"},
		"cache": ImageCache{Block: block("image_cache.prod"), Hub: a, Prefix: "gcr.io/binder-prod/r2d-2024-07-", BuildImage: "quay.io/jupyterhub/repo2docker:2024.07.0"},
		"objects": []resource.Object{
			{"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": map[string]any{"name": "core"}, "value": int64(10000)},
			{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "a"}, "data": map[string]any{"x": "1"}},
			{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "b"}, "data": map[string]any{"x": "1.5"}},
			{"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"name": "s"}, "stringData": map[string]any{"a": resource.Secret("only-a-default")}},
		},
		"gates": []Gate{
			{Block: block("gate.up"), Bake: 5 * time.Minute, Interval: 30 * time.Second, Failures: 2, HTTP: &HTTPCheck{URL: "https://a.example.org/health", Status: []int64{200, 204}, Contains: "ok", Timeout: 3 * time.Second}},
			{Block: block("gate.steady"), Interval: 10 * time.Second, Failures: 1, Pods: &PodsCheck{Block: b, MaxRestarts: 1, MaxPending: 2}},
		},
		"rollout": Rollout{
			Block: block("rollout.all"), Order: [][]resource.Address{{address("node_pool.user"), address("node_pool.emergency")}, {a, b}},
			Gates: []resource.Address{address("gate.up"), address("gate.steady")}, StepTimeout: 10 * time.Minute, OnFailure: "stop",
		},
		"outputs": []Output{
			{Block: block("output.where"), Value: []any{"binder-a", "binder-b"}, Description: "namespaces"},
			{Block: block("output.password"), Value: resource.Secret("only-a-default"), Sensitive: true},
		},
		"secrets": []resource.Sensitive{resource.Secret("only-a-default"), resource.Secret("pw:only-a-default")},
		"cluster": Cluster{
			Block: block("cluster.prod"), GKE: &GKECluster{Project: "binder-prod", Location: "us-central1", Name: "prod-a", Endpoint: "http://127.0.0.1:8080"},
			Kubeconfig: "prod.yaml", Context: "prod", Identity: "4d1b8c4e", Prometheus: "http://prometheus.example.org",
		},
	}
	if diff := cmp.Diff(want, got, withoutPlaces); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestDefaults(t *testing.T) {
	config := mustLoad(t, `
-- main.hcl --
cluster "here" {}
hub "class_one" { chart = "builtin:jupyterhub" }
hub "binder" { chart = "builtin:binderhub" }
`, Options{})
	if s := config.Settings; s.Name != "default" || s.FieldManager != "hubcap" || s.JournalNamespace != "hubcap" {
		t.Errorf("settings %+v", s)
	}
	one, two := config.Hubs[0], config.Hubs[1]
	if one.Namespace != "class-one" || one.Release != "class-one" || one.Type != JupyterHub || one.Cluster != address("cluster.here") {
		t.Errorf("hub %+v", one)
	}
	if two.Type != BinderHub {
		t.Errorf("a hub of builtin:binderhub is a %s", two.Type)
	}
}

// TestExpired: a limit or a ban ends by itself, a pool does not.
func TestExpired(t *testing.T) {
	const text = `
-- main.hcl --
cluster "c" {
  project  = "binder-prod"
  location = "us-central1"
  name     = "c"
}
node_pool "p" {
  machine_type = "n1-standard-4"
  until        = "2026-01-01T00:00:00Z"
}
hub "h" { chart = "builtin:binderhub" }
repo_ban "b" {
  hub   = hub.h
  repo  = "a/b"
  until = "2026-01-01T00:00:00Z"
}
repo_limit "l" {
  hub      = hub.h
  repo     = "a/c"
  sessions = 1
  until    = "2026-01-01T00:00:00Z"
}
`
	for _, c := range []struct {
		reason         string
		now            time.Time
		rules, warning int
	}{
		{"before", time.Date(2025, 12, 31, 23, 59, 0, 0, time.UTC), 1, 0},
		{"after", time.Date(2026, 1, 1, 0, 0, 1, 0, time.UTC), 0, 3},
		{"without a clock", time.Time{}, 1, 0},
	} {
		config, diags := load(t, text, Options{Now: c.now})
		if diags.HasErrors() || len(diags) != c.warning {
			t.Errorf("%s: %v", c.reason, diags)
		}
		if len(config.RepoBans) != c.rules || len(config.RepoLimits) != c.rules || len(config.NodePools) != 1 {
			t.Errorf("%s: %d bans, %d limits, %d pools", c.reason, len(config.RepoBans), len(config.RepoLimits), len(config.NodePools))
		}
	}
}

func TestVariablePrecedence(t *testing.T) {
	const files = `
-- main.hcl --
variable "x" {
  type    = number
  default = 1
}
output "x" { value = var.x }
-- a.vars --
x = 3
-- b.vars --
x = 4
`
	env := func(name string) (string, bool) { return "2", name == "HUBCAP_VAR_x" }
	dir := t.TempDir()
	for _, f := range txtar.Parse([]byte(files)).Files {
		write(t, filepath.Join(dir, f.Name), f.Data)
	}
	a, b := filepath.Join(dir, "a.vars"), filepath.Join(dir, "b.vars")
	for _, c := range []struct {
		reason string
		opts   Options
		want   int64
	}{
		{"the default, when nothing is given", Options{}, 1},
		{"the environment over the default", Options{Env: env}, 2},
		{"a file over the environment", Options{Env: env, VarFiles: []string{a}}, 3},
		{"the later file", Options{Env: env, VarFiles: []string{a, b}}, 4},
		{"--var over all", Options{Env: env, VarFiles: []string{a, b}, Vars: map[string]string{"x": "2 + 3"}}, 5},
	} {
		config, diags := Load(dir, c.opts)
		if len(diags) > 0 || config.Outputs[0].Value != c.want {
			t.Errorf("%s: got %v, %v, want %d", c.reason, config.Outputs[0].Value, diags, c.want)
		}
	}
}

func TestModules(t *testing.T) {
	builtin := func(name string) (fs.FS, error) {
		if name != "pools" {
			return nil, fs.ErrNotExist
		}
		return fstest.MapFS{"main.hcl": {Data: []byte(`
variable "cluster" {}
variable "sizes" {
  type = map(object({ machine = string, max = optional(number, 5) }))
}
node_pool "p" {
  for_each     = var.sizes
  cluster      = var.cluster
  machine_type = each.value.machine
  labels       = { note = file("note.txt") }
  autoscaling { max = each.value.max }
}
output "pools" { value = node_pool.p }
output "unused" { value = 1 }
`)}, "note.txt": {Data: []byte("hi")}}, nil
	}
	config := mustLoad(t, `
-- main.hcl --
cluster "c" {
  project  = "binder-prod"
  location = "us-central1"
  name     = "c"
}
module "each" {
  source   = "./wrap"
  for_each = { x = "n2-standard-4", y = "n2-standard-8" }
  cluster  = cluster.c
  machine  = each.value
}
hub "h" {
  chart      = "builtin:jupyterhub"
  node_pools = { user = module.each["x"].pools["small"], core = module.each["y"].pools["small"] }
}
output "all" { value = { for k, m in module.each : k => keys(m.pools) } }
-- wrap/main.hcl --
variable "cluster" {}
variable "machine" { type = string }
module "inner" {
  source  = "builtin:pools"
  cluster = var.cluster
  sizes   = { small = { machine = var.machine } }
}
output "pools" { value = module.inner.pools }
`, Options{Builtin: builtin})
	var got []string
	for _, p := range config.NodePools {
		got = append(got, fmt.Sprintf("%s %s %d %s %s", p.Address, p.MachineType, p.Autoscaling.Max, p.Labels["note"], p.Cluster))
	}
	want := []string{
		`module.each["x"].module.inner.node_pool.p["small"] n2-standard-4 5 hi cluster.c`,
		`module.each["y"].module.inner.node_pool.p["small"] n2-standard-8 5 hi cluster.c`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := config.Hubs[0].NodePools["user"]; got != config.NodePools[0].Address {
		t.Errorf("the hub uses %v", got)
	}
	if back := resource.ParseAddress(want[0][:strings.IndexByte(want[0], ' ')]); back != config.NodePools[0].Address {
		t.Errorf("address %q is read back as %#v", want[0], back)
	}
	if diff := cmp.Diff(map[string]any{"x": []any{"small"}, "y": []any{"small"}}, config.Outputs[0].Value); diff != "" {
		t.Errorf("output (-want +got):\n%s", diff)
	}
}

// TestModulesShareNoCycle: outputs of two modules may need each other, as long as
// no output needs itself.
func TestModulesShareNoCycle(t *testing.T) {
	config := mustLoad(t, `
-- main.hcl --
module "a" {
  source = "./m"
  x      = module.b.one
}
module "b" {
  source = "./m"
  x      = module.a.one
}
output "x" { value = "${module.a.double} ${module.b.one}" }
-- m/main.hcl --
variable "x" {}
output "one" { value = 1 }
output "double" { value = var.x * 2 }
`, Options{})
	if got := config.Outputs[0].Value; got != "2 1" {
		t.Errorf("output %v", got)
	}
}

func TestFunctions(t *testing.T) {
	env := func(name string) (string, bool) { return "there", name == "SET" }
	config := mustLoad(t, `
-- main.hcl --
locals {
  map = { b = 2, a = 1 }
}
output "all" {
  value = [
    upper("x"), join("-", ["a", "b"]), length("héé"), length({ a = 1 }), length([1, 2]), merge(local.map, { c = 3 }),
    keys(local.map), lookup(local.map, "z", 0), contains(["a"], "a"), distinct([1, 1]), flatten([[1], [2]]), range(3),
    regex("[a-z]+", "1abc"), replace("a.b", ".", "-"), replace("aab", "/a+/", "x"), trimprefix("abc", "a"), tonumber("5"),
    tostring(5), tobool("true"), toset(["b", "a", "a"]), jsonencode({ a = [1] }), jsondecode("[1]"), yamldecode("a: 1"),
    coalesce(null, "x"), try(local.map.none, "tried"), can(local.map.none), min(2, 1), abs(-1), ceil(1.2), floor(1.8),
    parseint("ff", 16), timeadd("2026-01-01T00:00:00Z", "1h"), formatdate("YYYY", "2026-01-01T00:00:00Z"), base64encode("a"),
    base64decode("YQ=="), sha256(""), env("SET"), env("UNSET", "default"), file("sub/x.txt"), templatefile("t.tpl", { names = ["a", "b"] }),
    startswith("abc", "ab"), endswith("abc", "bc"), timecmp("2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00"), formatlist("%s!", ["a"]),
    yamlencode({ a = 1 }), substr("hello", 1, 3), sort(["b", "a"]), zipmap(["a"], [1]), element(["a", "b"], 3),
  ]
}
-- sub/x.txt --
inside
-- t.tpl --
%{ for n in names ~}
- ${upper(n)}
%{ endfor ~}
`, Options{Env: env})
	want := []any{
		"X", "a-b", int64(3), int64(1), int64(2), map[string]any{"a": int64(1), "b": int64(2), "c": int64(3)},
		[]any{"a", "b"}, int64(0), true, []any{int64(1)}, []any{int64(1), int64(2)}, []any{int64(0), int64(1), int64(2)},
		"abc", "a-b", "xb", "bc", int64(5),
		"5", true, []any{"a", "b"}, `{"a":[1]}`, []any{int64(1)}, map[string]any{"a": int64(1)},
		"x", "tried", false, int64(1), int64(1), int64(2), int64(1),
		int64(255), "2026-01-01T01:00:00Z", "2026", "YQ==",
		"a", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "there", "default", "inside\n", "- A\n- B\n",
		true, true, int64(0), []any{"a!"},
		"\"a\": 1\n", "ell", []any{"a", "b"}, map[string]any{"a": int64(1)}, "b",
	}
	if diff := cmp.Diff(want, config.Outputs[0].Value); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestHostileFiles: nothing a file holds ends the process.
func TestHostileFiles(t *testing.T) {
	for name, text := range map[string]string{
		"brackets below the limit": "locals {\n  a = " + strings.Repeat("(", 20_000) + "1" + strings.Repeat(")", 20_000) + "\n}\n",
		"brackets":                 "locals {\n  a = " + strings.Repeat("[", 800_000) + "\n}\n",
		"operators":                "locals {\n  a = 1" + strings.Repeat("\n+1", 400_000) + "\n}\n",
		"negations":                "locals {\n  a = " + strings.Repeat("!", 800_000) + "true\n}\n",
		"templates":                "locals {\n  a = \"" + strings.Repeat(`${"`, 300_000) + "\n}\n",
		"conditionals":             "locals {\n  a = " + strings.Repeat("true ? 1 : ", 200_000) + "2\n}\n",
		"blocks":                   strings.Repeat("a {\n", 100_000),
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, "main.hcl"), []byte(text))
			_, diags := Load(dir, Options{})
			if name != "brackets below the limit" && !diags.HasErrors() {
				t.Error("loaded without an error")
			}
		})
	}
}

// TestSpecialFiles: what is not a regular file is not waited for.
func TestSpecialFiles(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink("/dev/zero", filepath.Join(dir, "zero.hcl")); err != nil {
		t.Skip(err)
	}
	_, diags := Load(dir, Options{})
	if len(diags) != 1 || !strings.Contains(diags[0].Detail, "not a regular file") {
		t.Errorf("got %v", diags)
	}
}
