data "aws_caller_identity" "current" {
  count = var.enable_flow_log ? 1 : 0
}

data "aws_partition" "current" {
  count = var.enable_flow_log ? 1 : 0
}

data "aws_region" "current" {
  count = var.enable_flow_log ? 1 : 0
}

locals {
  log_group_name = "${var.flow_log_cloudwatch_log_group_name_prefix}${coalesce(var.flow_log_cloudwatch_log_group_name_suffix, local.vpc_id)}"
  log_groups_arn = var.enable_flow_log ? join(":", [
    "arn", data.aws_partition.current[0].partition, "logs", data.aws_region.current[0].id, data.aws_caller_identity.current[0].account_id, "log-group",
  ]) : ""
}

resource "aws_flow_log" "this" {
  count = var.enable_flow_log ? 1 : 0

  vpc_id                   = local.vpc_id
  traffic_type             = var.flow_log_traffic_type
  max_aggregation_interval = var.flow_log_max_aggregation_interval
  log_destination_type     = "cloud-watch-logs"
  log_destination          = one(aws_cloudwatch_log_group.flow_log[*].arn)
  iam_role_arn             = one(aws_iam_role.vpc_flow_log_cloudwatch[*].arn)

  tags = merge(var.tags, var.vpc_flow_log_tags)

  lifecycle {
    precondition {
      condition     = var.create_flow_log_cloudwatch_log_group && var.create_flow_log_cloudwatch_iam_role
      error_message = "The flow log needs its own log group and role: set create_flow_log_cloudwatch_log_group and create_flow_log_cloudwatch_iam_role to true."
    }
  }

  # Delivery starts immediately, and the first records are lost if the role cannot write yet.
  depends_on = [aws_iam_role_policy_attachment.vpc_flow_log_cloudwatch]
}

resource "aws_cloudwatch_log_group" "flow_log" {
  count = var.enable_flow_log && var.create_flow_log_cloudwatch_log_group ? 1 : 0

  name              = local.log_group_name
  retention_in_days = var.flow_log_cloudwatch_log_group_retention_in_days

  tags = merge(var.tags, var.vpc_flow_log_tags)
}

data "aws_iam_policy_document" "flow_log_cloudwatch_assume_role" {
  count = var.enable_flow_log && var.create_flow_log_cloudwatch_iam_role ? 1 : 0

  statement {
    sid     = "AWSVPCFlowLogsAssumeRole"
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["vpc-flow-logs.amazonaws.com"]
    }

    dynamic "condition" {
      for_each = var.flow_log_cloudwatch_iam_role_conditions

      content {
        test     = condition.value.test
        variable = condition.value.variable
        values   = condition.value.values
      }
    }
  }
}

resource "aws_iam_role" "vpc_flow_log_cloudwatch" {
  count = var.enable_flow_log && var.create_flow_log_cloudwatch_iam_role ? 1 : 0

  name                 = var.vpc_flow_log_iam_role_use_name_prefix ? null : var.vpc_flow_log_iam_role_name
  name_prefix          = var.vpc_flow_log_iam_role_use_name_prefix ? "${var.vpc_flow_log_iam_role_name}-" : null
  assume_role_policy   = data.aws_iam_policy_document.flow_log_cloudwatch_assume_role[0].json
  permissions_boundary = var.vpc_flow_log_permissions_boundary

  tags = merge(var.tags, var.vpc_flow_log_tags)
}

data "aws_iam_policy_document" "vpc_flow_log_cloudwatch" {
  count = var.enable_flow_log && var.create_flow_log_cloudwatch_iam_role ? 1 : 0

  statement {
    sid     = "AWSVPCFlowLogsPushToCloudWatch"
    actions = ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"]

    # The last part matches the log streams, one per network interface, which AWS names.
    resources = ["${local.log_groups_arn}:${local.log_group_name}:*"]
  }

  statement {
    sid     = "AWSVPCFlowLogsFindLogGroup"
    actions = ["logs:DescribeLogGroups"]

    # AWS authorizes this list call against every log group in the region, never against one.
    resources = ["${local.log_groups_arn}:*"]
  }
}

resource "aws_iam_policy" "vpc_flow_log_cloudwatch" {
  count = var.enable_flow_log && var.create_flow_log_cloudwatch_iam_role ? 1 : 0

  name        = var.vpc_flow_log_iam_policy_use_name_prefix ? null : var.vpc_flow_log_iam_policy_name
  name_prefix = var.vpc_flow_log_iam_policy_use_name_prefix ? "${var.vpc_flow_log_iam_policy_name}-" : null
  policy      = data.aws_iam_policy_document.vpc_flow_log_cloudwatch[0].json

  tags = merge(var.tags, var.vpc_flow_log_tags)
}

resource "aws_iam_role_policy_attachment" "vpc_flow_log_cloudwatch" {
  count = var.enable_flow_log && var.create_flow_log_cloudwatch_iam_role ? 1 : 0

  role       = aws_iam_role.vpc_flow_log_cloudwatch[0].name
  policy_arn = aws_iam_policy.vpc_flow_log_cloudwatch[0].arn
}
