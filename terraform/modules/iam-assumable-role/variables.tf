variable "create_role" {
  description = "Whether to create the role."
  type        = bool
  default     = false
}

variable "role_name" {
  description = "Name of the role and of its instance profile."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9+=,.@_-]{1,64}$", var.role_name))
    error_message = "The role name \"${var.role_name}\" must have 1 to 64 letters, digits or any of + = , . @ _ -; shorten the project name."
  }
}

variable "role_description" {
  description = "What the role is for."
  type        = string
  default     = ""
}

variable "role_path" {
  description = "IAM path of the role."
  type        = string
  default     = "/"

  validation {
    condition     = can(regex("^/([!-~]+/)?$", var.role_path))
    error_message = "The IAM path \"${var.role_path}\" must start and end with a slash, such as / or /team/."
  }
}

variable "role_requires_mfa" {
  description = "Whether assuming the role requires MFA. Must be false: only services assume these roles, and a service has no MFA."
  type        = bool
  default     = false

  validation {
    condition     = !var.role_requires_mfa
    error_message = "A service cannot use MFA, so nothing could assume this role: leave role_requires_mfa set to false."
  }
}

variable "trusted_role_services" {
  description = "Service principals that may assume the role, such as ecs-tasks.amazonaws.com."
  type        = list(string)

  validation {
    condition     = length(var.trusted_role_services) > 0
    error_message = "trusted_role_services needs at least one service; without one, nothing can assume the role."
  }

  validation {
    condition     = alltrue([for service in var.trusted_role_services : can(regex("^[a-z0-9.-]+\\.amazonaws\\.com(\\.cn)?$", service))])
    error_message = "Each entry of trusted_role_services must be a service principal such as ecs-tasks.amazonaws.com; got ${join(", ", var.trusted_role_services)}."
  }
}

variable "trust_policy_conditions" {
  description = "Conditions of the trust policy, all of which must hold. They keep a service from using the role on behalf of another account."
  type = list(object({
    test     = string
    variable = string
    values   = list(string)
  }))
  default = []
}

variable "role_permissions_boundary_arn" {
  description = "ARN of the policy that serves as the role's permissions boundary."
  type        = string
  default     = null
}

variable "custom_role_policy_arns" {
  description = "ARNs of the managed policies to attach."
  type        = list(string)
  default     = []
}

variable "create_instance_profile" {
  description = "Whether to create an instance profile, which EC2 needs to use the role."
  type        = bool
  default     = false
}

variable "tags" {
  description = "Tags for the role and its instance profile, in addition to the provider's default tags."
  type        = map(string)
  default     = {}
}
