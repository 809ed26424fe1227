output "id" {
  description = "ARN of the policy, which is also its id."
  value       = aws_iam_policy.policy[0].id
}

output "arn" {
  description = "ARN of the policy."
  value       = aws_iam_policy.policy[0].arn
}

output "name" {
  description = "Name of the policy."
  value       = aws_iam_policy.policy[0].name
}
