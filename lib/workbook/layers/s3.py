"""The layer `s3`: what its page asks, how it improves on the first version, what it costs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

from workbook.layers.record import Layer, Step, rows

if TYPE_CHECKING:
    from workbook.inventory import Inventory


def _bucket(column: str) -> Callable[[Inventory], str]:
    return lambda inventory: "; ".join(
        f"{value or 'no'}: {count} of {len(inventory['buckets'])} buckets"
        for value, count in sorted(Counter(inventory["buckets"][column]).items())
    )


def _public_block(inventory: Inventory) -> str:
    buckets = inventory["buckets"]
    flags = buckets[["block_public_acls", "ignore_public_acls", "block_public_policy", "restrict_public_buckets"]]
    return (
        f"all four settings on {int(flags.astype(bool).all(axis=1).sum())} of {len(buckets)} buckets"
        if len(buckets)
        else ""
    )


def _bucket_logs(inventory: Inventory) -> str:
    buckets = inventory["buckets"]
    return "; ".join(f"{b.name} to {b.logging_bucket}" for b in rows(buckets[buckets["logging_bucket"] != ""]))


def _bucket_policies(inventory: Inventory) -> str:
    statements = inventory["bucket_policy_statements"]
    return (
        f"{(statements['effect'] == 'Deny').sum()} Deny statements: {', '.join(sorted(set(statements.loc[statements['effect'] == 'Deny', 'sid'])))}"
        if len(statements)
        else ""
    )


def _replication(inventory: Inventory) -> str:
    return "; ".join(f"{r.bucket} to {r.destination}" for r in rows(inventory["bucket_replication_rules"]))


def _bucket_lifecycle(inventory: Inventory) -> str:
    return ", ".join(sorted(set(inventory["bucket_lifecycle_rules"]["rule"])))


LAYER = Layer(
    key="s3",
    order=4,
    title="The data",
    question="How do you manage a bucket that denies everything?",
    core_table="buckets",
    steps=(
        Step("At rest", "S3's default, silently", "encryption stated in code", _bucket("encryption")),
        Step("Overwriting", "the old object is gone", "versioning", _bucket("versioning")),
        Step("Public access", "one wrong ACL away", "blocked", _public_block),
        Step("ACLs", "on", "off: bucket owner enforced", _bucket("ownership")),
        Step("Policy", "none", "TLS only, VPC endpoint only", _bucket_policies),
        Step("Access record", "none", "server access logs in a bucket of their own", _bucket_logs),
        Step("Loss of the region", "loss of the data", "replication to a second region", _replication),
        Step("Age", "kept for ever at full price", "lifecycle rules", _bucket_lifecycle),
    ),
    usage=lambda inventory: (
        "0.023 a month for each GB in Standard, the replica the same again, and 0.02 for each GB that crosses regions."
    ),
)
