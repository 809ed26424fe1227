variable "bucket" {
  description = "Name of the bucket. Bucket names are globally unique."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.bucket))
    error_message = "A bucket name must have 3 to 63 lowercase letters, digits and hyphens, and start and end with a letter or digit. (Dots break TLS host names.)"
  }
}

variable "force_destroy" {
  description = "Whether `terraform destroy` may delete a bucket that still contains objects, including all versions."
  type        = bool
  default     = false
}

variable "versioning" {
  description = "Object versioning, on by default."
  type = object({
    enabled = optional(bool, true)
  })
  default  = {}
  nullable = false
}

variable "server_side_encryption_configuration" {
  description = "Default encryption: `AES256` (SSE-S3), or `aws:kms` with a key."
  type = object({
    rule = optional(object({
      bucket_key_enabled = optional(bool)
      apply_server_side_encryption_by_default = optional(object({
        sse_algorithm     = optional(string, "AES256")
        kms_master_key_id = optional(string)
      }), {})
    }), {})
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains(["AES256", "aws:kms"], var.server_side_encryption_configuration.rule.apply_server_side_encryption_by_default.sse_algorithm)
    error_message = "sse_algorithm must be AES256 or aws:kms."
  }
}

variable "control_object_ownership" {
  description = "Whether the module manages object ownership."
  type        = bool
  default     = true
}

variable "object_ownership" {
  description = "Object ownership. `BucketOwnerEnforced` disables ACLs: only policies decide."
  type        = string
  default     = "BucketOwnerEnforced"

  validation {
    condition     = contains(["BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter"], var.object_ownership)
    error_message = "object_ownership must be BucketOwnerEnforced, BucketOwnerPreferred or ObjectWriter."
  }
}

variable "block_public_acls" {
  description = "Whether to reject requests that set a public ACL."
  type        = bool
  default     = true
}

variable "block_public_policy" {
  description = "Whether to reject a public bucket policy."
  type        = bool
  default     = true
}

variable "ignore_public_acls" {
  description = "Whether to ignore public ACLs."
  type        = bool
  default     = true
}

variable "restrict_public_buckets" {
  description = "Whether to limit access under a public policy to this account and AWS services."
  type        = bool
  default     = true
}

variable "logging" {
  description = "Target of the server access logs; null for none."
  type = object({
    target_bucket = string
    target_prefix = optional(string, "")
  })
  default = null
}

variable "lifecycle_rule" {
  description = "Lifecycle rules, in days. A filter without a prefix covers the whole bucket."
  type = list(object({
    id      = string
    enabled = optional(bool, true)
    filter = optional(object({
      prefix = optional(string, "")
    }), {})
    abort_incomplete_multipart_upload_days = optional(number)
    expiration = optional(object({
      days                         = optional(number)
      expired_object_delete_marker = optional(bool)
    }))
    transition = optional(list(object({
      days          = number
      storage_class = string
    })), [])
    noncurrent_version_expiration = optional(object({
      days                      = number
      newer_noncurrent_versions = optional(number)
    }))
    noncurrent_version_transition = optional(list(object({
      days          = number
      storage_class = string
    })), [])
  }))
  default  = []
  nullable = false

  validation {
    condition     = length(distinct(var.lifecycle_rule[*].id)) == length(var.lifecycle_rule)
    error_message = "Each lifecycle rule needs a unique id."
  }

  validation {
    condition = alltrue(flatten([
      for rule in var.lifecycle_rule : [
        for step in concat(rule.transition, rule.noncurrent_version_transition) :
        contains(["STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE"], step.storage_class)
        && (step.days >= 30 || !contains(["STANDARD_IA", "ONEZONE_IA"], step.storage_class))
      ]
    ]))
    error_message = "A transition needs a valid S3 storage class, and one to STANDARD_IA or ONEZONE_IA must wait at least 30 days."
  }

  validation {
    condition = alltrue([
      for rule in var.lifecycle_rule :
      rule.expiration == null ? true : (rule.expiration.days != null) != (rule.expiration.expired_object_delete_marker != null)
    ])
    error_message = "An expiration needs either days or expired_object_delete_marker: S3 allows only one of them per rule."
  }
}

variable "replication_configuration" {
  description = "Replication role and rules; null for none. `destination.bucket` is an ARN; that bucket must have versioning enabled."
  type = object({
    role = string
    rules = list(object({
      id                        = string
      status                    = optional(bool, true)
      priority                  = optional(number, 0)
      delete_marker_replication = optional(bool, false)
      filter = optional(object({
        prefix = optional(string, "")
      }), {})
      destination = object({
        bucket        = string
        storage_class = optional(string)
      })
    }))
  })
  default = null

  validation {
    condition     = var.replication_configuration == null ? true : length(var.replication_configuration.rules) > 0
    error_message = "replication_configuration needs at least one rule; leave it null for no replication."
  }
}

variable "attach_deny_insecure_transport_policy" {
  description = "Whether to deny requests without TLS."
  type        = bool
  default     = false
}

variable "attach_policy" {
  description = "Whether to attach `policy`. A separate flag, since the policy may be unknown until apply."
  type        = bool
  default     = false
}

variable "policy" {
  description = "Additional bucket policy statements, as JSON."
  type        = string
  default     = null
}

variable "tags" {
  description = "Tags for the bucket."
  type        = map(string)
  default     = {}
}
