# Consumers of these outputs (access logs, replication, a load balancer) need the bucket's policy and versioning in
# place, not only its name.

output "s3_bucket_id" {
  description = "Name of the bucket, once its policy and versioning are in place."
  value       = aws_s3_bucket.this[0].id
  depends_on  = [aws_s3_bucket_policy.this, aws_s3_bucket_versioning.this, aws_s3_bucket_ownership_controls.this]
}

output "s3_bucket_arn" {
  description = "ARN of the bucket, once its policy and versioning are in place."
  value       = aws_s3_bucket.this[0].arn
  depends_on  = [aws_s3_bucket_policy.this, aws_s3_bucket_versioning.this, aws_s3_bucket_ownership_controls.this]
}

output "s3_bucket_region" {
  description = "Region of the bucket."
  value       = aws_s3_bucket.this[0].region
}
