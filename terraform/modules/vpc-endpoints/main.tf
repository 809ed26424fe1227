# Gateway and interface endpoints of a VPC, each with its own policy.

# Looked up rather than built from parts: the names differ between partitions.
data "aws_vpc_endpoint_service" "this" {
  for_each = var.endpoints

  service = each.value.service

  filter {
    name   = "service-type"
    values = [each.value.service_type]
  }
}

resource "aws_vpc_endpoint" "this" {
  for_each = var.endpoints

  vpc_id            = var.vpc_id
  service_name      = data.aws_vpc_endpoint_service.this[each.key].service_name
  vpc_endpoint_type = each.value.service_type
  policy            = each.value.policy

  route_table_ids     = each.value.service_type == "Gateway" ? each.value.route_table_ids : null
  subnet_ids          = each.value.service_type == "Interface" ? var.subnet_ids : null
  security_group_ids  = each.value.service_type == "Interface" ? var.security_group_ids : null
  private_dns_enabled = each.value.service_type == "Interface" ? each.value.private_dns_enabled : null

  tags = merge({ Name = replace(each.key, ".", "-") }, var.tags, each.value.tags)

  lifecycle {
    # Without its own security group, an interface endpoint gets the VPC's default group, which lets nothing in.
    precondition {
      condition     = each.value.service_type == "Gateway" || (length(var.subnet_ids) > 0 && length(var.security_group_ids) > 0)
      error_message = "The interface endpoint \"${each.key}\" needs subnet_ids and security_group_ids."
    }
  }
}
