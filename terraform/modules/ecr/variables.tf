variable "repository_name" {
  description = "Name of the repository."
  type        = string

  validation {
    condition     = length(var.repository_name) >= 2 && length(var.repository_name) <= 256 && can(regex("^[a-z0-9]+([._/-][a-z0-9]+)*$", var.repository_name))
    error_message = "A repository name must have 2 to 256 characters: lowercase letters and digits, separated by single . _ - or /."
  }
}

variable "repository_image_tag_mutability" {
  description = "`IMMUTABLE`: a tag always refers to the same image. `MUTABLE`: a push may move it."
  type        = string
  default     = "IMMUTABLE"

  validation {
    condition     = contains(["IMMUTABLE", "MUTABLE"], var.repository_image_tag_mutability)
    error_message = "repository_image_tag_mutability must be IMMUTABLE or MUTABLE."
  }
}

variable "repository_image_scan_on_push" {
  description = "Whether to scan each pushed image for known vulnerabilities."
  type        = bool
  default     = true
}

variable "repository_encryption_type" {
  description = "`AES256` (ECR's own key) or `KMS`. Changing it replaces the repository."
  type        = string
  default     = "AES256"

  validation {
    condition     = contains(["AES256", "KMS"], var.repository_encryption_type)
    error_message = "repository_encryption_type must be AES256 or KMS."
  }
}

variable "repository_kms_key" {
  description = "ARN of the KMS key if the type is `KMS`; null for the AWS managed key `aws/ecr`."
  type        = string
  default     = null

  validation {
    condition     = var.repository_kms_key == null || can(regex("^arn:[^:]+:kms:", var.repository_kms_key))
    error_message = "repository_kms_key must be the ARN of a KMS key (arn:aws:kms:...) or null."
  }
}

variable "repository_force_delete" {
  description = "Whether `terraform destroy` may delete a repository that still contains images."
  type        = bool
  default     = false
}

variable "repository_read_access_arns" {
  description = "Principals that may pull. If empty, there is no repository policy."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.repository_read_access_arns : can(regex("^arn:[^:]+:(iam|sts)::[0-9]{12}:", arn))])
    error_message = "repository_read_access_arns must list ARNs of roles, users or accounts, such as arn:aws:iam::123456789012:role/name, without wildcards."
  }
}

variable "repository_lifecycle_policy" {
  description = "Lifecycle policy as JSON. If empty, images are kept forever."
  type        = string
  default     = ""

  validation {
    condition     = var.repository_lifecycle_policy == "" || can(length(jsondecode(var.repository_lifecycle_policy).rules) > 0)
    error_message = "repository_lifecycle_policy must be JSON with a list of rules; write it as jsonencode({ rules = [...] })."
  }
}

variable "tags" {
  description = "Tags for the repository."
  type        = map(string)
  default     = {}
}
