# The three ways in which requests relate to limits, as classes ready to use:
#
#   module "qos" { source = "builtin:qos" }
#   hub "prod"   { qos = { hub = module.qos.memory_guaranteed } }
#
# Sizes are those of a hub of some hundred users; give others as variables.

variable "cpu" {
  type        = string
  default     = "250m"
  description = "CPU that is always there."
}

variable "cpu_limit" {
  type        = string
  default     = "2"
  description = "Most CPU where it may burst."
}

variable "memory" {
  type        = string
  default     = "1Gi"
  description = "Most memory; where memory is guaranteed, also what is always there."
}

variable "memory_request" {
  type        = string
  default     = "256Mi"
  description = "Memory that is always there for the burstable class."
}

variable "priority_class" {
  type        = string
  default     = null
  description = "Name of a PriorityClass for all three; without one it is the cluster's default."
}

# Never throttled, evicted last. For what everybody depends on.
qos_class "guaranteed" {
  mode           = "guaranteed"
  cpu            = var.cpu
  memory         = var.memory
  priority_class = var.priority_class
}

# Memory is never taken away; CPU may use what the node has to spare. What
# large deployments give their hub and binder.
qos_class "memory-guaranteed" {
  mode           = "memory-guaranteed"
  cpu_request    = var.cpu
  cpu_limit      = var.cpu_limit
  memory         = var.memory
  priority_class = var.priority_class
}

# Little is reserved. For what may wait or be started again.
qos_class "burstable" {
  mode           = "burstable"
  cpu_request    = var.cpu
  cpu_limit      = var.cpu_limit
  memory_request = var.memory_request
  memory_limit   = var.memory
  priority_class = var.priority_class
}

output "guaranteed" {
  value = qos_class.guaranteed
}

output "memory_guaranteed" {
  value = qos_class.memory-guaranteed
}

output "burstable" {
  value = qos_class.burstable
}
