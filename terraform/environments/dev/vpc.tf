# Network: three zones, public subnets for what faces the internet, private ones for the tasks, VPC endpoints for AWS
# services.

locals {
  app_ports = local.https ? [80, 443] : [80]

  # Ports that the client side of a connection may use. NAT gateways and load balancers use all of them, Linux the upper
  # half.
  ephemeral_ports = { from_port = 1024, to_port = 65535 }
  https_port      = { from_port = 443, to_port = 443 }
  task_port       = { from_port = local.container_port, to_port = local.container_port }

  # Network ACLs are stateless: each flow below has a rule for the request and one for the reply. Replies go to any
  # ephemeral port, so an ACL alone cannot tell a reply from a new connection; the security groups do that. DNS, the
  # metadata services and time sync need no rule: traffic to Amazon's own resolver and link-local addresses is not
  # filtered.
  #
  # A rule's number is the one given here plus its place in the list. Terraform changes rules by their place, several at
  # once: if a number moved from one place to another, its new rule could be created before the old one is gone, which
  # AWS rejects.
  acl_rules = { for acl, rules in {
    public_inbound = concat(
      # The tasks' calls to the internet, on their way to the NAT gateway, which is in this tier.
      [for cidr in local.private_subnets : merge(local.https_port, { after = 100, rule_action = "allow", cidr_block = cidr })],
      # Replies from the internet to the NAT gateway, and from the tasks to the load balancer. They come from anywhere,
      # since NAT preserves the address of the replying host.
      [merge(local.ephemeral_ports, { after = 197, rule_action = "allow", cidr_block = "0.0.0.0/0" })],
      # Clients of the load balancer.
      [for client in setproduct(local.allowed_cidrs, local.app_ports) : {
        after = 296, rule_action = "allow", from_port = client[1], to_port = client[1], cidr_block = client[0]
      }],
    )

    public_outbound = concat(
      # The load balancer to the tasks.
      [for cidr in local.private_subnets : merge(local.task_port, { after = 100, rule_action = "allow", cidr_block = cidr })],
      # Replies from the internet that the NAT gateway returns to the tasks.
      [for cidr in local.private_subnets : merge(local.ephemeral_ports, { after = 117, rule_action = "allow", cidr_block = cidr })],
      # The NAT gateway to the internet.
      [merge(local.https_port, { after = 194, rule_action = "allow", cidr_block = "0.0.0.0/0" })],
      # The load balancer's replies to its clients.
      [for cidr in local.allowed_cidrs : merge(local.ephemeral_ports, { after = 293, rule_action = "allow", cidr_block = cidr })],
    )

    private_inbound = concat(
      # The load balancer to the tasks.
      [for cidr in local.public_subnets : merge(local.task_port, { after = 100, rule_action = "allow", cidr_block = cidr })],
      # A task to an endpoint's address in another zone.
      [for cidr in local.private_subnets : merge(local.https_port, { after = 117, rule_action = "allow", cidr_block = cidr })],
      # The container port is among the ephemeral ports that the next rule opens, so it is closed here to everything but
      # the load balancer. No reply is lost, because the port is below 32768, where Linux starts its own ephemeral range.
      [merge(local.task_port, { after = 184, rule_action = "deny", cidr_block = "0.0.0.0/0" })],
      # Replies from endpoints, from S3 through its gateway endpoint, and from the internet through the NAT gateway. The
      # last two carry the public address of the replying host, not that of the gateway, hence 0.0.0.0/0.
      [merge(local.ephemeral_ports, { after = 193, rule_action = "allow", cidr_block = "0.0.0.0/0" })],
    )

    private_outbound = concat(
      # The tasks' replies to the load balancer.
      [for cidr in local.public_subnets : merge(local.ephemeral_ports, { after = 100, rule_action = "allow", cidr_block = cidr })],
      # Replies from an endpoint to a task in another zone.
      [for cidr in local.private_subnets : merge(local.ephemeral_ports, { after = 117, rule_action = "allow", cidr_block = cidr })],
      # The tasks to endpoints, to S3, and through the NAT gateway to the public registry: HTTPS and nothing else.
      [merge(local.https_port, { after = 194, rule_action = "allow", cidr_block = "0.0.0.0/0" })],
    )
    } : acl => [for place, rule in rules : {
      rule_number = rule.after + place
      rule_action = rule.rule_action
      protocol    = "tcp"
      from_port   = rule.from_port
      to_port     = rule.to_port
      cidr_block  = rule.cidr_block
  }] }

  repeated_cidrs = distinct([for cidr in local.allowed_cidrs : cidr if length([for other in local.allowed_cidrs : other if other == cidr]) > 1])

  # What `allowed_cidrs` has room for. A network ACL takes 20 rules in each direction, and counts its closing deny.
  acl_room = 19
  allowed_cidrs_most = min(
    floor((local.acl_room - length(local.private_subnets) - 1) / length(local.app_ports)),
    local.acl_room - 2 * length(local.private_subnets) - 1,
  )
}

module "vpc" {
  source = "../../modules/vpc"

  name            = "${local.resource_prefix}-vpc"
  cidr            = local.vpc_cidr
  azs             = local.availability_zones
  public_subnets  = local.public_subnets
  private_subnets = local.private_subnets

  # Private DNS for the interface endpoints needs both.
  enable_dns_support   = true
  enable_dns_hostnames = true

  enable_nat_gateway     = true
  single_nat_gateway     = !local.one_nat_gateway_per_az
  one_nat_gateway_per_az = local.one_nat_gateway_per_az

  manage_default_security_group  = true
  default_security_group_ingress = []
  default_security_group_egress  = []
  manage_default_network_acl     = true
  default_network_acl_ingress    = []
  default_network_acl_egress     = []
  manage_default_route_table     = true

  public_dedicated_network_acl  = true
  public_inbound_acl_rules      = local.acl_rules.public_inbound
  public_outbound_acl_rules     = local.acl_rules.public_outbound
  private_dedicated_network_acl = true
  private_inbound_acl_rules     = local.acl_rules.private_inbound
  private_outbound_acl_rules    = local.acl_rules.private_outbound

  enable_flow_log                                 = true
  flow_log_traffic_type                           = "ALL"
  flow_log_max_aggregation_interval               = 60
  create_flow_log_cloudwatch_log_group            = true
  flow_log_cloudwatch_log_group_name_prefix       = "/vpc/${local.resource_prefix}/"
  flow_log_cloudwatch_log_group_name_suffix       = "flow-logs"
  flow_log_cloudwatch_log_group_retention_in_days = local.log_retention_days
  create_flow_log_cloudwatch_iam_role             = true
  vpc_flow_log_iam_role_name                      = "${local.resource_prefix}-vpc-flow-log-role"
  vpc_flow_log_iam_role_use_name_prefix           = false
  vpc_flow_log_iam_policy_name                    = "${local.resource_prefix}-vpc-flow-log-policy"
  vpc_flow_log_iam_policy_use_name_prefix         = false
  vpc_flow_log_permissions_boundary               = module.permissions_boundary.arn
  vpc_flow_log_tags                               = { Name = "${local.resource_prefix}-vpc-flow-log" }

  flow_log_cloudwatch_iam_role_conditions = [
    { test = "StringEquals", variable = "aws:SourceAccount", values = [local.account_id] },
    # The flow log needs the role first, so its ID is not known yet.
    {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values   = ["arn:${local.partition}:ec2:${local.region}:${local.account_id}:vpc-flow-log/*"]
    },
  ]
}

# Security groups: each names its source. The load balancer and the tasks refer to each other, and so do the tasks and
# the endpoints; in each pair, one side is in the module's rules and the other in a rule below. These rules use the
# module's resource type: the provider warns against mixing it with aws_vpc_security_group_*_rule on one group.

module "alb_security_group" {
  source = "../../modules/security-group"

  name            = "${local.resource_prefix}-alb-sg"
  use_name_prefix = false
  description     = "Load balancer of ${local.resource_prefix}"
  vpc_id          = module.vpc.vpc_id

  ingress_with_cidr_blocks = [for port in local.app_ports : {
    from_port   = port
    to_port     = port
    protocol    = "tcp"
    cidr_blocks = join(",", local.allowed_cidrs)
    description = "Clients of the application"
  }]
}

resource "aws_security_group_rule" "alb_to_task" {
  type                     = "egress"
  security_group_id        = module.alb_security_group.security_group_id
  description              = "Tasks, on the container port"
  protocol                 = "tcp"
  from_port                = local.container_port
  to_port                  = local.container_port
  source_security_group_id = module.task_security_group.security_group_id
}

module "task_security_group" {
  source = "../../modules/security-group"

  name            = "${local.resource_prefix}-task-sg"
  use_name_prefix = false
  description     = "Tasks of ${local.resource_prefix}"
  vpc_id          = module.vpc.vpc_id

  ingress_with_source_security_group_id = [{
    from_port                = local.container_port
    to_port                  = local.container_port
    protocol                 = "tcp"
    source_security_group_id = module.alb_security_group.security_group_id
    description              = "Load balancer"
  }]

  # The image is in public.ecr.aws. The ECR endpoints serve private registries only, and the public one has no fixed
  # addresses to list, so it is reached through the NAT gateway. Once the image is in a repository in this account, this
  # rule goes away and the two rules below are all a task needs.
  egress_with_cidr_blocks = [{
    from_port   = 443
    to_port     = 443
    protocol    = "tcp"
    cidr_blocks = "0.0.0.0/0"
    description = "Public registry, via NAT"
  }]
}

resource "aws_security_group_rule" "task_to_endpoints" {
  type                     = "egress"
  security_group_id        = module.task_security_group.security_group_id
  description              = "Interface endpoints"
  protocol                 = "tcp"
  from_port                = 443
  to_port                  = 443
  source_security_group_id = module.endpoint_security_group.security_group_id
}

resource "aws_security_group_rule" "task_to_s3" {
  type              = "egress"
  security_group_id = module.task_security_group.security_group_id
  description       = "S3, through its gateway endpoint"
  protocol          = "tcp"
  from_port         = 443
  to_port           = 443
  prefix_list_ids   = [module.vpc_endpoints.endpoints["s3"].prefix_list_id]
}

module "endpoint_security_group" {
  source = "../../modules/security-group"

  name            = "${local.resource_prefix}-endpoint-sg"
  use_name_prefix = false
  description     = "Interface endpoints of ${local.resource_prefix}"
  vpc_id          = module.vpc.vpc_id

  ingress_with_source_security_group_id = [{
    from_port                = 443
    to_port                  = 443
    protocol                 = "tcp"
    source_security_group_id = module.task_security_group.security_group_id
    description              = "Tasks"
  }]
}

# Endpoints. Their policies are a second lock: no matter which credentials are used inside the VPC, they get only what
# is named here.

locals {
  of_this_account        = { "aws:PrincipalAccount" = local.account_id }
  of_and_in_this_account = { "aws:PrincipalAccount" = local.account_id, "aws:ResourceAccount" = local.account_id }

  # Pulling an image takes three endpoints: ecr.api for the token, ecr.dkr for the manifest, s3 for the layers.
  ecr_endpoint_statements = [
    {
      sid     = "GetToken"
      actions = ["ecr:GetAuthorizationToken"]
      # The token covers the whole registry; AWS supports no narrower resource for this action.
      resources = ["*"]
      equals    = local.of_this_account
    },
    {
      sid       = "PullOwnImages"
      actions   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
      resources = [local.repository_arn]
      equals    = local.of_this_account
    },
  ]

  interface_endpoint_statements = {
    "ecr.api" = local.ecr_endpoint_statements
    "ecr.dkr" = local.ecr_endpoint_statements
    logs = [{
      sid     = "WriteContainerLogs"
      actions = ["logs:CreateLogStream", "logs:PutLogEvents"]
      # The last part matches the log streams, one per container, which ECS names.
      resources = ["${local.ecs_log_group_arn}:*"]
      equals    = local.of_this_account
    }]
    sts = [{
      sid     = "AskWhoIAm"
      actions = ["sts:GetCallerIdentity"]
      # This action does not support resources.
      resources = ["*"]
      equals    = local.of_this_account
    }]
    # Carries ECS Exec and Session Manager, so that opening a shell during an incident needs no network change.
    ssmmessages = [{
      sid     = "OpenSessionChannels"
      actions = local.session_channel_actions
      # The channels have no ARN; AWS supports these actions on * only.
      resources = ["*"]
      equals    = local.of_this_account
    }]
  }

  s3_endpoint_statements = [
    {
      sid       = "ListDataBucket"
      actions   = ["s3:ListBucket"]
      resources = [local.data_bucket_arn]
      equals    = local.of_and_in_this_account
    },
    {
      sid       = "ReadAndWriteData"
      actions   = ["s3:GetObject", "s3:PutObject"]
      resources = ["${local.data_bucket_arn}/*"]
      equals    = local.of_and_in_this_account
    },
    {
      # ECR keeps layers in its own bucket and hands out URLs that it signs itself: neither principal nor resource
      # belongs to this account, and without this statement every pull from the private registry fails.
      sid       = "GetEcrLayers"
      actions   = ["s3:GetObject"]
      resources = ["arn:${local.partition}:s3:::prod-${local.region}-starport-layer-bucket/*"]
      equals    = {}
    },
  ]
}

data "aws_iam_policy_document" "endpoint" {
  for_each = merge(local.interface_endpoint_statements, { s3 = local.s3_endpoint_statements })

  dynamic "statement" {
    for_each = each.value

    content {
      sid       = statement.value.sid
      actions   = statement.value.actions
      resources = statement.value.resources

      principals {
        type        = "AWS"
        identifiers = ["*"]
      }

      dynamic "condition" {
        for_each = statement.value.equals

        content {
          test     = "StringEquals"
          variable = condition.key
          values   = [condition.value]
        }
      }
    }
  }
}

module "vpc_endpoints" {
  source = "../../modules/vpc-endpoints"

  vpc_id             = module.vpc.vpc_id
  subnet_ids         = module.vpc.private_subnets
  security_group_ids = [module.endpoint_security_group.security_group_id]

  endpoints = merge(
    {
      s3 = {
        service         = "s3"
        service_type    = "Gateway"
        route_table_ids = module.vpc.private_route_table_ids
        policy          = data.aws_iam_policy_document.endpoint["s3"].json
        tags            = { Name = "${local.resource_prefix}-s3-endpoint" }
      }
    },
    { for service in keys(local.interface_endpoint_statements) : service => {
      service             = service
      service_type        = "Interface"
      private_dns_enabled = true
      policy              = data.aws_iam_policy_document.endpoint[service].json
      tags                = { Name = "${local.resource_prefix}-${replace(service, ".", "-")}-endpoint" }
    } },
  )
}
