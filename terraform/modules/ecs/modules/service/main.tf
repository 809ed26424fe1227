# A Fargate service with its task definition, containers and autoscaling.

module "container_definition" {
  source   = "../container-definition"
  for_each = var.container_definitions

  name                   = each.key
  image                  = each.value.image
  essential              = each.value.essential
  entrypoint             = each.value.entrypoint
  command                = each.value.command
  user                   = each.value.user
  environment            = each.value.environment
  dependsOn              = each.value.dependsOn
  healthCheck            = each.value.healthCheck
  linuxParameters        = each.value.linuxParameters
  logConfiguration       = each.value.logConfiguration
  mountPoints            = each.value.mountPoints
  portMappings           = each.value.portMappings
  readonlyRootFilesystem = each.value.readonlyRootFilesystem
  startTimeout           = each.value.startTimeout
  stopTimeout            = each.value.stopTimeout

  create_cloudwatch_log_group            = each.value.create_cloudwatch_log_group
  cloudwatch_log_group_name              = coalesce(each.value.cloudwatch_log_group_name, "/aws/ecs/${var.name}/${each.key}")
  cloudwatch_log_group_retention_in_days = each.value.cloudwatch_log_group_retention_in_days

  tags = var.tags
}

# The index matches the community module's address, so that switching the module source keeps the state.
resource "aws_ecs_task_definition" "this" {
  count = 1

  family                   = var.name
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.cpu
  memory                   = var.memory
  execution_role_arn       = var.task_exec_iam_role_arn
  task_role_arn            = var.tasks_iam_role_arn
  container_definitions    = jsonencode([for container in module.container_definition : container.container_definition])

  runtime_platform {
    cpu_architecture        = var.runtime_platform.cpu_architecture
    operating_system_family = var.runtime_platform.operating_system_family
  }

  dynamic "volume" {
    for_each = var.volume

    content {
      name = volume.key
    }
  }

  tags = var.tags

  # The service moves to the new revision before the old one is deregistered.
  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_ecs_service" "this" {
  count = 1

  name            = var.name
  cluster         = var.cluster_arn
  task_definition = aws_ecs_task_definition.this[0].arn
  launch_type     = var.launch_type
  desired_count   = var.desired_count

  availability_zone_rebalancing      = var.availability_zone_rebalancing
  deployment_minimum_healthy_percent = var.deployment_minimum_healthy_percent
  deployment_maximum_percent         = var.deployment_maximum_percent
  health_check_grace_period_seconds  = var.health_check_grace_period_seconds
  enable_execute_command             = var.enable_execute_command
  enable_ecs_managed_tags            = true
  propagate_tags                     = var.propagate_tags

  deployment_circuit_breaker {
    enable   = var.deployment_circuit_breaker.enable
    rollback = var.deployment_circuit_breaker.rollback
  }

  network_configuration {
    subnets          = var.subnet_ids
    security_groups  = var.security_group_ids
    assign_public_ip = var.assign_public_ip
  }

  dynamic "load_balancer" {
    for_each = var.load_balancer

    content {
      target_group_arn = load_balancer.value.target_group_arn
      container_name   = load_balancer.value.container_name
      container_port   = load_balancer.value.container_port
    }
  }

  tags = var.tags

  # Autoscaling controls the count from the start; an apply must not undo it.
  lifecycle {
    ignore_changes = [desired_count]
  }
}

resource "aws_appautoscaling_target" "this" {
  count = var.enable_autoscaling ? 1 : 0

  service_namespace  = "ecs"
  scalable_dimension = "ecs:service:DesiredCount"
  resource_id        = "service/${var.cluster_name}/${aws_ecs_service.this[0].name}"
  min_capacity       = var.autoscaling_min_capacity
  max_capacity       = var.autoscaling_max_capacity

  tags = var.tags
}

resource "aws_appautoscaling_policy" "this" {
  for_each = var.enable_autoscaling ? var.autoscaling_policies : {}

  name               = each.key
  policy_type        = each.value.policy_type
  service_namespace  = aws_appautoscaling_target.this[0].service_namespace
  scalable_dimension = aws_appautoscaling_target.this[0].scalable_dimension
  resource_id        = aws_appautoscaling_target.this[0].resource_id

  target_tracking_scaling_policy_configuration {
    target_value       = each.value.target_tracking_scaling_policy_configuration.target_value
    scale_in_cooldown  = each.value.target_tracking_scaling_policy_configuration.scale_in_cooldown
    scale_out_cooldown = each.value.target_tracking_scaling_policy_configuration.scale_out_cooldown

    predefined_metric_specification {
      predefined_metric_type = each.value.target_tracking_scaling_policy_configuration.predefined_metric_specification.predefined_metric_type
    }
  }
}
