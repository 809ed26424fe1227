output "arn" {
  description = "ARN of the load balancer."
  value       = aws_lb.this[0].arn
}

output "arn_suffix" {
  description = "Last part of the ARN, as used in CloudWatch dimensions."
  value       = aws_lb.this[0].arn_suffix
}

output "dns_name" {
  description = "DNS name of the load balancer."
  value       = aws_lb.this[0].dns_name
}

output "zone_id" {
  description = "Hosted zone of the DNS name, for alias records."
  value       = aws_lb.this[0].zone_id
}

output "listeners" {
  description = "Listeners by key."
  value       = aws_lb_listener.this
}

output "target_groups" {
  description = "Target groups by key, available once a listener forwards to them: ECS rejects a target group without a load balancer."
  value       = aws_lb_target_group.this
  depends_on  = [aws_lb_listener.this]
}
