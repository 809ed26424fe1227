output "vpc_id" {
  description = "ID of the VPC."
  value       = local.vpc_id
}

output "vpc_cidr_block" {
  description = "IPv4 range of the VPC."
  value       = aws_vpc.this[0].cidr_block
}

output "azs" {
  description = "Availability Zones, in subnet order."
  value       = var.azs
}

output "public_subnets" {
  description = "IDs of the public subnets, in zone order."
  value       = aws_subnet.public[*].id
}

output "private_subnets" {
  description = "IDs of the private subnets, in zone order."
  value       = aws_subnet.private[*].id
}

output "public_route_table_ids" {
  description = "ID of the public route table, as a list."
  value       = aws_route_table.public[*].id
}

output "private_route_table_ids" {
  description = "IDs of the private route tables, in zone order."
  value       = aws_route_table.private[*].id
}

output "natgw_ids" {
  description = "IDs of the NAT gateways."
  value       = aws_nat_gateway.this[*].id
}

output "nat_public_ips" {
  description = "Public IP addresses that internet traffic from the private subnets comes from."
  value       = aws_eip.nat[*].public_ip
}

output "default_security_group_id" {
  description = "ID of the VPC's default security group."
  value       = aws_vpc.this[0].default_security_group_id
}
