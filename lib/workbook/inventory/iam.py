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
        aws.get(
            "iam",
            "get_account_authorization_details",
            tables=_EVERY,
            needs="RoleDetailList",
            Filter=["Role", "LocalManagedPolicy"],
        ),
        aws.all("iam", "list_roles", "Roles", tables=["roles"]),
        aws.all("iam", "list_instance_profiles", "InstanceProfiles", tables=["instance_profiles"]),
    )
    roles = aws.ours((details or {}).get("RoleDetailList") or [], "RoleName", tables=_EVERY)
    for role in roles:
        if missing := _missing(role):
            aws.report(_EVERY, f"the role {role['RoleName']}", f"AWS did not return {missing}")
    in_use = {arn for role in roles for arn in [*_attached(role), _boundary(role)] if arn}
    customer = {
        p["Arn"]: next((v.get("Document") for v in p.get("PolicyVersionList") or [] if v.get("IsDefaultVersion")), None)
        for p in aws.identified((details or {}).get("Policies") or [], "Arn", tables=_EVERY)
        if p["Arn"] in in_use or aws.scope.owns(last(p["Arn"]))
    }
    theirs = sorted(in_use - set(customer))
    documents: dict[str, Any] = {
        **customer,
        **dict(zip(theirs, await asyncio.gather(*(_document(aws, a) for a in theirs)), strict=True)),
    }
    for arn, text in documents.items():
        if not text:
            aws.report(["policies", "iam_statements"], f"the policy {last(arn)}", "AWS did not return its document")
    policies = [_policy(arn, text, roles) for arn, text in documents.items()]
    extra = {r.get("RoleName"): r for r in listed}
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
                "roles": sorted(r.get("RoleName") or "" for r in p.get("Roles") or []),
                "instance_profile_arn": p.get("Arn"),
            }
            for p in aws.ours(profiles, "InstanceProfileName", tables=["instance_profiles"])
        ],
    }


async def _document(aws: Aws, arn: str) -> Any:
    tables = ["policies", "iam_statements"]
    policy = await aws.get("iam", "get_policy", tables=tables, needs="Policy", PolicyArn=arn)
    default = ((policy or {}).get("Policy") or {}).get("DefaultVersionId")
    if not default:
        return None
    version = await aws.get(
        "iam", "get_policy_version", tables=tables, needs="PolicyVersion", PolicyArn=arn, VersionId=default
    )
    return ((version or {}).get("PolicyVersion") or {}).get("Document")


def _missing(role: Record) -> str:
    """The first member of a role that AWS always returns, and did not."""
    parts = [
        *((role, member) for member in ("Arn", "Path", "AssumeRolePolicyDocument")),
        *((attached, "PolicyArn") for attached in role.get("AttachedManagedPolicies") or []),
        *(
            (inline, member)
            for inline in role.get("RolePolicyList") or []
            for member in ("PolicyName", "PolicyDocument")
        ),
    ]
    return next((member for part, member in parts if not part.get(member)), "")


def _attached(role: Record) -> list[str]:
    """ARNs of the managed policies of a role, in the order of their names."""
    arns = [p["PolicyArn"] for p in role.get("AttachedManagedPolicies") or [] if p.get("PolicyArn")]
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
        "inline_policies": sorted(p.get("PolicyName") or "" for p in role.get("RolePolicyList") or []),
        "instance_profiles": sorted(p.get("InstanceProfileName") or "" for p in role.get("InstanceProfileList") or []),
        "max_session_hours": listed.get("MaxSessionDuration", 3600) / 3600 if listed else None,
        "path": role.get("Path"),
        "description": listed.get("Description", "") if listed else None,
        "tags": tags(role),
        "role_arn": role.get("Arn"),
        "boundary_arn": boundary,
        "attached_policy_arns": _attached(role),
    }


def _policy(arn: str, text: Any, roles: list[Record]) -> Record:
    return {
        "name": last(arn),
        "managed_by": "aws" if arn.split(":")[4:5] == ["aws"] else "customer",
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
        {"policy": p.get("PolicyName"), "kind": "inline", "roles": [role["RoleName"]], **s}
        for p in role.get("RolePolicyList") or []
        for s in statements(p.get("PolicyDocument"))
    ]
