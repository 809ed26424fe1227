variable "name" {
  description = "Name of the container."
  type        = string
}

variable "image" {
  description = "Image with its tag or digest."
  type        = string
}

variable "essential" {
  description = "Whether the task stops when this container does."
  type        = bool
}

variable "entrypoint" {
  description = "Entry point, replacing the image's own."
  type        = list(string)
}

variable "command" {
  description = "Command."
  type        = list(string)
}

variable "user" {
  description = "User as `uid:gid`; null for the image's own."
  type        = string
}

variable "environment" {
  description = "Environment variables."
  type = list(object({
    name  = string
    value = string
  }))
}

variable "dependsOn" {
  description = "Containers to wait for, each with a condition."
  type = list(object({
    containerName = string
    condition     = string
  }))
}

variable "healthCheck" {
  description = "Health check; interval, timeout and startPeriod in seconds."
  type = object({
    command     = list(string)
    interval    = optional(number, 30)
    timeout     = optional(number, 5)
    retries     = optional(number, 3)
    startPeriod = optional(number)
  })
}

variable "linuxParameters" {
  description = "Capabilities and the init process."
  type = object({
    initProcessEnabled = optional(bool, false)
    capabilities = optional(object({
      add  = optional(list(string), [])
      drop = optional(list(string), [])
    }), {})
  })
}

variable "logConfiguration" {
  description = "Log configuration. Its options add to the defaults if the log group is created here."
  type = object({
    logDriver = string
    options   = map(string)
  })
}

variable "mountPoints" {
  description = "Task volumes and where to mount them."
  type = list(object({
    sourceVolume  = string
    containerPath = string
    readOnly      = optional(bool, false)
  }))
}

variable "portMappings" {
  description = "Ports of the container."
  type = list(object({
    name          = optional(string)
    containerPort = number
    hostPort      = optional(number)
    protocol      = optional(string, "tcp")
  }))
}

variable "readonlyRootFilesystem" {
  description = "Whether the container's root file system is read-only."
  type        = bool
}

variable "startTimeout" {
  description = "Seconds that dependent containers wait for this one."
  type        = number
}

variable "stopTimeout" {
  description = "Seconds between SIGTERM and SIGKILL."
  type        = number
}

variable "create_cloudwatch_log_group" {
  description = "Whether to create the container's log group."
  type        = bool
}

variable "cloudwatch_log_group_name" {
  description = "Name of the log group."
  type        = string
}

variable "cloudwatch_log_group_retention_in_days" {
  description = "Days to keep logs."
  type        = number
}

variable "tags" {
  description = "Tags for the log group."
  type        = map(string)
  default     = {}
}
