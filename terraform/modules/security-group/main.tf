# A security group with its rules.

locals {
  security_group_id = aws_security_group.this[0].id
}

# Indexed as in the community module, so that the state survives switching to it. A group starts with no rules: the
# provider removes AWS's default rule that lets a new group send everything everywhere.
resource "aws_security_group" "this" {
  count = 1

  name        = var.use_name_prefix ? null : var.name
  name_prefix = var.use_name_prefix ? "${var.name}-" : null
  description = var.description
  vpc_id      = var.vpc_id

  tags = merge({ Name = var.name }, var.tags)
}

resource "aws_security_group_rule" "ingress_with_cidr_blocks" {
  count = length(var.ingress_with_cidr_blocks)

  type              = "ingress"
  security_group_id = local.security_group_id
  description       = var.ingress_with_cidr_blocks[count.index].description
  protocol          = var.ingress_with_cidr_blocks[count.index].protocol
  from_port         = var.ingress_with_cidr_blocks[count.index].from_port
  to_port           = var.ingress_with_cidr_blocks[count.index].to_port
  cidr_blocks       = split(",", var.ingress_with_cidr_blocks[count.index].cidr_blocks)
}

resource "aws_security_group_rule" "ingress_with_source_security_group_id" {
  count = length(var.ingress_with_source_security_group_id)

  type                     = "ingress"
  security_group_id        = local.security_group_id
  description              = var.ingress_with_source_security_group_id[count.index].description
  protocol                 = var.ingress_with_source_security_group_id[count.index].protocol
  from_port                = var.ingress_with_source_security_group_id[count.index].from_port
  to_port                  = var.ingress_with_source_security_group_id[count.index].to_port
  source_security_group_id = var.ingress_with_source_security_group_id[count.index].source_security_group_id
}

resource "aws_security_group_rule" "egress_with_cidr_blocks" {
  count = length(var.egress_with_cidr_blocks)

  type              = "egress"
  security_group_id = local.security_group_id
  description       = var.egress_with_cidr_blocks[count.index].description
  protocol          = var.egress_with_cidr_blocks[count.index].protocol
  from_port         = var.egress_with_cidr_blocks[count.index].from_port
  to_port           = var.egress_with_cidr_blocks[count.index].to_port
  cidr_blocks       = split(",", var.egress_with_cidr_blocks[count.index].cidr_blocks)
}

resource "aws_security_group_rule" "egress_with_source_security_group_id" {
  count = length(var.egress_with_source_security_group_id)

  type                     = "egress"
  security_group_id        = local.security_group_id
  description              = var.egress_with_source_security_group_id[count.index].description
  protocol                 = var.egress_with_source_security_group_id[count.index].protocol
  from_port                = var.egress_with_source_security_group_id[count.index].from_port
  to_port                  = var.egress_with_source_security_group_id[count.index].to_port
  source_security_group_id = var.egress_with_source_security_group_id[count.index].source_security_group_id
}
