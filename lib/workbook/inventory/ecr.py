"""Reads the registry: its repositories, how it scans them, and three calls for each (none gives several at once)."""

from __future__ import annotations

import asyncio
import json
import re

from workbook.inventory.aws import Aws
from workbook.inventory.names import key_names, text
from workbook.inventory.schema import BOOL, ID, INT, LIST, STATEMENT, TEXT, Column, Record, Table
from workbook.inventory.statements import statements

# fmt: off
TABLES = (
    Table("repositories", "ecr", "Repositories", {
        "name": TEXT, "tag_mutability": TEXT, "scan_on_push": BOOL, "scan_type": Column(TEXT, "of the registry: BASIC or ENHANCED"),
        "scan_rules": Column(LIST, "of the registry that match it, such as CONTINUOUS_SCAN *"), "encryption": Column(TEXT, "AES256 or KMS"), "kms_key": Column(TEXT, "alias or ARN, or empty"),
        "lifecycle_rules": INT, "policy_statements": INT, "images": INT, "uri": TEXT, "repository_arn": ID,
    }, key="name"),
    Table("repository_lifecycle_rules", "ecr", "Repository lifecycle rules", {
        "repository": TEXT, "priority": INT, "description": TEXT, "tag_status": TEXT, "tag_patterns": Column(LIST, "an image matches all of them"),
        "count_type": TEXT, "count_number": Column(INT, "images or days"), "action": TEXT,
    }),
    Table("repository_policy_statements", "ecr", "Repository policies, by statement", {"repository": TEXT, **STATEMENT}),
)
# fmt: on


async def read(aws: Aws) -> dict[str, list[Record]]:
    """Rows of the tables of the layer `ecr`."""
    every = [table.name for table in TABLES]
    found = await aws.all("ecr", "describe_repositories", "repositories", tables=every)
    found = aws.ours(found, "repositoryName", tables=every, path=True)
    if not found:
        return {}
    encryption = {r["repositoryName"]: r.get("encryptionConfiguration") or {} for r in found}
    keys, registry, parts = await asyncio.gather(
        key_names(aws, (e.get("kmsKey") for e in encryption.values()), aws.scope.region, ["repositories"]),
        aws.get("ecr", "get_registry_scanning_configuration", tables=["repositories"], needs="scanningConfiguration"),
        asyncio.gather(*(_repository(aws, r) for r in found)),
    )
    tables: dict[str, list[Record]] = {name: [row for part in parts for row in part[name]] for name in every}
    scanning = (registry or {}).get("scanningConfiguration") or {}
    for row in tables["repositories"]:
        row["kms_key"] = keys.get(encryption[row["name"]].get("kmsKey", ""), "")
        row["scan_type"] = text(scanning, "scanType")
        row["scan_rules"] = _scan_rules(scanning, row["name"])
    return tables


def _scan_rules(scanning: Record, repository: str) -> list[str]:
    """The registry's scanning rules that match a repository, as frequency and filter."""
    return sorted(
        f"{rule.get('scanFrequency', '')} {chosen.get('filter', '')}"
        for rule in scanning.get("rules") or []
        for chosen in rule.get("repositoryFilters") or []
        if _matches(str(chosen.get("filter", "")), repository)
    )


def _matches(wanted: str, repository: str) -> bool:
    """Whether a filter matches a repository: one without a wildcard matches every name that contains it."""
    if "*" not in wanted:
        return bool(wanted) and wanted in repository
    return re.fullmatch(".*".join(map(re.escape, wanted.split("*"))), repository) is not None


async def _repository(aws: Aws, repository: Record) -> dict[str, list[Record]]:
    name = repository["repositoryName"]
    lifecycle, policy, images = await asyncio.gather(
        aws.get(
            "ecr",
            "get_lifecycle_policy",
            tables=["repositories", "repository_lifecycle_rules"],
            absent=["LifecyclePolicyNotFoundException"],
            needs="lifecyclePolicyText",
            repositoryName=name,
        ),
        aws.get(
            "ecr",
            "get_repository_policy",
            tables=["repositories", "repository_policy_statements"],
            absent=["RepositoryPolicyNotFoundException"],
            needs="policyText",
            repositoryName=name,
        ),
        aws.get("ecr", "list_images", tables=["repositories"], needs="imageIds", repositoryName=name),
    )
    rules = _rules((lifecycle or {}).get("lifecyclePolicyText"))
    if rules is None:
        aws.report(["repositories", "repository_lifecycle_rules"], f"the lifecycle policy of {name}", "it is no policy")
    policy_rows = statements((policy or {}).get("policyText"))
    return {
        "repositories": [
            {
                "name": name,
                "tag_mutability": text(repository, "imageTagMutability"),
                "scan_on_push": bool((repository.get("imageScanningConfiguration") or {}).get("scanOnPush")),
                "encryption": (repository.get("encryptionConfiguration") or {}).get("encryptionType", ""),
                "lifecycle_rules": None if lifecycle is None or rules is None else len(rules),
                "policy_statements": None if policy is None else len(policy_rows),
                "images": None if images is None else len({i.get("imageDigest") for i in images["imageIds"]}),
                "uri": text(repository, "repositoryUri"),
                "repository_arn": text(repository, "repositoryArn"),
            }
        ],
        "repository_lifecycle_rules": [_lifecycle_rule(name, rule) for rule in rules or []],
        "repository_policy_statements": [{"repository": name, **row} for row in policy_rows],
    }


def _rules(policy: str | None) -> list[Record] | None:
    """The rules of a lifecycle policy; [] without one, None if the text is none."""
    try:
        found = json.loads(policy or "{}").get("rules", [])
        return [dict(rule) for rule in found]
    except (AttributeError, TypeError, ValueError):
        return None


def _lifecycle_rule(repository: str, rule: Record) -> Record:
    selection, action = rule.get("selection") or {}, rule.get("action") or {}
    patterns = [*(selection.get("tagPatternList") or []), *(f"{p}*" for p in selection.get("tagPrefixList") or [])]
    return {
        "repository": repository,
        "priority": rule.get("rulePriority"),
        "description": rule.get("description", ""),
        "tag_status": text(selection, "tagStatus"),
        "tag_patterns": sorted(patterns),
        "count_type": text(selection, "countType"),
        "count_number": selection.get("countNumber"),
        "action": text(action, "type"),
    }
