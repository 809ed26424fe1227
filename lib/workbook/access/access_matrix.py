"""The questions of the access proofs, decided in one run: the expected answer next to what the policies say."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from workbook.access import ADMINISTRATOR, Decision, Request, attach, decide
from workbook.access.lookup import account_of
from workbook.display import Rendered, table
from workbook.inventory import Inventory

QUESTIONS = Path(__file__).parent / "questions.toml"
COLUMNS = [
    "id",
    "question",
    "principal",
    "action",
    "resource",
    "circumstances",
    "expected",
    "decided",
    "agrees",
    "by",
    "statement",
    "reason",
]
MARKS = {"agrees": {"True": "good", "False": "bad"}, "decided": {"unknown": "warn"}}


@dataclass(frozen=True)
class Question:
    """A request and the expected answer: `allow` or `deny`, by which kind of policy and statement (empty: no Allow).

    `attached` names a role and means: even with AdministratorAccess attached to it. A question whose answer depends on a
    switch of `locals.tf` is here as it is asked of what is deployed (`SWITCHES`).
    """

    id: str
    asks: str
    request: Request
    expect: str
    by: str
    statement: str
    attached: str = ""


# Switch, as `questions.toml` names it -> whether it is on in what is deployed.
SWITCHES: Mapping[str, Callable[[Inventory], bool]] = {
    "exec": lambda inventory: any(service.execute_command for service in inventory.rows("services")),
}


def questions(inventory: Inventory) -> list[Question]:
    """The questions of `questions.toml`, with the names from this inventory, and each with what it expects under the
    switches that are on.
    """
    on = {switch for switch, is_on in SWITCHES.items() if is_on(inventory)}
    regions = {inventory.scope.region, inventory.scope.replica_region}
    names = {
        "account": account_of(inventory),
        "region": inventory.scope.region,
        "replica_region": inventory.scope.replica_region,
        "other_region": next(region for region in ("eu-west-1", "eu-central-1", "us-east-1") if region not in regions),
        "prefix": inventory.scope.prefix,
        **{short: _bucket(inventory, short) for short in ("data", "logs", "replica")},
    }
    return [
        _question({k: v.format(**names) if isinstance(v, str) else v for k, v in under(raw, on).items()})
        for raw in _raw()
    ]


def _raw() -> list[dict[str, Any]]:
    return list(tomllib.loads(QUESTIONS.read_text(encoding="utf-8"))["question"])


def under(raw: dict[str, Any], on: set[str]) -> dict[str, Any]:
    """A question with what `under` says of the switches that are on, in the place of what it says otherwise."""
    changes = raw.get("under", {})
    unknown = set(changes) - set(SWITCHES)
    if unknown:
        raise ValueError(f"{raw['id']}: no such switch: {', '.join(sorted(unknown))}")
    plain = {key: value for key, value in raw.items() if key != "under"}
    return functools.reduce(lambda asked, switch: asked | changes[switch], sorted(on & set(changes)), plain)


def _question(raw: dict[str, Any]) -> Question:
    own = {key: raw.pop(key, "") for key in ("id", "asks", "expect", "by", "statement", "attached")}
    return Question(**own, request=Request(**raw))


def _bucket(inventory: Inventory, short: str) -> str:
    names = [str(row.name) for row in inventory.rows("buckets")]
    return next(
        (name for name in names if name.startswith(f"{inventory.scope.prefix}-{short}")),
        f"{inventory.scope.prefix}-{short}",
    )


def decisions(inventory: Inventory) -> list[tuple[Question, Decision]]:
    """Every question with its decision, in file order. One that cannot be answered is `unknown`, with the reason."""
    asked = questions(inventory)
    whole: dict[str, Inventory] = {"": inventory}
    for role in {q.attached for q in asked if q.attached}:
        whole[role] = attach(inventory, f"{inventory.scope.prefix}-{role}", "AdministratorAccess", ADMINISTRATOR)
    found = decide([(whole[q.attached], q.request) for q in asked], keep_going=True)
    return list(zip(asked, found, strict=True))


def matrix(inventory: Inventory) -> pd.DataFrame:
    """One row per question, with the columns `COLUMNS`. `agrees`: as expected, by the expected policy and statement."""
    rows = [
        (
            q.id,
            q.asks,
            q.request.principal,
            q.request.action,
            q.request.resource,
            ", ".join(filter(None, (d.circumstances, "with AdministratorAccess attached" if q.attached else ""))),
            q.expect,
            d.verdict,
            (d.verdict, d.by, d.statement) == (q.expect, q.by, q.statement),
            d.by,
            d.statement,
            d.reason,
        )
        for q, d in decisions(inventory)
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def rendered(frame: pd.DataFrame, prefix: str = "") -> Rendered:
    """The matrix as displayed: question, verdict, deciding policy and statement; `prefix` as in `display.table`."""
    brief = frame.assign(
        **{"decided by": frame["by"] + frame["statement"].map(lambda sid: f": {sid}" if sid else ": no Allow")}
    )
    brief.loc[frame["by"].isin(["", "own policies", "AWS"]), "decided by"] = frame["by"]
    return table(
        brief,
        "Who can do what",
        ["question", "expected", "decided", "decided by", "agrees"],
        marks=MARKS,
        prefix=prefix,
    )
