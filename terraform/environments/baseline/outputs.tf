output "resource_prefix" {
  description = "What every name of this environment begins with."
  value       = local.resource_prefix
}

output "region" {
  description = "Region of the environment."
  value       = local.region
}

output "vpc_id" {
  description = "Id of the VPC."
  value       = aws_vpc.main.id
}

output "subnet_id" {
  description = "Id of the only subnet."
  value       = aws_subnet.main.id
}

output "repository_url" {
  description = "Address to push images to and pull them from."
  value       = aws_ecr_repository.app.repository_url
}

output "service_role_arn" {
  description = "ARN of the role with which everything runs."
  value       = aws_iam_role.service.arn
}
