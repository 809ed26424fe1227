variable "name" {
  description = "Name of the VPC; every resource in it is named after it."
  type        = string

  validation {
    condition     = length(trimspace(var.name)) > 0
    error_message = "Give the VPC a name."
  }
}

variable "cidr" {
  description = "IPv4 range of the VPC, /16 to /28."
  type        = string

  validation {
    condition     = can(cidrnetmask(var.cidr))
    error_message = "\"${var.cidr}\" is not an IPv4 CIDR; write something like 10.0.0.0/16."
  }

  validation {
    condition     = try(cidrhost(var.cidr, 0) == split("/", var.cidr)[0], true)
    error_message = "\"${var.cidr}\" does not start at the network's first address; write ${try("${cidrhost(var.cidr, 0)}/${split("/", var.cidr)[1]}", "that")}."
  }

  validation {
    condition     = !can(cidrnetmask(var.cidr)) || try(tonumber(split("/", var.cidr)[1]) >= 16 && tonumber(split("/", var.cidr)[1]) <= 28, true)
    error_message = "A VPC's range must be from /16 to /28, not ${var.cidr}."
  }
}

variable "azs" {
  description = "Availability Zones, in subnet order."
  type        = list(string)

  validation {
    condition     = length(var.azs) > 0 && length(distinct(var.azs)) == length(var.azs)
    error_message = "List at least one Availability Zone, each only once; got: ${join(", ", var.azs)}."
  }
}

variable "public_subnets" {
  description = "IPv4 ranges of the public subnets, one per zone."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for cidr in var.public_subnets : can(cidrnetmask(cidr))])
    error_message = "Not an IPv4 CIDR such as 10.0.0.0/24: ${join(", ", [for cidr in var.public_subnets : format("\"%s\"", cidr) if !can(cidrnetmask(cidr))])}."
  }

  validation {
    condition     = alltrue([for cidr in var.public_subnets : try(cidrhost(cidr, 0) == split("/", cidr)[0], true)])
    error_message = "A range must start at the network's first address. Write ${join(", ", [for cidr in var.public_subnets : "${cidrhost(cidr, 0)}/${split("/", cidr)[1]} for ${cidr}" if try(cidrhost(cidr, 0) != split("/", cidr)[0], false)])}."
  }

  validation {
    condition     = alltrue([for cidr in var.public_subnets : !can(cidrnetmask(cidr)) || try(tonumber(split("/", cidr)[1]) >= 16 && tonumber(split("/", cidr)[1]) <= 28, true)])
    error_message = "AWS allows subnets from /16 to /28; got ${join(", ", [for cidr in var.public_subnets : cidr if can(cidrnetmask(cidr)) && try(tonumber(split("/", cidr)[1]) < 16 || tonumber(split("/", cidr)[1]) > 28, false)])}."
  }
}

variable "private_subnets" {
  description = "IPv4 ranges of the private subnets, one per zone."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for cidr in var.private_subnets : can(cidrnetmask(cidr))])
    error_message = "Not an IPv4 CIDR such as 10.0.0.0/24: ${join(", ", [for cidr in var.private_subnets : format("\"%s\"", cidr) if !can(cidrnetmask(cidr))])}."
  }

  validation {
    condition     = alltrue([for cidr in var.private_subnets : try(cidrhost(cidr, 0) == split("/", cidr)[0], true)])
    error_message = "A range must start at the network's first address. Write ${join(", ", [for cidr in var.private_subnets : "${cidrhost(cidr, 0)}/${split("/", cidr)[1]} for ${cidr}" if try(cidrhost(cidr, 0) != split("/", cidr)[0], false)])}."
  }

  validation {
    condition     = alltrue([for cidr in var.private_subnets : !can(cidrnetmask(cidr)) || try(tonumber(split("/", cidr)[1]) >= 16 && tonumber(split("/", cidr)[1]) <= 28, true)])
    error_message = "AWS allows subnets from /16 to /28; got ${join(", ", [for cidr in var.private_subnets : cidr if can(cidrnetmask(cidr)) && try(tonumber(split("/", cidr)[1]) < 16 || tonumber(split("/", cidr)[1]) > 28, false)])}."
  }
}

variable "enable_dns_hostnames" {
  description = "Whether instances get DNS names; private DNS for interface endpoints requires it."
  type        = bool
  default     = true
}

variable "enable_dns_support" {
  description = "Whether the VPC has a DNS resolver."
  type        = bool
  default     = true
}

variable "enable_nat_gateway" {
  description = "Whether private subnets can reach the internet through NAT."
  type        = bool
  default     = false
}

variable "single_nat_gateway" {
  description = "One NAT gateway for all zones: cheaper, but lost if its zone fails."
  type        = bool
  default     = false
}

variable "one_nat_gateway_per_az" {
  description = "One NAT gateway per zone."
  type        = bool
  default     = false
}

variable "manage_default_security_group" {
  description = "Whether to take over the VPC's default security group and empty it."
  type        = bool
  default     = true
}

variable "default_security_group_ingress" {
  description = "Must be empty: the default security group has no rules."
  type        = list(map(string))
  default     = []

  validation {
    condition     = length(var.default_security_group_ingress) == 0
    error_message = "The default security group must have no rules: put them in a separate security group."
  }
}

variable "default_security_group_egress" {
  description = "Must be empty: the default security group has no rules."
  type        = list(map(string))
  default     = []

  validation {
    condition     = length(var.default_security_group_egress) == 0
    error_message = "The default security group must have no rules: put them in a separate security group."
  }
}

variable "manage_default_network_acl" {
  description = "Whether to take over the VPC's default network ACL and empty it."
  type        = bool
  default     = true
}

variable "default_network_acl_ingress" {
  description = "Must be empty: the default network ACL has no rules."
  type        = list(map(string))
  default     = []

  validation {
    condition     = length(var.default_network_acl_ingress) == 0
    error_message = "The default network ACL must have no rules: give the tier a dedicated one."
  }
}

variable "default_network_acl_egress" {
  description = "Must be empty: the default network ACL has no rules."
  type        = list(map(string))
  default     = []

  validation {
    condition     = length(var.default_network_acl_egress) == 0
    error_message = "The default network ACL must have no rules: give the tier a dedicated one."
  }
}

variable "manage_default_route_table" {
  description = "Whether to take over the VPC's main route table and empty it."
  type        = bool
  default     = true
}

variable "public_dedicated_network_acl" {
  description = "Whether the public subnets have their own network ACL."
  type        = bool
  default     = false
}

variable "public_inbound_acl_rules" {
  description = "Inbound rules of the public network ACL; protocol is tcp, udp, or a number (-1 for all)."
  type = list(object({
    rule_number = number
    rule_action = string
    protocol    = string
    from_port   = optional(number)
    to_port     = optional(number)
    cidr_block  = string
  }))
  default = []

  validation {
    condition     = alltrue([for rule in var.public_inbound_acl_rules : rule.rule_number >= 1 && rule.rule_number <= 32766]) && length(distinct(var.public_inbound_acl_rules[*].rule_number)) == length(var.public_inbound_acl_rules)
    error_message = "Rule numbers must be unique and from 1 to 32766; got ${join(", ", var.public_inbound_acl_rules[*].rule_number)}."
  }

  validation {
    condition     = alltrue([for rule in var.public_inbound_acl_rules : contains(["allow", "deny"], rule.rule_action)])
    error_message = "The rule_action of a network ACL rule must be allow or deny."
  }
}

variable "public_outbound_acl_rules" {
  description = "Outbound rules of the public network ACL."
  type = list(object({
    rule_number = number
    rule_action = string
    protocol    = string
    from_port   = optional(number)
    to_port     = optional(number)
    cidr_block  = string
  }))
  default = []

  validation {
    condition     = alltrue([for rule in var.public_outbound_acl_rules : rule.rule_number >= 1 && rule.rule_number <= 32766]) && length(distinct(var.public_outbound_acl_rules[*].rule_number)) == length(var.public_outbound_acl_rules)
    error_message = "Rule numbers must be unique and from 1 to 32766; got ${join(", ", var.public_outbound_acl_rules[*].rule_number)}."
  }

  validation {
    condition     = alltrue([for rule in var.public_outbound_acl_rules : contains(["allow", "deny"], rule.rule_action)])
    error_message = "The rule_action of a network ACL rule must be allow or deny."
  }
}

variable "private_dedicated_network_acl" {
  description = "Whether the private subnets have their own network ACL."
  type        = bool
  default     = false
}

variable "private_inbound_acl_rules" {
  description = "Inbound rules of the private network ACL."
  type = list(object({
    rule_number = number
    rule_action = string
    protocol    = string
    from_port   = optional(number)
    to_port     = optional(number)
    cidr_block  = string
  }))
  default = []

  validation {
    condition     = alltrue([for rule in var.private_inbound_acl_rules : rule.rule_number >= 1 && rule.rule_number <= 32766]) && length(distinct(var.private_inbound_acl_rules[*].rule_number)) == length(var.private_inbound_acl_rules)
    error_message = "Rule numbers must be unique and from 1 to 32766; got ${join(", ", var.private_inbound_acl_rules[*].rule_number)}."
  }

  validation {
    condition     = alltrue([for rule in var.private_inbound_acl_rules : contains(["allow", "deny"], rule.rule_action)])
    error_message = "The rule_action of a network ACL rule must be allow or deny."
  }
}

variable "private_outbound_acl_rules" {
  description = "Outbound rules of the private network ACL."
  type = list(object({
    rule_number = number
    rule_action = string
    protocol    = string
    from_port   = optional(number)
    to_port     = optional(number)
    cidr_block  = string
  }))
  default = []

  validation {
    condition     = alltrue([for rule in var.private_outbound_acl_rules : rule.rule_number >= 1 && rule.rule_number <= 32766]) && length(distinct(var.private_outbound_acl_rules[*].rule_number)) == length(var.private_outbound_acl_rules)
    error_message = "Rule numbers must be unique and from 1 to 32766; got ${join(", ", var.private_outbound_acl_rules[*].rule_number)}."
  }

  validation {
    condition     = alltrue([for rule in var.private_outbound_acl_rules : contains(["allow", "deny"], rule.rule_action)])
    error_message = "The rule_action of a network ACL rule must be allow or deny."
  }
}

variable "enable_flow_log" {
  description = "Whether to record the VPC's traffic in CloudWatch Logs."
  type        = bool
  default     = false
}

variable "create_flow_log_cloudwatch_log_group" {
  description = "Whether to create the flow log's log group; must be true with enable_flow_log."
  type        = bool
  default     = false
}

variable "create_flow_log_cloudwatch_iam_role" {
  description = "Whether to create the role that writes the flow log; must be true with enable_flow_log."
  type        = bool
  default     = false
}

variable "flow_log_traffic_type" {
  description = "Traffic to record: ACCEPT, REJECT or ALL."
  type        = string
  default     = "ALL"

  validation {
    condition     = contains(["ACCEPT", "REJECT", "ALL"], var.flow_log_traffic_type)
    error_message = "flow_log_traffic_type must be ACCEPT, REJECT or ALL, not \"${var.flow_log_traffic_type}\"."
  }
}

variable "flow_log_max_aggregation_interval" {
  description = "Seconds over which packets are aggregated into one record: 60 or 600."
  type        = number
  default     = 600

  validation {
    condition     = contains([60, 600], var.flow_log_max_aggregation_interval)
    error_message = "flow_log_max_aggregation_interval must be 60 or 600 seconds, not ${var.flow_log_max_aggregation_interval}."
  }
}

variable "flow_log_cloudwatch_log_group_name_prefix" {
  description = "First part of the log group's name."
  type        = string
  default     = "/aws/vpc-flow-log/"
}

variable "flow_log_cloudwatch_log_group_name_suffix" {
  description = "Last part of the log group's name; if empty, the ID of the VPC."
  type        = string
  default     = ""
}

variable "flow_log_cloudwatch_log_group_retention_in_days" {
  description = "Days to keep flow log records; null keeps them forever."
  type        = number
  default     = null

  validation {
    condition     = var.flow_log_cloudwatch_log_group_retention_in_days == null ? true : contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.flow_log_cloudwatch_log_group_retention_in_days)
    error_message = "CloudWatch Logs supports only certain retention periods; use 7, 14, 30, 60, 90, 180 or 365 days, not ${coalesce(var.flow_log_cloudwatch_log_group_retention_in_days, 0)}."
  }
}

variable "flow_log_cloudwatch_iam_role_conditions" {
  description = "Conditions of the role's trust policy."
  type = list(object({
    test     = string
    variable = string
    values   = list(string)
  }))
  default = []
}

variable "vpc_flow_log_iam_role_name" {
  description = "Name of the role, or its prefix."
  type        = string
  default     = "vpc-flow-log-role"
}

variable "vpc_flow_log_iam_role_use_name_prefix" {
  description = "Whether to use the role's name as a prefix."
  type        = bool
  default     = true
}

variable "vpc_flow_log_iam_policy_name" {
  description = "Name of the role's policy, or its prefix."
  type        = string
  default     = "vpc-flow-log-to-cloudwatch"
}

variable "vpc_flow_log_iam_policy_use_name_prefix" {
  description = "Whether to use the policy's name as a prefix."
  type        = bool
  default     = true
}

variable "vpc_flow_log_permissions_boundary" {
  description = "ARN of the policy that serves as the role's permissions boundary."
  type        = string
  default     = null
}

variable "vpc_flow_log_tags" {
  description = "Tags for the flow log and its log group, role and policy."
  type        = map(string)
  default     = {}
}

variable "tags" {
  description = "Tags for every resource, in addition to its Name and the provider's default tags."
  type        = map(string)
  default     = {}
}
