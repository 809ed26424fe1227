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
    for policy in inventory.rows("policies"):
        yield f"{'boundary' if policy.boundary_of else 'identity'}/{policy.name}", policy.document
    for endpoint in inventory.rows("endpoints"):
        if endpoint.policy:
            yield f"endpoint/{endpoint.name}", endpoint.policy
    for kind, (table, owner) in _BY_STATEMENT.items():
        yield from _put_together(kind, [(getattr(row, owner), row.statement) for row in inventory.rows(table)])
    # Each role has inline policies of its own, so a name says nothing without the role's.
    inline = inventory.rows("iam_statements", kind="inline")
    yield from _put_together(
        "inline", [(f"{role}/{row.policy}", row.statement) for row in inline for role in row.roles]
    )


def _put_together(kind: str, statements: list[tuple[str, Any]]) -> Iterator[tuple[str, Document]]:
    for name in dict.fromkeys(name for name, _ in statements):
        found = [statement for owner, statement in statements if owner == name]
        yield f"{kind}/{name}", {"Version": "2012-10-17", "Statement": found}
