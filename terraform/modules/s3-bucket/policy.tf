# The bucket policy: the statements that the flags ask for, and the caller's own.
#
# A principal of everyone is written as AWS = "*": it means the same as "*", and every AWS-compatible endpoint reads it.

data "aws_iam_policy_document" "combined" {
  count = local.attach_policy ? 1 : 0

  source_policy_documents = concat(
    data.aws_iam_policy_document.access_log_delivery[*].json,
    data.aws_iam_policy_document.deny_insecure_transport[*].json,
    var.attach_policy ? [var.policy] : [],
  )
}

data "aws_iam_policy_document" "deny_insecure_transport" {
  count = var.attach_deny_insecure_transport_policy ? 1 : 0

  statement {
    sid       = "DenyInsecureTransport"
    effect    = "Deny"
    actions   = ["s3:*"] # A denial: the wildcard takes away, it grants nothing.
    resources = [local.bucket_arn, "${local.bucket_arn}/*"]

    principals {
      type        = "AWS"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

# The log service writes as a service principal. Both conditions hold it to the buckets named, in this account: without them
# anyone could have the service write their logs here.
data "aws_iam_policy_document" "access_log_delivery" {
  count = var.attach_access_log_delivery_policy ? 1 : 0

  statement {
    sid       = "AccessLogDelivery"
    effect    = "Allow"
    actions   = ["s3:PutObject"]
    resources = ["${local.bucket_arn}/*"]

    principals {
      type        = "Service"
      identifiers = ["logging.s3.amazonaws.com"]
    }

    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values   = var.access_log_delivery_policy_source_buckets
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = coalescelist(var.access_log_delivery_policy_source_accounts, [data.aws_caller_identity.current.account_id])
    }
  }
}
