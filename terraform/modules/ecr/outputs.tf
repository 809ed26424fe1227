output "repository_name" {
  description = "Name of the repository."
  value       = aws_ecr_repository.this[0].name
}

output "repository_arn" {
  description = "ARN of the repository."
  value       = aws_ecr_repository.this[0].arn
}

output "repository_url" {
  description = "URL to push to and pull from, without a tag."
  value       = aws_ecr_repository.this[0].repository_url
}
