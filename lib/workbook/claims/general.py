"""Claims about everything at once: names, tags, how long logs are kept."""

from __future__ import annotations

from collections.abc import Iterator

from workbook.claims.engine import Look, Seen, claims_of, seen
from workbook.inventory import TABLES

claim = claims_of("general")

# Their names are not ours to choose: a policy of AWS, the containers inside a task.
NOT_NAMED_BY_US = ("containers",)
TAGS = ("Environment", "ManagedBy", "Owner", "Project")


@claim("GEN-NAMES", "low", "Every resource is named alloy-{environment}-{project} and something.")
def names(look: Look) -> Iterator[Seen]:
    for name, table in TABLES.items():
        if "name" not in table.columns or name in NOT_NAMED_BY_US:
            continue
        for row in look[name]:
            if getattr(row, "managed_by", "") != "aws":
                yield seen(row.name, table.caption, look.scope.within(row.name.split(":")[0]))


@claim("GEN-TAGS", "low", "VPC, roles and buckets say whose they are: tags for project, environment, owner and tool.")
def tags(look: Look) -> Iterator[Seen]:
    for table in ("vpcs", "roles", "buckets"):
        for row in look[table]:
            missing = [tag for tag in TAGS if not row.tags.get(tag)]
            yield seen(row.name, f"without {', '.join(missing)}" if missing else f"tagged {', '.join(TAGS)}", not missing)


@claim("GEN-ENVIRONMENT", "low", "The tag names the environment that the name speaks of.")
def environment(look: Look) -> Iterator[Seen]:
    for table in ("vpcs", "roles", "buckets"):
        for row in look[table]:
            tag = row.tags.get("Environment", "")
            yield seen(row.name, f"Environment = {tag or 'no tag'}", tag and f"-{tag}-" in look.scope.prefix)


@claim("GEN-LOG-RETENTION", "medium", "No log group keeps its logs for ever; each keeps them for at least 30 days.")
def log_retention(look: Look) -> Iterator[Seen]:
    for group in look["log_groups"]:
        days = group.retention_days
        yield seen(group.name, f"{days} days" if days else "for ever", days and days >= 30)
