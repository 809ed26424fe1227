# Identity: one role for each service, one policy for each role that needs its own, and one boundary around them all.

locals {
  # What a session through Session Manager or ECS Exec consists of.
  session_channel_actions = [
    "ssmmessages:CreateControlChannel",
    "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel",
    "ssmmessages:OpenDataChannel",
  ]

  ecr_pull_actions = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]

  lambda_log_group     = "/aws/lambda/${local.resource_prefix}"
  logs_arn             = "arn:${local.partition}:logs:${local.region}:${local.account_id}"
  lambda_log_group_arn = "${local.logs_arn}:log-group:${local.lambda_log_group}"
  instances_arn        = "arn:${local.partition}:ec2:${local.region}:${local.account_id}:instance/*"

  # A service that works for many accounts must not be led to use a role of this one on behalf of another (the confused
  # deputy): it says for whom and for which resource it asks, and the trust policy compares.
  from_this_account = { test = "StringEquals", variable = "aws:SourceAccount", values = [local.account_id] }
}

# ── boundary ──

# A role can do what both its policies and the boundary allow. So a policy that grows too wide, attached by mistake or by an
# intruder, still opens nothing but what is listed here.
data "aws_iam_policy_document" "permissions_boundary" {
  statement {
    sid       = "UseOwnBuckets"
    actions   = ["s3:GetObject", "s3:ListBucket", "s3:PutObject"]
    resources = [local.data_bucket_arn, "${local.data_bucket_arn}/*"]
  }

  statement {
    sid = "ReplicateOwnBuckets"
    actions = [
      "s3:GetObjectVersionAcl",
      "s3:GetObjectVersionForReplication",
      "s3:GetObjectVersionTagging",
      "s3:GetReplicationConfiguration",
      "s3:ReplicateObject",
      "s3:ReplicateTags",
    ]
    resources = [local.data_bucket_arn, "${local.data_bucket_arn}/*", "${local.replica_bucket_arn}/*"]
  }

  statement {
    sid       = "PullOwnImages"
    actions   = local.ecr_pull_actions
    resources = [local.repository_arn]
  }

  statement {
    sid     = "WriteLogs"
    actions = ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
    # The last part stands for the streams, which the services name. RDS has one log group in an account for Enhanced
    # Monitoring and creates it itself.
    resources = [
      "${local.ecs_log_group_arn}:*",
      "${local.lambda_log_group_arn}:*",
      "${local.logs_arn}:log-group:/vpc/${local.resource_prefix}/flow-logs:*",
      "${local.logs_arn}:log-group:RDSOSMetrics:*",
    ]
  }

  statement {
    sid       = "PrepareRdsLogGroup"
    actions   = ["logs:CreateLogGroup", "logs:PutRetentionPolicy"]
    resources = ["${local.logs_arn}:log-group:RDSOSMetrics", "${local.logs_arn}:log-group:RDSOSMetrics:*"]
  }

  statement {
    sid       = "RegisterInstance"
    actions   = ["ssm:UpdateInstanceInformation"]
    resources = [local.instances_arn]
  }

  statement {
    sid       = "FindLogGroups"
    actions   = ["logs:DescribeLogGroups"]
    resources = ["${local.logs_arn}:log-group:*"] # A list call: AWS authorises it against all groups, never against one.
  }

  statement {
    sid     = "CallsWithoutResource"
    actions = concat(["ecr:GetAuthorizationToken"], local.session_channel_actions)
    # A token for the whole registry, channels without an ARN: AWS offers these on * only.
    resources = ["*"]
  }

  # What is not listed above is refused anyway, with one exception: a resource policy that names a role's session reaches past
  # a boundary's silence, not past its Deny. And the denials stay when someone widens the list. Their wildcards take away.

  statement {
    sid    = "NeverIdentityOrAudit"
    effect = "Deny"
    # Whoever can change roles, pass them or take others on can leave the boundary; whoever can change the organization or the
    # account's settings stands above it; and nobody with a workload's role has a reason to touch the trail.
    actions = [
      "account:*",
      "cloudtrail:*",
      "config:*",
      "guardduty:*",
      "iam:*",
      "organizations:*",
      "sts:AssumeRole*",
    ]
    resources = ["*"]
  }

  statement {
    sid    = "NeverPolicyOrRemovalOfData"
    effect = "Deny"
    # Data is read and written by the workloads; its protection, and its end, are the deployer's.
    actions = [
      "ecr:*RepositoryPolicy",
      "ecr:DeleteRepository",
      "logs:DeleteLogGroup",
      "logs:DeleteLogStream",
      "logs:DeleteRetentionPolicy",
      "s3:*BucketPolicy",
      "s3:DeleteBucket",
      "s3:DeleteObjectVersion",
      "s3:PutBucket*",
      "s3:PutEncryptionConfiguration",
      "s3:PutLifecycleConfiguration",
      "s3:PutReplicationConfiguration",
    ]
    resources = ["*"]
  }

  statement {
    sid       = "NeverOtherAccountsBuckets"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = ["*"]

    # A bucket name becomes free when the bucket is deleted, and another account may take it and receive our data.
    condition {
      test     = "StringNotEquals"
      variable = "aws:ResourceAccount"
      values   = [local.account_id]
    }
  }

  statement {
    sid       = "NeverOtherRegions"
    effect    = "Deny"
    actions   = ["*"]
    resources = ["*"]

    condition {
      test     = "StringNotEquals"
      variable = "aws:RequestedRegion"
      values   = distinct([local.region, local.replica_region])
    }
  }
}

module "permissions_boundary" {
  source = "../../modules/iam-policy"

  name        = "${local.resource_prefix}-permissions-boundary"
  description = "The most that any role of ${local.resource_prefix} can do"
  policy      = data.aws_iam_policy_document.permissions_boundary.json
}

# ── ECS execution role: what ECS itself needs to start a task ──

data "aws_iam_policy_document" "execution" {
  statement {
    sid     = "GetRegistryToken"
    actions = ["ecr:GetAuthorizationToken"]
    # The token is for the whole registry; AWS knows no narrower resource for this action.
    resources = ["*"]
  }

  statement {
    sid       = "PullOwnImages"
    actions   = local.ecr_pull_actions
    resources = [local.repository_arn]
  }

  statement {
    sid     = "WriteContainerLogs"
    actions = ["logs:CreateLogStream", "logs:PutLogEvents"]
    # The last part stands for the streams, one for each container, which ECS names. The log group itself is Terraform's.
    resources = ["${local.ecs_log_group_arn}:*"]
  }
}

module "execution_policy" {
  source = "../../modules/iam-policy"

  name        = "${local.resource_prefix}-ecs-execution-policy"
  description = "Pull the own repository, write the container's logs"
  policy      = data.aws_iam_policy_document.execution.json
}

locals {
  # ECS names the task, which has no id before it starts, and no cluster: AWS supports nothing narrower than the region.
  trust_of_ecs_tasks = [
    local.from_this_account,
    { test = "ArnLike", variable = "aws:SourceArn", values = ["arn:${local.partition}:ecs:${local.region}:${local.account_id}:*"] },
  ]
}

module "execution_role" {
  source = "../../modules/iam-assumable-role"

  create_role                   = true
  role_name                     = "${local.resource_prefix}-ecs-execution-role"
  role_description              = "ECS pulls images and writes logs with it; the container never sees it"
  role_requires_mfa             = false
  trusted_role_services         = ["ecs-tasks.amazonaws.com"]
  trust_policy_conditions       = local.trust_of_ecs_tasks
  role_permissions_boundary_arn = module.permissions_boundary.arn
  custom_role_policy_arns       = [module.execution_policy.arn]
}

# ── ECS task role: what the application may do ──

data "aws_iam_policy_document" "task" {
  # The whole bucket, without a prefix condition: `aws s3 ls` of the health check lists from the top.
  statement {
    sid       = "ListDataBucket"
    actions   = ["s3:ListBucket"]
    resources = [local.data_bucket_arn]
  }

  statement {
    sid     = "ReadAndWriteData"
    actions = ["s3:GetObject", "s3:PutObject"]
    # The objects of one bucket; their keys are the application's.
    resources = ["${local.data_bucket_arn}/*"]
  }

  dynamic "statement" {
    for_each = local.enable_execute_command ? ["exec"] : []

    content {
      sid     = "OpenSessionChannels"
      actions = local.session_channel_actions
      # The channels have no ARN; AWS offers these actions on * only.
      resources = ["*"]
    }
  }
}

module "task_policy" {
  source = "../../modules/iam-policy"

  name        = "${local.resource_prefix}-ecs-task-policy"
  description = "List the data bucket, read and write its objects"
  policy      = data.aws_iam_policy_document.task.json
}

module "task_role" {
  source = "../../modules/iam-assumable-role"

  create_role                   = true
  role_name                     = "${local.resource_prefix}-ecs-task-role"
  role_description              = "The application in the container runs with it"
  role_requires_mfa             = false
  trusted_role_services         = ["ecs-tasks.amazonaws.com"]
  trust_policy_conditions       = local.trust_of_ecs_tasks
  role_permissions_boundary_arn = module.permissions_boundary.arn
  custom_role_policy_arns       = [module.task_policy.arn]
}

# ── EC2 role, with its instance profile ──

# A shell by Session Manager instead of SSH, and nothing else. AWS's AmazonSSMManagedInstanceCore would add, among others,
# ssm:GetParameters on *, and with it every parameter of the account.
data "aws_iam_policy_document" "ec2" {
  statement {
    sid       = "RegisterInstance"
    actions   = ["ssm:UpdateInstanceInformation"]
    resources = [local.instances_arn] # Any instance that is given the profile; its id does not exist yet.
  }

  statement {
    sid     = "OpenSessionChannels"
    actions = local.session_channel_actions
    # The channels have no ARN; AWS offers these actions on * only.
    resources = ["*"]
  }
}

module "ec2_policy" {
  source = "../../modules/iam-policy"

  name        = "${local.resource_prefix}-ec2-policy"
  description = "Session Manager, without the rest of AmazonSSMManagedInstanceCore"
  policy      = data.aws_iam_policy_document.ec2.json
}

module "ec2_role" {
  source = "../../modules/iam-assumable-role"

  create_role           = true
  role_name             = "${local.resource_prefix}-ec2-role"
  role_description      = "Instances run with it; a shell by Session Manager needs no open port"
  role_requires_mfa     = false
  trusted_role_services = ["ec2.amazonaws.com"]
  # EC2 sends neither aws:SourceAccount nor aws:SourceArn, so a condition on them would lock it out. What guards this role is
  # iam:PassRole: only a principal of this account can hand it to an instance.
  trust_policy_conditions       = []
  role_permissions_boundary_arn = module.permissions_boundary.arn
  custom_role_policy_arns       = [module.ec2_policy.arn]
  create_instance_profile       = true
}

# ── Lambda role ──

data "aws_iam_policy_document" "lambda" {
  statement {
    sid     = "WriteFunctionLogs"
    actions = ["logs:CreateLogStream", "logs:PutLogEvents"]
    # The last part stands for the streams, which Lambda names. Without logs:CreateLogGroup the group is made by whoever makes
    # the function, with a retention; by itself Lambda would make one that keeps everything for ever.
    resources = ["${local.lambda_log_group_arn}:*"]
  }
}

module "lambda_policy" {
  source = "../../modules/iam-policy"

  name        = "${local.resource_prefix}-lambda-policy"
  description = "Write the function's logs"
  policy      = data.aws_iam_policy_document.lambda.json
}

module "lambda_role" {
  source = "../../modules/iam-assumable-role"

  create_role           = true
  role_name             = "${local.resource_prefix}-lambda-role"
  role_description      = "The function ${local.resource_prefix} runs with it"
  role_requires_mfa     = false
  trusted_role_services = ["lambda.amazonaws.com"]
  # Lambda tries the role before the function exists, so the account is as narrow as this gets.
  trust_policy_conditions       = [local.from_this_account]
  role_permissions_boundary_arn = module.permissions_boundary.arn
  custom_role_policy_arns       = [module.lambda_policy.arn]
}

# ── RDS Enhanced Monitoring role ──

module "rds_monitoring_role" {
  source = "../../modules/iam-assumable-role"

  create_role           = true
  role_name             = "${local.resource_prefix}-rds-monitoring-role"
  role_description      = "RDS writes the metrics of Enhanced Monitoring with it"
  role_requires_mfa     = false
  trusted_role_services = ["monitoring.rds.amazonaws.com"]
  trust_policy_conditions = [
    local.from_this_account,
    {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values   = ["arn:${local.partition}:rds:${local.region}:${local.account_id}:db:${local.resource_prefix}-*"]
    },
  ]
  role_permissions_boundary_arn = module.permissions_boundary.arn
  # AWS's own policy, since AWS decides what its agent writes; it names the log groups RDS*, and the boundary narrows it to the
  # one in use.
  custom_role_policy_arns = ["arn:${local.partition}:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole"]
}

# ── S3 replication role ──

data "aws_iam_policy_document" "replication" {
  statement {
    sid       = "ReadReplicationRules"
    actions   = ["s3:GetReplicationConfiguration", "s3:ListBucket"]
    resources = [local.data_bucket_arn]
  }

  statement {
    sid       = "ReadVersions"
    actions   = ["s3:GetObjectVersionAcl", "s3:GetObjectVersionForReplication", "s3:GetObjectVersionTagging"]
    resources = ["${local.data_bucket_arn}/*"] # The objects of one bucket.
  }

  # Without s3:ReplicateDelete: deletions stay in the data bucket, and the replica outlives a mistake or an intruder.
  statement {
    sid       = "WriteReplicas"
    actions   = ["s3:ReplicateObject", "s3:ReplicateTags"]
    resources = ["${local.replica_bucket_arn}/*"] # The objects of one bucket.
  }
}

module "replication_policy" {
  source = "../../modules/iam-policy"

  name        = "${local.resource_prefix}-s3-replication-policy"
  description = "Read versions of the data bucket, write them to the replica bucket"
  policy      = data.aws_iam_policy_document.replication.json
}

module "replication_role" {
  source = "../../modules/iam-assumable-role"

  create_role           = true
  role_name             = "${local.resource_prefix}-s3-replication-role"
  role_description      = "S3 copies the data bucket to ${local.replica_region} with it"
  role_requires_mfa     = false
  trusted_role_services = ["s3.amazonaws.com"]
  # AWS's page on replication shows its trust policy without conditions. If a first object in a real account stays at the replication
  # status FAILED, this is the place to look.
  trust_policy_conditions = [
    local.from_this_account,
    { test = "ArnLike", variable = "aws:SourceArn", values = [local.data_bucket_arn] },
  ]
  role_permissions_boundary_arn = module.permissions_boundary.arn
  custom_role_policy_arns       = [module.replication_policy.arn]
}
