# A VPC with public and private subnets, routes, NAT gateways, network ACLs and flow logs, and with its defaults locked
# down.

# Resources are named and indexed as in the community module, so that the state survives switching to it.

locals {
  vpc_id = aws_vpc.this[0].id

  nat_gateway_count = !var.enable_nat_gateway ? 0 : var.single_nat_gateway ? 1 : length(var.azs)

  vpc_prefix_length = split("/", var.cidr)[1]
  subnets           = concat(var.public_subnets, var.private_subnets)

  # A range is inside the VPC if it is no larger and masking it with the VPC's prefix length gives the VPC's first
  # address.
  subnets_outside_vpc = [
    for cidr in local.subnets : cidr
    if tonumber(split("/", cidr)[1]) < tonumber(local.vpc_prefix_length) ||
    cidrhost("${split("/", cidr)[0]}/${local.vpc_prefix_length}", 0) != cidrhost(var.cidr, 0)
  ]

  # Two ranges overlap if the shorter of their prefix lengths masks both to the same address.
  overlapping_subnets = flatten([
    for i, one in local.subnets : [
      for other in slice(local.subnets, i + 1, length(local.subnets)) : "${one} and ${other}"
      if length(distinct([
        for cidr in [one, other] :
        cidrhost("${split("/", cidr)[0]}/${min(tonumber(split("/", one)[1]), tonumber(split("/", other)[1]))}", 0)
      ])) == 1
    ]
  ])
}

resource "aws_vpc" "this" {
  count = 1

  cidr_block           = var.cidr
  enable_dns_hostnames = var.enable_dns_hostnames
  enable_dns_support   = var.enable_dns_support

  tags = merge({ Name = var.name }, var.tags)

  lifecycle {
    precondition {
      condition     = length(local.subnets_outside_vpc) == 0
      error_message = "These subnets are outside the VPC's range ${var.cidr}: ${join(", ", local.subnets_outside_vpc)}."
    }

    precondition {
      condition     = length(local.overlapping_subnets) == 0
      error_message = "Subnets must not overlap: ${join("; ", local.overlapping_subnets)}."
    }

    precondition {
      condition = alltrue([
        for tier in [var.public_subnets, var.private_subnets] : contains([0, length(var.azs)], length(tier))
      ])
      error_message = "Each tier needs one subnet in each of the ${length(var.azs)} zones; got ${length(var.public_subnets)} public and ${length(var.private_subnets)} private subnets."
    }

    precondition {
      condition     = !var.enable_nat_gateway || length(var.public_subnets) > 0
      error_message = "A NAT gateway needs a public subnet: set public_subnets, or set enable_nat_gateway to false."
    }

    precondition {
      condition     = !var.enable_nat_gateway || var.single_nat_gateway != var.one_nat_gateway_per_az
      error_message = "With enable_nat_gateway, set exactly one of single_nat_gateway and one_nat_gateway_per_az."
    }
  }
}

resource "aws_internet_gateway" "this" {
  count = length(var.public_subnets) > 0 ? 1 : 0

  vpc_id = local.vpc_id
  tags   = merge({ Name = var.name }, var.tags)
}

# Public tier: one route table, with the internet gateway as its default route.

resource "aws_subnet" "public" {
  count = length(var.public_subnets)

  vpc_id            = local.vpc_id
  availability_zone = var.azs[count.index]
  cidr_block        = var.public_subnets[count.index]

  tags = merge({ Name = "${var.name}-public-${var.azs[count.index]}" }, var.tags)
}

resource "aws_route_table" "public" {
  count = length(var.public_subnets) > 0 ? 1 : 0

  vpc_id = local.vpc_id
  tags   = merge({ Name = "${var.name}-public" }, var.tags)
}

resource "aws_route_table_association" "public" {
  count = length(var.public_subnets)

  subnet_id      = aws_subnet.public[count.index].id
  route_table_id = aws_route_table.public[0].id
}

resource "aws_route" "public_internet_gateway" {
  count = length(var.public_subnets) > 0 ? 1 : 0

  route_table_id         = aws_route_table.public[0].id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.this[0].id
}

# Private tier: a route table per zone, so that a zone can get its own NAT gateway, or be cut off, by its routes alone.

resource "aws_subnet" "private" {
  count = length(var.private_subnets)

  vpc_id            = local.vpc_id
  availability_zone = var.azs[count.index]
  cidr_block        = var.private_subnets[count.index]

  tags = merge({ Name = "${var.name}-private-${var.azs[count.index]}" }, var.tags)
}

resource "aws_route_table" "private" {
  count = length(var.private_subnets)

  vpc_id = local.vpc_id
  tags   = merge({ Name = "${var.name}-private-${var.azs[count.index]}" }, var.tags)
}

resource "aws_route_table_association" "private" {
  count = length(var.private_subnets)

  subnet_id      = aws_subnet.private[count.index].id
  route_table_id = aws_route_table.private[count.index].id
}

resource "aws_eip" "nat" {
  count = local.nat_gateway_count

  domain = "vpc"
  tags   = merge({ Name = "${var.name}-${var.azs[count.index]}" }, var.tags)

  depends_on = [aws_internet_gateway.this]
}

resource "aws_nat_gateway" "this" {
  count = local.nat_gateway_count

  allocation_id = aws_eip.nat[count.index].id
  subnet_id     = aws_subnet.public[count.index].id
  tags          = merge({ Name = "${var.name}-${var.azs[count.index]}" }, var.tags)

  depends_on = [aws_internet_gateway.this]
}

resource "aws_route" "private_nat_gateway" {
  count = var.enable_nat_gateway ? length(var.private_subnets) : 0

  route_table_id         = aws_route_table.private[count.index].id
  destination_cidr_block = "0.0.0.0/0"
  nat_gateway_id         = aws_nat_gateway.this[var.single_nat_gateway ? 0 : count.index].id
}

# Every VPC comes with a default security group, network ACL and route table for anything that does not name another.
# They cannot be deleted, so they are taken over and emptied: whatever ends up in them reaches nothing.

resource "aws_default_security_group" "this" {
  count = var.manage_default_security_group ? 1 : 0

  vpc_id = local.vpc_id
  tags   = merge({ Name = "${var.name}-default" }, var.tags)
}

resource "aws_default_network_acl" "this" {
  count = var.manage_default_network_acl ? 1 : 0

  default_network_acl_id = aws_vpc.this[0].default_network_acl_id
  tags                   = merge({ Name = "${var.name}-default" }, var.tags)

  # A subnet belongs to the default ACL until its own network ACL takes it over, so membership is decided by those ACLs.
  lifecycle {
    ignore_changes = [subnet_ids]
  }
}

resource "aws_default_route_table" "default" {
  count = var.manage_default_route_table ? 1 : 0

  default_route_table_id = aws_vpc.this[0].default_route_table_id
  route                  = []
  tags                   = merge({ Name = "${var.name}-default" }, var.tags)
}
