variable "name" {
  description = "Name of the security group."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9 ._:/()#,@+=&;{}!$*-]{1,255}$", var.name)) && !startswith(var.name, "sg-")
    error_message = "The security group name \"${var.name}\" must have 1 to 255 letters, digits, spaces or any of ._-:/()#,@+=&;{}!$*, and must not start with sg-."
  }
}

variable "use_name_prefix" {
  description = "Whether to use the name as a prefix, so that a replacement can exist alongside the group it replaces."
  type        = bool
  default     = true
}

variable "description" {
  description = "What the group is for. Changing it replaces the group."
  type        = string
  default     = "Security Group managed by Terraform"
}

variable "vpc_id" {
  description = "ID of the VPC."
  type        = string
}

variable "ingress_with_cidr_blocks" {
  description = "Rules for traffic from address ranges; cidr_blocks is a comma-separated string of IPv4 CIDRs."
  type = list(object({
    from_port   = number
    to_port     = number
    protocol    = optional(string, "tcp")
    cidr_blocks = string
    description = string
  }))
  default = []

  validation {
    condition = alltrue(flatten([
      for rule in var.ingress_with_cidr_blocks : [for cidr in split(",", rule.cidr_blocks) : can(cidrnetmask(cidr))]
    ]))
    error_message = "Not an IPv4 CIDR such as 203.0.113.0/24: ${join(", ", flatten([
      for rule in var.ingress_with_cidr_blocks : [for cidr in split(",", rule.cidr_blocks) : format("\"%s\"", cidr) if !can(cidrnetmask(cidr))]
    ]))}."
  }

  validation {
    condition     = alltrue([for rule in var.ingress_with_cidr_blocks : rule.from_port >= 0 && rule.from_port <= rule.to_port && rule.to_port <= 65535])
    error_message = "The ports of an ingress rule must be between 0 and 65535, and from_port must not exceed to_port."
  }
}

variable "ingress_with_source_security_group_id" {
  description = "Rules for traffic from another security group."
  type = list(object({
    from_port                = number
    to_port                  = number
    protocol                 = optional(string, "tcp")
    source_security_group_id = string
    description              = string
  }))
  default = []

  validation {
    condition     = alltrue([for rule in var.ingress_with_source_security_group_id : rule.from_port >= 0 && rule.from_port <= rule.to_port && rule.to_port <= 65535])
    error_message = "The ports of an ingress rule must be between 0 and 65535, and from_port must not exceed to_port."
  }
}

variable "egress_with_cidr_blocks" {
  description = "Rules for traffic to address ranges; cidr_blocks is a comma-separated string of IPv4 CIDRs."
  type = list(object({
    from_port   = number
    to_port     = number
    protocol    = optional(string, "tcp")
    cidr_blocks = string
    description = string
  }))
  default = []

  validation {
    condition = alltrue(flatten([
      for rule in var.egress_with_cidr_blocks : [for cidr in split(",", rule.cidr_blocks) : can(cidrnetmask(cidr))]
    ]))
    error_message = "Not an IPv4 CIDR such as 203.0.113.0/24: ${join(", ", flatten([
      for rule in var.egress_with_cidr_blocks : [for cidr in split(",", rule.cidr_blocks) : format("\"%s\"", cidr) if !can(cidrnetmask(cidr))]
    ]))}."
  }

  validation {
    condition     = alltrue([for rule in var.egress_with_cidr_blocks : rule.from_port >= 0 && rule.from_port <= rule.to_port && rule.to_port <= 65535])
    error_message = "The ports of an egress rule must be between 0 and 65535, and from_port must not exceed to_port."
  }
}

variable "egress_with_source_security_group_id" {
  description = "Rules for traffic to another security group."
  type = list(object({
    from_port                = number
    to_port                  = number
    protocol                 = optional(string, "tcp")
    source_security_group_id = string
    description              = string
  }))
  default = []

  validation {
    condition     = alltrue([for rule in var.egress_with_source_security_group_id : rule.from_port >= 0 && rule.from_port <= rule.to_port && rule.to_port <= 65535])
    error_message = "The ports of an egress rule must be between 0 and 65535, and from_port must not exceed to_port."
  }
}

variable "tags" {
  description = "Tags for the group, in addition to its Name and the provider's default tags."
  type        = map(string)
  default     = {}
}
