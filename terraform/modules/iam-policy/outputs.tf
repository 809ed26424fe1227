output "id" {
  description = "ID of the policy, which is its ARN."
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
