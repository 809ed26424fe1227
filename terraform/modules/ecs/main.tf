# An ECS cluster with its Fargate services.

module "cluster" {
  source = "./modules/cluster"

  name    = var.cluster_name
  setting = var.cluster_setting
  tags    = var.tags
}

module "service" {
  source   = "./modules/service"
  for_each = var.services

  name        = coalesce(each.value.name, each.key)
  cluster_arn = module.cluster.arn
  # Part of the resource ID that autoscaling uses for the service.
  cluster_name = module.cluster.name

  cpu                    = each.value.cpu
  memory                 = each.value.memory
  runtime_platform       = each.value.runtime_platform
  container_definitions  = each.value.container_definitions
  volume                 = each.value.volume
  task_exec_iam_role_arn = each.value.task_exec_iam_role_arn
  tasks_iam_role_arn     = each.value.tasks_iam_role_arn

  desired_count                      = each.value.desired_count
  launch_type                        = each.value.launch_type
  enable_execute_command             = each.value.enable_execute_command
  availability_zone_rebalancing      = each.value.availability_zone_rebalancing
  deployment_circuit_breaker         = each.value.deployment_circuit_breaker
  deployment_minimum_healthy_percent = each.value.deployment_minimum_healthy_percent
  deployment_maximum_percent         = each.value.deployment_maximum_percent
  health_check_grace_period_seconds  = each.value.health_check_grace_period_seconds
  propagate_tags                     = each.value.propagate_tags

  subnet_ids         = each.value.subnet_ids
  security_group_ids = each.value.security_group_ids
  assign_public_ip   = each.value.assign_public_ip
  load_balancer      = each.value.load_balancer

  enable_autoscaling       = each.value.enable_autoscaling
  autoscaling_min_capacity = each.value.autoscaling_min_capacity
  autoscaling_max_capacity = each.value.autoscaling_max_capacity
  autoscaling_policies     = each.value.autoscaling_policies

  tags = var.tags
}
