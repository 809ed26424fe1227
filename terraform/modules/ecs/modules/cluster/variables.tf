variable "name" {
  description = "Name of the cluster."
  type        = string
}

variable "setting" {
  description = "Cluster settings, such as `containerInsights`."
  type = list(object({
    name  = string
    value = string
  }))
}

variable "tags" {
  description = "Tags for the cluster."
  type        = map(string)
  default     = {}
}
