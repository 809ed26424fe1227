mock_provider "aws" {
  # A mocked policy document is a random word, but the policy resource needs JSON.
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
    error_message = "By default, tags are immutable and images are scanned."
  }

  assert {
    condition     = aws_ecr_repository.this[0].encryption_configuration[0].encryption_type == "AES256" && !aws_ecr_repository.this[0].force_delete
    error_message = "By default, images are encrypted and protected from destroy."
  }

  assert {
    condition     = length(aws_ecr_repository_policy.this) == 0 && length(aws_ecr_lifecycle_policy.this) == 0
    error_message = "Without readers and rules there is neither a repository policy nor a lifecycle policy."
  }
}

run "readers_can_only_pull" {
  command = plan

  variables {
    repository_read_access_arns = ["arn:aws:iam::123456789012:role/reader"]
  }

  assert {
    condition     = toset(data.aws_iam_policy_document.repository.statement[0].actions) == toset(["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"])
    error_message = "A reader may pull and nothing else."
  }

  assert {
    condition     = length(aws_ecr_repository_policy.this) == 1
    error_message = "Readers get a repository policy."
  }
}

# One run for several independent variables: each must be rejected.
run "invalid_inputs" {
  command = plan

  variables {
    repository_name             = "Alloy" # uppercase
    repository_encryption_type  = "aws:kms"
    repository_lifecycle_policy = "keep 10" # not JSON
    repository_read_access_arns = ["*"]
  }

  expect_failures = [
    var.repository_name,
    var.repository_encryption_type,
    var.repository_lifecycle_policy,
    var.repository_read_access_arns,
  ]
}
