terraform {
  required_version = ">= 1.10"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }

  # A bare `terraform init` keeps the state next to this file; the workbook passes its own path.
  backend "local" {}
}

provider "aws" {
  region = local.region

  # With the default of 25, a call the endpoint does not support means minutes of silence.
  max_retries = 8

  default_tags {
    tags = local.tags
  }
}

provider "aws" {
  alias       = "replica"
  region      = local.replica_region
  max_retries = 8

  default_tags {
    tags = local.tags
  }
}

# Read first, so what locals.tf says is checked here, before anything is created.
data "aws_caller_identity" "current" {
  lifecycle {
    precondition {
      condition     = alltrue([for zone in local.availability_zones : startswith(zone, local.region)])
      error_message = "These zones are not in ${local.region}: ${join(", ", [for zone in local.availability_zones : zone if !startswith(zone, local.region)])}. In locals.tf, change availability_zones together with region."
    }

    precondition {
      condition     = local.container_port >= 1024 && local.container_port < 32768
      error_message = "container_port is ${local.container_port}. Use 1024 to 32767: below that, only root may listen by default; above it, the network ACL would drop replies to the tasks' own connections."
    }

    precondition {
      condition     = length(local.repeated_cidrs) == 0
      error_message = "allowed_cidrs has a range twice: ${join(", ", local.repeated_cidrs)}."
    }

    precondition {
      condition     = length(local.allowed_cidrs) <= local.allowed_cidrs_most
      error_message = "allowed_cidrs has ${length(local.allowed_cidrs)} ranges, and the network ACLs have room for ${local.allowed_cidrs_most}: AWS allows 20 rules in each direction. Merge ranges, or filter clients with AWS WAF."
    }
  }
}

data "aws_partition" "current" {}

# Names that one layer needs from another before it exists, so that no layer waits for a later one.
locals {
  account_id = data.aws_caller_identity.current.account_id
  partition  = data.aws_partition.current.partition

  # Bucket names are global: a suffix derived from account and prefix makes them unique, and the same on every run.
  bucket_suffix  = substr(sha256("${local.account_id}/${local.resource_prefix}"), 0, 8)
  data_bucket    = "${local.resource_prefix}-data-${local.bucket_suffix}"
  log_bucket     = "${local.resource_prefix}-logs-${local.bucket_suffix}"
  replica_bucket = "${local.resource_prefix}-replica-${local.bucket_suffix}"

  repository_name = "${local.resource_prefix}-app"
  cluster_name    = "${local.resource_prefix}-cluster"
  service_name    = "${local.resource_prefix}-service"
  ecs_log_group   = "/ecs/${local.resource_prefix}"

  repository_arn    = "arn:${local.partition}:ecr:${local.region}:${local.account_id}:repository/${local.repository_name}"
  ecs_log_group_arn = "arn:${local.partition}:logs:${local.region}:${local.account_id}:log-group:${local.ecs_log_group}"
}
