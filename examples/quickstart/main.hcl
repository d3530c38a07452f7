# One BinderHub on GKE with its node pools. `make demo` runs this on the sandbox.

hubcap {
  name = "quickstart"
}

cluster "demo" {
  project    = var.project
  location   = "us-central1-a"
  name       = "binder"
  endpoint   = var.gke_endpoint
  kubeconfig = var.kubeconfig
}

qos_class "core" {
  mode   = "guaranteed"
  cpu    = "250m"
  memory = "512Mi"
}

qos_class "user" {
  mode           = "burstable"
  cpu_request    = "10m"
  cpu_limit      = "1"
  memory_request = "450Mi"
  memory_limit   = "2Gi"
}

node_pool "core" {
  cluster      = cluster.demo
  machine_type = "n2-highmem-4"

  disk {
    type    = "pd-balanced"
    size_gb = 250
  }

  autoscaling {
    min = 1
    max = 4
  }

  labels = {
    "hub.jupyter.org/node-purpose" = "core"
  }
}

node_pool "user" {
  cluster      = cluster.demo
  machine_type = "n2-highmem-8"

  disk {
    type    = "pd-balanced"
    size_gb = 500
  }

  # Builds keep their layers here, see build_slots.
  local_ssd {
    count = 1
    mode  = "mounted"
  }

  autoscaling {
    min = 1
    max = 8
  }

  labels = {
    "hub.jupyter.org/node-purpose" = "user"
  }
}

hub "binder" {
  cluster   = cluster.demo
  namespace = "binder"
  chart     = "builtin:binderhub"

  images = {
    hub = var.hub_image
  }

  qos = {
    hub    = qos_class.core
    proxy  = qos_class.core
    binder = qos_class.core
    user   = qos_class.user
  }

  node_pools = {
    core = node_pool.core
    user = node_pool.user
  }

  culling {
    timeout = "10m"
    every   = "11m"
    max_age = "6h"
  }

  spawn_limits {
    concurrent = 64
    active     = 300
  }

  limits {
    per_repo = 100
  }

  build_slots {
    concurrent   = 10
    node_pool    = node_pool.user
    host_lib_dir = "/mnt/disks/ssd0/dind"
  }

  image_cleaner {
    threshold_high = 80
    threshold_low  = 60
  }

  values = {
    imageBuilderType = "dind"
    config = {
      BinderHub = {
        use_registry = false
      }
    }
  }
}

image_cache "binder" {
  hub         = hub.binder
  prefix      = "us-central1-docker.pkg.dev/hubcap-demo/binder/r2d-g5b5b759-"
  build_image = "quay.io/jupyterhub/repo2docker:2026.4.1"
}

repo_limit "jupyterlab-demo" {
  hub      = hub.binder
  repo     = "jupyterlab/jupyterlab-demo"
  sessions = var.demo_sessions
  reason   = "linked from the landing page"
}

repo_ban "miner" {
  hub     = hub.binder
  pattern = "^evil/.*-miner.*"
  reason  = "runs a miner"
}

gate "pods" {
  bake     = "2s"
  interval = "1s"

  pods {
    max_restarts = 0
    max_pending  = 0
  }
}

rollout "all" {
  order        = [hub.binder]
  gates        = [gate.pods]
  step_timeout = var.step_timeout
}

output "namespace" {
  value = hub.binder.namespace
}
