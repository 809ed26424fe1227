"""Which bucket is for what: data, logs, replica. Determined by what the buckets do, not by their names."""

from __future__ import annotations

from typing import Any

from workbook.claims.engine import View
from workbook.claims.policy_statements import allowed

LOG_WRITERS = {
    "Service: logging.s3.amazonaws.com": "S3 access logs",
    "Service: logdelivery.elasticloadbalancing.amazonaws.com": "load balancer logs",
}


def log_buckets(view: View) -> set[str]:
    """Names of the buckets that AWS's log services can write to."""
    return {
        s.bucket
        for s in allowed(view["bucket_policy_statements"])
        if any(principal in LOG_WRITERS for principal in s.principals)
    }


def log_prefixes(view: View, bucket: str) -> list[str]:
    """Where in a log bucket AWS's log services may write."""
    return sorted(
        resource.partition(f":::{bucket}/")[2].split("*")[0]
        for s in allowed(view["bucket_policy_statements"])
        if s.bucket == bucket and any(principal in LOG_WRITERS for principal in s.principals)
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
