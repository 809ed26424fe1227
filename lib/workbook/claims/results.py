"""Checking all claims on an inventory; the results as a table and as a display. Other forms: compliance/export.py."""

from __future__ import annotations

import copy
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator

import pandas as pd

from workbook import display
from workbook.claims.engine import CLAIMS, GROUPS, Result, Verdict, View, judge_one
from workbook.display import Rendered
from workbook.errors import WorkbookError
from workbook.inventory import TABLES, Inventory
from workbook.layers import BY_KEY

MARKS = {
    Verdict.PASS: "good",
    Verdict.FAIL: "bad",
    Verdict.CANNOT_TELL: "bad",
    Verdict.EXCEPTION: "warn",
    Verdict.NOT_TESTABLE: "quiet",
    Verdict.NOT_APPLICABLE: "quiet",
}
EVIDENCE_COLUMNS = ["claim", "resource", "seen", "ok", "reason"]


def judge(inventory: Inventory, layers: Iterable[str] | None = None, target: str = "embedded") -> Results:
    """Check the claims of some layers.

    Parameters
    ----------
    inventory : preferably complete; a claim that uses a table of a layer that was not read is CANNOT TELL.
    layers : keys of layers, and general; by default the layers that were read, plus general if all were.
    target : kind of target the inventory was read from: embedded, endpoint or aws. What an emulator cannot show is
        checked on aws only.

    Raises
    ------
    WorkbookError : there is no such layer or target.
    """
    if target not in ("embedded", "endpoint", "aws"):
        raise WorkbookError(f"There is no kind of target named {target!r}.", "Kinds: embedded, endpoint, aws.")
    read = [
        layer for layer in BY_KEY if all(name in inventory for name, table in TABLES.items() if table.layer == layer)
    ]
    chosen = list(layers) if layers is not None else [*read, *(["general"] if len(read) == len(BY_KEY) else [])]
    for layer in chosen:
        if layer not in GROUPS:
            raise WorkbookError(f"There are no claims for a layer named {layer!r}.", f"Layers: {', '.join(GROUPS)}.")
    view = View(inventory)
    problems = [{str(key): value for key, value in row.items()} for row in inventory.problems.to_dict("records")]
    results = [judge_one(claim, view, problems, target) for claim in CLAIMS.values() if claim.layer in chosen]
    return Results(results, inventory, target)


class Results:
    """The results of the claims, in definition order.

    Display and table are the same on every run; JSON and HTML page also say when the inventory was read.
    """

    def __init__(self, results: list[Result], inventory: Inventory, target: str) -> None:
        self.results = results
        self.waiting: list[Result] = []
        self.target = target
        self.absent: tuple[str, ...] = ()
        self.scope = inventory.scope
        self.taken_at = inventory.taken_at

    def __iter__(self) -> Iterator[Result]:
        return iter(self.results)

    def __len__(self) -> int:
        return len(self.results)

    def __getitem__(self, claim: str) -> Result:
        """The result of one claim by its id. Raises WorkbookError if it was not checked."""
        for result in self.results:
            if result.claim.id == claim:
                return result
        raise WorkbookError(
            f"The claim {claim} was not checked.",
            "Its layer was left out." if claim in CLAIMS else "There is no claim with that id.",
        )

    @property
    def counts(self) -> dict[str, int]:
        """Number of claims by verdict."""
        found = Counter(result.verdict for result in self.results)
        return {verdict.value: found[verdict] for verdict in Verdict}

    @property
    def failed(self) -> list[Result]:
        """The claims that do not hold: those that are false, and those of which it cannot be told."""
        return [result for result in self.results if result.verdict in (Verdict.FAIL, Verdict.CANNOT_TELL)]

    @property
    def summary(self) -> str:
        """One line: the number of claims by verdict."""
        counted = ", ".join(f"{count} {verdict}" for verdict, count in self.counts.items() if count)
        waiting = f"; {len(self.waiting)} wait for layers that are not deployed yet" if self.waiting else ""
        return f"{len(self.results)} claim{'s' if len(self.results) != 1 else ''} on {self.scope.prefix}: {counted or 'none checked'}{waiting}"

    def only(self, verdict: str) -> Results:
        """The results with one verdict, such as FAIL."""
        return self._with([result for result in self.results if result.verdict == verdict], [])

    def without_layers(self, layers: Iterable[str]) -> Results:
        """Set aside, as `waiting`, the claims that fail only because they use layers that are not deployed yet."""
        absent = tuple(layers)
        tables = {name for name, table in TABLES.items() if table.layer in absent}
        waiting = [result for result in self.failed if tables & set(result.tables)]
        other = self._with([result for result in self.results if result not in waiting], waiting)
        other.absent = absent
        return other

    def _with(self, results: list[Result], waiting: list[Result]) -> Results:
        other = copy.copy(self)
        other.results, other.waiting = results, waiting
        return other

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return self.rendered()._repr_mimebundle_()

    def table(self) -> pd.DataFrame:
        """One row per claim: verdict, claim, layer, severity, says, seen. `seen` is the reason, or what was checked."""
        rows = [
            (r.verdict.value, r.claim.id, r.claim.layer, r.claim.severity, r.claim.says, _seen(r)) for r in self.results
        ]
        return pd.DataFrame(rows, columns=["verdict", "claim", "layer", "severity", "says", "seen"])

    def evidence(self) -> pd.DataFrame:
        """One row for each resource that a claim checked: claim, resource, seen, ok (bool), reason."""
        rows = [
            (r.claim.id, line.resource, line.observed, line.ok, line.reason)
            for r in self.results
            for line in r.evidence
        ]
        return pd.DataFrame(rows, columns=EVIDENCE_COLUMNS)

    def rendered(self) -> Rendered:
        """A summary line, the claims as a table, and all evidence folded away.

        The text twin has full sentences, and evidence only for claims that are not simply true.
        """
        marks = {"verdict": {verdict.value: mark for verdict, mark in MARKS.items()}}
        prefix = self.scope.prefix
        claims = display.table(self.table(), "Claims", ["verdict", "claim", "says", "seen"], marks, prefix)
        lines = self.evidence()
        lines["ok"] = [
            "yes" if e.ok else "accepted" if e.reason else "NO" if e.known else "unknown"
            for r in self.results
            for e in r.evidence
        ]
        columns = [column for column in EVIDENCE_COLUMNS if column != "reason"]
        evidence = display.table(
            lines,
            "Evidence",
            columns,
            {"ok": {"yes": "good", "accepted": "warn", "NO": "bad", "unknown": "bad"}},
            prefix,
        )
        note = display.note(self.summary, "bad" if self.failed else "good")
        parts = display.stack(note, claims, display.fold("Evidence, resource by resource", evidence))
        parts.text = "\n".join([self.summary, "", *(line for result in self.results for line in _told(result))])
        return parts


def _seen(result: Result) -> str:
    if result.reason:
        return result.reason
    lines = result.evidence
    return f"{lines[0].resource}: {lines[0].observed}" if len(lines) == 1 else f"{len(lines)} checked, all as claimed"


def _told(result: Result, width: int = 120) -> Iterator[str]:
    """A claim as lines of text: verdict, id and sentence, with the evidence against it and the reason below."""
    yield f"{result.verdict.value:<18}{result.claim.id:<26}{result.claim.says}"
    below = [f"{e.resource}: {e.observed}" for e in result.evidence if not e.ok]
    if result.verdict not in (Verdict.FAIL, Verdict.CANNOT_TELL) and result.reason:
        below.append(result.reason)
    for text in dict.fromkeys(below):
        yield from textwrap.wrap(
            text, width, initial_indent=" " * 18, subsequent_indent=" " * 20, break_on_hyphens=False
        )
