# Three buckets: the data, the access logs, and a replica of the data in a second region.

# The identity running Terraform. An assumed-role session has its own ARN; policies compare with the role behind it.
data "aws_iam_session_context" "deployer" {
  arn = data.aws_caller_identity.current.arn
}

locals {
  data_bucket_arn    = "arn:${local.partition}:s3:::${local.data_bucket}"
  log_bucket_arn     = "arn:${local.partition}:s3:::${local.log_bucket}"
  replica_bucket_arn = "arn:${local.partition}:s3:::${local.replica_bucket}"

  bucket_encryption = "AES256"
  # Days during which overwritten and deleted objects can be recovered.
  noncurrent_days = 90
  # Key prefix of each log writer in the log bucket.
  s3_log_prefix  = "s3/${local.data_bucket}/"
  alb_log_prefix = "alb"

  # Listed by name, since the denials below apply to administrators too. Without the deployer, the first apply would be
  # Terraform's last: it could no longer read the bucket it created. Anyone else who runs a plan (a pipeline, a
  # colleague) belongs in deployer_arns. If all of them are gone, the account's root user can still delete the policy.
  bucket_operators = distinct(concat([data.aws_iam_session_context.deployer.issuer_arn], local.deployer_arns))
}

# ── data ──

# Only through the VPC's endpoint. A request carries the endpoint's ID only if it came through the endpoint, so requests
# from anywhere else, including anonymous ones, are denied. No AWS service principal is exempt because none needs to be:
# replication uses its role, access logs go to the other bucket, and lifecycle rules are not subject to the policy.
data "aws_iam_policy_document" "data_bucket" {
  statement {
    sid       = "DenyOutsideVpcEndpoint"
    effect    = "Deny"
    actions   = ["s3:*"] # A denial: the wildcard takes away and grants nothing.
    resources = [local.data_bucket_arn, "${local.data_bucket_arn}/*"]

    principals {
      type        = "AWS"
      identifiers = ["*"]
    }

    condition {
      test     = "StringNotEquals"
      variable = "aws:SourceVpce"
      values   = [module.vpc_endpoints.endpoints["s3"].id]
    }

    condition {
      test     = "ArnNotEquals"
      variable = "aws:PrincipalArn"
      values   = concat(local.bucket_operators, [module.replication_role.iam_role_arn])
    }
  }
}

module "data_bucket" {
  source = "../../modules/s3-bucket"

  bucket        = local.data_bucket
  force_destroy = local.force_destroy

  versioning = { enabled = true }
  server_side_encryption_configuration = {
    rule = { apply_server_side_encryption_by_default = { sse_algorithm = local.bucket_encryption } }
  }

  control_object_ownership = true
  object_ownership         = "BucketOwnerEnforced"
  block_public_acls        = true
  block_public_policy      = true
  ignore_public_acls       = true
  restrict_public_buckets  = true

  # No statement about TLS below 1.2: S3 itself no longer accepts it.
  attach_deny_insecure_transport_policy = true
  attach_policy                         = true
  policy                                = data.aws_iam_policy_document.data_bucket.json

  logging = {
    target_bucket = module.log_bucket.s3_bucket_id
    target_prefix = local.s3_log_prefix
  }

  lifecycle_rule = [
    {
      id                                     = "tier-and-tidy"
      enabled                                = true
      transition                             = [{ days = 30, storage_class = "STANDARD_IA" }, { days = 90, storage_class = "GLACIER_IR" }]
      noncurrent_version_transition          = [{ days = 30, storage_class = "STANDARD_IA" }]
      noncurrent_version_expiration          = { days = local.noncurrent_days }
      expiration                             = { expired_object_delete_marker = true }
      abort_incomplete_multipart_upload_days = 7
    },
  ]

  replication_configuration = {
    role = module.replication_role.iam_role_arn
    rules = [
      {
        id = "to-${local.replica_region}"
        # Deletions stay here: the replica is also the copy that survives a mistake or an intruder.
        delete_marker_replication = false
        destination = {
          bucket        = module.replica_bucket.s3_bucket_arn
          storage_class = "STANDARD_IA"
        }
      },
    ]
  }
}

# ── logs ──

# Each log service can write under its own prefix only. The load balancer's principal is the form AWS documents for
# every region; the older one, an Allow for the regional Elastic Load Balancing account (127311923021 in us-east-1), is
# legacy. The path acts as its condition: the service puts the ID of the load balancer's account in it, so another
# account's load balancer cannot write here. The S3 logging service writes for any account that asks, so its conditions
# name the bucket and the account. The community module's flags for both would open the whole bucket.
data "aws_iam_policy_document" "log_bucket" {
  statement {
    sid       = "AccessLogDelivery"
    effect    = "Allow"
    actions   = ["s3:PutObject"]
    resources = ["${local.log_bucket_arn}/${local.s3_log_prefix}*"]

    principals {
      type        = "Service"
      identifiers = ["logging.s3.amazonaws.com"]
    }

    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values   = [local.data_bucket_arn]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account_id]
    }
  }

  statement {
    sid       = "LoadBalancerLogDelivery"
    effect    = "Allow"
    actions   = ["s3:PutObject"]
    resources = ["${local.log_bucket_arn}/${local.alb_log_prefix}/AWSLogs/${local.account_id}/*"]

    principals {
      type        = "Service"
      identifiers = ["logdelivery.elasticloadbalancing.amazonaws.com"]
    }
  }
}

# It has no access log: a bucket that logs to itself grows with every delivery.
module "log_bucket" {
  source = "../../modules/s3-bucket"

  bucket        = local.log_bucket
  force_destroy = local.force_destroy

  versioning = { enabled = true }
  # Load balancers can write only to a bucket with SSE-S3; with a KMS key their logs would be lost.
  server_side_encryption_configuration = {
    rule = { apply_server_side_encryption_by_default = { sse_algorithm = "AES256" } }
  }

  # With ACLs disabled, the log services need the Allow statements, and the account owns what they write.
  control_object_ownership = true
  object_ownership         = "BucketOwnerEnforced"
  block_public_acls        = true
  block_public_policy      = true
  ignore_public_acls       = true
  restrict_public_buckets  = true

  attach_deny_insecure_transport_policy = true
  attach_policy                         = true
  policy                                = data.aws_iam_policy_document.log_bucket.json

  lifecycle_rule = [
    {
      id                                     = "expire"
      enabled                                = true
      expiration                             = { days = 90 }
      noncurrent_version_expiration          = { days = 7 }
      abort_incomplete_multipart_upload_days = 7
    },
  ]
}

# ── replica ──

# A copy that anyone with S3 permissions could read would defeat the rule on the original, and the VPC endpoint does not
# reach beyond its region: so only the replication role and the operators get in.
data "aws_iam_policy_document" "replica_bucket" {
  statement {
    sid       = "DenyAllButReplicationAndOperators"
    effect    = "Deny"
    actions   = ["s3:*"] # A denial: the wildcard takes away and grants nothing.
    resources = [local.replica_bucket_arn, "${local.replica_bucket_arn}/*"]

    principals {
      type        = "AWS"
      identifiers = ["*"]
    }

    condition {
      test     = "ArnNotEquals"
      variable = "aws:PrincipalArn"
      values   = concat(local.bucket_operators, [module.replication_role.iam_role_arn])
    }
  }
}

module "replica_bucket" {
  source    = "../../modules/s3-bucket"
  providers = { aws = aws.replica }

  bucket        = local.replica_bucket
  force_destroy = local.force_destroy

  # Replication requires versioning on the destination.
  versioning = { enabled = true }
  server_side_encryption_configuration = {
    rule = { apply_server_side_encryption_by_default = { sse_algorithm = local.bucket_encryption } }
  }

  control_object_ownership = true
  object_ownership         = "BucketOwnerEnforced"
  block_public_acls        = true
  block_public_policy      = true
  ignore_public_acls       = true
  restrict_public_buckets  = true

  attach_deny_insecure_transport_policy = true
  attach_policy                         = true
  policy                                = data.aws_iam_policy_document.replica_bucket.json

  lifecycle_rule = [
    {
      id                                     = "archive"
      enabled                                = true
      transition                             = [{ days = 90, storage_class = "GLACIER_IR" }]
      noncurrent_version_expiration          = { days = local.noncurrent_days }
      abort_incomplete_multipart_upload_days = 7
    },
  ]
}
