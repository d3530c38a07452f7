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
  type    = string
  default = "15m"
}

variable "max_bake" {
  type        = string
  default     = "60m"
  description = "To which a quiet binder extends the bake."
}

variable "interval" {
  type    = string
  default = "30s"
}

variable "window" {
  type        = string
  default     = "10m"
  description = "Launches are counted over the whole bake; so long, at most a minute, passes before the first sample."
}

variable "launch_success" {
  type    = number
  default = 0.95
}

variable "first_try_success" {
  type    = number
  default = 0.9
}

variable "min_launches" {
  type        = number
  default     = 20
  description = "Launches that must have been tried."
}

variable "build_success_drop" {
  type        = number
  default     = 0.2
  description = "By how much the share of builds that succeed may be lower than before. Most failures are the authors' own."
}

variable "min_builds" {
  type    = number
  default = 10
}

variable "builds_per_pod" {
  type    = number
  default = 4
}

variable "build_share" {
  type        = number
  default     = 0.6
  description = "Of the running builds that one repository may have."
}
