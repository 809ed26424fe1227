variable "name" {
  description = "Name of the policy."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9+=,.@_-]{1,128}$", var.name))
    error_message = "The policy name \"${var.name}\" must have 1 to 128 letters, digits or any of + = , . @ _ -."
  }
}

variable "path" {
  description = "IAM path of the policy."
  type        = string
  default     = "/"

  validation {
    condition     = can(regex("^/([!-~]+/)?$", var.path))
    error_message = "The IAM path \"${var.path}\" must start and end with a slash, such as / or /team/."
  }
}

variable "description" {
  description = "What the policy is for. Changing it replaces the policy."
  type        = string
  default     = "IAM Policy"
}

variable "policy" {
  description = "The policy document as JSON. IAM allows up to 6144 characters, not counting white space."
  type        = string

  validation {
    condition     = can(jsondecode(var.policy).Statement)
    error_message = "The policy must be a JSON document with a Statement; use the json attribute of an aws_iam_policy_document."
  }

  validation {
    condition     = length(replace(var.policy, "/\\s/", "")) <= 6144
    error_message = "The policy has ${length(replace(var.policy, "/\\s/", ""))} characters, but IAM allows 6144: split it in two."
  }
}

variable "tags" {
  description = "Tags for the policy, in addition to the provider's default tags."
  type        = map(string)
  default     = {}
}
