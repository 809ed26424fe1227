"""Claims across all layers: names, tags, log retention."""

from __future__ import annotations

from collections.abc import Iterator

from workbook.claims.engine import Evidence, View, claims_of, evidence
from workbook.inventory import TABLES

claim = claims_of("general")

# Names that need no prefix: containers are named within their task, interfaces after their owner, lists by theirs.
NOT_NAMED_BY_US = ("containers", "network_interfaces", "prefix_lists")
TAGS = ("Environment", "ManagedBy", "Owner", "Project")


@claim("GEN-NAMES", "low", "Every resource name contains alloy-{environment}-{project}.")
def names(view: View) -> Iterator[Evidence]:
    for name, table in TABLES.items():
        if "name" not in table.columns or name in NOT_NAMED_BY_US:
            continue
        for row in view[name]:
            if getattr(row, "managed_by", "") != "aws":
                yield evidence(row.name, table.caption, view.scope.within(row.name.split(":")[0]))


@claim("GEN-TAGS", "low", "The VPC, roles and buckets are tagged with project, environment, owner and managing tool.")
def tags(view: View) -> Iterator[Evidence]:
    for table in ("vpcs", "roles", "buckets"):
        for row in view[table]:
            missing = [tag for tag in TAGS if not row.tags.get(tag)]
            yield evidence(
                row.name, f"without {', '.join(missing)}" if missing else f"tagged {', '.join(TAGS)}", not missing
            )


@claim("GEN-ENVIRONMENT", "low", "The Environment tag matches the environment in the resource's name.")
def environment(view: View) -> Iterator[Evidence]:
    for table in ("vpcs", "roles", "buckets"):
        for row in view[table]:
            tag = row.tags.get("Environment", "")
            yield evidence(row.name, f"Environment = {tag or 'no tag'}", tag and f"-{tag}-" in view.scope.prefix)


@claim(
    "GEN-LOG-RETENTION", "medium", "Every log group keeps its logs for at least 30 days, and none keeps them forever."
)
def log_retention(view: View) -> Iterator[Evidence]:
    for group in view["log_groups"]:
        days = group.retention_days
        yield evidence(group.name, f"{days} days" if days else "forever", days and days >= 30)
