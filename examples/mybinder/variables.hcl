variable "project" {
  type    = string
  default = "binderhub-example"
}

variable "kubeconfig" {
  type    = string
  default = null
}

variable "gke_endpoint" {
  type    = string
  default = null
}

variable "prometheus" {
  type    = string
  default = "https://prometheus.example.org"
}
