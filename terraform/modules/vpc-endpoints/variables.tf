variable "vpc_id" {
  description = "ID of the VPC."
  type        = string
}

variable "subnet_ids" {
  description = "Subnets in which interface endpoints get an address, one per zone."
  type        = list(string)
  default     = []
}

variable "security_group_ids" {
  description = "Security groups of the interface endpoints."
  type        = list(string)
  default     = []
}

variable "endpoints" {
  description = "Endpoints by name: short service name, type, and policy as JSON; a gateway endpoint also needs its route tables."
  type = map(object({
    service             = string
    service_type        = optional(string, "Interface")
    route_table_ids     = optional(list(string), [])
    private_dns_enabled = optional(bool, true)
    policy              = string
    tags                = optional(map(string), {})
  }))
  default = {}

  validation {
    condition     = alltrue([for endpoint in var.endpoints : contains(["Gateway", "Interface"], endpoint.service_type)])
    error_message = "The service_type of an endpoint must be Gateway or Interface: ${join(", ", [for name, endpoint in var.endpoints : name if !contains(["Gateway", "Interface"], endpoint.service_type)])}."
  }

  validation {
    condition     = alltrue([for endpoint in var.endpoints : can(jsondecode(endpoint.policy).Statement)])
    error_message = "Each endpoint needs a policy, a JSON document with a Statement; AWS's default policy allows everything. Missing for: ${join(", ", [for name, endpoint in var.endpoints : name if !can(jsondecode(endpoint.policy).Statement)])}."
  }

  validation {
    condition     = alltrue([for endpoint in var.endpoints : length(endpoint.route_table_ids) > 0 if endpoint.service_type == "Gateway"])
    error_message = "A gateway endpoint works through route tables; set route_table_ids for: ${join(", ", [for name, endpoint in var.endpoints : name if endpoint.service_type == "Gateway" && length(endpoint.route_table_ids) == 0])}."
  }
}

variable "tags" {
  description = "Tags for every endpoint, in addition to its Name and the provider's default tags."
  type        = map(string)
  default     = {}
}
