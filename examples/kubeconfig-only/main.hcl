# A JupyterHub on a cluster that hubcap reaches by kubeconfig alone: no GKE, no
# node pools. Everything inside Kubernetes works the same.

hubcap {
  name = "class"
}

cluster "campus" {
  context = var.context

  # The UID of the namespace kube-system. hubcap refuses any other cluster:
  #   kubectl get namespace kube-system -o jsonpath='{.metadata.uid}'
  identity   = var.identity
  kubeconfig = var.kubeconfig
}

variable "context" {
  type    = string
  default = null
}

variable "kubeconfig" {
  type    = string
  default = null
}

variable "identity" {
  type    = string
  default = null
}

variable "admin_password" {
  type      = string
  default   = "only-for-trying-out"
  sensitive = true
}

module "qos" {
  source = "builtin:qos"
}

hub "class" {
  cluster   = cluster.campus
  namespace = "class"
  chart     = "builtin:jupyterhub"
  url       = "https://hub.example.edu"

  culling {
    timeout = "1h"
    max_age = "168h"
  }

  spawn_limits {
    concurrent    = 100
    active        = 400
    start_timeout = "10m"
  }

  profiles = [
    {
      display_name = "Small: 2 GB, shared CPU"
      default      = true
      kubespawner_override = {
        mem_guarantee = "1G"
        mem_limit     = "2G"
        cpu_guarantee = 0.05
        cpu_limit     = 2
      }
    },
    {
      display_name = "Exam: 4 GB and one CPU of one's own"
      kubespawner_override = {
        mem_guarantee = "4G"
        mem_limit     = "4G"
        cpu_guarantee = 1
        cpu_limit     = 1
      }
    },
  ]

  values = {
    hub = {
      config = {
        JupyterHub = {
          authenticator_class = "dummy"
        }
        DummyAuthenticator = {
          password = var.admin_password
        }
      }
    }
    singleuser = {
      storage = {
        type = "none"
      }
    }
  }
}

manifest "quota" {
  cluster   = cluster.campus
  namespace = hub.class.namespace
  files     = ["quota.yaml"]
}

rollout "all" {
  order        = [hub.class]
  step_timeout = "10m"
}
