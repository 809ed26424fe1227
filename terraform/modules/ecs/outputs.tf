output "cluster_arn" {
  description = "ARN of the cluster."
  value       = module.cluster.arn
}

output "cluster_id" {
  description = "ID of the cluster, which is its ARN."
  value       = module.cluster.id
}

output "cluster_name" {
  description = "Name of the cluster."
  value       = module.cluster.name
}

output "services" {
  description = "Services by key: `id`, `name`, `task_definition_arn`, `task_definition_family`, `container_definitions`."
  value       = module.service
}
