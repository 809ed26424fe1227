variable "name" {
  description = "Name of the load balancer."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9]([A-Za-z0-9-]{0,30}[A-Za-z0-9])?$", var.name)) && !startswith(var.name, "internal-")
    error_message = "A load balancer's name has at most 32 letters, digits and hyphens, no hyphen at either end, and does not begin with internal-. Shorten the project's or environment's name."
  }
}

variable "load_balancer_type" {
  description = "Only `application`."
  type        = string
  default     = "application"

  validation {
    condition     = var.load_balancer_type == "application"
    error_message = "This module makes Application Load Balancers; leave load_balancer_type at application."
  }
}

variable "internal" {
  description = "Whether it has private addresses only."
  type        = bool
  default     = false
}

variable "vpc_id" {
  description = "VPC of the target groups."
  type        = string
}

variable "subnets" {
  description = "Subnets of the load balancer, in two Availability Zones or more."
  type        = list(string)

  validation {
    condition     = length(var.subnets) >= 2
    error_message = "An Application Load Balancer needs subnets in at least two Availability Zones."
  }
}

variable "create_security_group" {
  description = "Only `false`: the security groups are given."
  type        = bool
  default     = false

  validation {
    condition     = !var.create_security_group
    error_message = "This module makes no security group; pass security_groups and leave create_security_group false."
  }
}

variable "security_groups" {
  description = "Security groups of the load balancer."
  type        = list(string)

  validation {
    condition     = length(var.security_groups) > 0
    error_message = "Pass a security group: without one AWS takes the VPC's default group."
  }
}

variable "drop_invalid_header_fields" {
  description = "Whether headers that are not valid HTTP are removed before they reach a target."
  type        = bool
  default     = true
}

variable "enable_deletion_protection" {
  description = "Whether AWS refuses to delete the load balancer."
  type        = bool
  default     = true
}

variable "access_logs" {
  description = "Bucket and prefix of the access logs; null for none. The bucket must already let the log service write."
  type = object({
    bucket  = string
    prefix  = optional(string)
    enabled = optional(bool, true)
  })
  default = null
}

variable "target_groups" {
  description = "Target groups by key. `deregistration_delay`, `interval` and `timeout` are in seconds; ECS registers the targets, so `create_attachment` is false."
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
    error_message = "A target group's name has at most 32 letters, digits and hyphens, and no hyphen at either end."
  }

  validation {
    condition     = alltrue([for group in values(var.target_groups) : group.health_check.timeout < group.health_check.interval])
    error_message = "The timeout of a health check must be shorter than its interval."
  }

  validation {
    condition     = alltrue([for group in values(var.target_groups) : startswith(group.health_check.path, "/")])
    error_message = "The path of a health check begins with /."
  }

  validation {
    condition     = alltrue([for group in values(var.target_groups) : !group.create_attachment])
    error_message = "This module attaches no targets; leave create_attachment false and let the ECS service register its tasks."
  }
}

variable "listeners" {
  description = "Listeners by key. Each either forwards to a target group (by key) or redirects; HTTPS needs a certificate and a TLS policy."
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
    error_message = "A listener's protocol is HTTP or HTTPS."
  }

  validation {
    condition     = alltrue([for listener in values(var.listeners) : (listener.forward != null) != (listener.redirect != null)])
    error_message = "A listener has either forward or redirect."
  }

  validation {
    condition = alltrue([
      for listener in values(var.listeners) :
      (listener.certificate_arn != null && listener.ssl_policy != null) == (listener.protocol == "HTTPS")
    ])
    error_message = "An HTTPS listener needs certificate_arn and ssl_policy; an HTTP listener has neither."
  }

  validation {
    condition     = alltrue([for listener in values(var.listeners) : listener.ssl_policy == null ? true : can(regex("-TLS13-1-[23]-|-TLS-1-2-", listener.ssl_policy))])
    error_message = "ssl_policy must not allow anything below TLS 1.2: name an ELBSecurityPolicy-TLS13-1-2-... policy."
  }
}

variable "tags" {
  description = "Tags of everything in the module."
  type        = map(string)
  default     = {}
}
