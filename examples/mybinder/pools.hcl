node_pool "core" {
  cluster      = cluster.prod
  machine_type = "n2-highmem-4"
  locations    = ["us-central1-a"]

  disk {
    type    = "pd-balanced"
    size_gb = 250
  }

  autoscaling {
    min = 1
    max = 4
  }

  management {
    auto_repair  = true
    auto_upgrade = false
  }

  labels = {
    "hub.jupyter.org/node-purpose" = "core"
    "mybinder.org/pool-type"       = "core"
  }

  oauth_scopes = [
    "https://www.googleapis.com/auth/devstorage.read_only",
    "https://www.googleapis.com/auth/logging.write",
    "https://www.googleapis.com/auth/monitoring",
  ]

  protected = true
}

# Builders and users. The local SSD is where docker keeps its layers.
node_pool "user" {
  cluster      = cluster.prod
  machine_type = "n1-highmem-8"
  locations    = ["us-central1-a"]

  disk {
    type    = "pd-balanced"
    size_gb = 800
  }

  local_ssd {
    count = 1
    mode  = "mounted"
  }

  autoscaling {
    min = 2
    max = 12
  }

  management {
    auto_repair  = true
    auto_upgrade = false
  }

  labels = {
    "hub.jupyter.org/node-purpose" = "user"
    "mybinder.org/pool-type"       = "users"
  }

  metadata = {
    "disable-legacy-endpoints" = "true"
  }

  oauth_scopes = [
    "https://www.googleapis.com/auth/devstorage.read_only",
    "https://www.googleapis.com/auth/logging.write",
    "https://www.googleapis.com/auth/monitoring",
  ]

  protected = true
}

# More builders for a busy week: the same shape, so nothing can be forgotten.
node_pool "burst" {
  like = node_pool.user

  autoscaling {
    min = 0
    max = 4
  }
}
