mock_provider "aws" {
  mock_data "aws_vpc_endpoint_service" {
    defaults = { service_name = "com.amazonaws.us-east-1.test" }
  }
}

variables {
  vpc_id             = "vpc-0123456789abcdef0"
  subnet_ids         = ["subnet-a", "subnet-b"]
  security_group_ids = ["sg-0123456789abcdef0"]

  endpoints = {
    s3 = {
      service         = "s3"
      service_type    = "Gateway"
      route_table_ids = ["rtb-a", "rtb-b"]
      policy          = "{\"Version\":\"2012-10-17\",\"Statement\":[]}"
    }
    "ecr.api" = {
      service = "ecr.api"
      policy  = "{\"Version\":\"2012-10-17\",\"Statement\":[]}"
    }
  }
}

run "gateway_and_interface" {
  command = apply

  assert {
    condition     = length(aws_vpc_endpoint.this["s3"].route_table_ids) == 2 && aws_vpc_endpoint.this["s3"].vpc_endpoint_type == "Gateway"
    error_message = "A gateway endpoint is in its route tables."
  }

  assert {
    condition     = length(aws_vpc_endpoint.this["ecr.api"].subnet_ids) == 2 && aws_vpc_endpoint.this["ecr.api"].private_dns_enabled
    error_message = "An interface endpoint is in the subnets and has private DNS."
  }

  assert {
    condition     = aws_vpc_endpoint.this["ecr.api"].tags["Name"] == "ecr-api"
    error_message = "An endpoint without a Name is named after its service."
  }

  assert {
    condition     = keys(output.endpoints) == ["ecr.api", "s3"]
    error_message = "The output lists the endpoints by name."
  }
}

run "policy_without_statement" {
  command = plan

  variables {
    endpoints = { sts = { service = "sts", policy = "{}" } }
  }

  expect_failures = [var.endpoints]
}

run "gateway_without_route_tables" {
  command = plan

  variables {
    endpoints = { s3 = { service = "s3", service_type = "Gateway", policy = "{\"Statement\":[]}" } }
  }

  expect_failures = [var.endpoints]
}

run "unknown_type" {
  command = plan

  variables {
    endpoints = { s3 = { service = "s3", service_type = "gateway", policy = "{\"Statement\":[]}" } }
  }

  expect_failures = [var.endpoints]
}

run "interface_without_security_group" {
  command = plan

  variables {
    security_group_ids = []
  }

  expect_failures = [aws_vpc_endpoint.this["ecr.api"]]
}
