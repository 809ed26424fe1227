output "id" {
  description = "ARN of the service."
  value       = aws_ecs_service.this[0].id
}

output "name" {
  description = "Name of the service."
  value       = aws_ecs_service.this[0].name
}

output "task_definition_arn" {
  description = "ARN of the task definition, including its revision."
  value       = aws_ecs_task_definition.this[0].arn
}

output "task_definition_family" {
  description = "Family of the task definition."
  value       = aws_ecs_task_definition.this[0].family
}

output "container_definitions" {
  description = "Containers by name, each with its definition and log group."
  value       = module.container_definition
}
