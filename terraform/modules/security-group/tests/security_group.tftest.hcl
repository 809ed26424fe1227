mock_provider "aws" {}

variables {
  name            = "test-sg"
  use_name_prefix = false
  vpc_id          = "vpc-0123456789abcdef0"
}

run "rules_name_their_peer" {
  command = plan

  variables {
    ingress_with_cidr_blocks = [
      { from_port = 443, to_port = 443, cidr_blocks = "203.0.113.0/24,198.51.100.0/24", description = "Offices" },
    ]
    egress_with_source_security_group_id = [
      { from_port = 8080, to_port = 8080, source_security_group_id = "sg-0123456789abcdef0", description = "Tasks" },
    ]
  }

  assert {
    condition     = aws_security_group_rule.ingress_with_cidr_blocks[0].cidr_blocks == tolist(["203.0.113.0/24", "198.51.100.0/24"])
    error_message = "A rule's ranges come from its comma-separated string."
  }

  assert {
    condition     = aws_security_group_rule.egress_with_source_security_group_id[0].type == "egress" && aws_security_group_rule.egress_with_source_security_group_id[0].protocol == "tcp"
    error_message = "A rule defaults to TCP."
  }

  assert {
    condition     = aws_security_group.this[0].name == "test-sg"
    error_message = "With use_name_prefix = false, the group has exactly the given name."
  }
}

run "no_rules_by_default" {
  command = plan

  assert {
    condition = length(concat(
      aws_security_group_rule.ingress_with_cidr_blocks, aws_security_group_rule.ingress_with_source_security_group_id,
      aws_security_group_rule.egress_with_cidr_blocks, aws_security_group_rule.egress_with_source_security_group_id,
    )) == 0
    error_message = "By default, a group has no rules."
  }
}

# One run for several independent variables: each must be rejected.
run "invalid_inputs" {
  command = plan

  variables {
    name                     = "sg-test" # AWS reserves the prefix sg- for IDs
    ingress_with_cidr_blocks = [{ from_port = 80, to_port = 80, cidr_blocks = "0.0.0.0/0,203.0.113.300/24", description = "Typo" }]
    egress_with_cidr_blocks  = [{ from_port = 443, to_port = 80, cidr_blocks = "0.0.0.0/0", description = "Swapped" }]
  }

  expect_failures = [
    var.name,
    var.ingress_with_cidr_blocks,
    var.egress_with_cidr_blocks,
  ]
}
