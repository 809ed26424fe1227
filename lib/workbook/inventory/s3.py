"""Reads buckets: one listing, then a call for each setting of each bucket (S3 has no call for several settings or
buckets).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from workbook.inventory.aws import Aws
from workbook.inventory.names import key_names, last, tags, text
from workbook.inventory.schema import BOOL, DICT, ID, INT, LIST, OPTIONAL_INT, STATEMENT, TEXT, Column, Record, Table
from workbook.inventory.statements import statements

# fmt: off
TABLES = (
    Table("buckets", "s3", "Buckets", {
        "name": TEXT, "region": TEXT, "encryption": Column(TEXT, "AES256 or aws:kms"), "kms_key": Column(TEXT, "alias or ARN, or empty"),
        "versioning": Column(TEXT, "Enabled, Suspended or empty"), "mfa_delete": BOOL,
        "ownership": TEXT, "block_public_acls": BOOL, "ignore_public_acls": BOOL, "block_public_policy": BOOL,
        "restrict_public_buckets": BOOL, "logging_bucket": TEXT, "logging_prefix": TEXT, "lifecycle_rules": INT,
        "replicates_to": Column(LIST, "names"), "policy_statements": INT, "tags": DICT, "bucket_arn": ID,
    }, key="name"),
    Table("bucket_lifecycle_rules", "s3", "Bucket lifecycle rules", {
        "bucket": TEXT, "rule": TEXT, "status": TEXT, "prefix": Column(TEXT, "of the objects it is for; empty: all of them"),
        "tags": Column(LIST, "that these objects have, such as class=temporary"), "larger_than": Column(OPTIONAL_INT, "bytes"), "smaller_than": Column(OPTIONAL_INT, "bytes"),
        "transitions": Column(LIST, "such as STANDARD_IA after 30 days"), "noncurrent_transitions": Column(LIST, "days after being replaced"),
        "expiration_days": OPTIONAL_INT, "expiration_date": Column(TEXT, "a day, from which on everything expires; or empty"),
        "noncurrent_expiration_days": OPTIONAL_INT, "noncurrent_kept": Column(OPTIONAL_INT, "newest old versions that never expire"), "abort_multipart_days": OPTIONAL_INT,
    }),
    Table("bucket_replication_rules", "s3", "Replication rules", {
        "bucket": TEXT, "rule": TEXT, "status": TEXT, "priority": OPTIONAL_INT, "prefix": Column(TEXT, "of the objects it is for; empty: all of them"),
        "tags": Column(LIST, "that these objects have"), "destination": Column(TEXT, "bucket name"), "storage_class": TEXT, "delete_markers": TEXT,
        "existing_objects": Column(TEXT, "Enabled, Disabled or empty"), "kms_objects": Column(TEXT, "Enabled, Disabled or empty: those encrypted with a KMS key"), "role": Column(TEXT, "name"),
    }),
    Table("bucket_policy_statements", "s3", "Bucket policies, by statement", {"bucket": TEXT, **STATEMENT}),
)
# fmt: on

_EVERY = [table.name for table in TABLES]
_ENCRYPTION, _BLOCK = "ServerSideEncryptionConfiguration", "PublicAccessBlockConfiguration"
_BLOCKS = {
    "block_public_acls": "BlockPublicAcls",
    "ignore_public_acls": "IgnorePublicAcls",
    "block_public_policy": "BlockPublicPolicy",
    "restrict_public_buckets": "RestrictPublicBuckets",
}


async def read(aws: Aws) -> dict[str, list[Record]]:
    """Rows of the tables of the layer `s3`, from both regions of the environment."""
    found = await aws.all("s3", "list_buckets", "Buckets", tables=_EVERY, Prefix=aws.scope.prefix)
    parts = await asyncio.gather(*(_bucket(aws, b) for b in aws.ours(found, "Name", tables=_EVERY)))
    return {name: [row for part in parts for row in part[name]] for name in _EVERY}


async def _region(aws: Aws, bucket: Record) -> str:
    if bucket.get("BucketRegion"):
        return str(bucket["BucketRegion"])
    # Not every endpoint includes it in the listing. None and EU are the old names of two regions.
    answer = await aws.get("s3", "get_bucket_location", tables=_EVERY, Bucket=bucket["Name"])
    location = str((answer or {}).get("LocationConstraint") or "us-east-1")
    return "eu-west-1" if location == "EU" else location


async def _bucket(aws: Aws, bucket: Record) -> dict[str, list[Record]]:
    name, region = bucket["Name"], await _region(aws, bucket)

    async def setting(operation: str, *absent: str, table: str = "buckets", needs: str = "") -> Record | None:
        tables = {"buckets", table}
        return await aws.get("s3", operation, tables=tables, region=region, absent=absent, needs=needs, Bucket=name)

    encryption, versioning, ownership, block, logging, lifecycle, replication, policy, tagging = await asyncio.gather(
        setting("get_bucket_encryption", "ServerSideEncryptionConfigurationNotFoundError", needs=_ENCRYPTION),
        setting("get_bucket_versioning"),
        setting("get_bucket_ownership_controls", "OwnershipControlsNotFoundError", needs="OwnershipControls"),
        setting("get_public_access_block", "NoSuchPublicAccessBlockConfiguration", needs=_BLOCK),
        setting("get_bucket_logging"),
        setting(
            "get_bucket_lifecycle_configuration",
            "NoSuchLifecycleConfiguration",
            table="bucket_lifecycle_rules",
            needs="Rules",
        ),
        setting(
            "get_bucket_replication",
            "ReplicationConfigurationNotFoundError",
            table="bucket_replication_rules",
            needs="ReplicationConfiguration",
        ),
        setting("get_bucket_policy", "NoSuchBucketPolicy", table="bucket_policy_statements", needs="Policy"),
        setting("get_bucket_tagging", "NoSuchTagSet", needs="TagSet"),
    )
    default = _first(encryption, _ENCRYPTION, "Rules", "ApplyServerSideEncryptionByDefault")
    key = (default or {}).get("KMSMasterKeyID", "")
    keys = await key_names(aws, [key], region, ["buckets"])
    target = _first(logging, "LoggingEnabled")
    lifecycle_rows = [_lifecycle(name, rule) for rule in (lifecycle or {}).get("Rules") or []]
    replication_rows = _replication(name, (replication or {}).get("ReplicationConfiguration") or {})
    policy_rows = statements((policy or {}).get("Policy"))
    blocked = _first(block, _BLOCK)
    row = {
        "name": name,
        "region": region,
        "encryption": _value(default, "SSEAlgorithm"),
        "kms_key": None if default is None else keys.get(key, ""),
        "versioning": _value(versioning, "Status"),
        "mfa_delete": None if versioning is None else versioning.get("MFADelete") == "Enabled",
        "ownership": _value(_first(ownership, "OwnershipControls", "Rules"), "ObjectOwnership"),
        **{column: None if blocked is None else bool(blocked.get(key)) for column, key in _BLOCKS.items()},
        "logging_bucket": _value(target, "TargetBucket"),
        "logging_prefix": _value(target, "TargetPrefix"),
        "lifecycle_rules": None if lifecycle is None else len(lifecycle_rows),
        "replicates_to": sorted({r["destination"] or "" for r in replication_rows if r["status"] == "Enabled"}),
        "policy_statements": None if policy is None else len(policy_rows),
        "tags": tags(tagging or {}, "TagSet"),
        "bucket_arn": f"arn:{_partition(region)}:s3:::{name}",
    }
    return {
        "buckets": [row],
        "bucket_lifecycle_rules": lifecycle_rows,
        "bucket_replication_rules": replication_rows,
        "bucket_policy_statements": [{"bucket": name, **s} for s in policy_rows],
    }


def _first(answer: Mapping[str, Any] | None, *path: str) -> Record | None:
    """The value at `path` (the first item of a list); {} if there is nothing, None if the call was rejected."""
    for key in path:
        if answer is None:
            return None
        found = answer.get(key) or {}
        answer = found[0] if isinstance(found, list) else found
    return None if answer is None else dict(answer)


def _value(setting: Mapping[str, Any] | None, key: str) -> str | None:
    return None if setting is None else str(setting.get(key, ""))


def _partition(region: str) -> str:
    return "aws-cn" if region.startswith("cn-") else "aws-us-gov" if region.startswith("us-gov-") else "aws"


def _chosen(rule: Record) -> tuple[str, list[str], Record]:
    """What a rule is for: the prefix, the tags, and everything else of its filter."""
    # One condition stands alone, several under And. A rule of the oldest form has a prefix and no filter.
    alone = rule.get("Filter") or {}
    several = alone.get("And") or {}
    every = {**alone, **several}
    pairs = [*(several.get("Tags") or []), *([alone["Tag"]] if alone.get("Tag") else [])]
    prefix = every.get("Prefix") or rule.get("Prefix") or ""
    return prefix, sorted(f"{pair.get('Key', '')}={pair.get('Value', '')}" for pair in pairs), every


def _when(transition: Record, days: str) -> str:
    date = transition.get("Date")
    return f"on {str(date)[:10]}" if date else f"after {transition.get(days, 0)} days"


def _lifecycle(bucket: str, rule: Record) -> Record:
    prefix, tagged, chosen = _chosen(rule)
    expiration, noncurrent = rule.get("Expiration") or {}, rule.get("NoncurrentVersionExpiration") or {}
    return {
        "bucket": bucket,
        "rule": rule.get("ID", ""),
        "status": text(rule, "Status"),
        "prefix": prefix,
        "tags": tagged,
        "larger_than": chosen.get("ObjectSizeGreaterThan"),
        "smaller_than": chosen.get("ObjectSizeLessThan"),
        "transitions": [f"{t.get('StorageClass')} {_when(t, 'Days')}" for t in rule.get("Transitions") or []],
        "noncurrent_transitions": [
            f"{t.get('StorageClass')} {_when(t, 'NoncurrentDays')}"
            for t in rule.get("NoncurrentVersionTransitions") or []
        ],
        "expiration_days": expiration.get("Days"),
        "expiration_date": str(expiration.get("Date") or "")[:10],
        "noncurrent_expiration_days": noncurrent.get("NoncurrentDays"),
        "noncurrent_kept": noncurrent.get("NewerNoncurrentVersions"),
        "abort_multipart_days": (rule.get("AbortIncompleteMultipartUpload") or {}).get("DaysAfterInitiation"),
    }


def _replication(bucket: str, configuration: Record) -> list[Record]:
    rows = []
    for rule in configuration.get("Rules") or []:
        prefix, tagged, _ = _chosen(rule)
        destination = rule.get("Destination") or {}
        encrypted = (rule.get("SourceSelectionCriteria") or {}).get("SseKmsEncryptedObjects") or {}
        rows.append(
            {
                "bucket": bucket,
                "rule": rule.get("ID", ""),
                "status": text(rule, "Status"),
                "priority": rule.get("Priority"),
                "prefix": prefix,
                "tags": tagged,
                "destination": last(destination.get("Bucket")) or None,
                "storage_class": destination.get("StorageClass", ""),
                "delete_markers": (rule.get("DeleteMarkerReplication") or {}).get("Status", ""),
                "existing_objects": (rule.get("ExistingObjectReplication") or {}).get("Status", ""),
                "kms_objects": encrypted.get("Status", ""),
                "role": last(configuration.get("Role")) or None,
            }
        )
    return rows
