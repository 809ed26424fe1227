variable "name" {
  description = "Name of the service and of its task definition family."
  type        = string
}

variable "cluster_arn" {
  description = "ARN of the cluster."
  type        = string
}

variable "cluster_name" {
  description = "Name of the cluster."
  type        = string
}

variable "cpu" {
  description = "CPU units of the task; 1024 is one vCPU."
  type        = number
}

variable "memory" {
  description = "Memory of the task, in MiB."
  type        = number
}

variable "runtime_platform" {
  description = "Processor architecture and operating system family."
  type = object({
    cpu_architecture        = optional(string, "X86_64")
    operating_system_family = optional(string, "LINUX")
  })
}

variable "container_definitions" {
  description = "Containers by name, with keys as in the ECS API except `entrypoint`. Times are in seconds."
  type = map(object({
    image      = string
    essential  = optional(bool, true)
    entrypoint = optional(list(string))
    command    = optional(list(string))
    user       = optional(string)
    environment = optional(list(object({
      name  = string
      value = string
    })), [])
    dependsOn = optional(list(object({
      containerName = string
      condition     = string
    })), [])
    healthCheck = optional(object({
      command     = list(string)
      interval    = optional(number, 30)
      timeout     = optional(number, 5)
      retries     = optional(number, 3)
      startPeriod = optional(number)
    }))
    linuxParameters = optional(object({
      initProcessEnabled = optional(bool, false)
      capabilities = optional(object({
        add  = optional(list(string), [])
        drop = optional(list(string), [])
      }), {})
    }), {})
    logConfiguration = optional(object({
      logDriver = string
      options   = map(string)
    }))
    mountPoints = optional(list(object({
      sourceVolume  = string
      containerPath = string
      readOnly      = optional(bool, false)
    })), [])
    portMappings = optional(list(object({
      name          = optional(string)
      containerPort = number
      hostPort      = optional(number)
      protocol      = optional(string, "tcp")
    })), [])
    readonlyRootFilesystem = optional(bool, true)
    startTimeout           = optional(number)
    stopTimeout            = optional(number)

    create_cloudwatch_log_group            = optional(bool, true)
    cloudwatch_log_group_name              = optional(string)
    cloudwatch_log_group_retention_in_days = optional(number, 30)
  }))
}

variable "volume" {
  description = "Ephemeral volumes by name; they live as long as the task."
  type        = map(object({}))
}

variable "task_exec_iam_role_arn" {
  description = "Role that ECS uses to pull the image and write logs."
  type        = string
}

variable "tasks_iam_role_arn" {
  description = "Role of the application itself."
  type        = string
}

variable "desired_count" {
  description = "Number of tasks at creation; after that, autoscaling decides."
  type        = number
}

variable "launch_type" {
  description = "Launch type. Only `FARGATE` is supported."
  type        = string
}

variable "enable_execute_command" {
  description = "Whether ECS Exec may open a shell in a running container, through Systems Manager."
  type        = bool
}

variable "availability_zone_rebalancing" {
  description = "Whether ECS moves tasks to keep the zones balanced: `ENABLED` or `DISABLED`."
  type        = string
}

variable "deployment_circuit_breaker" {
  description = "Whether to stop a deployment whose tasks do not start, and whether to roll it back."
  type = object({
    enable   = bool
    rollback = bool
  })
}

variable "deployment_minimum_healthy_percent" {
  description = "Minimum share of the desired count that keeps running during a deployment, in percent."
  type        = number
}

variable "deployment_maximum_percent" {
  description = "Maximum share of the desired count that may run during a deployment, in percent."
  type        = number
}

variable "health_check_grace_period_seconds" {
  description = "Seconds after a task starts during which failed load balancer health checks are ignored."
  type        = number
}

variable "propagate_tags" {
  description = "Where tasks get their tags from: `SERVICE` or `TASK_DEFINITION`."
  type        = string
}

variable "subnet_ids" {
  description = "Subnets of the tasks."
  type        = list(string)
}

variable "security_group_ids" {
  description = "Security groups of the tasks."
  type        = list(string)
}

variable "assign_public_ip" {
  description = "Whether tasks get a public address."
  type        = bool
}

variable "load_balancer" {
  description = "Target groups that the service registers its tasks with, by key."
  type = map(object({
    target_group_arn = string
    container_name   = string
    container_port   = number
  }))
}

variable "enable_autoscaling" {
  description = "Whether to scale the number of tasks with the load."
  type        = bool
}

variable "autoscaling_min_capacity" {
  description = "Minimum number of tasks."
  type        = number
}

variable "autoscaling_max_capacity" {
  description = "Maximum number of tasks."
  type        = number
}

variable "autoscaling_policies" {
  description = "Target tracking policies by name; cooldowns in seconds, targets of utilization metrics in percent."
  type = map(object({
    policy_type = optional(string, "TargetTrackingScaling")
    target_tracking_scaling_policy_configuration = object({
      target_value       = optional(number, 75)
      scale_in_cooldown  = optional(number, 300)
      scale_out_cooldown = optional(number, 60)
      predefined_metric_specification = object({
        predefined_metric_type = string
      })
    })
  }))
}

variable "tags" {
  description = "Tags for every resource in the module."
  type        = map(string)
  default     = {}
}
