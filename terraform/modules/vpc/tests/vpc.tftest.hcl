mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{\"Version\":\"2012-10-17\",\"Statement\":[]}" }
  }

  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
}

variables {
  name            = "test-vpc"
  cidr            = "10.0.0.0/16"
  azs             = ["us-east-1a", "us-east-1b", "us-east-1c"]
  public_subnets  = ["10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/24"]
  private_subnets = ["10.0.10.0/23", "10.0.12.0/23", "10.0.14.0/23"]

  enable_nat_gateway     = true
  single_nat_gateway     = true
  one_nat_gateway_per_az = false
}

run "single_nat_gateway_and_locked_defaults" {
  command = plan

  assert {
    condition     = length(aws_nat_gateway.this) == 1 && length(aws_eip.nat) == 1
    error_message = "A single NAT gateway with one address serves all zones."
  }

  assert {
    condition     = length(aws_route_table.private) == 3 && length(aws_route.private_nat_gateway) == 3
    error_message = "Each zone has a private route table with a default route."
  }

  assert {
    condition     = length(aws_route_table.public) == 1 && length(aws_route_table_association.public) == 3
    error_message = "The public subnets share one route table."
  }

  assert {
    condition     = tolist([for subnet in aws_subnet.private : subnet.availability_zone]) == var.azs
    error_message = "Private subnets follow the order of the zones."
  }

  assert {
    condition     = alltrue([for subnet in concat(aws_subnet.public, aws_subnet.private) : coalesce(subnet.map_public_ip_on_launch, false) == false])
    error_message = "No subnet assigns public addresses automatically."
  }

  assert {
    condition     = length(aws_default_security_group.this) == 1 && length(aws_default_network_acl.this) == 1 && length(aws_default_route_table.default) == 1
    error_message = "The VPC's default security group, network ACL and route table are taken over."
  }

  assert {
    condition     = length(aws_default_network_acl.this[0].ingress) == 0 && length(aws_default_network_acl.this[0].egress) == 0 && length(aws_default_route_table.default[0].route) == 0
    error_message = "The default network ACL has no rules and the main route table has no routes."
  }
}

run "one_nat_gateway_per_az" {
  command = apply

  variables {
    single_nat_gateway     = false
    one_nat_gateway_per_az = true
  }

  assert {
    condition     = length(aws_nat_gateway.this) == 3
    error_message = "Each zone has a NAT gateway."
  }

  assert {
    condition     = [for route in aws_route.private_nat_gateway : route.nat_gateway_id] == aws_nat_gateway.this[*].id
    error_message = "Each zone's default route is its own NAT gateway."
  }

  assert {
    condition     = [for nat in aws_nat_gateway.this : nat.subnet_id] == aws_subnet.public[*].id
    error_message = "Each NAT gateway is in its zone's public subnet."
  }
}

run "without_nat_gateway" {
  command = plan

  variables {
    enable_nat_gateway = false
  }

  assert {
    condition     = length(aws_nat_gateway.this) == 0 && length(aws_route.private_nat_gateway) == 0
    error_message = "Without a NAT gateway, private subnets have no default route."
  }
}

run "network_acl_rules_keep_their_order" {
  command = plan

  variables {
    private_dedicated_network_acl = true
    private_inbound_acl_rules = [
      { rule_number = 100, rule_action = "allow", protocol = "tcp", from_port = 443, to_port = 443, cidr_block = "10.0.0.0/16" },
      { rule_number = 190, rule_action = "deny", protocol = "-1", cidr_block = "0.0.0.0/0" },
    ]
  }

  assert {
    condition     = [for rule in aws_network_acl_rule.private_inbound : rule.rule_number] == [100, 190]
    error_message = "Each rule becomes an entry with the same number."
  }

  assert {
    condition     = length(aws_network_acl.public) == 0
    error_message = "A tier gets its own network ACL only if requested."
  }
}

run "flow_log" {
  command = apply

  variables {
    enable_flow_log                                 = true
    create_flow_log_cloudwatch_log_group            = true
    create_flow_log_cloudwatch_iam_role             = true
    flow_log_cloudwatch_log_group_name_prefix       = "/vpc/test/"
    flow_log_cloudwatch_log_group_name_suffix       = "flow-logs"
    flow_log_cloudwatch_log_group_retention_in_days = 30
    vpc_flow_log_permissions_boundary               = "arn:aws:iam::123456789012:policy/boundary"
  }

  override_resource {
    target = aws_iam_role.vpc_flow_log_cloudwatch
    values = { arn = "arn:aws:iam::123456789012:role/flow-log" }
  }

  override_resource {
    target = aws_iam_policy.vpc_flow_log_cloudwatch
    values = { arn = "arn:aws:iam::123456789012:policy/flow-log" }
  }

  override_resource {
    target = aws_cloudwatch_log_group.flow_log
    values = { arn = "arn:aws:logs:us-east-1:123456789012:log-group:/vpc/test/flow-logs" }
  }

  assert {
    condition     = aws_flow_log.this[0].traffic_type == "ALL" && aws_flow_log.this[0].log_destination == aws_cloudwatch_log_group.flow_log[0].arn
    error_message = "All traffic is recorded in the log group."
  }

  assert {
    condition     = aws_cloudwatch_log_group.flow_log[0].name == "/vpc/test/flow-logs" && aws_cloudwatch_log_group.flow_log[0].retention_in_days == 30
    error_message = "The log group has the given name and retention."
  }

  assert {
    condition     = aws_iam_role.vpc_flow_log_cloudwatch[0].permissions_boundary == "arn:aws:iam::123456789012:policy/boundary"
    error_message = "The flow log's role has its permissions boundary."
  }
}

run "cidr_with_host_bits" {
  command = plan

  variables {
    cidr = "10.0.0.7/16"
  }

  expect_failures = [var.cidr]
}

run "subnet_outside_vpc" {
  command = plan

  variables {
    private_subnets = ["10.0.10.0/23", "10.1.12.0/23", "10.0.14.0/23"]
  }

  expect_failures = [aws_vpc.this]
}

run "overlapping_subnets" {
  command = plan

  variables {
    public_subnets = ["10.0.0.0/24", "10.0.1.0/24", "10.0.11.0/24"]
  }

  expect_failures = [aws_vpc.this]
}

run "zone_without_subnet" {
  command = plan

  variables {
    private_subnets = ["10.0.10.0/23", "10.0.12.0/23"]
  }

  expect_failures = [aws_vpc.this]
}

run "both_nat_gateway_options" {
  command = plan

  variables {
    one_nat_gateway_per_az = true
  }

  expect_failures = [aws_vpc.this]
}

# One run for several independent variables: each must be rejected.
run "invalid_inputs" {
  command = plan

  variables {
    cidr            = "10.0.0.0" # no prefix length
    private_subnets = ["10.0.10.0/23", "10.0.12.0/33", "10.0.14.0/23"]
    public_subnets  = ["10.0.0.0/29", "10.0.1.0/24", "10.0.2.0/24"] # smaller than AWS allows

    flow_log_cloudwatch_log_group_retention_in_days = 31 # CloudWatch allows 30

    public_inbound_acl_rules = [
      { rule_number = 100, rule_action = "allow", protocol = "tcp", from_port = 80, to_port = 80, cidr_block = "0.0.0.0/0" },
      { rule_number = 100, rule_action = "allow", protocol = "tcp", from_port = 443, to_port = 443, cidr_block = "0.0.0.0/0" },
    ]

    default_security_group_ingress = [{ self = "true" }]
  }

  expect_failures = [
    var.cidr,
    var.private_subnets,
    var.public_subnets,
    var.flow_log_cloudwatch_log_group_retention_in_days,
    var.public_inbound_acl_rules,
    var.default_security_group_ingress,
  ]
}
