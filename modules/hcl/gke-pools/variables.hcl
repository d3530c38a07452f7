variable "cluster" {
  description = "The cluster block: cluster = cluster.prod."
}

variable "locations" {
  type        = list(string)
  default     = null
  description = "Zones of the nodes; without them they are the cluster's."
}

variable "service_account" {
  type        = string
  default     = null
  description = "Service account of the nodes; without one it is the project's default."
}

variable "auto_upgrade" {
  type        = bool
  default     = null
  description = "Whether GKE upgrades the nodes by itself; GKE's choice by default. A cluster on a release channel takes no false."
}

variable "core_machine_type" {
  type    = string
  default = "n2-highmem-4"
}

variable "core_min" {
  type    = number
  default = 1
}

variable "core_max" {
  type    = number
  default = 4
}

variable "core_disk_gb" {
  type    = number
  default = 250
}

variable "user_machine_type" {
  type    = string
  default = "n2-highmem-8"
}

variable "user_min" {
  type    = number
  default = 1
}

variable "user_max" {
  type    = number
  default = 12
}

variable "user_disk_gb" {
  type    = number
  default = 500
}

variable "user_disk_type" {
  type    = string
  default = "pd-balanced"
}

variable "user_local_ssds" {
  type        = number
  default     = 0
  description = "Local SSDs of each user node. A BinderHub wants one: builds and pulls are bound by the disk."
}

variable "user_local_ssd_mode" {
  type        = string
  default     = "mounted"
  description = "mounted (/mnt/disks/ssd0, where dind keeps its layers), ephemeral or block."
}
