mock_provider "aws" {}

variables {
  name   = "test-policy"
  policy = "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"s3:ListBucket\",\"Resource\":\"arn:aws:s3:::test\"}]}"
}

run "policy_as_given" {
  command = plan

  assert {
    condition     = aws_iam_policy.policy[0].name == "test-policy" && jsondecode(aws_iam_policy.policy[0].policy).Statement[0].Action == "s3:ListBucket"
    error_message = "The policy has the given name and document."
  }
}

run "not_a_policy_document" {
  command = plan

  variables {
    policy = "s3:ListBucket"
  }

  expect_failures = [var.policy]
}

run "too_long" {
  command = plan

  variables {
    policy = jsonencode({
      Version   = "2012-10-17"
      Statement = [{ Effect = "Allow", Action = "s3:GetObject", Resource = [for i in range(200) : "arn:aws:s3:::a-bucket-with-a-long-name-${i}/*"] }]
    })
  }

  expect_failures = [var.policy]
}

run "invalid_name" {
  command = plan

  variables {
    name = "test policy"
  }

  expect_failures = [var.name]
}
