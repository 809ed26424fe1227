# The provider computes policy documents locally: the test reads the real one and needs no account.
provider "aws" {
  region                      = "us-east-1"
  access_key                  = "test"
  secret_key                  = "test"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
}

variables {
  create_role                   = true
  role_name                     = "test-role"
  trusted_role_services         = ["ecs-tasks.amazonaws.com"]
  role_permissions_boundary_arn = "arn:aws:iam::123456789012:policy/boundary"
  custom_role_policy_arns       = ["arn:aws:iam::123456789012:policy/one", "arn:aws:iam::123456789012:policy/two"]
  trust_policy_conditions = [
    { test = "StringEquals", variable = "aws:SourceAccount", values = ["123456789012"] },
  ]
}

run "trust_is_conditional" {
  command = plan

  assert {
    condition = jsondecode(aws_iam_role.this[0].assume_role_policy).Statement == [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "ecs-tasks.amazonaws.com" }
      Condition = { StringEquals = { "aws:SourceAccount" = "123456789012" } }
    }]
    error_message = "Only the service may assume the role, and only under the given conditions."
  }

  assert {
    condition     = aws_iam_role.this[0].permissions_boundary == "arn:aws:iam::123456789012:policy/boundary"
    error_message = "The role has its permissions boundary."
  }

  assert {
    condition     = tolist([for attachment in aws_iam_role_policy_attachment.custom : attachment.policy_arn]) == var.custom_role_policy_arns
    error_message = "The policies are attached in the given order."
  }

  assert {
    condition     = length(aws_iam_instance_profile.this) == 0
    error_message = "By default there is no instance profile."
  }
}

run "instance_profile" {
  command = plan

  variables {
    trusted_role_services   = ["ec2.amazonaws.com"]
    create_instance_profile = true
  }

  assert {
    condition     = aws_iam_instance_profile.this[0].name == "test-role"
    error_message = "The instance profile has the same name as its role."
  }
}

run "no_role" {
  command = plan

  variables {
    create_role = false
  }

  assert {
    condition     = length(aws_iam_role.this) == 0 && output.iam_role_arn == ""
    error_message = "With create_role = false, nothing is created."
  }
}

run "not_a_service" {
  command = plan

  variables {
    trusted_role_services = ["arn:aws:iam::123456789012:root"]
  }

  expect_failures = [var.trusted_role_services]
}

# One run for several independent variables: each must be rejected.
run "invalid_inputs" {
  command = plan

  variables {
    trusted_role_services = []
    role_requires_mfa     = true # a service has no second factor
    role_name             = "a-role-name-that-goes-on-and-on-until-iam-no-longer-takes-it-any-more"
  }

  expect_failures = [
    var.trusted_role_services,
    var.role_requires_mfa,
    var.role_name,
  ]
}
