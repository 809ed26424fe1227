"""Claims about the buckets: data, logs, replica."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from workbook.access.evaluation import Caller, public_statements
from workbook.access.policies import Policy, Statement
from workbook.access.proofs import Answer, Proof
from workbook.access.requests import service_caller
from workbook.claims.buckets import LOG_SERVICES, S3_LOGS, WRITES, data_buckets, log_buckets, log_prefixes, replicas
from workbook.claims.engine import Evidence, View, accepted, cannot_tell, claims_of, evidence, proved
from workbook.claims.lifecycle import cover, enabled_rules, only_for
from workbook.claims.policy_statements import denied

claim = claims_of("s3")


EVERYTHING = ("s3:*",)
ALLOW_ALL = Statement("Everyone", "", True, ("*",), False, ("*",), False, (("AWS", "*"),), False, (), True)


def whole(bucket: Any) -> tuple[str, str]:
    """ARNs of a bucket and of its objects."""
    return bucket.bucket_arn, f"{bucket.bucket_arn}/*"


def outside(view: View) -> dict[str, dict[str, Any]]:
    """The condition on requests that do not come through the VPC's endpoint for S3."""
    endpoints = [endpoint.endpoint_id for endpoint in view["endpoints"] if endpoint.service == "s3"]
    return {"StringNotEquals": {"aws:SourceVpce": endpoints}} if endpoints else {}


def let_out(view: View, bucket: Any, where: dict[str, dict[str, Any]]) -> list[Caller]:
    """The principals of this account that get through in spite of `where`, each one asked by its own ARN."""
    policies = view.policies
    callers = [
        c for c in policies.everyone(whole(bucket), "s3:GetObject") if c.arn and c.account == policies.account.id
    ]
    return [c for c in callers if not policies.prove(EVERYTHING, whole(bucket), [c], where).proven]


def arns(callers: Iterable[Caller]) -> dict[str, dict[str, Any]]:
    """The condition that a request comes from none of these."""
    named = [caller.arn for caller in callers]
    return {"ArnNotEquals": {"aws:PrincipalArn": named}} if named else {}


def replication_roles(view: View) -> set[str]:
    """ARNs of the roles that replicate."""
    return {r.role_arn for r in view["roles"] for rule in view["bucket_replication_rules"] if r.name == rule.role}


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
        proof = view.policies.prove(EVERYTHING, whole(bucket), where={"Bool": {"aws:SecureTransport": "false"}})
        yield proved(bucket.name, f"denied by {', '.join(proof.denied_by) or 'no statement'}", proof)


@claim("S3-VPC-ONLY", "critical", "The data can be read and written only from inside the VPC.")
def vpc_only(view: View) -> Iterator[Evidence]:
    where = outside(view)
    own_roles = {role.role_arn for role in view["roles"]} - replication_roles(view)
    for bucket in data_buckets(view):
        out = let_out(view, bucket, where)
        names = ", ".join(str(caller.arn).rsplit("/", 1)[-1] for caller in out)
        rest = view.policies.prove(EVERYTHING, whole(bucket), where={**where, **arns(out)})
        if not rest.proven:
            yield proved(bucket.name, "", rest)
        elif any(caller.arn in own_roles for caller in out):
            yield evidence(bucket.name, f"{names} can reach it from outside", False)
        elif out:
            reason = (
                "Named exceptions can reach the data from outside: the deployer, without which Terraform could not "
                "manage its own bucket, and the replication role."
            )
            yield accepted(bucket.name, f"denied outside the VPC, except for {names}", reason)
        else:
            yield evidence(bucket.name, "denied outside the VPC, for everyone", True)


@claim(
    "S3-OPERATORS",
    "high",
    "Every principal exempt from a Deny is named in full and belongs to this account; the only exempt role of the "
    "stack is the replication role.",
)
def operators(view: View) -> Iterator[Evidence]:
    policies = view.policies
    where = {"Null": {"aws:SourceVpce": "true"}, "Bool": {"aws:SecureTransport": "true"}}
    stack = {caller.arn for caller in policies.account.roles.values()} - replication_roles(view)
    for bucket in view["buckets"]:
        own = policies.account.target("s3:GetObject", bucket.bucket_arn).policy
        if own is None or own.statements is None:
            continue
        if not any(c.key == "aws:principalarn" for s in own.statements if not s.allow for c in s.conditions):
            continue
        # Exempt is whom the denials let through, if everyone else let everyone in.
        open_to_all = Policy(own.name, (*(s for s in own.statements if not s.allow), ALLOW_ALL))
        everyone = [c.with_every_permission() for c in policies.everyone(whole(bucket), "s3:GetObject")]
        named = [c for c in everyone if c.arn and c.kind in ("role", "user")]
        for caller in named:
            if not policies.prove(EVERYTHING, whole(bucket), [caller], where, alone=open_to_all).proven:
                fine = caller.account == policies.account.id and caller.arn not in stack
                yield evidence(bucket.name, f"exempts {str(caller.arn).rsplit(':', 1)[-1]}", fine)
        arn = {"ArnNotEquals": {"aws:PrincipalArn": [c.arn for c in named]}}
        others = [c for c in everyone if c not in named]
        proof = policies.prove(EVERYTHING, whole(bucket), others, {**where, **arn}, alone=open_to_all)
        yield proved(bucket.name, "exempts nobody else", proof)


@claim(
    "S3-REPLICA-CLOSED",
    "high",
    "The replica is not a back door to the data: only the replication role and the operators can reach it.",
)
def replica_closed(view: View) -> Iterator[Evidence]:
    own_roles = {role.role_arn for role in view["roles"]}
    for bucket in view["buckets"]:
        if bucket.name in replicas(view):
            out = [c for c in let_out(view, bucket, {}) if c.arn not in own_roles or c.arn in replication_roles(view)]
            proof = view.policies.prove(EVERYTHING, whole(bucket), where=arns(out))
            yield proved(bucket.name, f"denied by {', '.join(proof.denied_by)}", proof)


@claim("S3-NO-PUBLIC-ALLOW", "critical", "No bucket policy allows anything to everyone.")
def no_public_allow(view: View) -> Iterator[Evidence]:
    for bucket in view["buckets"]:
        policy = view.policies.account.target("s3:GetObject", bucket.bucket_arn).policy
        opened = public_statements(policy) if policy else []
        if opened is None:
            yield cannot_tell(bucket.name, "its policy was not read")
        else:
            what = f"allowed to everyone by {', '.join(opened)}" if opened else "nothing for everyone"
            yield evidence(bucket.name, what, not opened)


@claim(
    "S3-POLICY-ENFORCED",
    "high",
    "The denials take effect: S3 returns AccessDenied over HTTP and from outside the VPC.",
    limit="s3-policy-network-conditions",
)
def policy_enforced(view: View) -> Iterator[Evidence]:
    for bucket in view["buckets"]:
        found = denied(view.rows("bucket_policy_statements", bucket=bucket.name))
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
    "Besides administrators, only AWS's log services write to the log bucket: S3 under the data bucket's prefix, "
    "the load balancer under this account's path.",
)
def log_writers(view: View) -> Iterator[Evidence]:
    for bucket in view["buckets"]:
        if bucket.name not in log_buckets(view):
            continue
        policies = view.policies
        everyone = policies.everyone(whole(bucket), "s3:PutObject")
        others = [
            c
            for c in everyone
            if c.name not in LOG_SERVICES and (c.arn is not None or c.account != policies.account.id)
        ]
        known = [c for c in others if c.identity is not None or c.account != policies.account.id]
        yield proved(bucket.name, "nobody else can write", policies.prove(WRITES, whole(bucket), known))
        for service in (c for c in everyone if c.name in LOG_SERVICES):
            for proof in _beyond_its_path(view, bucket, service):
                yield proved(bucket.name, f"{LOG_SERVICES[service.name]}: only s3:PutObject under its path", proof)


def _beyond_its_path(view: View, bucket: Any, service: Caller) -> Iterator[Proof]:
    """Proofs that a log service can only put objects, only where it should, and only for the buckets that log here."""
    policies = view.policies
    if service.name == S3_LOGS:
        sources = [b for b in view["buckets"] if b.logging_bucket == bucket.name and b.logging_prefix]
        paths = [f"{bucket.bucket_arn}/{b.logging_prefix}*" for b in sources]
        others = {"ArnNotEquals": {"aws:SourceArn": [b.bucket_arn for b in sources]}}
        yield policies.prove(("s3:PutObject",), paths, [service], where=others)
    else:
        paths = [
            f"{bucket.bucket_arn}/*/AWSLogs/{policies.account.id}/*",
            f"{bucket.bucket_arn}/AWSLogs/{policies.account.id}/*",
        ]
    yield policies.prove(EVERYTHING, whole(bucket), [service], but=[(("s3:PutObject",), paths)])


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
    for bucket in view["buckets"]:
        if bucket.logging_bucket:
            to = f"arn:aws:s3:::{bucket.logging_bucket}/{bucket.logging_prefix}*"
            for_this = {"ArnEquals": {"aws:SourceArn": bucket.bucket_arn}}
            refused = view.policies.prove(("s3:PutObject",), [to], [service_caller(S3_LOGS)], where=for_this)
            yield evidence(bucket.name, f"to {bucket.logging_bucket}", refused.answer is Answer.REFUTED)


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
        policies = view.policies
        roles = policies.account.role(rule.role)
        there = f"arn:aws:s3:::{rule.destination}/*"
        proof = policies.prove(("s3:ReplicateDelete", "s3:DeleteObject*"), [there], roles)
        yield evidence(
            rule.bucket, f"delete markers {rule.delete_markers or 'not stated'}", rule.delete_markers == "Disabled"
        )
        yield proved(rule.bucket, "the role cannot replicate deletions", proof)


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
