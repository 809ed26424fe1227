mock_provider "aws" {
  # A mocked policy document is a random word; the policy resource wants JSON.
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
}

variables {
  repository_name = "alloy-test-app"
}

run "safe_by_default" {
  command = plan

  assert {
    condition     = aws_ecr_repository.this[0].image_tag_mutability == "IMMUTABLE" && aws_ecr_repository.this[0].image_scanning_configuration[0].scan_on_push
    error_message = "Tags are immutable and images are scanned unless something else is asked for."
  }

  assert {
    condition     = aws_ecr_repository.this[0].encryption_configuration[0].encryption_type == "AES256" && !aws_ecr_repository.this[0].force_delete
    error_message = "Images are encrypted and protected from destroy unless something else is asked for."
  }

  assert {
    condition     = length(aws_ecr_repository_policy.this) == 0 && length(aws_ecr_lifecycle_policy.this) == 0
    error_message = "Without readers and rules there is no policy of either kind."
  }
}

run "readers_pull_and_do_nothing_else" {
  command = plan

  variables {
    repository_read_access_arns = ["arn:aws:iam::123456789012:role/reader"]
  }

  assert {
    condition     = toset(data.aws_iam_policy_document.repository.statement[0].actions) == toset(["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"])
    error_message = "A reader may pull; every other action is one too many."
  }

  assert {
    condition     = length(aws_ecr_repository_policy.this) == 1
    error_message = "A reader needs the repository policy."
  }
}

# One run for variables that do not depend on each other: each must be refused.
run "inputs_that_are_refused" {
  command = plan

  variables {
    repository_name             = "Alloy" # upper case
    repository_encryption_type  = "aws:kms"
    repository_lifecycle_policy = "keep 10" # no JSON
    repository_read_access_arns = ["*"]
  }

  expect_failures = [
    var.repository_name,
    var.repository_encryption_type,
    var.repository_lifecycle_policy,
    var.repository_read_access_arns,
  ]
}
