"""Reads the registry: the list of repositories, then three calls for each (no call gives these for several at once)."""

from __future__ import annotations

import asyncio
import json

from workbook.inventory.aws import Aws
from workbook.inventory.names import key_names
from workbook.inventory.schema import BOOL, ID, INT, LIST, STATEMENT, TEXT, Column, Record, Table
from workbook.inventory.statements import statements

# fmt: off
TABLES = (
    Table("repositories", "ecr", "Repositories", {
        "name": TEXT, "tag_mutability": TEXT, "scan_on_push": BOOL, "encryption": Column(TEXT, "AES256 or KMS"), "kms_key": Column(TEXT, "alias or ARN, or empty"),
        "lifecycle_rules": INT, "policy_statements": INT, "images": INT, "uri": TEXT, "repository_arn": ID,
    }, key="name"),
    Table("repository_lifecycle_rules", "ecr", "Repository lifecycle rules", {
        "repository": TEXT, "priority": INT, "description": TEXT, "tag_status": TEXT, "tag_patterns": LIST,
        "count_type": TEXT, "count_number": Column(INT, "images or days"), "action": TEXT,
    }),
    Table("repository_policy_statements", "ecr", "Repository policies, by statement", {"repository": TEXT, **STATEMENT}),
)
# fmt: on


async def read(aws: Aws) -> dict[str, list[Record]]:
    """Rows of the tables of the layer `ecr`."""
    every = [table.name for table in TABLES]
    found = await aws.all("ecr", "describe_repositories", "repositories", tables=every)
    found = [r for r in found if aws.scope.owns(r["repositoryName"]) or aws.scope.within(r["repositoryName"])]
    encryption = {r["repositoryName"]: r.get("encryptionConfiguration") or {} for r in found}
    keys, parts = await asyncio.gather(
        key_names(aws, (e.get("kmsKey") for e in encryption.values()), aws.scope.region, ["repositories"]),
        asyncio.gather(*(_repository(aws, r) for r in found)),
    )
    tables: dict[str, list[Record]] = {name: [row for part in parts for row in part[name]] for name in every}
    for row in tables["repositories"]:
        row["kms_key"] = keys.get(encryption[row["name"]].get("kmsKey", ""), "")
    return tables


async def _repository(aws: Aws, repository: Record) -> dict[str, list[Record]]:
    name = repository["repositoryName"]
    lifecycle, policy, images = await asyncio.gather(
        aws.get(
            "ecr",
            "get_lifecycle_policy",
            tables=["repositories", "repository_lifecycle_rules"],
            absent=["LifecyclePolicyNotFoundException"],
            repositoryName=name,
        ),
        aws.get(
            "ecr",
            "get_repository_policy",
            tables=["repositories", "repository_policy_statements"],
            absent=["RepositoryPolicyNotFoundException"],
            repositoryName=name,
        ),
        aws.get("ecr", "list_images", tables=["repositories"], repositoryName=name),
    )
    rules = json.loads((lifecycle or {}).get("lifecyclePolicyText") or "{}").get("rules", [])
    policy_rows = statements((policy or {}).get("policyText"))
    return {
        "repositories": [
            {
                "name": name,
                "tag_mutability": repository.get("imageTagMutability", ""),
                "scan_on_push": (repository.get("imageScanningConfiguration") or {}).get("scanOnPush", False),
                "encryption": (repository.get("encryptionConfiguration") or {}).get("encryptionType", ""),
                "lifecycle_rules": None if lifecycle is None else len(rules),
                "policy_statements": None if policy is None else len(policy_rows),
                "images": None if images is None else len({i.get("imageDigest") for i in images.get("imageIds", [])}),
                "uri": repository["repositoryUri"],
                "repository_arn": repository["repositoryArn"],
            }
        ],
        "repository_lifecycle_rules": [_lifecycle_rule(name, rule) for rule in rules],
        "repository_policy_statements": [{"repository": name, **row} for row in policy_rows],
    }


def _lifecycle_rule(repository: str, rule: Record) -> Record:
    selection = rule["selection"]
    return {
        "repository": repository,
        "priority": rule["rulePriority"],
        "description": rule.get("description", ""),
        "tag_status": selection["tagStatus"],
        "tag_patterns": sorted(
            [*selection.get("tagPatternList", []), *(f"{p}*" for p in selection.get("tagPrefixList", []))]
        ),
        "count_type": selection["countType"],
        "count_number": selection["countNumber"],
        "action": rule["action"]["type"],
    }
