"""The kinds of cases: what a case asks, and how it is answered.

A kind is one function and one line in `KINDS`. The function gets the case; it returns the verdict in the words of the
kind, and what was said about it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from cases.changes import BadCase, changed, filled
from workbook import access, network
from workbook.claims import CLAIMS
from workbook.claims.engine import View, judge_one
from workbook.inventory import Inventory
from workbook.network.flows import network_flows
from workbook.terraform.diagnostics import TerraformError, read_diagnostics
from workbook.terraform.plan import Plan


@dataclass(frozen=True)
class Case:
    """One case, checked.

    Attributes
    ----------
    kind : key of `KINDS`.
    asked : what the case has under that key.
    right : the right verdicts; usually one.
    names : texts that the answer must contain.
    without : texts that it must not contain.
    change, unread : as in `changes.changed`.
    """

    id: str
    kind: str
    asked: Any
    right: tuple[str, ...]
    names: tuple[str, ...]
    change: tuple[Mapping[str, Any], ...] = ()
    unread: tuple[str, ...] = ()
    without: tuple[str, ...] = ()

    @cached_property
    def inventory(self) -> Inventory:
        """The saved inventory with the changes of the case."""
        return changed([dict(one) for one in self.change], self.unread)


@dataclass(frozen=True)
class Answer:
    """What the product says: its verdict, and every text that goes with it."""

    verdict: str
    said: str


@dataclass(frozen=True)
class Kind:
    """`rights`: the verdicts a case may call right; none if they are free text."""

    answer: Callable[[Case], Answer]
    rights: tuple[str, ...] = ()


def claim(case: Case) -> Answer:
    """A claim, by its id, judged on the inventory."""
    if case.asked not in CLAIMS:
        raise BadCase(f"no claim {case.asked}")
    problems = [{str(key): cell for key, cell in row.items()} for row in case.inventory.problems.to_dict("records")]
    result = judge_one(CLAIMS[case.asked], View(case.inventory), problems, "embedded")
    raised = [line.observed for line in result.evidence if line.resource == "this claim"]
    if raised:  # A FAIL for the wrong cause.
        return Answer("RAISED", "; ".join(raised))
    # A reason names what speaks against the claim; where nothing does, the evidence says what was seen.
    seen = [] if result.against else [f"{line.resource}: {line.observed}" for line in result.evidence]
    return Answer(result.verdict.value, "\n".join([result.reason, *seen]))


def question(case: Case) -> Answer:
    """Whether a request is allowed: the parameters of `access.can`."""
    decision = access.can(case.inventory, **filled(case.asked))
    return Answer(decision.verdict, decision.reason)


def reach(case: Case) -> Answer:
    """Whether a connection can be opened: the parameters of `network.reach`."""
    answer = network.reach(case.inventory, **filled(case.asked))
    return Answer(answer.verdict, answer.reason)


def matrix(case: Case) -> Answer:
    """A row of the table of what reaches what: its source, target and port."""
    asked = filled(case.asked)
    table = network.matrix(case.inventory)
    rows = table[(table.source == asked["source"]) & (table.target == asked["target"]) & (table.port == asked["port"])]
    found = rows[rows.from_subnet == ""].to_dict("records")
    if len(found) != 1:
        raise BadCase(f"{len(found)} rows of the matrix from {asked['source']} to {asked['target']}")
    return Answer(found[0]["verdict"], found[0]["reason"])


def picture(case: Case) -> Answer:
    """Whether the pictures draw an arrow from what is in one table (`generic`: the internet) to what is in another."""
    ends = case.asked["source"], case.asked["target"]
    arrows = [flow for flow in network_flows(case.inventory) if (flow.source.table, flow.target.table) == ends]
    return Answer("arrow" if arrows else "no arrow", "\n".join(map(str, arrows)))


def plan(case: Case) -> Answer:
    """Whether a plan is applied, and what its table says. Asked is a file of `plans/`, or the parts of plan JSON."""
    asked = case.asked
    document = json.loads((PLANS / f"{asked}.json").read_text(encoding="utf-8")) if isinstance(asked, str) else asked
    for item in document.get("resource_changes", []):
        item.setdefault("mode", "managed")
    outputs = tuple(document.get("output_changes", {}))
    shown = Plan(Path("saved.tfplan"), {}, outputs).detailed(document)
    rendered = shown.rendered()
    lines = [f"{c.key}: {c.action}: {'; '.join([*c.what, c.why])}" for c in (*shown.changes, *shown.outputs)]
    return Answer("nothing" if shown.empty else "applied", "\n".join([rendered.text, rendered.html, *lines]))


def diagnostic(case: Case) -> Answer:
    """The cause that is named first for an error: what a command (`command`, else plan) printed to stderr."""
    asked = case.asked if isinstance(case.asked, dict) else {"printed": case.asked}
    error = TerraformError(asked.get("command", "plan"), read_diagnostics([], "", asked["printed"]))
    return Answer(error.cause, f"{error.cause}\n{error.next_step}")


PLANS = Path(__file__).parent / "plans"
KINDS: dict[str, Kind] = {
    "claim": Kind(claim, ("PASS", "FAIL", "EXCEPTION", "CANNOT TELL", "N-A", "NOT TESTABLE HERE")),
    "question": Kind(question, ("allow", "deny", "unknown")),
    "reach": Kind(reach, ("yes", "no", "partly", "unknown")),
    "matrix": Kind(matrix, ("yes", "no", "partly", "unknown")),
    "picture": Kind(picture, ("arrow", "no arrow")),
    "plan": Kind(plan, ("applied", "nothing")),
    "diagnostic": Kind(diagnostic),
}
