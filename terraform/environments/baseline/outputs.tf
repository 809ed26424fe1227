output "resource_prefix" {
  description = "Prefix of every name in this environment."
  value       = local.resource_prefix
}

output "region" {
  description = "Region of the environment."
  value       = local.region
}

output "vpc_id" {
  description = "ID of the VPC."
  value       = aws_vpc.main.id
}

output "subnet_id" {
  description = "ID of the only subnet."
  value       = aws_subnet.main.id
}

output "repository_url" {
  description = "URL to push images to and pull them from."
  value       = aws_ecr_repository.app.repository_url
}

output "service_role_arn" {
  description = "ARN of the role that everything runs with."
  value       = aws_iam_role.service.arn
}
