# The hub of 2018-04-18 as hubcap rolls it out: one component per step, each with
# the gates that tell a flood, a leak and a program that does not start.

hubcap {
  name = "culler-flood"
}

variable "kubeconfig" { type = string }
variable "prometheus" { type = string }
variable "simulator" { type = string }
variable "namespace" { type = string }

variable "hub" { type = string }
variable "culler" { type = string }
variable "cleaner" { type = string }
variable "binder" { type = string }

# Before there are people there is no evidence.
variable "gated" {
  type    = bool
  default = true
}

cluster "replay" {
  kubeconfig = var.kubeconfig
  prometheus = var.prometheus
}

hub "prod" {
  cluster   = cluster.replay
  namespace = var.namespace
  chart     = "builtin:binderhub"
  url       = "${var.simulator}/${var.namespace}"

  values = yamldecode(templatefile("values.yaml", {
    hub     = var.hub
    culler  = var.culler
    cleaner = var.cleaner
    binder  = var.binder
  }))
}

# A minute here is an hour there, and so is everything else: see docs/SANDBOX.md.
module "hub" {
  source        = "builtin:gates-jupyterhub"
  bake          = "20s"
  max_bake      = "60s"
  leak_bake     = "30s"
  leak_max_bake = "60s"
  warm_up       = "2s"
  spawn_warm_up = "2s"
  interval      = "1s"
  window        = "10s"
}

module "binder" {
  source   = "builtin:gates-binderhub"
  bake     = "20s"
  max_bake = "60s"
  interval = "1s"
  window   = "10s"
}

rollout "careful" {
  order        = [hub.prod]
  step_timeout = "60s"

  gates = var.gated ? [
    module.binder.launch_success,
    module.hub.errors,
    module.hub.hub_threads,
    module.hub.restarts,
  ] : []
}
