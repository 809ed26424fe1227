output "application_url" {
  description = "URL of the application. With a certificate, its domain must point to the load balancer."
  value       = "${local.https ? "https" : "http"}://${module.alb.dns_name}"
}

output "resource_prefix" {
  description = "Prefix of every name in this environment."
  value       = local.resource_prefix
}

output "region" {
  description = "Region of the stack."
  value       = local.region
}

output "vpc_id" {
  description = "ID of the VPC."
  value       = module.vpc.vpc_id
}

output "public_subnet_ids" {
  description = "IDs of the public subnets, in zone order."
  value       = module.vpc.public_subnets
}

output "private_subnet_ids" {
  description = "IDs of the private subnets, in zone order."
  value       = module.vpc.private_subnets
}

output "nat_public_ips" {
  description = "Public IP addresses that the tasks' internet traffic comes from."
  value       = module.vpc.nat_public_ips
}

output "data_bucket" {
  description = "Name of the data bucket."
  value       = module.data_bucket.s3_bucket_id
}

output "log_bucket" {
  description = "Name of the bucket for the access logs of the data bucket and the load balancer."
  value       = module.log_bucket.s3_bucket_id
}

output "replica_bucket" {
  description = "Name of the replica bucket, in the second region."
  value       = module.replica_bucket.s3_bucket_id
}

output "repository_url" {
  description = "URL to push images to and pull them from."
  value       = module.ecr.repository_url
}

output "cluster_name" {
  description = "Name of the ECS cluster."
  value       = module.ecs.cluster_name
}

output "service_name" {
  description = "Name of the ECS service."
  value       = local.service_name
}

output "execution_role_arn" {
  description = "ARN of the role that ECS starts tasks with."
  value       = module.execution_role.iam_role_arn
}

output "task_role_arn" {
  description = "ARN of the role that the application runs with."
  value       = module.task_role.iam_role_arn
}

output "permissions_boundary_arn" {
  description = "ARN of the policy that limits every role."
  value       = module.permissions_boundary.arn
}
