"""The questions of the access proofs, decided in one run: what the author expects beside what the policies say."""

from __future__ import annotations

import tomllib
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
    """A request with what its author expects: `allow` or `deny`, by which kind of policy, by which statement (empty: by no Allow).

    `attached` names a role and means: even if AdministratorAccess were attached to it.
    """

    id: str
    asks: str
    request: Request
    expect: str
    by: str
    statement: str
    attached: str = ""


def questions(inventory: Inventory) -> list[Question]:
    """The questions of `questions.toml`, with the names of this inventory."""
    names = {
        "account": account_of(inventory),
        "region": inventory.scope.region,
        "replica_region": inventory.scope.replica_region,
        "prefix": inventory.scope.prefix,
        **{short: _bucket(inventory, short) for short in ("data", "logs", "replica")},
    }
    return [_question({k: v.format(**names) if isinstance(v, str) else v for k, v in raw.items()}) for raw in _raw()]


def _raw() -> list[dict[str, Any]]:
    return list(tomllib.loads(QUESTIONS.read_text(encoding="utf-8"))["question"])


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
    """Every question with its decision, in the order of the file. One that cannot be put to this inventory is `unknown`, with the reason."""
    asked = questions(inventory)
    whole: dict[str, Inventory] = {"": inventory}
    for role in {q.attached for q in asked if q.attached}:
        whole[role] = attach(inventory, f"{inventory.scope.prefix}-{role}", "AdministratorAccess", ADMINISTRATOR)
    found = decide([(whole[q.attached], q.request) for q in asked], keep_going=True)
    return list(zip(asked, found, strict=True))


def matrix(inventory: Inventory) -> pd.DataFrame:
    """The columns of `COLUMNS`, one question a row. `agrees`: decided as expected, by the expected policy and statement."""
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
    """The matrix for people: the question, the verdict, and which policy and statement decided; `prefix` as in `display.table`."""
    brief = frame.assign(
        **{"decided by": frame["by"] + frame["statement"].map(lambda sid: f": {sid}" if sid else ": no Allow")}
    )
    brief.loc[frame["by"].isin(["", "own policies", "AWS"]), "decided by"] = frame["by"]
    return table(
        brief,
        "Who may do what",
        ["question", "expected", "decided", "decided by", "agrees"],
        marks=MARKS,
        prefix=prefix,
    )
