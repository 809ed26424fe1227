variable "name" {
  description = "Name of the load balancer."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9]([A-Za-z0-9-]{0,30}[A-Za-z0-9])?$", var.name)) && !startswith(var.name, "internal-")
    error_message = "A load balancer name can have up to 32 letters, digits and hyphens, with no hyphen at either end, and must not start with internal-. Shorten the project or environment name."
  }
}

variable "load_balancer_type" {
  description = "Load balancer type. Only `application` is supported."
  type        = string
  default     = "application"

  validation {
    condition     = var.load_balancer_type == "application"
    error_message = "This module creates Application Load Balancers only; leave load_balancer_type set to application."
  }
}

variable "internal" {
  description = "Whether the load balancer has private addresses only."
  type        = bool
  default     = false
}

variable "vpc_id" {
  description = "VPC of the target groups."
  type        = string
}

variable "subnets" {
  description = "Subnets of the load balancer, in at least two Availability Zones."
  type        = list(string)

  validation {
    condition     = length(var.subnets) >= 2
    error_message = "An Application Load Balancer needs subnets in at least two Availability Zones."
  }
}

variable "create_security_group" {
  description = "Must be `false`: pass existing security groups instead."
  type        = bool
  default     = false

  validation {
    condition     = !var.create_security_group
    error_message = "This module does not create security groups; pass security_groups and leave create_security_group set to false."
  }
}

variable "security_groups" {
  description = "Security groups of the load balancer."
  type        = list(string)

  validation {
    condition     = length(var.security_groups) > 0
    error_message = "Pass at least one security group: without one, AWS uses the VPC's default group."
  }
}

variable "drop_invalid_header_fields" {
  description = "Whether to drop invalid HTTP headers before requests reach a target."
  type        = bool
  default     = true
}

variable "enable_deletion_protection" {
  description = "Whether deletion protection is on."
  type        = bool
  default     = true
}

variable "access_logs" {
  description = "Bucket and prefix for access logs; null for none. The bucket must already allow the log service to write."
  type = object({
    bucket  = string
    prefix  = optional(string)
    enabled = optional(bool, true)
  })
  default = null
}

variable "target_groups" {
  description = "Target groups by key. `deregistration_delay`, `interval` and `timeout` are in seconds. ECS registers the targets, so `create_attachment` must be false."
  type = map(object({
    name                 = string
    port                 = number
    protocol             = optional(string, "HTTP")
    target_type          = optional(string, "ip")
    deregistration_delay = optional(number, 300)
    create_attachment    = optional(bool, false)
    health_check = object({
      path                = string
      port                = optional(string, "traffic-port")
      matcher             = optional(string, "200")
      interval            = optional(number, 30)
      timeout             = optional(number, 5)
      healthy_threshold   = optional(number, 2)
      unhealthy_threshold = optional(number, 3)
    })
  }))

  validation {
    condition     = alltrue([for group in values(var.target_groups) : can(regex("^[A-Za-z0-9]([A-Za-z0-9-]{0,30}[A-Za-z0-9])?$", group.name))])
    error_message = "A target group name can have up to 32 letters, digits and hyphens, with no hyphen at either end."
  }

  validation {
    condition     = alltrue([for group in values(var.target_groups) : group.health_check.timeout < group.health_check.interval])
    error_message = "A health check's timeout must be shorter than its interval."
  }

  validation {
    condition     = alltrue([for group in values(var.target_groups) : startswith(group.health_check.path, "/")])
    error_message = "A health check path must start with /."
  }

  validation {
    condition     = alltrue([for group in values(var.target_groups) : !group.create_attachment])
    error_message = "This module does not attach targets; leave create_attachment set to false and let the ECS service register its tasks."
  }
}

variable "listeners" {
  description = "Listeners by key. Each one either forwards to a target group (by key) or redirects. HTTPS needs a certificate and a TLS policy."
  type = map(object({
    port            = number
    protocol        = string
    certificate_arn = optional(string)
    ssl_policy      = optional(string)
    forward = optional(object({
      target_group_key = string
    }))
    redirect = optional(object({
      port        = optional(string, "443")
      protocol    = optional(string, "HTTPS")
      status_code = optional(string, "HTTP_301")
    }))
  }))

  validation {
    condition     = alltrue([for listener in values(var.listeners) : contains(["HTTP", "HTTPS"], listener.protocol)])
    error_message = "A listener's protocol must be HTTP or HTTPS."
  }

  validation {
    condition     = alltrue([for listener in values(var.listeners) : (listener.forward != null) != (listener.redirect != null)])
    error_message = "A listener must have either forward or redirect, not both."
  }

  validation {
    condition = alltrue([
      for listener in values(var.listeners) :
      (listener.certificate_arn != null && listener.ssl_policy != null) == (listener.protocol == "HTTPS")
    ])
    error_message = "An HTTPS listener needs certificate_arn and ssl_policy; an HTTP listener must have neither."
  }

  validation {
    condition     = alltrue([for listener in values(var.listeners) : listener.ssl_policy == null ? true : can(regex("-TLS13-1-[23]-|-TLS-1-2-", listener.ssl_policy))])
    error_message = "ssl_policy must not allow anything below TLS 1.2: use an ELBSecurityPolicy-TLS13-1-2-... policy."
  }
}

variable "tags" {
  description = "Tags for every resource in the module."
  type        = map(string)
  default     = {}
}
