# One container of a task definition, with its log group.

data "aws_region" "current" {}

locals {
  # Provider 6 renamed the attribute `name` to `region`; `id` is the region's name in both.
  region = data.aws_region.current.id

  log_configuration = var.create_cloudwatch_log_group ? {
    logDriver = "awslogs"
    options = merge(
      { awslogs-region = local.region, awslogs-stream-prefix = "ecs" },
      try(var.logConfiguration.options, {}),
      { awslogs-group = aws_cloudwatch_log_group.this[0].name }, # The task definition waits for the group.
    )
  } : var.logConfiguration

  definition = {
    name       = var.name
    image      = var.image
    essential  = var.essential
    entryPoint = var.entrypoint
    command    = var.command
    user       = var.user
    # ECS sorts the environment itself; sorting it here means it reads back as written.
    environment            = [for name in sort(var.environment[*].name) : { name = name, value = { for pair in var.environment : pair.name => pair.value }[name] }]
    dependsOn              = var.dependsOn
    healthCheck            = var.healthCheck
    linuxParameters        = var.linuxParameters
    logConfiguration       = local.log_configuration
    mountPoints            = var.mountPoints
    portMappings           = var.portMappings
    readonlyRootFilesystem = var.readonlyRootFilesystem
    startTimeout           = var.startTimeout
    stopTimeout            = var.stopTimeout
  }
}

resource "aws_cloudwatch_log_group" "this" {
  count = var.create_cloudwatch_log_group ? 1 : 0

  name              = var.cloudwatch_log_group_name
  retention_in_days = var.cloudwatch_log_group_retention_in_days

  tags = var.tags
}
