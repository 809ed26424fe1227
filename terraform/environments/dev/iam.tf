# Identity: one role per service, one policy per role that needs its own, and one permissions boundary around all of
# them.

locals {
  # The calls that make up a Session Manager or ECS Exec session.
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

  # A service that works for many accounts must not be tricked into using a role of this account on behalf of another
  # (the confused deputy problem). It states the account and the resource it acts for, and the trust policy checks both.
  from_this_account = { test = "StringEquals", variable = "aws:SourceAccount", values = [local.account_id] }
}

# ── boundary ──

# A role can do only what both its policies and the boundary allow. A policy that is too broad, whether attached by
# mistake or by an intruder, still grants nothing beyond what is listed here.
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
    # The last part matches the log streams, which the services name. RDS has one log group per account for Enhanced
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
    sid     = "FindLogGroups"
    actions = ["logs:DescribeLogGroups"]
    # A list call: AWS authorizes it against all groups, never against one.
    resources = ["${local.logs_arn}:log-group:*"]
  }

  statement {
    sid     = "CallsWithoutResource"
    actions = concat(["ecr:GetAuthorizationToken"], local.session_channel_actions)
    # A token for the whole registry, channels without an ARN: AWS supports these actions on * only.
    resources = ["*"]
  }

  # Anything not listed above is denied anyway, with one exception: a resource policy that names a role's session is not
  # limited by what a boundary leaves out, only by what it denies. The denials also hold when someone widens the list.
  # Their wildcards only take permissions away.

  statement {
    sid    = "NeverIdentityOrAudit"
    effect = "Deny"
    # Anyone who can change roles, pass them or assume others can escape the boundary; anyone who can change the
    # organization or the account's settings is above it; and no workload has a reason to touch the audit trail.
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
    # Workloads read and write data; protecting and deleting it is up to the deployer.
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

    # A bucket name becomes available again when the bucket is deleted: another account could claim it and receive our
    # data.
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
  description = "Upper limit on what any role of ${local.resource_prefix} can do"
  policy      = data.aws_iam_policy_document.permissions_boundary.json
}

# ── ECS execution role: what ECS itself needs to start a task ──

data "aws_iam_policy_document" "execution" {
  statement {
    sid     = "GetRegistryToken"
    actions = ["ecr:GetAuthorizationToken"]
    # The token covers the whole registry; AWS supports no narrower resource for this action.
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
    # The last part matches the log streams, one per container, which ECS names. Terraform manages the log group itself.
    resources = ["${local.ecs_log_group_arn}:*"]
  }
}

module "execution_policy" {
  source = "../../modules/iam-policy"

  name        = "${local.resource_prefix}-ecs-execution-policy"
  description = "Pull images from the stack's repository and write container logs"
  policy      = data.aws_iam_policy_document.execution.json
}

locals {
  # The source is the task, which has no ID before it starts, not the cluster: AWS supports nothing narrower than the
  # region.
  trust_of_ecs_tasks = [
    local.from_this_account,
    { test = "ArnLike", variable = "aws:SourceArn", values = ["arn:${local.partition}:ecs:${local.region}:${local.account_id}:*"] },
  ]
}

module "execution_role" {
  source = "../../modules/iam-assumable-role"

  create_role                   = true
  role_name                     = "${local.resource_prefix}-ecs-execution-role"
  role_description              = "Used by ECS to pull images and write logs; the container never gets it"
  role_requires_mfa             = false
  trusted_role_services         = ["ecs-tasks.amazonaws.com"]
  trust_policy_conditions       = local.trust_of_ecs_tasks
  role_permissions_boundary_arn = module.permissions_boundary.arn
  custom_role_policy_arns       = [module.execution_policy.arn]
}

# ── ECS task role: what the application may do ──

data "aws_iam_policy_document" "task" {
  # The whole bucket, without a prefix condition: the health check's `aws s3 ls` lists from the top.
  statement {
    sid       = "ListDataBucket"
    actions   = ["s3:ListBucket"]
    resources = [local.data_bucket_arn]
  }

  statement {
    sid     = "ReadAndWriteData"
    actions = ["s3:GetObject", "s3:PutObject"]
    # The objects of one bucket; the application chooses the keys.
    resources = ["${local.data_bucket_arn}/*"]
  }

  dynamic "statement" {
    for_each = local.enable_execute_command ? ["exec"] : []

    content {
      sid     = "OpenSessionChannels"
      actions = local.session_channel_actions
      # The channels have no ARN; AWS supports these actions on * only.
      resources = ["*"]
    }
  }
}

module "task_policy" {
  source = "../../modules/iam-policy"

  name        = "${local.resource_prefix}-ecs-task-policy"
  description = "List the data bucket and read and write its objects"
  policy      = data.aws_iam_policy_document.task.json
}

module "task_role" {
  source = "../../modules/iam-assumable-role"

  create_role                   = true
  role_name                     = "${local.resource_prefix}-ecs-task-role"
  role_description              = "Used by the application in the container"
  role_requires_mfa             = false
  trusted_role_services         = ["ecs-tasks.amazonaws.com"]
  trust_policy_conditions       = local.trust_of_ecs_tasks
  role_permissions_boundary_arn = module.permissions_boundary.arn
  custom_role_policy_arns       = [module.task_policy.arn]
}

# ── EC2 role, with its instance profile ──

# A Session Manager shell instead of SSH, and nothing else. AWS's AmazonSSMManagedInstanceCore would add, among others,
# ssm:GetParameters on *, which gives access to every parameter in the account.
data "aws_iam_policy_document" "ec2" {
  statement {
    sid       = "RegisterInstance"
    actions   = ["ssm:UpdateInstanceInformation"]
    resources = [local.instances_arn] # Any instance with the profile; its ID does not exist yet.
  }

  statement {
    sid     = "OpenSessionChannels"
    actions = local.session_channel_actions
    # The channels have no ARN; AWS supports these actions on * only.
    resources = ["*"]
  }
}

module "ec2_policy" {
  source = "../../modules/iam-policy"

  name        = "${local.resource_prefix}-ec2-policy"
  description = "Session Manager only, without the rest of AmazonSSMManagedInstanceCore"
  policy      = data.aws_iam_policy_document.ec2.json
}

module "ec2_role" {
  source = "../../modules/iam-assumable-role"

  create_role           = true
  role_name             = "${local.resource_prefix}-ec2-role"
  role_description      = "Used by EC2 instances; Session Manager gives a shell without an open port"
  role_requires_mfa     = false
  trusted_role_services = ["ec2.amazonaws.com"]
  # EC2 sends neither aws:SourceAccount nor aws:SourceArn, so a condition on them would lock it out. iam:PassRole is
  # what protects this role: only a principal in this account can pass it to an instance.
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
    # The last part matches the log streams, which Lambda names. Without logs:CreateLogGroup, the log group has to be
    # created together with the function, with a retention period; left to itself, Lambda would create one that keeps
    # everything forever.
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
  role_description      = "Used by the Lambda function ${local.resource_prefix}"
  role_requires_mfa     = false
  trusted_role_services = ["lambda.amazonaws.com"]
  # Lambda tries the role before the function exists, so the account is as narrow as this condition can get.
  trust_policy_conditions       = [local.from_this_account]
  role_permissions_boundary_arn = module.permissions_boundary.arn
  custom_role_policy_arns       = [module.lambda_policy.arn]
}

# ── RDS Enhanced Monitoring role ──

module "rds_monitoring_role" {
  source = "../../modules/iam-assumable-role"

  create_role           = true
  role_name             = "${local.resource_prefix}-rds-monitoring-role"
  role_description      = "Used by RDS to write Enhanced Monitoring metrics"
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
  # AWS's own policy, since AWS decides what its agent writes. It covers the log groups RDS*, and the boundary narrows
  # that to the one in use.
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

  # Without s3:ReplicateDelete, deletions stay in the data bucket and the replica survives a mistake or an intruder.
  statement {
    sid       = "WriteReplicas"
    actions   = ["s3:ReplicateObject", "s3:ReplicateTags"]
    resources = ["${local.replica_bucket_arn}/*"] # The objects of one bucket.
  }
}

module "replication_policy" {
  source = "../../modules/iam-policy"

  name        = "${local.resource_prefix}-s3-replication-policy"
  description = "Read object versions in the data bucket and replicate them to the replica bucket"
  policy      = data.aws_iam_policy_document.replication.json
}

module "replication_role" {
  source = "../../modules/iam-assumable-role"

  create_role           = true
  role_name             = "${local.resource_prefix}-s3-replication-role"
  role_description      = "Used by S3 to replicate the data bucket to ${local.replica_region}"
  role_requires_mfa     = false
  trusted_role_services = ["s3.amazonaws.com"]
  # AWS's replication page shows the trust policy without conditions. If the first object in a real account ends up with
  # replication status FAILED, look here first.
  trust_policy_conditions = [
    local.from_this_account,
    { test = "ArnLike", variable = "aws:SourceArn", values = [local.data_bucket_arn] },
  ]
  role_permissions_boundary_arn = module.permissions_boundary.arn
  custom_role_policy_arns       = [module.replication_policy.arn]
}
