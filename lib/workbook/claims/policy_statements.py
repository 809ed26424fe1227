"""What claims need to know about policy statements (rows with the columns of `inventory.STATEMENT`)."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Any

# AWS authorises these only against * (Service Authorization Reference).
ONLY_ON_STAR = frozenset({
    "ecr:GetAuthorizationToken",
    "ssmmessages:CreateControlChannel",
    "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel",
    "ssmmessages:OpenDataChannel",
    "sts:GetCallerIdentity",
})  # fmt: skip


def allowed(statements: Iterable[Any]) -> list[Any]:
    """The Allow statements among these."""
    return [statement for statement in statements if statement.effect == "Allow"]


def denied(statements: Iterable[Any]) -> list[Any]:
    """The Deny statements among these."""
    return [statement for statement in statements if statement.effect == "Deny"]


def wildcard_actions(statement: Any) -> list[str]:
    """Actions with a wildcard, and NotAction, which grants everything except what it lists."""
    return [action for action in statement.actions if "*" in action or "?" in action or action.startswith("!")]


def covers_action(pattern: str, action: str) -> bool:
    """Whether an action as written in a policy, wildcards included, covers this one. IAM ignores case."""
    return fnmatchcase(action.lower(), pattern.lower())


def everyone(statement: Any) -> bool:
    """Whether the statement applies to everyone rather than to named principals."""
    return any(principal == "*" or principal.startswith("!") for principal in statement.principals)
