"""Policy documents as rows: one statement per row, with its parts as sorted lists."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import unquote

from workbook.inventory.schema import Record

OLDEST = "2008-10-17"
"""The version of a policy that names none; it has no policy variables."""


# What stands for a policy that is no JSON: its row has no effect, which makes it a gap.
UNREADABLE: Record = {"Effect": None}


def document(policy: str | Mapping[str, Any] | None) -> Record:
    """A policy document as a dict, from the JSON text (URL-encoded or not) or the dict that a call returned; {} without
    a policy.
    """
    if not policy:
        return {}
    if isinstance(policy, Mapping):
        return dict(policy)
    try:
        parsed = json.loads(unquote(policy) if policy.startswith("%") else policy)
    except ValueError:
        parsed = None
    return parsed if isinstance(parsed, dict) else {"Statement": [UNREADABLE]}


def statements(policy: str | Mapping[str, Any] | None) -> list[Record]:
    """Rows with the columns of `schema.STATEMENT`, in document order; [] without a policy. What is no statement is a row
    without an effect.
    """
    found = document(policy)
    version = found.get("Version") or OLDEST
    return [
        {**_row(statement if isinstance(statement, Mapping) else UNREADABLE, position), "version": version}
        for position, statement in enumerate(_list(found.get("Statement")), start=1)
    ]


def summary(policy: str | Mapping[str, Any] | None) -> str:
    """One line for people: who may do what on which resources, and under which conditions."""
    parts = []
    for row in statements(policy):
        who = f"{_few(row['principals'])} " if row["principals"] else ""
        condition = f" if {' and '.join(row['conditions'])}" if row["conditions"] else ""
        parts.append(
            f"{row['effect'] or 'Unreadable:'} {who}{_few(row['actions'])} on {_few(row['resources'])}{condition}"
        )
    return "; ".join(parts)


def _row(statement: Mapping[str, Any], position: int) -> Record:
    return {
        "sid": statement.get("Sid") or str(position),
        "effect": statement.get("Effect"),
        "principals": _principals(statement.get("Principal"), "") + _principals(statement.get("NotPrincipal"), "!"),
        "actions": _values(statement, "Action"),
        "resources": _values(statement, "Resource"),
        "conditions": sorted(
            f"{key} {operator} {', '.join(sorted(_text(v) for v in _list(values)))}"
            for operator, keys in _pairs(statement.get("Condition"))
            for key, values in _pairs(keys)
        ),
        "statement": dict(statement),
    }


def _principals(principal: Any, mark: str) -> list[str]:
    # "*" and {"AWS": "*"} mean the same wherever a policy may name a principal.
    if not principal:
        return []
    if not isinstance(principal, Mapping):  # "*", or what is no principal
        return sorted(f"{mark}{value}" for value in _list(principal))
    named = ((kind, value) for kind, values in principal.items() for value in _list(values))
    return sorted(f"{mark}*" if (kind, value) == ("AWS", "*") else f"{mark}{kind}: {value}" for kind, value in named)


def _values(statement: Mapping[str, Any], element: str) -> list[str]:
    plain = [str(v) for v in _list(statement.get(element))]
    negated = [f"!{v}" for v in _list(statement.get(f"Not{element}"))]
    return sorted(plain) + sorted(negated)


def _pairs(value: Any) -> list[tuple[str, Any]]:
    return list(value.items()) if isinstance(value, Mapping) else []


def _list(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _few(values: Iterable[str], shown: int = 3) -> str:
    listed = list(values)
    more = f" and {len(listed) - shown} more" if len(listed) > shown else ""
    return ", ".join(listed[:shown]) + more
