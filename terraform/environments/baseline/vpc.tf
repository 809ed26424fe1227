# Network, first version: one zone, one subnet, one way out.
#
# What is missing is what was improved later: VPC endpoints, so calls to S3 and ECR cross the internet; flow logs, so
# nobody can tell afterwards who talked to whom; and a NAT gateway, which only a private subnet needs.

resource "aws_vpc" "main" {
  cidr_block = local.vpc_cidr

  tags = { Name = "${local.resource_prefix}-vpc" }
}

resource "aws_internet_gateway" "main" {
  vpc_id = aws_vpc.main.id

  tags = { Name = "${local.resource_prefix}-igw" }
}

# One subnet in one zone (three zones came later): lose the zone and everything is down. And one tier (public and
# private subnets came later): everything that runs here has a public address.
resource "aws_subnet" "main" {
  vpc_id                  = aws_vpc.main.id
  cidr_block              = local.subnet_cidr
  availability_zone       = local.availability_zone
  map_public_ip_on_launch = true

  tags = { Name = "${local.resource_prefix}-subnet" }
}

# In the VPC's main route table (one for each tier came later): any subnet added to the VPC is open to the internet by
# default.
resource "aws_route" "internet" {
  route_table_id         = aws_vpc.main.main_route_table_id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.main.id
}

# The default network ACL, which allows everything, stays as AWS created it, and so does the default security group. An
# ACL for each tier and locked-down defaults came later.

# Open to anyone inbound and to anywhere outbound; groups that name their source came later.
resource "aws_security_group" "app" {
  name        = "${local.resource_prefix}-app-sg"
  description = "Application of ${local.resource_prefix}"
  vpc_id      = aws_vpc.main.id

  ingress {
    description = "Application, from anywhere: there is no load balancer in front of it"
    protocol    = "tcp"
    from_port   = local.container_port
    to_port     = local.container_port
    cidr_blocks = ["0.0.0.0/0"]
  }

  egress {
    description = "Anything, to anywhere"
    protocol    = "-1"
    from_port   = 0
    to_port     = 0
    cidr_blocks = ["0.0.0.0/0"]
  }

  tags = { Name = "${local.resource_prefix}-app-sg" }
}
