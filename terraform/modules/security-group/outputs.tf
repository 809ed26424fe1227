output "security_group_id" {
  description = "ID of the security group."
  value       = local.security_group_id
}

output "security_group_arn" {
  description = "ARN of the security group."
  value       = aws_security_group.this[0].arn
}
