# The bucket policy: the statements enabled by flags, plus the caller's own.
#
# The principal for everyone is written as AWS = "*": it means the same as "*", and every AWS-compatible endpoint
# understands it.

data "aws_iam_policy_document" "combined" {
  count = local.attach_policy ? 1 : 0

  source_policy_documents = concat(
    data.aws_iam_policy_document.deny_insecure_transport[*].json,
    var.attach_policy ? [var.policy] : [],
  )
}

data "aws_iam_policy_document" "deny_insecure_transport" {
  count = var.attach_deny_insecure_transport_policy ? 1 : 0

  statement {
    sid       = "DenyInsecureTransport"
    effect    = "Deny"
    actions   = ["s3:*"] # A denial: the wildcard takes away and grants nothing.
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
