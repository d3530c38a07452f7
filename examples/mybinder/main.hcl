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

  # Monitoring that runs elsewhere is there when the cluster is not.
  prometheus = var.prometheus
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

# What has to hold after a step: launches, builds, the hub's CPU, floods of errors,
# and no leak that would show only tomorrow.
module "hub_gates" {
  source = "builtin:gates-jupyterhub"
}

module "binder_gates" {
  source       = "builtin:gates-binderhub"
  min_launches = 200
  max_bake     = "90m"
}

# Is production slower to launch than the binders that this wave leaves alone? A
# slow internet is slow for all of them.
gate "as-fast-as-the-others" {
  bake       = "15m"
  interval   = "30s"
  failures   = 3
  of         = 5
  advisory   = true
  components = ["hub", "binder"]

  prometheus {
    query = "histogram_quantile(0.9, sum by (le) (rate(binderhub_launch_time_seconds_bucket{namespace=\"$namespace\",status=\"success\"}[$window])))"

    control {
      max_ratio = 2
      floor     = 5
    }
  }
}

# Hubs are changed in the nights of workdays, and not while people are away
# or an event runs; staging on holidays too.
guard "nights" {
  max_wait = "12h"

  window {
    days = ["mon", "tue", "wed", "thu"]
    from = "22:00"
    to   = "06:00"
    zone = "America/Los_Angeles"
  }
}

guard "holidays" {
  freeze {
    from   = "2026-12-19"
    until  = "2027-01-03"
    zone   = "America/Los_Angeles"
    reason = "nobody is there to look"
    except = [hub.binder["staging"]]
  }
}

guard "workshop" {
  level = "hard"

  event {}
}

event "workshop" {
  hub   = hub.binder["prod"]
  title = "Conference tutorial, 400 people"
  from  = "2026-12-03T08:00:00-08:00"
  until = "2026-12-03T18:00:00-08:00"
}

# What somebody changed by hand in an incident is not written over unseen.
guard "by_hand" {
  drift {}
}

guard "people" {
  budget {
    sessions_per_run  = 500
    sessions_per_week = 1000
  }
}

rollout "staging-first" {
  order        = [{ labels = { stage = "staging" } }, "10%", "50%", "rest"]
  max_parallel = 2
  components   = ["hub", "binder"]

  gates = concat(module.binder_gates.default, [
    module.hub_gates.hub_cpu,
    module.hub_gates.hub_memory,
    module.hub_gates.errors,
    module.hub_gates.restarts,
    gate.as-fast-as-the-others,
  ])

  guards       = [guard.nights, guard.holidays, guard.workshop, guard.by_hand, guard.people]
  step_timeout = "10m"
}
