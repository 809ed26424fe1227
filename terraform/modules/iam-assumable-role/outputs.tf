output "iam_role_arn" {
  description = "ARN of the role; empty if not created."
  value       = join("", aws_iam_role.this[*].arn)

  # Anything that uses the role finds its policies attached; a task that starts a moment too early fails.
  depends_on = [aws_iam_role_policy_attachment.custom]
}

output "iam_role_name" {
  description = "Name of the role; empty if not created."
  value       = join("", aws_iam_role.this[*].name)
}

output "iam_instance_profile_arn" {
  description = "ARN of the instance profile; empty if there is none."
  value       = join("", aws_iam_instance_profile.this[*].arn)
}

output "iam_instance_profile_name" {
  description = "Name of the instance profile; empty if there is none."
  value       = join("", aws_iam_instance_profile.this[*].name)
}
