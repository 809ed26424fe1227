output "arn" {
  description = "ARN of the cluster."
  value       = aws_ecs_cluster.this[0].arn
}

output "id" {
  description = "ID of the cluster, which is its ARN."
  value       = aws_ecs_cluster.this[0].id
}

output "name" {
  description = "Name of the cluster."
  value       = aws_ecs_cluster.this[0].name
}
