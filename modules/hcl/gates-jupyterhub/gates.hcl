# Gates for any JupyterHub, with the names that its metrics really have:
#
#   module "gates" { source = "builtin:gates-jupyterhub" }
#   rollout "all"  { gates = module.gates.default }
#
# The default are six. Others can be added by name:
#
#   gates = concat(module.gates.default, [module.gates.hub_threads])
#
# Try them beforehand with "hubcap gate test" and "hubcap doctor metrics".

locals {
  here = "${var.namespace_label}=\"$namespace\""
  hub  = "${local.here},pod=~\"hub-.*\",container=\"hub\""

  # Rejections are no failures: throttled, the hub is full, or somebody asked twice.
  spawns = "jupyterhub_server_spawn_duration_seconds_count{${local.here},status!~\"throttled|too-many-users|already-pending\"}"
  good   = "jupyterhub_server_spawn_duration_seconds_count{${local.here},status=\"success\"}"

  running = "sum(jupyterhub_running_servers{${local.here}})"

  memory = "max(container_memory_working_set_bytes{${local.hub}})"
  limit  = "max(kube_pod_container_resource_limits{${local.hub},resource=\"memory\"})"
}

# Servers that start, of those that were asked for, over the whole bake: the last
# minutes of a quiet hub may hold one spawn, and that one failing would be "0 %".
# Failures that come at once are counted before successes that take a minute, and
# right after a restart people ask again for what it cut off: the warm-up leaves
# both out. A few failures among few spawns prove nothing, and are spared.
gate "spawn-success" {
  bake       = var.bake
  max_bake   = var.max_bake
  warm_up    = var.spawn_warm_up
  interval   = var.interval
  failures   = 3
  of         = 5
  components = var.components

  prometheus {
    cluster = var.prometheus
    query   = "clamp_max(((sum(increase(${local.good}[$bake])) or vector(0)) + ${var.spared_spawns}) / (sum(increase(${local.spawns}[$bake])) > 0), 1)"
    min     = var.spawn_success
    window  = var.window

    evidence {
      query    = "sum(increase(${local.spawns}[$bake]))"
      at_least = var.min_spawns
      unit     = "spawns"
    }
  }
}

# The hub is one thread: at one core it answers nobody in time.
gate "hub-cpu" {
  bake       = var.bake
  max_bake   = var.max_bake
  interval   = var.interval
  failures   = 3
  of         = 5
  components = var.components

  prometheus {
    cluster = var.prometheus
    query   = "sum(rate(container_cpu_usage_seconds_total{${local.hub}}[$window]))"
    max     = var.hub_cpu
    window  = var.cpu_window
  }
}

# How late the hub's event loop comes round: the best sign of overload.
gate "event-loop" {
  bake       = var.bake
  max_bake   = var.max_bake
  interval   = var.interval
  failures   = 3
  of         = 5
  components = var.components

  prometheus {
    cluster = var.prometheus
    query   = "histogram_quantile(0.99, sum by (le) (rate(jupyterhub_event_loop_interval_seconds_bucket{${local.here}}[$window])))"
    max     = var.event_loop
    window  = var.event_loop_window
  }
}

# A leak passes every threshold for an hour: so where will it be in a day? What
# more users need is no leak, and is taken out.
gate "hub-memory" {
  bake       = var.leak_bake
  max_bake   = var.leak_max_bake
  warm_up    = var.warm_up
  interval   = var.interval
  failures   = 3
  of         = 5
  components = var.components

  prometheus {
    cluster = var.prometheus
    query   = var.hub_memory_limit == null ? "${local.memory} / ${local.limit}" : local.memory
    window  = var.memory_window

    slope {
      load   = local.running
      limit  = var.hub_memory_limit == null ? "1" : var.hub_memory_limit
      within = var.memory_within
    }
  }
}

# A leak per spawn shows after few of them, at night too.
gate "hub-threads" {
  bake       = var.leak_bake
  max_bake   = var.leak_max_bake
  warm_up    = var.warm_up
  interval   = var.interval
  failures   = 3
  of         = 5
  components = var.components

  prometheus {
    cluster = var.prometheus
    query   = "max(container_threads{${local.hub}})"
    window  = var.window

    slope {
      per      = "sum(${local.spawns})"
      load     = local.running
      max      = var.threads_per_spawn
      min_work = var.min_spawns
    }
  }
}

gate "hub-files" {
  bake       = var.leak_bake
  max_bake   = var.leak_max_bake
  warm_up    = var.warm_up
  interval   = var.interval
  failures   = 3
  of         = 5
  components = var.components

  prometheus {
    cluster = var.prometheus
    query   = "max(process_open_fds{${local.here},pod=~\"hub-.*\"})"
    window  = var.window

    slope {
      per      = "sum(${local.spawns})"
      load     = local.running
      max      = var.files_per_spawn
      min_work = var.min_spawns
    }
  }
}

# A culler that asks to stop what does not run, a default route that leads to the
# hub: floods that only a comparison with before shows.
gate "errors" {
  bake       = var.bake
  max_bake   = var.max_bake
  interval   = var.interval
  failures   = 3
  of         = 5
  components = var.components

  prometheus {
    cluster = var.prometheus
    query   = "sum(rate(jupyterhub_request_duration_seconds_count{${local.here},code=~\"4..|5..\"}[$window])) or (0 * sum(rate(jupyterhub_request_duration_seconds_count{${local.here}}[$window])))"
    window  = var.window

    before {
      max_ratio = var.error_ratio
      floor     = var.error_floor
    }
  }
}

# What the component runs itself.
gate "restarts" {
  bake     = var.bake
  interval = var.interval
  failures = 2

  pods {
    max_restarts = 0
    max_pending  = 0
  }
}

# Servers that do not come up, and servers that do not go away.
gate "users-stuck" {
  bake       = var.bake
  interval   = var.interval
  failures   = 3
  of         = 5
  components = var.components

  pods {
    users             = true
    max_pending       = var.max_pending
    pending_after     = "5m"
    max_terminating   = var.max_terminating
    terminating_after = "10m"
  }
}

# Through the hub's url, as people come: the ingress, the proxy and its route to
# the hub are in it. A hub without url goes without.
gate "hub-answers" {
  bake       = var.bake
  interval   = var.interval
  failures   = 3
  of         = 5
  components = var.components

  http {
    url = "/hub/health"
  }
}

output "default" {
  value = [gate.spawn-success, gate.hub-cpu, gate.hub-memory, gate.errors, gate.restarts, gate.users-stuck]
}

output "hub_answers" { value = gate.hub-answers }
output "spawn_success" { value = gate.spawn-success }
output "hub_cpu" { value = gate.hub-cpu }
output "event_loop" { value = gate.event-loop }
output "hub_memory" { value = gate.hub-memory }
output "hub_threads" { value = gate.hub-threads }
output "hub_files" { value = gate.hub-files }
output "errors" { value = gate.errors }
output "restarts" { value = gate.restarts }
output "users_stuck" { value = gate.users-stuck }
