"""Reads buckets: one listing, then a call for each setting of each bucket (S3 has no call for several settings or
buckets).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from workbook.inventory.aws import Aws
from workbook.inventory.names import key_names, last, tags
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
        "bucket": TEXT, "rule": TEXT, "status": TEXT, "prefix": TEXT, "transitions": Column(LIST, "such as STANDARD_IA after 30 days"),
        "expiration_days": OPTIONAL_INT, "noncurrent_expiration_days": OPTIONAL_INT, "abort_multipart_days": OPTIONAL_INT,
    }),
    Table("bucket_replication_rules", "s3", "Replication rules", {
        "bucket": TEXT, "rule": TEXT, "status": TEXT, "destination": Column(TEXT, "bucket name"), "storage_class": TEXT, "delete_markers": TEXT,
        "role": Column(TEXT, "name"),
    }),
    Table("bucket_policy_statements", "s3", "Bucket policies, by statement", {"bucket": TEXT, **STATEMENT}),
)
# fmt: on

_EVERY = [table.name for table in TABLES]
_BLOCKS = {
    "block_public_acls": "BlockPublicAcls",
    "ignore_public_acls": "IgnorePublicAcls",
    "block_public_policy": "BlockPublicPolicy",
    "restrict_public_buckets": "RestrictPublicBuckets",
}


async def read(aws: Aws) -> dict[str, list[Record]]:
    """Rows of the tables of the layer `s3`, from both regions of the environment."""
    found = await aws.all("s3", "list_buckets", "Buckets", tables=_EVERY, Prefix=aws.scope.prefix)
    parts = await asyncio.gather(*(_bucket(aws, b) for b in found if aws.scope.owns(b["Name"])))
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

    async def setting(operation: str, *absent: str, table: str = "buckets") -> Record | None:
        return await aws.get("s3", operation, tables={"buckets", table}, region=region, absent=absent, Bucket=name)

    encryption, versioning, ownership, block, logging, lifecycle, replication, policy, tagging = await asyncio.gather(
        setting("get_bucket_encryption", "ServerSideEncryptionConfigurationNotFoundError"),
        setting("get_bucket_versioning"),
        setting("get_bucket_ownership_controls", "OwnershipControlsNotFoundError"),
        setting("get_public_access_block", "NoSuchPublicAccessBlockConfiguration"),
        setting("get_bucket_logging"),
        setting("get_bucket_lifecycle_configuration", "NoSuchLifecycleConfiguration", table="bucket_lifecycle_rules"),
        setting("get_bucket_replication", "ReplicationConfigurationNotFoundError", table="bucket_replication_rules"),
        setting("get_bucket_policy", "NoSuchBucketPolicy", table="bucket_policy_statements"),
        setting("get_bucket_tagging", "NoSuchTagSet"),
    )
    default = _first(
        _first(encryption, "ServerSideEncryptionConfiguration", "Rules"), "ApplyServerSideEncryptionByDefault"
    )
    key = (default or {}).get("KMSMasterKeyID", "")
    keys = await key_names(aws, [key], region, ["buckets"])
    target = _first(logging, "LoggingEnabled")
    lifecycle_rows = [_lifecycle(name, rule) for rule in (lifecycle or {}).get("Rules", [])]
    replication_rows = _replication(name, (replication or {}).get("ReplicationConfiguration") or {})
    policy_rows = statements((policy or {}).get("Policy"))
    blocked = _first(block, "PublicAccessBlockConfiguration")
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
        "replicates_to": sorted({r["destination"] for r in replication_rows if r["status"] == "Enabled"}),
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


def _lifecycle(bucket: str, rule: Record) -> Record:
    chosen = rule.get("Filter") or {}
    transitions = [f"{t['StorageClass']} after {t['Days']} days" for t in rule.get("Transitions", []) if "Days" in t]
    older = [
        f"{t['StorageClass']} {t['NoncurrentDays']} days after being replaced"
        for t in rule.get("NoncurrentVersionTransitions", [])
    ]
    return {
        "bucket": bucket,
        "rule": rule.get("ID", ""),
        "status": rule["Status"],
        "prefix": chosen.get("Prefix") or (chosen.get("And") or {}).get("Prefix") or rule.get("Prefix") or "",
        "transitions": transitions + older,
        "expiration_days": (rule.get("Expiration") or {}).get("Days"),
        "noncurrent_expiration_days": (rule.get("NoncurrentVersionExpiration") or {}).get("NoncurrentDays"),
        "abort_multipart_days": (rule.get("AbortIncompleteMultipartUpload") or {}).get("DaysAfterInitiation"),
    }


def _replication(bucket: str, configuration: Record) -> list[Record]:
    return [
        {
            "bucket": bucket,
            "rule": rule.get("ID", ""),
            "status": rule["Status"],
            "destination": last(rule["Destination"]["Bucket"]),
            "storage_class": rule["Destination"].get("StorageClass", ""),
            "delete_markers": (rule.get("DeleteMarkerReplication") or {}).get("Status", ""),
            "role": last(configuration.get("Role")),
        }
        for rule in configuration.get("Rules", [])
    ]
