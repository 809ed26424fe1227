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
    error_message = "The ranges of a rule come from its comma-separated string."
  }

  assert {
    condition     = aws_security_group_rule.egress_with_source_security_group_id[0].type == "egress" && aws_security_group_rule.egress_with_source_security_group_id[0].protocol == "tcp"
    error_message = "A rule is TCP unless it says otherwise."
  }

  assert {
    condition     = aws_security_group.this[0].name == "test-sg"
    error_message = "Without a prefix the name is the group's whole name."
  }
}

run "no_rule_unless_given" {
  command = plan

  assert {
    condition = length(concat(
      aws_security_group_rule.ingress_with_cidr_blocks, aws_security_group_rule.ingress_with_source_security_group_id,
      aws_security_group_rule.egress_with_cidr_blocks, aws_security_group_rule.egress_with_source_security_group_id,
    )) == 0
    error_message = "A group without rules stays without rules."
  }
}

# One run for variables that do not depend on each other: each must be refused.
run "inputs_that_are_refused" {
  command = plan

  variables {
    name                     = "sg-test" # AWS keeps the prefix sg- for ids
    ingress_with_cidr_blocks = [{ from_port = 80, to_port = 80, cidr_blocks = "0.0.0.0/0,203.0.113.300/24", description = "Typo" }]
    egress_with_cidr_blocks  = [{ from_port = 443, to_port = 80, cidr_blocks = "0.0.0.0/0", description = "Swapped" }]
  }

  expect_failures = [
    var.name,
    var.ingress_with_cidr_blocks,
    var.egress_with_cidr_blocks,
  ]
}
