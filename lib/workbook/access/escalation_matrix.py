"""Escalation paths as a table: a row for the paths of a service that end alike, a column for the roles they end alike for."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from workbook.access.escalation import BOUNDARY, DENIED, SILENT, Escalation
from workbook.access.escalation_paths import EscalationPath, paths, source
from workbook.display import Rendered, fold, note, stack, table

POSSIBLE, UNKNOWN = "POSSIBLE", "cannot tell"


def cell(escalation: Escalation) -> str:
    """What a path comes to, in a few words: POSSIBLE, or what stops it."""
    if escalation.possible is None:
        return UNKNOWN
    if escalation.possible:
        return f"{POSSIBLE}, if there is {escalation.given}" if escalation.given else POSSIBLE
    if escalation.stopped == DENIED:
        return "denied by " + escalation.by[0].rsplit(": ", 1)[-1]
    if escalation.stopped == BOUNDARY:
        return "outside the boundary"
    if escalation.stopped == SILENT:
        return "no Allow"
    return f"{escalation.path.only}s only" if escalation.path.only else "nothing suits"


def matrix(escalations: Iterable[Escalation]) -> pd.DataFrame:
    """One row per path, with the columns service, path and one for each principal; cells as `cell`."""
    rows: dict[str, dict[str, str]] = {}
    for one in escalations:
        row = rows.setdefault(one.path.id, {"service": one.path.service, "path": one.path.id})
        row[one.principal] = cell(one)
    return pd.DataFrame(list(rows.values()))


def rendered(escalations: Iterable[Escalation], prefix: str = "") -> Rendered:
    """The matrix, folded where rows or columns are alike; what is possible, with the statements that allow it; and what each
    path does. `prefix` as in `display.table`.
    """
    found = list(escalations)
    possible = [one for one in found if one.possible]
    unknown = [one for one in found if one.possible is None]
    names = dict.fromkeys(one.principal for one in found)
    count = f"{len(paths())} paths, {len(names)} principals: {len(possible) or 'none'} possible"
    told = f", {len(unknown)} cannot be told" if unknown else ""
    shown = _folded(matrix(found), prefix)
    marks = {
        column: {str(value): "bad" if POSSIBLE in value else "warn" for value in shown[column] if _open(value)}
        for column in shown.columns[2:]
    }
    parts = [
        note(f"{count}{told}.", "bad" if possible else "warn" if unknown else "good"),
        table(shown, "Privilege escalation: what each path comes to", marks=marks, prefix=prefix),
    ]
    if possible or unknown:
        why = [(one.principal, one.path.id, one.why) for one in (*possible, *unknown)]
        parts.append(table(pd.DataFrame(why, columns=["principal", "path", "why"]), "Open paths", prefix=prefix))
    return stack(*parts, fold(f"The paths ({source()})", table(_catalogue(paths()), "What each path does and needs")))


def _open(value: str) -> bool:
    return POSSIBLE in value or value == UNKNOWN


def _folded(frame: pd.DataFrame, prefix: str) -> pd.DataFrame:
    names = [str(name) for name in frame.columns[2:]]
    alike: dict[tuple[str, ...], list[str]] = {}
    for name in names:
        alike.setdefault(tuple(frame[name]), []).append(name)
    heads = {
        "every role" if len(alike) == 1 and len(names) > 1 else ", ".join(_short(name, prefix) for name in group): cells
        for cells, group in alike.items()
    }
    rows: dict[tuple[str, ...], list[str]] = {}
    for service, path, *cells in zip(frame["service"], frame["path"], *heads.values(), strict=True):
        rows.setdefault((service, *cells), []).append(path.rsplit("-", 1)[-1])
    return pd.DataFrame(
        [(service, _runs(numbers), *cells) for (service, *cells), numbers in rows.items()],
        columns=["service", "paths", *heads],
    )


def _short(name: str, prefix: str) -> str:
    return name.removeprefix(f"{prefix}-") if prefix else name


def _runs(numbers: list[str]) -> str:
    """`001 to 003, 005` for 001, 002, 003, 005."""
    runs: list[list[str]] = []
    for number in numbers:
        if runs and int(number) == int(runs[-1][-1]) + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(f"{run[0]} to {run[-1]}" if len(run) > 2 else ", ".join(run) for run in runs)


def _catalogue(paths: Iterable[EscalationPath]) -> pd.DataFrame:
    rows = [(path.id, path.does, list(path.actions), path.page) for path in paths]
    return pd.DataFrame(rows, columns=["path", "does", "needs", "described at"])
