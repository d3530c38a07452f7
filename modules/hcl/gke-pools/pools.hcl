# The two pools that every hub on GKE has: one for hub, proxy and binder, one
# for users and builds.
#
#   module "pools" {
#     source          = "builtin:gke-pools"
#     cluster         = cluster.prod
#     user_max        = 40
#     user_local_ssds = 1
#   }
#   hub "prod" { node_pools = { core = module.pools.core, user = module.pools.user } }

node_pool "core" {
  cluster         = var.cluster
  machine_type    = var.core_machine_type
  locations       = var.locations
  service_account = var.service_account

  disk {
    type    = "pd-balanced"
    size_gb = var.core_disk_gb
  }

  autoscaling {
    min = var.core_min
    max = var.core_max
  }

  management {
    auto_repair  = true
    auto_upgrade = var.auto_upgrade
  }

  labels = {
    "hub.jupyter.org/node-purpose" = "core"
  }
}

node_pool "user" {
  cluster         = var.cluster
  machine_type    = var.user_machine_type
  locations       = var.locations
  service_account = var.service_account

  disk {
    type    = var.user_disk_type
    size_gb = var.user_disk_gb
  }

  local_ssd {
    count = var.user_local_ssds
    mode  = var.user_local_ssd_mode
  }

  autoscaling {
    min = var.user_min
    max = var.user_max
  }

  management {
    auto_repair  = true
    auto_upgrade = var.auto_upgrade
  }

  labels = {
    "hub.jupyter.org/node-purpose" = "user"
  }

  # Keeps everything off that does not belong to users. GKE's API refuses a
  # slash in the key, so it is the underscore form, which all charts tolerate.
  taint {
    key    = "hub.jupyter.org_dedicated"
    value  = "user"
    effect = "NoSchedule"
  }
}

output "core" {
  value = node_pool.core
}

output "user" {
  value = node_pool.user
}
