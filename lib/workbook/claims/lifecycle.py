"""Which objects of a bucket a lifecycle rule is for."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from workbook.claims.engine import View


def enabled_rules(view: View, bucket: str) -> list[Any]:
    """The lifecycle rules of a bucket that are at work."""
    return [rule for rule in view["bucket_lifecycle_rules"] if rule.bucket == bucket and rule.status == "Enabled"]


def cover(rules: Iterable[Any], prefix: str = "") -> bool:
    """Whether the rules together are for every object under a prefix, by default for every object of the bucket.

    A prefix or a tag leaves objects out. Sizes may complete each other: up to a limit, and beyond it.
    """
    found = [rule for rule in rules if prefix.startswith(rule.prefix) and not rule.tags]
    # Each is for the sizes between two limits, neither of which it includes.
    none, all_sizes = -1, math.inf
    limits = sorted(
        (none if r.larger_than is None else r.larger_than, all_sizes if r.smaller_than is None else r.smaller_than)
        for r in found
    )
    reached = 0.0  # the smallest size that no rule so far is for
    for larger_than, smaller_than in limits:
        if larger_than >= reached:
            return False
        reached = max(reached, smaller_than)
    return reached == all_sizes


def only_for(rule: Any) -> str:
    """The objects a rule is for, if not all of them."""
    limits = [
        *([f"prefix {rule.prefix}"] if rule.prefix else []),
        *(f"tag {tag}" for tag in rule.tags),
        *([f"over {rule.larger_than} bytes"] if rule.larger_than is not None else []),
        *([f"under {rule.smaller_than} bytes"] if rule.smaller_than is not None else []),
    ]
    return f" (only {', '.join(limits)})" if limits else ""
