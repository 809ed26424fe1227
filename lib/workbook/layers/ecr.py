"""The layer `ecr`: what its page asks, how it improves on the first version, what it costs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from workbook.layers.record import Layer, Step, last

if TYPE_CHECKING:
    from workbook.inventory import Inventory


def _lifecycle(inventory: Inventory) -> str:
    return "; ".join(rule.description for rule in inventory.rows("repository_lifecycle_rules"))


def _repository(column: str, words: Callable[[object], str] = str) -> Callable[[Inventory], str]:
    return lambda inventory: "; ".join(
        dict.fromkeys(words(getattr(row, column)) for row in inventory.rows("repositories"))
    )


def _repository_policy(inventory: Inventory) -> str:
    return "; ".join(
        f"{s.effect} {len(s.actions)} actions to {', '.join(last(p) for p in s.principals)}"
        for s in inventory.rows("repository_policy_statements")
    )


LAYER = Layer(
    key="ecr",
    order=2,
    title="The registry",
    question="Is the image that runs the one that was scanned?",
    core_table="repositories",
    steps=(
        Step("Cleaning up", "no lifecycle policy", "lifecycle policy", _lifecycle),
        Step("Tags", "mutable: v1 can change later", "immutable", _repository("tag_mutability")),
        Step(
            "Vulnerabilities",
            "no scanning",
            "scan on push",
            _repository("scan_on_push", lambda on: "scan on push" if on else "no scan"),
        ),
        Step("At rest", "AWS's default", "encryption stated in code", _repository("encryption")),
        Step("Access", "anyone in the account with IAM permissions", "repository policy", _repository_policy),
    ),
    usage=lambda inventory: "0.10 a month for each GB of images; basic scanning is free.",
)
