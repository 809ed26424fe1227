mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }

  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
}

variables {
  bucket = "alloy-test-data"
}

run "safe_by_default" {
  command = plan

  assert {
    condition = alltrue([
      aws_s3_bucket_public_access_block.this[0].block_public_acls,
      aws_s3_bucket_public_access_block.this[0].block_public_policy,
      aws_s3_bucket_public_access_block.this[0].ignore_public_acls,
      aws_s3_bucket_public_access_block.this[0].restrict_public_buckets,
    ])
    error_message = "All four public access blocks are on."
  }

  assert {
    condition     = aws_s3_bucket_versioning.this[0].versioning_configuration[0].status == "Enabled"
    error_message = "Versioning is on."
  }

  assert {
    condition     = one(one(aws_s3_bucket_server_side_encryption_configuration.this[0].rule).apply_server_side_encryption_by_default).sse_algorithm == "AES256"
    error_message = "Objects are encrypted with AES-256."
  }

  assert {
    condition     = one(aws_s3_bucket_ownership_controls.this[0].rule).object_ownership == "BucketOwnerEnforced" && !aws_s3_bucket.this[0].force_destroy
    error_message = "ACLs are disabled, and destroy does not delete objects."
  }

  assert {
    condition     = length(aws_s3_bucket_policy.this) + length(aws_s3_bucket_logging.this) + length(aws_s3_bucket_replication_configuration.this) == 0
    error_message = "By default, no optional feature is configured."
  }
}

run "deny_without_tls" {
  command = plan

  variables {
    attach_deny_insecure_transport_policy = true
  }

  assert {
    condition     = data.aws_iam_policy_document.deny_insecure_transport[0].statement[0].effect == "Deny" && toset(data.aws_iam_policy_document.deny_insecure_transport[0].statement[0].resources) == toset(["arn:aws:s3:::alloy-test-data", "arn:aws:s3:::alloy-test-data/*"])
    error_message = "The denial covers the bucket and its objects."
  }

  assert {
    condition     = length(data.aws_iam_policy_document.combined[0].source_policy_documents) == 1
    error_message = "The bucket policy contains only the denial."
  }
}

run "name_with_a_dot" {
  command = plan

  variables {
    bucket = "alloy.test"
  }

  expect_failures = [var.bucket]
}

run "transition_before_30_days" {
  command = plan

  variables {
    lifecycle_rule = [{ id = "early", transition = [{ days = 7, storage_class = "STANDARD_IA" }] }]
  }

  expect_failures = [var.lifecycle_rule]
}

run "duplicate_rule_id" {
  command = plan

  variables {
    lifecycle_rule = [{ id = "tidy", abort_incomplete_multipart_upload_days = 7 }, { id = "tidy", expiration = { days = 90 } }]
  }

  expect_failures = [var.lifecycle_rule]
}

run "two_kinds_of_expiration" {
  command = plan

  variables {
    lifecycle_rule = [{ id = "both", expiration = { days = 90, expired_object_delete_marker = true } }]
  }

  expect_failures = [var.lifecycle_rule]
}
