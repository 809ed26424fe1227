output "endpoints" {
  description = "Endpoints by name, with all their attributes, such as id, prefix_list_id and dns_entry."
  value       = aws_vpc_endpoint.this
}
