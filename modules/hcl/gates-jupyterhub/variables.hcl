variable "prometheus" {
  default     = null
  description = "The cluster whose Prometheus is asked; default that of the hub's own cluster."
}

variable "namespace_label" {
  type        = string
  default     = "namespace"
  description = "The label in which Prometheus has a pod's namespace."
}

variable "components" {
  type        = list(string)
  default     = ["hub", "proxy", "binder"]
  description = "The components whose steps have these gates."
}

variable "bake" {
  type        = string
  default     = "15m"
  description = "For how long a gate must hold."
}

variable "max_bake" {
  type        = string
  default     = "60m"
  description = "To which a quiet hub extends the bake."
}

variable "leak_bake" {
  type        = string
  default     = "60m"
  description = "The same for the gates that look for leaks, which need longer."
}

variable "leak_max_bake" {
  type    = string
  default = "120m"
}

variable "warm_up" {
  type        = string
  default     = "5m"
  description = "After a restart, of which the gates for leaks take no notice: caches fill then."
}

variable "interval" {
  type        = string
  default     = "30s"
  description = "Between two samples."
}

variable "window" {
  type        = string
  default     = "10m"
  description = "Longest time that a rate is taken over; so long, at most a minute, passes before the first sample."
}

variable "cpu_window" {
  type        = string
  default     = "5m"
  description = "Longest time that the hub's CPU is averaged over."
}

variable "event_loop_window" {
  type        = string
  default     = "5m"
  description = "Longest time over which the event loop is looked at."
}

variable "memory_window" {
  type        = string
  default     = "10m"
  description = "Longest time that is looked back from each point of the hub's memory."
}

variable "memory_within" {
  type        = string
  default     = "24h"
  description = "So long must the hub's memory be away from its limit."
}

variable "spawn_success" {
  type    = number
  default = 0.95
}

variable "spawn_warm_up" {
  type        = string
  default     = "2m"
  description = "After a restart, of which spawns are not counted: about as long as one takes."
}

variable "spared_spawns" {
  type        = number
  default     = 1
  description = "Failed spawns that are not counted: of 20, one more than usual proves nothing."
}

variable "min_spawns" {
  type        = number
  default     = 20
  description = "Spawns that must have been tried."
}

variable "hub_cpu" {
  type        = number
  default     = 0.7
  description = "Cores. The hub uses one at most: at 1.0 it is overloaded."
}

variable "event_loop" {
  type        = number
  default     = 1
  description = "Seconds that the event loop may be late, at p99."
}

variable "hub_memory_limit" {
  type        = string
  default     = null
  description = "Quantity that the hub's memory must not reach within a day; default its limit, from kube-state-metrics."
}

variable "threads_per_spawn" {
  type    = number
  default = 0.5
}

variable "files_per_spawn" {
  type    = number
  default = 1
}

variable "error_ratio" {
  type        = number
  default     = 3
  description = "Times as many 4xx and 5xx as before."
}

variable "error_floor" {
  type        = number
  default     = 0.2
  description = "Of them per second, below which it does not matter."
}

variable "max_pending" {
  type        = number
  default     = 5
  description = "User servers that may be pending for more than five minutes."
}

variable "max_terminating" {
  type        = number
  default     = 5
  description = "User servers that may be there ten minutes after they should be gone."
}
