# The shape of mybinder.org: a staging and a production BinderHub on one GKE
# cluster, core and user pools, limits, bans, and the image cache. Staging is
# changed first, and production only after staging held for a while.

hubcap {
  name = "mybinder"
}

cluster "prod" {
  project    = var.project
  location   = "us-central1"
  name       = "prod"
  endpoint   = var.gke_endpoint
  kubeconfig = var.kubeconfig
}

locals {
  prefix      = "us-central1-docker.pkg.dev/${var.project}/mybinder"
  repo2docker = "quay.io/jupyterhub/repo2docker:2026.4.1"

  hubs = {
    staging = { per_repo = 10, active = 60, slots = 4, url = "https://staging.example.org" }
    prod    = { per_repo = 100, active = 400, slots = 32, url = "https://binder.example.org" }
  }
}

qos_class "core" {
  mode           = "memory-guaranteed"
  cpu_request    = "250m"
  cpu_limit      = "2"
  memory         = "1Gi"
  priority_class = "binderhub-core"
}

qos_class "proxy" {
  mode           = "memory-guaranteed"
  cpu_request    = "100m"
  cpu_limit      = "1"
  memory         = "320Mi"
  priority_class = "binderhub-core"
}

qos_class "user" {
  mode           = "burstable"
  cpu_request    = "10m"
  cpu_limit      = "1"
  memory_request = "450Mi"
  memory_limit   = "2Gi"
}

manifest "priority" {
  cluster = cluster.prod

  object = {
    apiVersion  = "scheduling.k8s.io/v1"
    kind        = "PriorityClass"
    metadata    = { name = "binderhub-core" }
    value       = 10000
    description = "Hubs, proxies and binders: evicted last."
  }
}

hub "binder" {
  for_each = local.hubs

  cluster   = cluster.prod
  namespace = each.key
  chart     = "builtin:binderhub"
  url       = each.value.url
  labels    = { stage = each.key }

  images = {
    hub = "quay.io/jupyterhub/k8s-hub:4.3.3"
  }

  qos = {
    hub    = qos_class.core
    binder = qos_class.core
    proxy  = qos_class.proxy
    user   = qos_class.user
  }

  node_pools = {
    core = node_pool.core
    user = node_pool.user
  }

  culling {
    timeout     = "10m"
    every       = "11m"
    max_age     = "6h"
    concurrency = 10
    users       = true
  }

  spawn_limits {
    concurrent           = 64
    active               = each.value.active
    consecutive_failures = 0
  }

  limits {
    per_repo        = each.value.per_repo
    per_repo_higher = each.value.per_repo * 2
    total           = each.value.active
  }

  # Requests for servers that are gone must not reach the hub.
  routing {
    default_route = "not-found"
    not_found_url = "http://proxy-patches"
    error_url     = "http://proxy-patches/hub/error"
  }

  build_slots {
    concurrent   = each.value.slots
    max_age      = "1h"
    node_pool    = node_pool.user
    host_lib_dir = "/mnt/disks/ssd0/dind-${each.key}"
  }

  image_cleaner {
    threshold_high = 80
    threshold_low  = 60
    cordon         = false
  }

  values_files = ["common.yaml"]
}

image_cache "binder" {
  for_each = local.hubs

  hub         = hub.binder[each.key]
  prefix      = "${local.prefix}/r2d-${each.key}-g5b5b759-"
  build_image = local.repo2docker
}

gate "pods" {
  bake     = "5m"
  interval = "10s"
  failures = 3

  pods {
    max_restarts = 0
    max_pending  = 5
  }
}

rollout "staging-first" {
  order = [
    [hub.binder["staging"]],
    [hub.binder["prod"]],
  ]
  gates        = [gate.pods]
  step_timeout = "10m"
}
