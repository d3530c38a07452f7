# Gates for a BinderHub, beside those for the hub in it:
#
#   module "hub"    { source = "builtin:gates-jupyterhub" }
#   module "binder" { source = "builtin:gates-binderhub" }
#   rollout "all"   { gates = concat(module.binder.default, [module.hub.hub_cpu, module.hub.hub_memory, module.hub.errors, module.hub.restarts]) }
#
# Few trusted gates are better than many: six are plenty.

locals {
  here = "${var.namespace_label}=\"$namespace\""

  # A retry is not the end of a launch. Launches that a quota rejects are counted
  # elsewhere (binderhub_launch_count_total) and are no failures.
  launches = "binderhub_launch_time_seconds_count{${local.here},status!=\"retry\"}"
  good     = "binderhub_launch_time_seconds_count{${local.here},status=\"success\"}"
  first    = "binderhub_launch_time_seconds_count{${local.here},status=\"success\",retries=\"0\"}"

  all_builds  = "binderhub_build_time_seconds_count{${local.here}}"
  good_builds = "binderhub_build_time_seconds_count{${local.here},status=\"success\"}"
}

# Failures show late: a launch is tried up to four times, for minutes. The share is
# of the whole bake, as the evidence is: a quiet binder's last minutes hold too few.
gate "launch-success" {
  bake       = var.bake
  max_bake   = var.max_bake
  interval   = var.interval
  failures   = 3
  of         = 5
  components = var.components

  prometheus {
    cluster = var.prometheus
    query   = "(sum(increase(${local.good}[$bake])) or vector(0)) / sum(increase(${local.launches}[$bake]))"
    min     = var.launch_success
    window  = var.window

    evidence {
      query    = "sum(increase(${local.launches}[$bake]))"
      at_least = var.min_launches
      unit     = "launches"
    }
  }
}

# Success after three retries is what people call broken.
gate "first-try" {
  bake       = var.bake
  max_bake   = var.max_bake
  interval   = var.interval
  failures   = 3
  of         = 5
  components = var.components

  prometheus {
    cluster = var.prometheus
    query   = "(sum(increase(${local.first}[$bake])) or vector(0)) / sum(increase(${local.launches}[$bake]))"
    min     = var.first_try_success
    window  = var.window

    evidence {
      query    = "sum(increase(${local.launches}[$bake]))"
      at_least = var.min_launches
      unit     = "launches"
    }
  }
}

# Repositories that cannot be built are part of the day: so compared with before.
gate "build-success" {
  bake       = var.bake
  max_bake   = var.max_bake
  interval   = var.interval
  failures   = 3
  of         = 5
  components = ["binder", "image-builder"]

  prometheus {
    cluster = var.prometheus
    query   = "(sum(increase(${local.good_builds}[$bake])) or vector(0)) / sum(increase(${local.all_builds}[$bake]))"
    window  = "30m"

    before {
      min_difference = -var.build_success_drop
      window         = "2h"
    }

    evidence {
      query    = "sum(increase(${local.all_builds}[$bake]))"
      at_least = var.min_builds
      unit     = "builds"
    }
  }
}

# Many builds that people wait for, few pods that build, or all of them one
# repository's.
gate "build-slots" {
  bake       = var.bake
  max_bake   = var.max_bake
  interval   = var.interval
  failures   = 4
  of         = 6
  components = ["binder", "image-builder", "image-cleaner"]

  builds {
    cluster     = var.prometheus
    in_progress = "sum(binderhub_inprogress_builds{${local.here}})"
    max_per_pod = var.builds_per_pod
    max_share   = var.build_share
  }
}

# Through the binder's url. It says of itself whether it reaches its hub and its
# registry; quotas that are used up are no trouble of its own.
gate "binder-answers" {
  bake       = var.bake
  interval   = var.interval
  failures   = 3
  of         = 5
  components = var.components

  http {
    url = "/health"
  }
}

output "default" {
  value = [gate.launch-success, gate.build-slots]
}

output "binder_answers" { value = gate.binder-answers }
output "launch_success" { value = gate.launch-success }
output "first_try" { value = gate.first-try }
output "build_success" { value = gate.build-success }
output "build_slots" { value = gate.build-slots }
