# The load balancer in the public subnets, and the Fargate service behind it in the private ones.

locals {
  https            = local.certificate_arn != ""
  container_name   = "dashboard"
  container_user   = "65534:65534" # nobody
  pages_dir        = "/var/dashboard"
  container_files  = "${path.root}/../../../container"
  read_only_root   = !local.enable_execute_command
  pages_mount      = [{ sourceVolume = "pages", containerPath = local.pages_dir }]
  no_capabilities  = { drop = ["ALL"] }
  health_check_url = "http://127.0.0.1:${local.container_port}${local.health_check_path}"

  # Non-blocking: while CloudWatch Logs is unreachable, lines beyond the buffer are lost, but no container stalls on a
  # write to stdout. What must not be lost (who read which object) is in the access logs, not here. Stated, because the
  # default is a setting of the account.
  log_configuration = {
    logDriver = "awslogs"
    options = {
      awslogs-group         = local.ecs_log_group
      awslogs-region        = local.region
      awslogs-stream-prefix = "ecs"
      mode                  = "non-blocking"
      max-buffer-size       = "25m"
    }
  }

  # The whole program is the argument of `sh -c`: startup.sh, with dashboard.py in its here-document.
  startup_command = replace(file("${local.container_files}/startup.sh"), "@dashboard.py@\n", file("${local.container_files}/dashboard.py"))

  # What the dashboard shows. Each line is built from the configuration here, not from what we would like to be true.
  security_features = [
    "Encryption at rest: ${local.bucket_encryption == "AES256" ? "AES-256" : local.bucket_encryption}, all three buckets",
    "Encryption in transit: the buckets deny requests without TLS; ${local.https ? "the load balancer redirects HTTP to HTTPS" : "the load balancer serves HTTP until a certificate is configured"}",
    "Bucket access: only through the VPC's S3 endpoint, except for ${length(local.bucket_operators)} named operator${length(local.bucket_operators) == 1 ? "" : "s"} and replication",
    "Versioning: overwritten and deleted objects are kept for ${local.noncurrent_days} days",
    "Replication: a copy in ${local.replica_region}; deletions are not replicated",
    "Network: private subnets in ${length(local.private_subnets)} Availability Zones, no public IP addresses",
    "Identity: separate execution and task roles, each under a permissions boundary",
    "Container: user ${local.container_user}, ${local.read_only_root ? "read-only" : "writable"} root file system, no Linux capabilities",
    "Logs: kept for ${local.log_retention_days} days in CloudWatch Logs; bucket and load balancer access logs in a separate bucket",
  ]
}

module "alb" {
  source = "../../modules/alb"

  name                  = "${local.resource_prefix}-alb"
  load_balancer_type    = "application"
  internal              = false
  vpc_id                = module.vpc.vpc_id
  subnets               = module.vpc.public_subnets
  create_security_group = false
  security_groups       = [module.alb_security_group.security_group_id]

  drop_invalid_header_fields = true
  # An environment whose data `terraform destroy` may delete can lose its load balancer too; any other is protected.
  enable_deletion_protection = !local.force_destroy

  access_logs = {
    bucket = module.log_bucket.s3_bucket_id
    prefix = local.alb_log_prefix
  }

  target_groups = {
    app = {
      # The port is part of the name: changing it replaces the group, and old and new exist side by side for a moment.
      name              = "${local.resource_prefix}-${local.container_port}"
      port              = local.container_port
      protocol          = "HTTP"
      target_type       = "ip" # Fargate tasks are IP addresses, not instances.
      create_attachment = false

      # The pages are small and fast: a connection still open after 30 s is idle.
      deregistration_delay = 30

      health_check = {
        path                = local.health_check_path
        matcher             = "200"
        interval            = 15
        timeout             = 5
        healthy_threshold   = 2
        unhealthy_threshold = 3
      }
    }
  }

  # A certificate needs a domain. Without one, HTTP is the only option; with one, HTTP only redirects to HTTPS.
  listeners = {
    http_only = {
      http = { port = 80, protocol = "HTTP", forward = { target_group_key = "app" } }
    }
    https = {
      http = { port = 80, protocol = "HTTP", redirect = { port = "443", protocol = "HTTPS", status_code = "HTTP_301" } }
      https = {
        port            = 443
        protocol        = "HTTPS"
        ssl_policy      = "ELBSecurityPolicy-TLS13-1-2-Res-2021-06" # TLS 1.3, and 1.2 with forward secrecy only.
        certificate_arn = local.certificate_arn
        forward         = { target_group_key = "app" }
      }
    }
  }[local.https ? "https" : "http_only"]
}

module "ecs" {
  source = "../../modules/ecs"

  cluster_name                = local.cluster_name
  cluster_setting             = [{ name = "containerInsights", value = "enhanced" }] # Per task and container.
  create_cloudwatch_log_group = false
  create_task_exec_iam_role   = false

  services = {
    (local.container_name) = {
      name   = local.service_name
      cpu    = local.container_cpu
      memory = local.container_memory

      # Two roles: ECS pulls images and writes logs with one; the application uses its bucket with the other.
      create_iam_role           = false
      create_task_exec_iam_role = false
      task_exec_iam_role_arn    = module.execution_role.iam_role_arn
      create_tasks_iam_role     = false
      tasks_iam_role_arn        = module.task_role.iam_role_arn

      subnet_ids            = module.vpc.private_subnets
      assign_public_ip      = false
      create_security_group = false
      security_group_ids    = [module.task_security_group.security_group_id]

      launch_type                   = "FARGATE"
      desired_count                 = local.desired_count
      enable_execute_command        = local.enable_execute_command
      availability_zone_rebalancing = "ENABLED"
      propagate_tags                = "SERVICE"

      # A deployment starts new tasks before it stops old ones, and rolls back automatically if they do not come up.
      deployment_minimum_healthy_percent = 100
      deployment_maximum_percent         = 200
      deployment_circuit_breaker         = { enable = true, rollback = true }
      health_check_grace_period_seconds  = 60

      enable_autoscaling       = true
      autoscaling_min_capacity = local.desired_count
      autoscaling_max_capacity = local.autoscaling_max
      autoscaling_policies = {
        cpu = {
          policy_type = "TargetTrackingScaling"
          target_tracking_scaling_policy_configuration = {
            predefined_metric_specification = { predefined_metric_type = "ECSServiceAverageCPUUtilization" }
            target_value                    = 60 # Percent: headroom for the minutes a new task takes to start.
            scale_in_cooldown               = 300
            scale_out_cooldown              = 60
          }
        }
      }

      load_balancer = {
        app = {
          target_group_arn = module.alb.target_groups["app"].arn
          container_name   = local.container_name
          container_port   = local.container_port
        }
      }

      volume = { pages = {} }

      container_definitions = {
        # Fargate mounts an ephemeral volume owned by root with mode 0755, which a non-root user cannot write to. This
        # container makes it writable and exits; root owns the volume, so that takes no capability.
        prepare = {
          image                  = local.container_image
          essential              = false
          user                   = "0:0"
          entrypoint             = ["/bin/sh", "-c"]
          command                = ["chmod 1777 ${local.pages_dir}"]
          mountPoints            = local.pages_mount
          readonlyRootFilesystem = true
          linuxParameters        = { capabilities = local.no_capabilities }

          create_cloudwatch_log_group = false
          logConfiguration            = local.log_configuration
        }

        (local.container_name) = {
          image        = local.container_image
          essential    = true
          user         = local.container_user
          entrypoint   = ["/bin/sh", "-c"] # The image's own entry point is the aws command.
          command      = [local.startup_command]
          dependsOn    = [{ containerName = "prepare", condition = "SUCCESS" }]
          portMappings = [{ name = "http", containerPort = local.container_port, hostPort = local.container_port, protocol = "tcp" }]
          mountPoints  = local.pages_mount
          stopTimeout  = 15

          readonlyRootFilesystem = local.read_only_root
          linuxParameters = {
            capabilities = local.no_capabilities
            # The script's server is PID 1 by design: it exits on SIGTERM and waits for every process it starts. Only a
            # shell opened by ECS Exec leaves processes behind that need an init.
            initProcessEnabled = local.enable_execute_command
          }

          environment = [
            { name = "AWS_REGION", value = local.region },
            { name = "BUCKET_NAME", value = module.data_bucket.s3_bucket_id },
            { name = "CHECK_INTERVAL", value = tostring(local.check_interval) },
            { name = "CHECK_TIMEOUT", value = "10" },
            { name = "ENVIRONMENT", value = local.environment },
            { name = "HOME", value = local.pages_dir },
            { name = "PAGES_DIR", value = local.pages_dir },
            { name = "PORT", value = tostring(local.container_port) },
            { name = "SECURITY_FEATURES", value = join("\n", local.security_features) },
            { name = "TMPDIR", value = local.pages_dir },
          ]

          # Liveness only: a task is replaced when it stops serving, not when S3 has an outage.
          healthCheck = {
            command     = ["CMD-SHELL", "curl -fsS ${local.health_check_url} || exit 1"]
            interval    = 30
            timeout     = 5
            retries     = 3
            startPeriod = 10
          }

          create_cloudwatch_log_group            = true
          cloudwatch_log_group_name              = local.ecs_log_group
          cloudwatch_log_group_retention_in_days = local.log_retention_days
          logConfiguration                       = local.log_configuration
        }
      }
    }
  }
}
