"""Policy documents as the engine reads them: statements with their elements as AWS defines them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from workbook.access.conditions import Condition, parse_conditions

NEWEST = "2012-10-17"


@dataclass(frozen=True)
class Statement:
    """One statement. `actions`, `resources` and `principals` are None where the policy has no such element;
    `not_…` says that the policy has NotAction, NotResource or NotPrincipal instead.

    Attributes
    ----------
    sid : its id, or its position from 1.
    policy : name of the policy it is in.
    principals : pairs (kind, value), such as ("AWS", "*") or ("Service", "ecs-tasks.amazonaws.com").
    variables : whether the policy's version has policy variables (2012-10-17 and later).
    """

    sid: str
    policy: str
    allow: bool
    actions: tuple[str, ...]
    not_action: bool
    resources: tuple[str, ...] | None
    not_resource: bool
    principals: tuple[tuple[str, str], ...] | None
    not_principal: bool
    conditions: tuple[Condition, ...]
    variables: bool


@dataclass(frozen=True)
class Policy:
    """A policy. `statements` is None if its content could not be read."""

    name: str
    statements: tuple[Statement, ...] | None

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash((self.name, self.statements))


def parse_policy(
    name: str, document: Mapping[str, Any] | Iterable[Mapping[str, Any]] | None, version: str = ""
) -> Policy:
    """A policy from its document, or from a list of statements and their version.

    A document without a version has AWS's default, 2008-10-17, in which policy variables are plain text.
    """
    if document is None:
        return Policy(name, None)
    text = json.dumps(document if isinstance(document, Mapping) else {"Version": version, "Statement": list(document)})
    return _parsed(name, text)


@lru_cache(maxsize=2_000)
def _parsed(name: str, text: str) -> Policy:
    document = json.loads(text)
    version = document.get("Version") or "2008-10-17"
    return Policy(
        name,
        tuple(
            _statement(name, statement, position, version)
            for position, statement in enumerate(_list(document.get("Statement")), start=1)
        ),
    )


def _statement(policy: str, raw: Mapping[str, Any], position: int, version: str) -> Statement:
    variables = version >= NEWEST
    resources = raw.get("Resource", raw.get("NotResource"))
    principals = raw.get("Principal", raw.get("NotPrincipal"))
    return Statement(
        sid=str(raw.get("Sid") or position),
        policy=policy,
        allow=raw.get("Effect") == "Allow",
        actions=tuple(str(a) for a in _list(raw.get("Action", raw.get("NotAction")))),
        not_action="NotAction" in raw,
        resources=None if resources is None else tuple(str(r) for r in _list(resources)),
        not_resource="NotResource" in raw,
        principals=None if principals is None else tuple(_principals(principals)),
        not_principal="NotPrincipal" in raw,
        conditions=parse_conditions(raw.get("Condition") or {}, variables),
        variables=variables,
    )


def _principals(element: Any) -> Iterable[tuple[str, str]]:
    if not isinstance(element, Mapping):
        return [("AWS", str(value)) for value in _list(element)]
    return [(str(kind), str(value)) for kind, values in element.items() for value in _list(values)]


def _list(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]
