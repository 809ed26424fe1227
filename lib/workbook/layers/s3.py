"""The layer `s3`: what its page asks, how it improves on the first version, what it costs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

from workbook.layers.record import Layer, Step

if TYPE_CHECKING:
    from workbook.inventory import Inventory


def _bucket(column: str) -> Callable[[Inventory], str]:
    return lambda inventory: "; ".join(
        f"{value or 'no'}: {count} of {len(inventory.rows('buckets'))} buckets"
        for value, count in sorted(Counter(getattr(bucket, column) for bucket in inventory.rows("buckets")).items())
    )


def _public_block(inventory: Inventory) -> str:
    buckets = inventory.rows("buckets")
    blocked = [
        b
        for b in buckets
        if b.block_public_acls and b.ignore_public_acls and b.block_public_policy and b.restrict_public_buckets
    ]
    return f"all four settings on {len(blocked)} of {len(buckets)} buckets" if buckets else ""


def _bucket_logs(inventory: Inventory) -> str:
    return "; ".join(f"{b.name} to {b.logging_bucket}" for b in inventory.rows("buckets") if b.logging_bucket)


def _bucket_policies(inventory: Inventory) -> str:
    denials = [s.sid for s in inventory.rows("bucket_policy_statements", effect="Deny")]
    if not inventory.rows("bucket_policy_statements"):
        return ""
    return f"{len(denials)} Deny statements: {', '.join(sorted(set(denials)))}"


def _replication(inventory: Inventory) -> str:
    return "; ".join(f"{r.bucket} to {r.destination}" for r in inventory.rows("bucket_replication_rules"))


def _bucket_lifecycle(inventory: Inventory) -> str:
    return ", ".join(sorted({rule.rule for rule in inventory.rows("bucket_lifecycle_rules")}))


LAYER = Layer(
    key="s3",
    order=4,
    title="The data",
    question="How do you manage a bucket that denies everything?",
    core_table="buckets",
    steps=(
        Step("At rest", "S3's default, not in code", "encryption stated in code", _bucket("encryption")),
        Step("Overwriting", "the old object is gone", "versioning", _bucket("versioning")),
        Step("Public access", "blocked by S3's default, not in code", "blocked in code", _public_block),
        Step("ACLs", "off by S3's default, not in code", "off in code: bucket owner enforced", _bucket("ownership")),
        Step("Policy", "none", "TLS only, VPC endpoint only", _bucket_policies),
        Step("Access record", "none", "server access logs in a bucket of their own", _bucket_logs),
        Step("Loss of the region", "loss of the data", "replication to a second region", _replication),
        Step("Age", "kept forever at full price", "lifecycle rules", _bucket_lifecycle),
    ),
    usage=lambda inventory: (
        "0.023 a month for each GB in Standard, 0.0125 for its replica in Standard-IA, and 0.02 for each GB that crosses regions."
    ),
)
