variable "cluster_name" {
  description = "Name of the cluster."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,255}$", var.cluster_name))
    error_message = "A cluster name can have up to 255 letters, digits, hyphens and underscores."
  }
}

variable "cluster_setting" {
  description = "Cluster settings, such as `containerInsights`."
  type = list(object({
    name  = string
    value = string
  }))
  default = [{ name = "containerInsights", value = "enabled" }]

  validation {
    condition     = alltrue([for setting in var.cluster_setting : setting.name == "containerInsights" && contains(["enhanced", "enabled", "disabled"], setting.value)])
    error_message = "The only cluster setting is containerInsights, with the value enhanced, enabled or disabled."
  }
}

variable "create_cloudwatch_log_group" {
  description = "Must be `false`: each container has its log group; the cluster needs none."
  type        = bool
  default     = false

  validation {
    condition     = !var.create_cloudwatch_log_group
    error_message = "This module does not create a log group for the cluster; leave create_cloudwatch_log_group set to false."
  }
}

variable "create_task_exec_iam_role" {
  description = "Must be `false`: pass existing roles in each service instead."
  type        = bool
  default     = false

  validation {
    condition     = !var.create_task_exec_iam_role
    error_message = "This module does not create roles; leave create_task_exec_iam_role set to false and pass task_exec_iam_role_arn in the service."
  }
}

variable "services" {
  description = "Fargate services by key. Roles, security groups and subnets are passed in; the module creates none of them."
  type = map(object({
    name   = optional(string)
    cpu    = optional(number, 256)
    memory = optional(number, 512)
    runtime_platform = optional(object({
      cpu_architecture        = optional(string, "X86_64")
      operating_system_family = optional(string, "LINUX")
    }), {})
    container_definitions = map(object({
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
    volume                        = optional(map(object({})), {})
    task_exec_iam_role_arn        = string
    tasks_iam_role_arn            = string
    desired_count                 = optional(number, 1)
    launch_type                   = optional(string, "FARGATE")
    enable_execute_command        = optional(bool, false)
    availability_zone_rebalancing = optional(string, "ENABLED")
    deployment_circuit_breaker = optional(object({
      enable   = bool
      rollback = bool
    }), { enable = true, rollback = true })
    deployment_minimum_healthy_percent = optional(number, 100)
    deployment_maximum_percent         = optional(number, 200)
    health_check_grace_period_seconds  = optional(number)
    propagate_tags                     = optional(string, "SERVICE")
    subnet_ids                         = list(string)
    security_group_ids                 = list(string)
    assign_public_ip                   = optional(bool, false)
    load_balancer = optional(map(object({
      target_group_arn = string
      container_name   = string
      container_port   = number
    })), {})
    enable_autoscaling       = optional(bool, true)
    autoscaling_min_capacity = optional(number, 1)
    autoscaling_max_capacity = optional(number, 10)
    autoscaling_policies = optional(map(object({
      policy_type = optional(string, "TargetTrackingScaling")
      target_tracking_scaling_policy_configuration = object({
        target_value       = optional(number, 75)
        scale_in_cooldown  = optional(number, 300)
        scale_out_cooldown = optional(number, 60)
        predefined_metric_specification = object({
          predefined_metric_type = string
        })
      })
    })), {})
    create_iam_role           = optional(bool, false)
    create_task_exec_iam_role = optional(bool, false)
    create_tasks_iam_role     = optional(bool, false)
    create_security_group     = optional(bool, false)
  }))

  validation {
    condition = alltrue([
      for service in values(var.services) :
      !service.create_iam_role && !service.create_task_exec_iam_role && !service.create_tasks_iam_role && !service.create_security_group
    ])
    error_message = "This module does not create roles or security groups; leave a service's create_ flags set to false and pass the ARNs and IDs."
  }

  validation {
    condition     = alltrue([for service in values(var.services) : service.launch_type == "FARGATE"])
    error_message = "This module runs Fargate services only; leave launch_type set to FARGATE."
  }

  validation {
    condition = alltrue(flatten([
      for service in values(var.services) : [
        for container in values(service.container_definitions) :
        can(regex("(:[A-Za-z0-9_][A-Za-z0-9._-]*|@sha256:[0-9a-f]{64})$", container.image)) && !endswith(container.image, ":latest")
      ]
    ]))
    error_message = "An image needs a tag other than latest, or a digest: what runs must not change unnoticed."
  }

  validation {
    # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-cpu-memory-error.html
    condition = alltrue([
      for service in values(var.services) : contains(concat(
        service.cpu == 256 ? [512, 1024, 2048] : [],
        service.cpu == 512 ? range(1024, 4097, 1024) : [],
        service.cpu == 1024 ? range(2048, 8193, 1024) : [],
        service.cpu == 2048 ? range(4096, 16385, 1024) : [],
        service.cpu == 4096 ? range(8192, 30721, 1024) : [],
      ), service.memory)
    ])
    error_message = "Fargate does not support this combination of cpu and memory: 256 allows 512, 1024 or 2048 MiB; 512 allows 1 to 4 GiB; 1024 allows 2 to 8; 2048 allows 4 to 16; 4096 allows 8 to 30, in steps of 1024 MiB."
  }

  validation {
    condition = alltrue([
      for service in values(var.services) :
      !service.enable_autoscaling || (service.autoscaling_min_capacity <= service.desired_count && service.desired_count <= service.autoscaling_max_capacity)
    ])
    error_message = "desired_count must be between autoscaling_min_capacity and autoscaling_max_capacity."
  }

  validation {
    condition = alltrue([
      for service in values(var.services) :
      !service.enable_execute_command || alltrue([for container in values(service.container_definitions) : !container.essential || !container.readonlyRootFilesystem])
    ])
    error_message = "ECS Exec writes to the root file system: set readonlyRootFilesystem = false, or turn enable_execute_command off."
  }

  validation {
    condition = alltrue(flatten([
      for service in values(var.services) : [
        for container in values(service.container_definitions) : [for mount in container.mountPoints : contains(keys(service.volume), mount.sourceVolume)]
      ]
    ]))
    error_message = "Every mountPoints.sourceVolume must be a key of the service's volume."
  }

  validation {
    condition = alltrue(flatten([
      for service in values(var.services) : [
        for entry in values(service.load_balancer) : contains(flatten([
          for name, container in service.container_definitions : [for mapping in container.portMappings : "${name}:${mapping.containerPort}"]
        ]), "${entry.container_name}:${entry.container_port}")
      ]
    ]))
    error_message = "A load_balancer entry must name a container and one of the ports in its portMappings."
  }
}

variable "tags" {
  description = "Tags for every resource in the module."
  type        = map(string)
  default     = {}
}
