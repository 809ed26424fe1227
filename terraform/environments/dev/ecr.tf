# The private repository that replaces the public image once the application has its own.

module "ecr" {
  source = "../../modules/ecr"

  repository_name                 = local.repository_name
  repository_image_tag_mutability = "IMMUTABLE" # What was scanned and approved under a tag is what runs under that tag.
  repository_image_scan_on_push   = true

  # ECR's own key: no key policy to get wrong, no charge per pull. A KMS key pays off when use of the key itself must be
  # revocable or audited. Decide up front: changing it later replaces the repository.
  repository_encryption_type = "AES256"

  # An Allow for one role. Within the account, a repository policy adds to what IAM policies allow and takes nothing
  # away: it is their IAM policies that keep everyone else from pulling.
  repository_read_access_arns = [module.execution_role.iam_role_arn]

  repository_lifecycle_policy = jsonencode({
    rules = [
      {
        rulePriority = 1
        description  = "Expire untagged images 7 days after the push"
        selection    = { tagStatus = "untagged", countType = "sinceImagePushed", countUnit = "days", countNumber = 7 }
        action       = { type = "expire" }
      },
      {
        rulePriority = 2
        description  = "Keep the 10 newest tagged images, enough to roll back"
        selection    = { tagStatus = "tagged", tagPatternList = ["*"], countType = "imageCountMoreThan", countNumber = 10 }
        action       = { type = "expire" }
      },
    ]
  })

  repository_force_delete = local.force_destroy
}
