"""Every policy document in the live account, from the inventory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from workbook.inventory import Inventory

Document = dict[str, Any]

# Kind of policy -> table of its statements, and the column that names the owner.
_BY_STATEMENT = {
    "trust": ("role_trust_statements", "role"),
    "bucket": ("bucket_policy_statements", "bucket"),
    "repository": ("repository_policy_statements", "repository"),
}


def documents(inventory: Inventory) -> Iterator[tuple[str, Document]]:
    """kind/name -> document: identity, boundary and endpoint policies, then trust, bucket, repository and inline ones.

    The last four are assembled from their statements. The inventory does not keep their version, so it is not checked.
    """
    for policy in inventory.records("policies"):
        kind = "boundary" if policy["boundary_of"] else "identity"
        yield f"{kind}/{policy['name']}", policy["document"]
    for endpoint in inventory.records("endpoints"):
        if endpoint["policy"]:
            yield f"endpoint/{endpoint['name']}", endpoint["policy"]
    for kind, (table, owner) in _BY_STATEMENT.items():
        yield from _put_together(kind, inventory.records(table), owner)
    yield from _put_together(
        "inline", [row for row in inventory.records("iam_statements") if row["kind"] == "inline"], "policy"
    )


def _put_together(kind: str, rows: list[dict[str, Any]], owner: str) -> Iterator[tuple[str, Document]]:
    for name in dict.fromkeys(row[owner] for row in rows):
        yield (
            f"{kind}/{name}",
            {"Version": "2012-10-17", "Statement": [row["statement"] for row in rows if row[owner] == name]},
        )
