# The private repository that replaces the public image once the application has one of its own.

module "ecr" {
  source = "../../modules/ecr"

  repository_name                 = local.repository_name
  repository_image_tag_mutability = "IMMUTABLE" # What was scanned and approved under a tag is what runs under it.
  repository_image_scan_on_push   = true

  # A key of ECR's own: no key policy to get wrong, no charge for each pull. A KMS key pays off where one must be able to revoke or
  # audit the use of the key itself; it is chosen now or never, since a change replaces the repository.
  repository_encryption_type = "AES256"

  # An Allow for one role. In its own account a repository policy adds to what IAM policies allow and takes nothing away: that
  # nobody else pulls is the work of their IAM policies.
  repository_read_access_arns = [module.execution_role.iam_role_arn]

  repository_lifecycle_policy = jsonencode({
    rules = [
      {
        rulePriority = 1
        description  = "Layers of builds that were never tagged go after 7 days"
        selection    = { tagStatus = "untagged", countType = "sinceImagePushed", countUnit = "days", countNumber = 7 }
        action       = { type = "expire" }
      },
      {
        rulePriority = 2
        description  = "The 10 newest tagged images stay, enough to roll back"
        selection    = { tagStatus = "tagged", tagPatternList = ["*"], countType = "imageCountMoreThan", countNumber = 10 }
        action       = { type = "expire" }
      },
    ]
  })

  repository_force_delete = local.force_destroy
}
