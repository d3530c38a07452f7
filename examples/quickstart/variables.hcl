variable "project" {
  type        = string
  default     = "hubcap-demo"
  description = "Google Cloud project of the cluster."
}

variable "kubeconfig" {
  type        = string
  default     = null
  description = "Path of a kubeconfig; without one the GKE API is asked where the cluster is."
}

variable "gke_endpoint" {
  type        = string
  default     = null
  description = "URL of the GKE API; without one it is Google's."
}

variable "hub_image" {
  type    = string
  default = "quay.io/jupyterhub/k8s-hub:4.3.3"

  validation {
    condition     = can(regex(":[^:]+$", var.hub_image))
    error_message = "Name the image with its tag, as in quay.io/jupyterhub/k8s-hub:4.3.3."
  }
}

variable "demo_sessions" {
  type        = number
  default     = 200
  description = "Most sessions of the JupyterLab demo at one time."
}

variable "step_timeout" {
  type        = string
  default     = "2m"
  description = "How long a component may take to become ready."
}
