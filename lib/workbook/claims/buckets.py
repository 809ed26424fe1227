"""Which bucket is for what: data, logs, replica. Determined by what the buckets do, not by their names."""

from __future__ import annotations

from typing import Any

from workbook.claims.engine import View

S3_LOGS = "logging.s3.amazonaws.com"
LOAD_BALANCER_LOGS = "logdelivery.elasticloadbalancing.amazonaws.com"
LOG_SERVICES = {S3_LOGS: "S3 access logs", LOAD_BALANCER_LOGS: "load balancer logs"}

# What changes or removes an object, or who may reach it.
WRITES = (
    "s3:PutObject*", "s3:DeleteObject*", "s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags", "s3:RestoreObject",
    "s3:AbortMultipartUpload", "s3:BypassGovernanceRetention", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy",
    "s3:PutBucketAcl", "s3:DeleteBucket",
)  # fmt: skip


def log_buckets(view: View) -> set[str]:
    """Names of the buckets that logs go to, or whose policy names one of AWS's log services."""
    named = {
        s.bucket
        for s in view.rows("bucket_policy_statements", effect="Allow")
        if any(principal.removeprefix("Service: ") in LOG_SERVICES for principal in s.principals)
    }
    return named | {bucket.logging_bucket for bucket in view["buckets"] if bucket.logging_bucket}


def log_prefixes(view: View, bucket: str) -> list[str]:
    """Where in a log bucket AWS's log services may write."""
    return sorted(
        resource.partition(f":::{bucket}/")[2].split("*")[0]
        for s in view.rows("bucket_policy_statements", effect="Allow")
        if s.bucket == bucket and any(p.removeprefix("Service: ") in LOG_SERVICES for p in s.principals)
        for resource in s.resources
    )


def replicas(view: View) -> set[str]:
    """Names of the buckets that others are replicated to, or that are in the replica region."""
    destinations = {rule.destination for rule in view["bucket_replication_rules"]}
    return {
        bucket.name
        for bucket in view["buckets"]
        if bucket.name in destinations or bucket.region == view.scope.replica_region
    }


def data_buckets(view: View) -> list[Any]:
    """The buckets with the application's data: those that are neither log buckets nor replicas."""
    others = log_buckets(view) | replicas(view)
    return [bucket for bucket in view["buckets"] if bucket.name not in others]
