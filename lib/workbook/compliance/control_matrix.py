"""The status of each control, derived from the claims behind it rather than maintained by hand."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import pandas as pd

from workbook import display
from workbook.claims.engine import Result, Verdict
from workbook.claims.results import Results
from workbook.compliance.frameworks import CONTROLS, Control
from workbook.display import Rendered
from workbook.display.document import page
from workbook.errors import WorkbookError

WIDTH = 120  # of lines in the text twin, characters
STATUSES = ("OK", "PARTIAL", "GAP", "N-A")
MARKS = {"status": {"OK": "good", "PARTIAL": "warn", "GAP": "bad", "N-A": "quiet"}}
COLUMNS = ["framework", "version", "id", "title", "status", "claims", "why"]
LEAD = (
    "Evidence for an auditor, not certification. A control is OK if every claim behind it passes and it requires "
    "nothing else; PARTIAL if a claim has exceptions or cannot be tested here, or if the control requires more than "
    "the claims show; GAP if no claim shows it or a claim fails."
)


class Status(NamedTuple):
    """OK, PARTIAL, GAP or N-A, and why it is not simply OK: what is missing and how to close it."""

    status: str
    why: str


def status(control: Control, results: Results) -> Status:
    """The status the claims give to one control.

    Raises
    ------
    WorkbookError : a claim behind it was not checked.
    """
    if control.not_applicable:
        return Status("N-A", control.not_applicable)
    if not control.claims:
        return Status("GAP", f"To close it: {control.closes}")
    behind = [results[claim] for claim in control.claims]
    if failed := [r for r in behind if r.verdict in (Verdict.FAIL, Verdict.CANNOT_TELL)]:
        said = {Verdict.FAIL: "fails", Verdict.CANNOT_TELL: "cannot be told"}
        return Status("GAP", _join(f"{r.claim.id} {said[r.verdict]}: {r.reason}" for r in failed))
    if all(r.verdict is Verdict.NOT_APPLICABLE for r in behind):
        return Status("N-A", _join(r.reason for r in behind))
    less = [r for r in behind if r.verdict in (Verdict.EXCEPTION, Verdict.NOT_TESTABLE)]
    if less or control.beyond:
        closes = f"To close it: {control.closes}" if control.closes else ""
        return Status("PARTIAL", _join([*map(_short, less), control.beyond, closes]))
    return Status("OK", "")


def matrix(results: Results, framework: str | None = None) -> pd.DataFrame:
    """One row per control of all frameworks or one: framework, version, id, title, status, claims (list of ids), why.

    Raises
    ------
    WorkbookError : there is no such framework, or the claims of some layers were not checked.
    """
    known = list(dict.fromkeys(control.framework for control in CONTROLS))
    if framework is not None and framework not in known:
        raise WorkbookError(f"There is no framework named {framework!r}.", f"Frameworks: {', '.join(known)}.")
    chosen = [control for control in CONTROLS if framework in (None, control.framework)]
    rows = [(c.framework, c.version, c.id, c.title, *status(c, results), list(c.claims)) for c in chosen]
    return pd.DataFrame(rows, columns=["framework", "version", "id", "title", "status", "why", "claims"])[COLUMNS]


def totals(table: pd.DataFrame) -> pd.DataFrame:
    """One row per framework of `matrix`: framework, version, and how many controls are OK, PARTIAL, GAP and N-A."""
    rows = []
    for (framework, version), group in table.groupby(["framework", "version"], sort=False):
        rows.append((framework, version, *(int((group["status"] == name).sum()) for name in STATUSES)))
    return pd.DataFrame(rows, columns=["framework", "version", *STATUSES])


def rendered(results: Results, framework: str | None = None) -> Rendered:
    """The totals of each framework with its controls folded below; for a single framework, its controls in full."""
    table = matrix(results, framework)
    groups = [
        (f"{name} {version}", group) for (name, version), group in table.groupby(["framework", "version"], sort=False)
    ]
    counted = display.table(totals(table), "Controls by status")
    controls = [display.table(group, title, COLUMNS[2:], MARKS) for title, group in groups]
    if framework is None:
        controls = [
            display.fold(f"{title} ({len(group)})", part) for (title, group), part in zip(groups, controls, strict=True)
        ]
    parts = display.stack(display.note(LEAD), counted, *controls)
    told = [line for title, group in groups for line in _told(title, group)]
    parts.text = "\n".join([*textwrap.wrap(LEAD, WIDTH), "", counted.text, *told])
    return parts


def to_html(results: Results) -> str:
    """All frameworks as one self-contained page, without scripts or external references."""
    table = matrix(results)
    parts = [display.table(totals(table), "Controls by status")]
    for (name, version), group in table.groupby(["framework", "version"], sort=False):
        source = next(control.source for control in CONTROLS if (control.framework, control.version) == (name, version))
        parts += [
            display.table(group, f"{name} {version}", COLUMNS[2:], MARKS),
            display.note(f"Published at {source}", "quiet"),
        ]
    read = (
        f"Environment {results.scope.prefix}, target {results.target}, read at {results.taken_at:%Y-%m-%d %H:%M} UTC. "
        f"{results.summary}."
    )
    return page(f"Compliance of {results.scope.prefix}", f"{LEAD} {read}", display.stack(*parts))


def _short(result: Result) -> str:
    return (
        f"{result.claim.id}: {result.reason}"
        if result.verdict is Verdict.EXCEPTION
        else f"{result.claim.id}: not testable here."
    )


def _told(title: str, group: pd.DataFrame) -> Iterator[str]:
    """The controls of a framework as lines of text: id, status and title, with claims and reason below."""
    yield from ("", title)
    for row in group.to_dict("records"):
        yield f"  {row['id']:<14}{row['status']:<9}{row['title']}"
        for text in filter(None, (", ".join(row["claims"]), row["why"])):
            yield from textwrap.wrap(
                text, WIDTH, initial_indent=" " * 25, subsequent_indent=" " * 27, break_on_hyphens=False
            )


def _join(parts: Iterable[str]) -> str:
    return " ".join(part for part in parts if part)
