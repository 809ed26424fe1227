# An Application Load Balancer with its listeners and target groups.

# The index matches the community module's address, so that switching the module source keeps the state.
resource "aws_lb" "this" {
  count = 1

  name                       = var.name
  load_balancer_type         = var.load_balancer_type
  internal                   = var.internal
  subnets                    = var.subnets
  security_groups            = var.security_groups
  drop_invalid_header_fields = var.drop_invalid_header_fields
  enable_deletion_protection = var.enable_deletion_protection

  dynamic "access_logs" {
    for_each = var.access_logs[*]

    content {
      bucket  = access_logs.value.bucket
      prefix  = access_logs.value.prefix
      enabled = access_logs.value.enabled
    }
  }

  tags = var.tags
}

resource "aws_lb_target_group" "this" {
  for_each = var.target_groups

  name                 = each.value.name
  vpc_id               = var.vpc_id
  target_type          = each.value.target_type
  protocol             = each.value.protocol
  port                 = each.value.port
  deregistration_delay = each.value.deregistration_delay

  health_check {
    path                = each.value.health_check.path
    port                = each.value.health_check.port
    protocol            = each.value.protocol
    matcher             = each.value.health_check.matcher
    interval            = each.value.health_check.interval
    timeout             = each.value.health_check.timeout
    healthy_threshold   = each.value.health_check.healthy_threshold
    unhealthy_threshold = each.value.health_check.unhealthy_threshold
  }

  tags = var.tags

  # A target group in use by a listener cannot be deleted: the new one must exist before the old one goes.
  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_lb_listener" "this" {
  for_each = var.listeners

  load_balancer_arn = aws_lb.this[0].arn
  port              = each.value.port
  protocol          = each.value.protocol
  certificate_arn   = each.value.certificate_arn
  ssl_policy        = each.value.ssl_policy

  dynamic "default_action" {
    for_each = each.value.forward[*]

    content {
      type             = "forward"
      target_group_arn = aws_lb_target_group.this[default_action.value.target_group_key].arn
    }
  }

  dynamic "default_action" {
    for_each = each.value.redirect[*]

    content {
      type = "redirect"

      redirect {
        protocol    = default_action.value.protocol
        port        = default_action.value.port
        status_code = default_action.value.status_code
      }
    }
  }

  tags = var.tags
}
