"""Claims about the buckets: data, logs, replica."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from workbook.claims.buckets import LOG_WRITERS, data_buckets, log_buckets, log_prefixes, replicas
from workbook.claims.engine import Evidence, View, accepted, cannot_tell, claims_of, evidence
from workbook.claims.lifecycle import cover, enabled_rules, only_for
from workbook.claims.policy_statements import allowed, denied, everyone

claim = claims_of("s3")


def denials(view: View, bucket: Any) -> list[Any]:
    """The Deny statements that apply to everyone, every action, the bucket and all its objects."""
    whole = {bucket.bucket_arn, f"{bucket.bucket_arn}/*"}
    statements = [s for s in denied(view["bucket_policy_statements"]) if s.bucket == bucket.name]
    return [s for s in statements if s.principals == ["*"] and s.actions == ["s3:*"] and whole <= set(s.resources)]


def exempt(statement: Any) -> list[str]:
    """ARNs that a Deny statement exempts through aws:PrincipalArn."""
    start = "aws:PrincipalArn ArnNotEquals "
    return [
        arn
        for condition in statement.conditions
        if condition.startswith(start)
        for arn in condition.removeprefix(start).split(", ")
    ]


def conditions_but_exempt(statement: Any) -> list[str]:
    """The other conditions of a Deny statement."""
    return [condition for condition in statement.conditions if not condition.startswith("aws:PrincipalArn ")]


@claim("S3-ENCRYPTION", "high", "Every bucket encrypts its objects.")
def encryption(view: View) -> Iterator[Evidence]:
    for bucket in view["buckets"]:
        yield evidence(
            bucket.name, bucket.encryption or "not stated", bucket.encryption in ("AES256", "aws:kms", "aws:kms:dsse")
        )


@claim("S3-VERSIONING", "high", "Every bucket keeps versions, so an overwritten or deleted object can be restored.")
def versioning(view: View) -> Iterator[Evidence]:
    for bucket in view["buckets"]:
        yield evidence(bucket.name, f"versioning {bucket.versioning or 'off'}", bucket.versioning == "Enabled")


@claim("S3-VERSIONS-KEPT", "medium", "Old versions of data are kept for at least 30 days, but not forever.")
def versions_kept(view: View) -> Iterator[Evidence]:
    for bucket in view["buckets"]:
        if bucket.name not in log_buckets(view):
            rules = [r for r in enabled_rules(view, bucket.name) if r.noncurrent_expiration_days]
            what = [
                f"{r.noncurrent_expiration_days} days{f', the newest {r.noncurrent_kept} forever' if r.noncurrent_kept else ''}"
                f"{only_for(r)}"
                for r in rules
            ]
            long_enough = all(r.noncurrent_expiration_days >= 30 for r in rules)
            yield evidence(
                bucket.name,
                "; ".join(what) or "forever",
                long_enough and cover(r for r in rules if not r.noncurrent_kept),
            )


@claim("S3-PUBLIC-BLOCK", "critical", "All four public access block settings are on for every bucket.")
def public_block(view: View) -> Iterator[Evidence]:
    for bucket in view["buckets"]:
        settings = ("block_public_acls", "ignore_public_acls", "block_public_policy", "restrict_public_buckets")
        off = [setting for setting in settings if not getattr(bucket, setting)]
        yield evidence(bucket.name, f"off: {', '.join(off)}" if off else "all four on", not off)


@claim(
    "S3-ACLS-OFF",
    "medium",
    "ACLs are off: only policies decide, and the account owns everything written to its buckets.",
)
def acls_off(view: View) -> Iterator[Evidence]:
    for bucket in view["buckets"]:
        yield evidence(bucket.name, bucket.ownership or "not stated", bucket.ownership == "BucketOwnerEnforced")


@claim("S3-TLS", "high", "Every bucket denies all requests that do not use HTTPS, no matter who makes them.")
def tls(view: View) -> Iterator[Evidence]:
    for bucket in view["buckets"]:
        by = [s.sid for s in denials(view, bucket) if s.conditions == ["aws:SecureTransport Bool false"]]
        yield evidence(bucket.name, f"denied by {by[0]}" if by else "HTTP is not denied", by)


@claim("S3-VPC-ONLY", "critical", "The data can be read and written only from inside the VPC.")
def vpc_only(view: View) -> Iterator[Evidence]:
    endpoints = {endpoint.endpoint_id: endpoint.name for endpoint in view["endpoints"] if endpoint.service == "s3"}
    inside = [f"aws:SourceVpce StringNotEquals {id}" for id in endpoints]
    for bucket in data_buckets(view):
        by = [s for s in denials(view, bucket) if any(conditions_but_exempt(s) == [condition] for condition in inside)]
        names = [arn.rsplit("/", 1)[-1] for s in by for arn in exempt(s)]
        what = (
            f"denied outside {', '.join(endpoints.values())}, except for {', '.join(names) or 'nobody'}"
            if by
            else "not restricted to the endpoint"
        )
        if by and names and not any("*" in arn for s in by for arn in exempt(s)):
            reason = (
                "Named exceptions can reach the data from outside: the deployer, without which Terraform could not "
                "manage its own bucket, and the replication role."
            )
            yield accepted(bucket.name, what, reason)
        else:
            yield evidence(bucket.name, what, by and not names)


@claim(
    "S3-OPERATORS",
    "high",
    "Every principal exempt from a Deny is named in full and belongs to this account; the only exempt role of the "
    "stack is the replication role.",
)
def operators(view: View) -> Iterator[Evidence]:
    replication = {
        role.role_arn for role in view["roles"] for rule in view["bucket_replication_rules"] if role.name == rule.role
    }
    accounts = {arn.split(":")[4] for arn in replication}
    own_roles = {role.role_arn for role in view["roles"]}
    for bucket in view["buckets"]:
        for s in denials(view, bucket):
            for arn in exempt(s):
                fine = "*" not in arn and arn.split(":")[4] in accounts and (arn not in own_roles or arn in replication)
                yield evidence(bucket.name, f"{s.sid} exempts {arn.rsplit(':', 1)[-1]}", fine)


@claim(
    "S3-REPLICA-CLOSED",
    "high",
    "The replica is not a back door to the data: only the replication role and the operators can reach it.",
)
def replica_closed(view: View) -> Iterator[Evidence]:
    for bucket in view["buckets"]:
        if bucket.name in replicas(view):
            by = [s for s in denials(view, bucket) if exempt(s) and not conditions_but_exempt(s)]
            yield evidence(
                bucket.name, f"denied by {by[0].sid}" if by else "open to anyone in the account with S3 permissions", by
            )


@claim("S3-NO-PUBLIC-ALLOW", "critical", "No bucket policy allows anything to everyone.")
def no_public_allow(view: View) -> Iterator[Evidence]:
    for bucket in view["buckets"]:
        opened = [s.sid for s in allowed(view["bucket_policy_statements"]) if s.bucket == bucket.name and everyone(s)]
        yield evidence(
            bucket.name, f"allowed to everyone by {', '.join(opened)}" if opened else "nothing for everyone", not opened
        )


@claim(
    "S3-POLICY-ENFORCED",
    "high",
    "The denials take effect: S3 returns AccessDenied over HTTP and from outside the VPC.",
    limit="s3-policy-network-conditions",
)
def policy_enforced(view: View) -> Iterator[Evidence]:
    for bucket in view["buckets"]:
        found = denials(view, bucket)
        yield evidence(bucket.name, f"denials: {', '.join(s.sid for s in found) or 'none'}", found)


@claim(
    "S3-ACCESS-LOGS",
    "medium",
    "Access to the data is logged to a separate bucket; S3 delivers access logs on a best-effort basis.",
)
def access_logs(view: View) -> Iterator[Evidence]:
    ours = view.by_key("buckets")
    for bucket in view["buckets"]:
        if bucket.name in log_buckets(view):
            if bucket.logging_bucket:
                yield evidence(bucket.name, f"logs to {bucket.logging_bucket}", bucket.logging_bucket != bucket.name)
            else:
                yield accepted(
                    bucket.name, "not logged itself", "A log bucket that logs to itself grows with every delivery."
                )
        elif bucket.name in replicas(view) and not bucket.logging_bucket:
            reason = (
                "Access logs must stay in their region, and the replica's region has no log bucket; only the "
                "replication role and the operators can reach the replica."
            )
            yield accepted(bucket.name, "no access log", reason)
        else:
            yield evidence(
                bucket.name,
                f"to {bucket.logging_bucket or 'nowhere'}",
                bucket.logging_bucket in ours and bucket.logging_bucket != bucket.name,
            )


@claim(
    "S3-LOG-WRITERS",
    "high",
    "Only AWS's log services can write to the log bucket: S3 for the data bucket under "
    "its prefix, the load balancer under this account's path.",
)
def log_writers(view: View) -> Iterator[Evidence]:
    sources = [bucket for bucket in view["buckets"] if bucket.logging_bucket]
    for s in allowed(view["bucket_policy_statements"]):
        who = LOG_WRITERS.get(", ".join(s.principals), ", ".join(s.principals))
        from_source = any(
            f"aws:SourceArn ArnLike {bucket.bucket_arn}" in s.conditions
            and bucket.logging_prefix
            and all(resource.endswith(f":::{s.bucket}/{bucket.logging_prefix}*") for resource in s.resources)
            for bucket in sources
        )
        from_account = all("/AWSLogs/" in resource and not resource.endswith("/AWSLogs/*") for resource in s.resources)
        fine = s.actions == ["s3:PutObject"] and (
            (who == "S3 access logs" and from_source) or (who == "load balancer logs" and from_account)
        )
        yield evidence(s.bucket, f"{s.sid}: {', '.join(s.actions)} by {who}", fine)


@claim("S3-LOGS-EXPIRE", "low", "Logs expire, but not before 30 days.")
def logs_expire(view: View) -> Iterator[Evidence]:
    for name in sorted(log_buckets(view)):
        rules = [r for r in enabled_rules(view, name) if r.expiration_days or r.expiration_date]
        what = [f"{_expires(r)}{only_for(r)}" for r in rules]
        # From its date on, a rule with a date expires what is new, too.
        early = [r for r in rules if r.expiration_date or r.expiration_days < 30]
        yield evidence(
            name,
            "; ".join(what) or "never",
            not early and all(cover(rules, prefix) for prefix in log_prefixes(view, name)),
        )


def _expires(rule: Any) -> str:
    return f"after {rule.expiration_days} days" if rule.expiration_days else f"on {rule.expiration_date}"


@claim("S3-LOGS-ARRIVE", "medium", "Access log objects arrive and show who requested what.", limit="s3-access-logs")
def logs_arrive(view: View) -> Iterator[Evidence]:
    writable = {
        s.bucket
        for s in allowed(view["bucket_policy_statements"])
        if "Service: logging.s3.amazonaws.com" in s.principals
    }
    for bucket in view["buckets"]:
        if bucket.logging_bucket:
            yield evidence(bucket.name, f"to {bucket.logging_bucket}", bucket.logging_bucket in writable)


@claim("S3-LIFECYCLE", "low", "Every bucket has lifecycle rules that move or expire old objects.")
def lifecycle(view: View) -> Iterator[Evidence]:
    for bucket in view["buckets"]:
        rules = [r for r in enabled_rules(view, bucket.name) if r.transitions or r.expiration_days or r.expiration_date]
        deeds = [
            f"{r.rule}: {', '.join([*r.transitions, *([f'expires {_expires(r)}'] if r.expiration_days or r.expiration_date else [])])}"
            f"{only_for(r)}"
            for r in rules
        ]
        yield evidence(bucket.name, "; ".join(deeds) or "no rule", cover(rules))


@claim("S3-MULTIPART", "low", "Incomplete uploads are cleaned up within a week.")
def multipart(view: View) -> Iterator[Evidence]:
    for bucket in view["buckets"]:
        rules = [r for r in enabled_rules(view, bucket.name) if r.abort_multipart_days]
        what = [f"after {r.abort_multipart_days} days{only_for(r)}" for r in rules]
        yield evidence(bucket.name, "; ".join(what) or "never", cover(r for r in rules if r.abort_multipart_days <= 7))


@claim("S3-LIFECYCLE-RUNS", "low", "Objects actually change storage class and expire.", limit="s3-lifecycle")
def lifecycle_runs(view: View) -> Iterator[Evidence]:
    for rule in view["bucket_lifecycle_rules"]:
        yield evidence(rule.bucket, f"{rule.rule}: {rule.status}", rule.status == "Enabled")


@claim("S3-REPLICATION", "high", "The data is replicated to a second region.")
def replication(view: View) -> Iterator[Evidence]:
    buckets = view.by_key("buckets")
    for bucket in data_buckets(view):
        rules = [r for r in view["bucket_replication_rules"] if r.bucket == bucket.name and r.status == "Enabled"]
        away = [r for r in rules if r.destination in buckets and buckets[r.destination].region != bucket.region]
        elsewhere = [r.destination for r in rules if r.destination not in buckets]
        what = [f"{r.destination} in {buckets[r.destination].region}{_left_out(r, bucket)}" for r in away]
        whole = any(not _left_out(r, bucket) for r in away)
        if elsewhere and not whole:
            yield cannot_tell(bucket.name, f"{', '.join(elsewhere)} belongs to someone else: its region was not read")
        else:
            yield evidence(bucket.name, ", ".join(what) or "not replicated", whole)


def _left_out(rule: Any, bucket: Any) -> str:
    """What a replication rule leaves out. Unless it says so, that includes what is encrypted with a KMS key."""
    limits = [
        *([f"only prefix {rule.prefix}"] if rule.prefix else []),
        *(f"only tag {tag}" for tag in rule.tags),
        *(["nothing under a KMS key"] if "kms" in bucket.encryption and rule.kms_objects != "Enabled" else []),
    ]
    return f" ({', '.join(limits)})" if limits else ""


@claim("S3-REPLICA-OUTLIVES", "high", "Deletions are not replicated, so the replica survives a mistake or an intruder.")
def replica_outlives(view: View) -> Iterator[Evidence]:
    for rule in view["bucket_replication_rules"]:
        deletes = [
            s.sid
            for s in allowed(view["iam_statements"])
            if rule.role in s.roles and s.kind != "boundary" and "s3:ReplicateDelete" in s.actions
        ]
        what = f"delete markers {rule.delete_markers or 'not stated'}; the role {'can replicate deletions' if deletes else 'cannot replicate deletions'}"
        yield evidence(rule.bucket, what, rule.delete_markers == "Disabled" and not deletes)


@claim("S3-REPLICATED", "high", "Objects arrive in the replica bucket.", limit="s3-replication")
def replicated(view: View) -> Iterator[Evidence]:
    buckets = view.by_key("buckets")
    for rule in view["bucket_replication_rules"]:
        ends = [buckets.get(name) for name in (rule.bucket, rule.destination)]
        yield evidence(
            rule.bucket,
            f"{rule.rule}: {rule.status}",
            rule.status == "Enabled" and all(end and end.versioning == "Enabled" for end in ends),
        )
