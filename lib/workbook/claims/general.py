"""Claims about everything at once: names, tags, how long logs are kept."""

from __future__ import annotations

from collections.abc import Iterator

from workbook.claims.engine import Evidence, View, claims_of, evidence
from workbook.inventory import TABLES

claim = claims_of("general")

# Their names are not ours to choose: a policy of AWS, the containers inside a task.
NOT_NAMED_BY_US = ("containers",)
TAGS = ("Environment", "ManagedBy", "Owner", "Project")


@claim("GEN-NAMES", "low", "Every resource is named alloy-{environment}-{project} and something.")
def names(view: View) -> Iterator[Evidence]:
    for name, table in TABLES.items():
        if "name" not in table.columns or name in NOT_NAMED_BY_US:
            continue
        for row in view[name]:
            if getattr(row, "managed_by", "") != "aws":
                yield evidence(row.name, table.caption, view.scope.within(row.name.split(":")[0]))


@claim("GEN-TAGS", "low", "VPC, roles and buckets say whose they are: tags for project, environment, owner and tool.")
def tags(view: View) -> Iterator[Evidence]:
    for table in ("vpcs", "roles", "buckets"):
        for row in view[table]:
            missing = [tag for tag in TAGS if not row.tags.get(tag)]
            yield evidence(
                row.name, f"without {', '.join(missing)}" if missing else f"tagged {', '.join(TAGS)}", not missing
            )


@claim("GEN-ENVIRONMENT", "low", "The tag names the environment that the name speaks of.")
def environment(view: View) -> Iterator[Evidence]:
    for table in ("vpcs", "roles", "buckets"):
        for row in view[table]:
            tag = row.tags.get("Environment", "")
            yield evidence(row.name, f"Environment = {tag or 'no tag'}", tag and f"-{tag}-" in view.scope.prefix)


@claim("GEN-LOG-RETENTION", "medium", "No log group keeps its logs for ever; each keeps them for at least 30 days.")
def log_retention(view: View) -> Iterator[Evidence]:
    for group in view["log_groups"]:
        days = group.retention_days
        yield evidence(group.name, f"{days} days" if days else "for ever", days and days >= 30)
