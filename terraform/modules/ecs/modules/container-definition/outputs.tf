output "container_definition" {
  description = "The definition as ECS takes it, without what is not set."
  value       = { for key, value in local.definition : key => value if value != null }
}

output "cloudwatch_log_group_name" {
  description = "Name of the log group made here, or null."
  value       = one(aws_cloudwatch_log_group.this[*].name)
}
