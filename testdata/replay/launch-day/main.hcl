# The hub of 2018-02-20 as hubcap rolls it out: a guard looks at the load before
# anything that restarts a part of the hub, and Grafana is told beside the run.

hubcap {
  name = "launch-day"
}

variable "kubeconfig" { type = string }
variable "prometheus" { type = string }
variable "simulator" { type = string }
variable "namespace" { type = string }

variable "limit" {
  type        = number
  description = "Sessions of one repository."
}

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
  values    = yamldecode(templatefile("values.yaml", { limit = var.limit }))
}

guard "load" {
  settle   = "5s"
  max_wait = "20s"
  interval = "1s"

  prometheus {
    query = "sum(rate(container_cpu_usage_seconds_total{namespace=\"$namespace\",container=\"hub\"}[10s]))"
    of    = "cores of the hub"
    max   = 0.5
  }
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
  guards       = [guard.load]
  gates        = var.gated ? [module.binder.launch_success] : []
}

notify "grafana" {
  timeout = "2s"

  grafana {
    url = var.simulator
  }
}
