output "container_definition" {
  description = "The definition as ECS expects it, without unset attributes."
  value       = { for key, value in local.definition : key => value if value != null }
}

output "cloudwatch_log_group_name" {
  description = "Name of the log group created here, or null."
  value       = one(aws_cloudwatch_log_group.this[*].name)
}
