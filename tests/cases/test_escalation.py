"""Principals and the escalation paths that are possible for them: `escalation/*.toml`.

A principal is a role or user in an account with one more role, `service`, which may do everything, is in an instance
profile and trusts the services of IAM Vulnerable.

    id          unique; also its name
    kind        role (the default) or user
    allows      actions that its policy allows on everything
    statements  statements of its policy; Allow unless they say otherwise
    policies    in the place of both: several policies, each a list of actions and statements
    boundary    its permissions boundary, as such a list
    groups      names of the groups a user is in
    trusted_by  names of further roles that let it assume them, by its ARN
    others      further roles: name, and trust: the statement of its trust policy

    finds       the paths that are possible: these and no others
    all_but     in the place of `finds`: all paths except these
    given       path -> what must exist outside the inventory
    stopped     path -> what stops it
    source      where the fact is from; by default that of the file
"""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from workbook.access.escalation import Escalation, escalations
from workbook.access.escalation_asking import Principal
from workbook.access.escalation_paths import paths
from workbook.access.evaluation import Caller
from workbook.access.policies import parse_policy
from workbook.inventory import Inventory
from workbook.inventory.statements import statements

ACCOUNT = "111122223333"
SERVICES = ("ec2", "datapipeline", "cloudformation", "lambda", "glue", "ecs-tasks", "codebuild", "eks", "sagemaker")
FILES = sorted((Path(__file__).parent / "escalation").glob("*.toml"))
WRITTEN = [one for path in FILES for one in tomllib.loads(path.read_text())["principal"]]
KEYS = {
    *("id", "kind", "allows", "statements", "policies", "boundary", "groups", "trusted_by", "others"),
    *("finds", "all_but", "given", "stopped", "source"),
}


def arn(kind: str, name: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:{kind}/{name}"


def document(entries: list[Any]) -> dict[str, Any]:
    """A policy of actions that are allowed on everything, and of statements."""
    found = [
        {"Effect": "Allow", "Action": one, "Resource": "*"} if isinstance(one, str) else {"Effect": "Allow", **one}
        for one in entries
    ]
    return {"Version": "2012-10-17", "Statement": found}


def filled(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("{account}", ACCOUNT)
    if isinstance(value, list):
        return [filled(one) for one in value]
    return {key: filled(one) for key, one in value.items()} if isinstance(value, dict) else value


class Lab:
    """The account of one case, as rows of an inventory."""

    def __init__(self) -> None:
        self.roles: list[dict[str, Any]] = []
        self.trusts: list[dict[str, Any]] = []
        self.policies: list[dict[str, Any]] = []

    def role(self, name: str, trust: dict[str, Any], own: list[list[Any]], boundary: list[Any] | None = None) -> None:
        names = [f"{name}-policy{n or ''}" for n in range(len(own))]
        limit = f"{name}-boundary" if boundary is not None else ""
        self.roles.append(
            {
                "name": name,
                "role_arn": arn("role", name),
                "attached_policies": names,
                "attached_policy_arns": [arn("policy", one) for one in names],
                "boundary": limit,
                "boundary_arn": arn("policy", limit) if limit else "",
                "instance_profiles": [name] if name == "service" else [],
            }
        )
        self.trusts += [{"role": name, **row} for row in statements({"Version": "2012-10-17", "Statement": trust})]
        for policy, entries in zip(names, own, strict=True):
            self._policy(policy, "attached", name, entries)
        if boundary is not None:
            self._policy(limit, "boundary", name, boundary)

    def _policy(self, policy: str, kind: str, role: str, entries: list[Any]) -> None:
        rows = statements(document(entries))
        common = {"policy": policy, "kind": kind, "roles": [role], "policy_arn": arn("policy", policy)}
        self.policies += [{**common, **row} for row in rows]

    def inventory(self) -> Inventory:
        tables = {"roles": self.roles, "role_trust_statements": self.trusts, "iam_statements": self.policies}
        return Inventory.from_tables(tables, taken_at=datetime(2026, 11, 28, tzinfo=UTC))


def trusting(principal: Any, effect: str = "Allow") -> dict[str, Any]:
    return {"Effect": effect, "Principal": principal, "Action": "sts:AssumeRole"}


def found_for(case: dict[str, Any]) -> list[Escalation]:
    """Every path for the principal of a case."""
    case = filled(case)
    assert set(case) <= KEYS, set(case) - KEYS
    name, kind = case["id"], case.get("kind", "role")
    own = case.get("policies") or [[*case.get("allows", ()), *case.get("statements", ())] or ["tag:GetResources"]]
    lab = Lab()
    lab.role("service", trusting({"Service": [f"{one}.amazonaws.com" for one in SERVICES]}), [["*"]])
    for other in case.get("trusted_by", ()):
        lab.role(other, trusting({"AWS": arn(kind, name)}), [["*"]])
    for other in case.get("others", ()):
        lab.role(other["name"], {**trusting(None), **other["trust"]}, [["*"]])
    if kind == "role":
        lab.role(name, trusting({"AWS": arn("user", "operator")}), own, case.get("boundary"))
        return [one for one in escalations(lab.inventory()) if one.principal == name]
    policies = tuple(parse_policy(f"{name}-policy", document(entries)) for entries in own)
    user = Caller(name, "user", arn("user", name), ACCOUNT, policies)
    groups = tuple(arn("group", group) for group in case.get("groups", ()))
    return escalations(lab.inventory(), [Principal(user, (arn("policy", f"{name}-policy"),), groups)])


@pytest.mark.parametrize("case", WRITTEN, ids=[one["id"] for one in WRITTEN])
def test_principal(case: dict[str, Any]) -> None:
    found = {one.path.id: one for one in found_for(case)}
    every = [path.id for path in paths()]
    assert list(found) == every
    assert ("finds" in case) != ("all_but" in case)
    wanted = case["finds"] if "finds" in case else [path for path in every if path not in case["all_but"]]
    assert {*case.get("finds", ()), *case.get("all_but", ())} <= set(every)
    said = "\n".join(f"{one.path.id}: {one.why}" for one in found.values() if one.possible is not False)
    assert {path: one.possible for path, one in found.items()} == {path: path in wanted for path in every}, said
    for path, given in case.get("given", {}).items():
        assert found[path].given == given
    for path, stopped in case.get("stopped", {}).items():
        assert found[path].stopped == stopped, found[path].why
    for one in found.values():
        assert bool(one.stopped) == (one.possible is False)
        assert one.why.endswith(".")


def test_37_principals_of_iam_vulnerable_and_five_traps() -> None:
    lab = [one for one in WRITTEN if one["id"].startswith(("privesc", "assume-role", "fn", "fp", "sre"))]
    traps = [one for one in lab if one["id"].startswith("fp")]
    assert (len(lab) - len(traps), len(traps)) == (37, 5)
    assert all(one["finds"] == [] for one in traps)
    assert all(one.get("finds") or one.get("all_but") for one in lab if one not in traps)
    assert len({one["id"] for one in WRITTEN}) == len(WRITTEN)
