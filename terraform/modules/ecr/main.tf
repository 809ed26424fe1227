# A private image repository: encrypted, scanned, with a lifecycle policy and a repository policy that names who may
# pull.

# The index matches the community module's address, so that switching the module source keeps the state.
resource "aws_ecr_repository" "this" {
  count = 1

  name                 = var.repository_name
  image_tag_mutability = var.repository_image_tag_mutability
  force_delete         = var.repository_force_delete

  encryption_configuration {
    encryption_type = var.repository_encryption_type
    kms_key         = var.repository_kms_key
  }

  image_scanning_configuration {
    scan_on_push = var.repository_image_scan_on_push
  }

  tags = var.tags
}

resource "aws_ecr_lifecycle_policy" "this" {
  count = var.repository_lifecycle_policy == "" ? 0 : 1

  repository = aws_ecr_repository.this[0].name
  policy     = var.repository_lifecycle_policy
}

data "aws_iam_policy_document" "repository" {
  statement {
    sid    = "Pull"
    effect = "Allow"

    principals {
      type        = "AWS"
      identifiers = var.repository_read_access_arns
    }

    # What a pull needs and no more. ecr:GetAuthorizationToken is not a repository action: it belongs in the reader's
    # own policy.
    actions = [
      "ecr:BatchCheckLayerAvailability",
      "ecr:BatchGetImage",
      "ecr:GetDownloadUrlForLayer",
    ]
  }
}

resource "aws_ecr_repository_policy" "this" {
  count = length(var.repository_read_access_arns) == 0 ? 0 : 1

  repository = aws_ecr_repository.this[0].name
  policy     = data.aws_iam_policy_document.repository.json
}
