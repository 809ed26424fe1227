resource "aws_network_acl" "public" {
  count = var.public_dedicated_network_acl && length(var.public_subnets) > 0 ? 1 : 0

  vpc_id     = local.vpc_id
  subnet_ids = aws_subnet.public[*].id
  tags       = merge({ Name = "${var.name}-public" }, var.tags)
}

resource "aws_network_acl_rule" "public_inbound" {
  count = length(aws_network_acl.public) > 0 ? length(var.public_inbound_acl_rules) : 0

  network_acl_id = aws_network_acl.public[0].id
  egress         = false
  rule_number    = var.public_inbound_acl_rules[count.index].rule_number
  rule_action    = var.public_inbound_acl_rules[count.index].rule_action
  protocol       = var.public_inbound_acl_rules[count.index].protocol
  from_port      = var.public_inbound_acl_rules[count.index].from_port
  to_port        = var.public_inbound_acl_rules[count.index].to_port
  cidr_block     = var.public_inbound_acl_rules[count.index].cidr_block
}

resource "aws_network_acl_rule" "public_outbound" {
  count = length(aws_network_acl.public) > 0 ? length(var.public_outbound_acl_rules) : 0

  network_acl_id = aws_network_acl.public[0].id
  egress         = true
  rule_number    = var.public_outbound_acl_rules[count.index].rule_number
  rule_action    = var.public_outbound_acl_rules[count.index].rule_action
  protocol       = var.public_outbound_acl_rules[count.index].protocol
  from_port      = var.public_outbound_acl_rules[count.index].from_port
  to_port        = var.public_outbound_acl_rules[count.index].to_port
  cidr_block     = var.public_outbound_acl_rules[count.index].cidr_block
}

resource "aws_network_acl" "private" {
  count = var.private_dedicated_network_acl && length(var.private_subnets) > 0 ? 1 : 0

  vpc_id     = local.vpc_id
  subnet_ids = aws_subnet.private[*].id
  tags       = merge({ Name = "${var.name}-private" }, var.tags)
}

resource "aws_network_acl_rule" "private_inbound" {
  count = length(aws_network_acl.private) > 0 ? length(var.private_inbound_acl_rules) : 0

  network_acl_id = aws_network_acl.private[0].id
  egress         = false
  rule_number    = var.private_inbound_acl_rules[count.index].rule_number
  rule_action    = var.private_inbound_acl_rules[count.index].rule_action
  protocol       = var.private_inbound_acl_rules[count.index].protocol
  from_port      = var.private_inbound_acl_rules[count.index].from_port
  to_port        = var.private_inbound_acl_rules[count.index].to_port
  cidr_block     = var.private_inbound_acl_rules[count.index].cidr_block
}

resource "aws_network_acl_rule" "private_outbound" {
  count = length(aws_network_acl.private) > 0 ? length(var.private_outbound_acl_rules) : 0

  network_acl_id = aws_network_acl.private[0].id
  egress         = true
  rule_number    = var.private_outbound_acl_rules[count.index].rule_number
  rule_action    = var.private_outbound_acl_rules[count.index].rule_action
  protocol       = var.private_outbound_acl_rules[count.index].protocol
  from_port      = var.private_outbound_acl_rules[count.index].from_port
  to_port        = var.private_outbound_acl_rules[count.index].to_port
  cidr_block     = var.private_outbound_acl_rules[count.index].cidr_block
}
