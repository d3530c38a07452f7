package schema

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
  prometheus {
    url          = "http://prometheus.example.org"
    bearer_token = var.password
  }
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
    max_latency = "800ms"
  }
}

gate "steady" {
  pods {
    block        = hub.prod["b"]
    max_restarts      = 1
    max_pending       = 2
    pending_after     = "5m"
    max_terminating   = 3
    terminating_after = "15m"
  }
}

gate "launches" {
  bake            = "20m"
  max_bake        = "1h"
  warm_up         = "2m"
  failures        = 3
  of              = 5
  on_inconclusive = "fail"
  advisory        = true
  components      = ["hub", "binder"]
  prometheus {
    cluster = cluster.prod
    query   = "sum(rate(launches{namespace=\"$namespace\"}[$window]))"
    min     = 0.95
    max     = "1Gi"
    window  = "5m"
    before {
      max_ratio = 3
      floor     = "100m"
      window    = "30m"
    }
    control {
      hubs           = [hub.prod["b"]]
      max_difference = 2
    }
    slope {
      per        = "sum(spawns{namespace=\"$namespace\"})"
      load       = "sum(running{namespace=\"$namespace\"})"
      max        = 1.5
      limit      = "2Gi"
      within     = "12h"
      min_points = 20
      min_work   = 30
      confidence = 0.9
    }
    evidence {
      query    = "sum(increase(launches[$bake]))"
      at_least = 200
      unit     = "launches"
    }
  }
}

gate "builds" {
  builds {
    cluster     = cluster.prod
    in_progress = "sum(builds)"
    max_per_pod = 4
    max_pending = 5
    max_share   = 0.5
    min_builds  = 6
  }
}

gate "launch" {
  launch {
    via          = "binderhub"
    url          = "https://staging.example.org"
    spec         = "gh/binderhub-ci-repos/requirements/HEAD"
    token_secret = "hub/hub.services.hubcap.apiToken"
    timeout      = "3m"
  }
}

gate "launch_hub" {
  launch {
    via   = "jupyterhub"
    user  = "probe"
    token = var.password
  }
}

gate "script" {
  exec {
    command = ["./check.sh", "$namespace"]
    timeout = "10s"
  }
}

gate "people" {
  manual {
    prompt = "look at the dashboard"
  }
}

notify "grafana" {
  on      = ["started", "finished"]
  timeout = "2s"
  grafana {
    url       = "https://grafana.example.org"
    token     = var.password
    tags      = ["deploy"]
    dashboard = "abc"
  }
}

notify "chat" {
  slack {
    url = "https://hooks.example.org/${var.password}"
  }
}

notify "hook" {
  webhook {
    url   = "https://example.org/hook"
    token = var.password
  }
}

rollout "all" {
  order        = [[node_pool.user, node_pool.emergency], hub.prod]
  gates        = [gate.up, gate.steady]
  step_timeout = "10m"
  on_failure   = "stop"
}

guard "load" {
  settle   = "5m"
  max_wait = "2h"
  interval = "1m"
  prometheus {
    cluster = cluster.prod
    query   = "sum(rate(x{namespace=\"$namespace\"}[5m]))"
    max     = 5
    of      = "x per second"
  }
}

guard "sessions" {
  sessions {
    max = 100
  }
}

guard "pending" {
  pending_pods {
    max   = 5
    older = "1m"
  }
}

guard "launches" {
  launch_rate {
    max = 20
  }
}

guard "cpu" {
  hub_cpu {
    max = 0.7
  }
}

guard "room" {
  level = "advisory"
  capacity {}
}

guard "drift" {
  drift {}
}

guard "class" {
  level = "hard"
  event {}
}

guard "office_hours" {
  window {
    days = ["mon", "fri"]
    from = "22:00"
    to   = "06:00"
    zone = "Europe/Oslo"
  }
}

guard "exams" {
  freeze {
    from   = "2026-12-20"
    until  = "2026-12-31T12:00:00+01:00"
    zone   = "Europe/Oslo"
    reason = "exams"
    except = [node_pool.user]
  }
}

guard "budget" {
  budget {
    sessions_per_run  = 10
    sessions_per_week = 100
  }
}

event "data8" {
  hubs  = values(hub.prod)
  title = "Data 8"
  from  = "2026-12-01T08:00:00+01:00"
  until = "2026-12-01T10:00:00+01:00"
}

policy "released_charts" {
  level  = "deny"
  reason = "launch day of 2018"
  versions {
    forbid  = ["known-bad", "pre-release"]
    allowed = { jupyterhub = ">= 4.2" }
    blocks  = [hub.prod["a"]]
  }
}

known_bad "leak" {
  chart    = "jupyterhub"
  versions = "< 4.1.0"
  fixed_in = "4.1.0"
  reason   = "It leaks."
  link     = "https://example.org/incident"
}

moved {
  from = manifest.old
  to   = manifest.priority
}

removed {
  from = hub.gone["a"]
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
