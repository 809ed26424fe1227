# A customer managed IAM policy.

# Indexed as in the community module, so that the state survives switching to it.
resource "aws_iam_policy" "policy" {
  count = 1

  name        = var.name
  path        = var.path
  description = var.description
  policy      = var.policy
  tags        = var.tags
}
