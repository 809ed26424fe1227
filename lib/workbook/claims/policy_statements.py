"""What claims about the text of policies need: which statements allow or deny, and how much a statement is about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any

from workbook.access.evaluation import resource_pattern
from workbook.access.patterns import combinations
from workbook.access.policies import parse_policy
from workbook.access.requests import actions_like, resource_formats, universe


class Reach(Enum):
    """How many of the resources its actions know a statement is about."""

    SOME = "some"
    ALL = "all"
    ONLY_POSSIBLE = "all, since AWS authorises these actions only against *"


def allowed(statements: Iterable[Any]) -> list[Any]:
    """The Allow statements among these."""
    return [statement for statement in statements if statement.effect == "Allow"]


def denied(statements: Iterable[Any]) -> list[Any]:
    """The Deny statements among these."""
    return [statement for statement in statements if statement.effect == "Deny"]


def wildcard_actions(statement: Any) -> list[str]:
    """Actions with a wildcard, and NotAction, which grants everything except what it lists."""
    return [action for action in statement.actions if "*" in action or "?" in action or action.startswith("!")]


def on_everything(statement: Mapping[str, Any], account: str) -> Reach:
    """Whether a statement is about every resource of the account that one of its actions applies to."""
    parsed = (parse_policy("", [statement], "2012-10-17").statements or ())[0]
    if parsed.not_resource or parsed.not_action:
        return Reach.ALL
    patterns = tuple(p for text in parsed.resources or () if (p := resource_pattern(parsed, text, None)))
    actions = [action for pattern in parsed.actions for action in actions_like(pattern)]
    with_resources = [action for action in actions if resource_formats(action) != ("*",)]
    if not with_resources:
        return Reach.ONLY_POSSIBLE if actions else Reach.ALL
    formats = {format for action in with_resources for format in resource_formats(action)}
    for format in formats:
        found, _ = combinations(patterns, universe(format, account))
        if all(any(vector) for vector in found):
            return Reach.ALL
    return Reach.SOME
