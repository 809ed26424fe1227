mock_provider "aws" {
  mock_resource "aws_lb" {
    defaults = { arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/test/0123456789abcdef" }
  }

  mock_resource "aws_lb_target_group" {
    defaults = { arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/test/0123456789abcdef" }
  }
}

variables {
  name            = "alloy-test-alb"
  vpc_id          = "vpc-0123456789abcdef0"
  subnets         = ["subnet-a", "subnet-b"]
  security_groups = ["sg-a"]
  target_groups   = { app = { name = "alloy-test-8080", port = 8080, health_check = { path = "/health" } } }
  listeners       = { http = { port = 80, protocol = "HTTP", forward = { target_group_key = "app" } } }
}

run "http" {
  assert {
    condition     = aws_lb.this[0].drop_invalid_header_fields && aws_lb.this[0].enable_deletion_protection
    error_message = "By default, invalid headers are dropped and deletion protection is on."
  }

  assert {
    condition     = aws_lb_listener.this["http"].default_action[0].target_group_arn == aws_lb_target_group.this["app"].arn
    error_message = "The listener forwards to the target group named by its key."
  }

  assert {
    condition     = aws_lb_target_group.this["app"].target_type == "ip" && aws_lb_target_group.this["app"].health_check[0].path == "/health"
    error_message = "Targets are IP addresses, health-checked on the given path."
  }
}

run "https_with_redirect" {
  variables {
    listeners = {
      http = { port = 80, protocol = "HTTP", redirect = {} }
      https = {
        port            = 443
        protocol        = "HTTPS"
        ssl_policy      = "ELBSecurityPolicy-TLS13-1-2-Res-2021-06"
        certificate_arn = "arn:aws:acm:us-east-1:123456789012:certificate/00000000-0000-0000-0000-000000000000"
        forward         = { target_group_key = "app" }
      }
    }
  }

  assert {
    condition     = aws_lb_listener.this["http"].default_action[0].type == "redirect" && aws_lb_listener.this["http"].default_action[0].redirect[0].protocol == "HTTPS"
    error_message = "HTTP redirects to HTTPS."
  }

  assert {
    condition     = aws_lb_listener.this["https"].default_action[0].type == "forward"
    error_message = "HTTPS forwards to the application."
  }
}

run "https_without_certificate" {
  command = plan

  variables {
    listeners = { https = { port = 443, protocol = "HTTPS", forward = { target_group_key = "app" } } }
  }

  expect_failures = [var.listeners]
}

run "old_tls" {
  command = plan

  variables {
    listeners = {
      https = {
        port            = 443
        protocol        = "HTTPS"
        ssl_policy      = "ELBSecurityPolicy-TLS13-1-0-2021-06"
        certificate_arn = "arn:aws:acm:us-east-1:123456789012:certificate/00000000-0000-0000-0000-000000000000"
        forward         = { target_group_key = "app" }
      }
    }
  }

  expect_failures = [var.listeners]
}

# One run for several independent variables: each must be rejected.
run "invalid_inputs" {
  command = plan

  variables {
    name      = "alloy-production-a-rather-long-project-alb"
    subnets   = ["subnet-a"]                                # one zone
    listeners = { http = { port = 80, protocol = "HTTP" } } # neither forwards nor redirects

    # The timeout is not shorter than the interval.
    target_groups = { app = { name = "alloy-test-8080", port = 8080, health_check = { path = "/health", interval = 5, timeout = 5 } } }
  }

  expect_failures = [
    var.name,
    var.subnets,
    var.listeners,
    var.target_groups,
  ]
}
