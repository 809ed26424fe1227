"""Reads roles and policies: three listings for all of them, and two calls for each AWS managed policy in use.

`get_account_authorization_details` gives roles with trust, boundary, attached and inline policies, and the customer's
policies with their documents. It lacks a role's description and maximum session duration, which `list_roles` has. It
would list all of AWS's own policies, so the few in use are read one by one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from workbook.inventory.aws import Aws
from workbook.inventory.names import last, tags
from workbook.inventory.schema import DICT, FLOAT, ID, IDS, INT, LIST, STATEMENT, TEXT, Column, Record, Table
from workbook.inventory.statements import document, statements

# fmt: off
TABLES = (
    Table("roles", "iam", "Roles", {
        "name": TEXT, "trusted": Column(LIST, "principals"), "trust_conditions": LIST, "boundary": Column(TEXT, "policy name, or empty"),
        "attached_policies": Column(LIST, "names"), "inline_policies": Column(LIST, "names"), "instance_profiles": Column(LIST, "names"),
        "max_session_hours": FLOAT, "path": TEXT, "description": TEXT, "tags": DICT, "role_arn": ID, "boundary_arn": ID,
        "attached_policy_arns": Column(IDS, "in the order of attached_policies"),
    }, key="name"),
    Table("role_trust_statements", "iam", "Trust policies, by statement", {"role": TEXT, **STATEMENT}),
    Table("policies", "iam", "Managed policies", {
        "name": TEXT, "managed_by": Column(TEXT, "customer or aws"), "attached_to": Column(LIST, "names of roles"), "boundary_of": Column(LIST, "names of roles"),
        "statements": INT, "document": DICT, "policy_arn": ID,
    }, key="policy_arn"),
    Table("iam_statements", "iam", "What the policies say, one statement a row", {
        "policy": TEXT, "kind": Column(TEXT, "attached, inline, boundary, or unattached"), "roles": Column(LIST, "names of the roles it applies to"), **STATEMENT,
        "policy_arn": Column(ID, "empty for an inline policy"),
    }),
    Table("instance_profiles", "iam", "Instance profiles", {"name": TEXT, "roles": LIST, "instance_profile_arn": ID}, key="name"),
)
# fmt: on

_EVERY = [table.name for table in TABLES]


async def read(aws: Aws) -> dict[str, list[Record]]:
    """Rows of the tables of the layer `iam`."""
    details, listed, profiles = await asyncio.gather(
        aws.get("iam", "get_account_authorization_details", tables=_EVERY, Filter=["Role", "LocalManagedPolicy"]),
        aws.all("iam", "list_roles", "Roles", tables=["roles"]),
        aws.all("iam", "list_instance_profiles", "InstanceProfiles", tables=["instance_profiles"]),
    )
    roles = [r for r in (details or {}).get("RoleDetailList", []) if aws.scope.owns(r["RoleName"])]
    in_use = {arn for role in roles for arn in [*_attached(role), _boundary(role)] if arn}
    customer = {
        p["Arn"]: next((v["Document"] for v in p.get("PolicyVersionList", []) if v["IsDefaultVersion"]), None)
        for p in (details or {}).get("Policies", [])
        if p["Arn"] in in_use or aws.scope.owns(last(p["Arn"]))
    }
    theirs = sorted(in_use - set(customer))
    documents: dict[str, Any] = {
        **customer,
        **dict(zip(theirs, await asyncio.gather(*(_document(aws, a) for a in theirs)), strict=True)),
    }
    policies = [_policy(arn, text, roles) for arn, text in documents.items()]
    extra = {r["RoleName"]: r for r in listed}
    return {
        "roles": [_role(r, extra.get(r["RoleName"])) for r in roles],
        "role_trust_statements": [
            {"role": r["RoleName"], **s} for r in roles for s in statements(r.get("AssumeRolePolicyDocument"))
        ],
        "policies": policies,
        "iam_statements": [row for p in policies for row in _managed_statements(p)]
        + [row for r in roles for row in _inline_statements(r)],
        "instance_profiles": [
            {
                "name": p["InstanceProfileName"],
                "roles": sorted(r["RoleName"] for r in p["Roles"]),
                "instance_profile_arn": p["Arn"],
            }
            for p in profiles
            if aws.scope.owns(p["InstanceProfileName"])
        ],
    }


async def _document(aws: Aws, arn: str) -> Any:
    tables = ["policies", "iam_statements"]
    policy = await aws.get("iam", "get_policy", tables=tables, PolicyArn=arn)
    if policy is None:
        return None
    version = await aws.get(
        "iam", "get_policy_version", tables=tables, PolicyArn=arn, VersionId=policy["Policy"]["DefaultVersionId"]
    )
    return (version or {}).get("PolicyVersion", {}).get("Document")


def _attached(role: Record) -> list[str]:
    """ARNs of the managed policies of a role, in the order of their names."""
    arns = [p["PolicyArn"] for p in role.get("AttachedManagedPolicies") or []]
    return sorted(arns, key=lambda arn: (last(arn), arn))


def _boundary(role: Record) -> str:
    return str((role.get("PermissionsBoundary") or {}).get("PermissionsBoundaryArn", ""))


def _role(role: Record, listed: Mapping[str, Any] | None) -> Record:
    trust = statements(role.get("AssumeRolePolicyDocument"))
    boundary = _boundary(role)
    return {
        "name": role["RoleName"],
        "trusted": sorted({p for s in trust for p in s["principals"]}),
        "trust_conditions": sorted({c for s in trust for c in s["conditions"]}),
        "boundary": last(boundary),
        "attached_policies": [last(arn) for arn in _attached(role)],
        "inline_policies": sorted(p["PolicyName"] for p in role.get("RolePolicyList") or []),
        "instance_profiles": sorted(p["InstanceProfileName"] for p in role.get("InstanceProfileList") or []),
        "max_session_hours": listed.get("MaxSessionDuration", 3600) / 3600 if listed else None,
        "path": role["Path"],
        "description": listed.get("Description", "") if listed else None,
        "tags": tags(role),
        "role_arn": role["Arn"],
        "boundary_arn": boundary,
        "attached_policy_arns": _attached(role),
    }


def _policy(arn: str, text: Any, roles: list[Record]) -> Record:
    return {
        "name": last(arn),
        "managed_by": "aws" if arn.split(":")[4] == "aws" else "customer",
        "attached_to": sorted(r["RoleName"] for r in roles if arn in _attached(r)),
        "boundary_of": sorted(r["RoleName"] for r in roles if _boundary(r) == arn),
        "statements": None if text is None else len(statements(text)),
        "document": document(text),
        "policy_arn": arn,
    }


def _managed_statements(policy: Record) -> list[Record]:
    kinds = [("attached", policy["attached_to"]), ("boundary", policy["boundary_of"])]
    used = [(kind, roles) for kind, roles in kinds if roles] or [("unattached", [])]
    return [
        {"policy": policy["name"], "kind": kind, "roles": roles, **s, "policy_arn": policy["policy_arn"]}
        for kind, roles in used
        for s in statements(policy["document"])
    ]


def _inline_statements(role: Record) -> list[Record]:
    return [
        {"policy": p["PolicyName"], "kind": "inline", "roles": [role["RoleName"]], **s}
        for p in role.get("RolePolicyList") or []
        for s in statements(p["PolicyDocument"])
    ]
