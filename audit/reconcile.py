"""Findings against waivers: a finding is explained by a waiver or not, and a waiver explains a finding or is stale."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workbook.errors import WorkbookError

VIEWS = ("hcl", "plan", "policies")
_KEYS = {"check", "resources", "views", "reason"}
_WORDS = 6


@dataclass(frozen=True)
class Finding:
    """What a tool objects to: view (hcl, plan, policies), check id, resource, what the check requires, exact place."""

    view: str
    check: str
    resource: str
    asks: str
    detail: str = ""


@dataclass(frozen=True)
class Waiver:
    """Why a finding is accepted.

    Attributes
    ----------
    check : id of the check.
    resources : addresses; `*` matches any text, every other character matches itself.
    views : where the finding appears. The waiver is stale once one view no longer has it for one of the resources.
    reason : at least one sentence.
    """

    check: str
    resources: tuple[str, ...]
    views: tuple[str, ...]
    reason: str

    def explaining(self, finding: Finding) -> list[str]:
        """The `resources` that match a finding; [] if the waiver is for another check or view."""
        if finding.check != self.check or finding.view not in self.views:
            return []
        return [
            resource
            for resource in self.resources
            if re.fullmatch(".*".join(map(re.escape, resource.split("*"))), finding.resource)
        ]


@dataclass
class Reconciled:
    """waived: waiver -> findings it explains. unexplained: the rest. stale: unused (waiver, resource, view)."""

    waived: dict[Waiver, list[Finding]] = field(default_factory=dict)
    unexplained: list[Finding] = field(default_factory=list)
    stale: list[tuple[Waiver, str, str]] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        return not self.unexplained and not self.stale


def read_waivers(path: Path) -> list[Waiver]:
    """The waivers of a TOML file.

    Raises
    ------
    WorkbookError : not TOML, extra or missing key, unknown view, a reason that is no sentence, or a duplicate waiver.
    """
    try:
        entries = tomllib.loads(path.read_text())["waiver"]
    except (tomllib.TOMLDecodeError, KeyError) as error:
        raise WorkbookError(
            f"{path.name} is not a list of [[waiver]] tables in TOML.", "Fix the file.", str(error)
        ) from None
    waivers = [_waiver(path, number, entry) for number, entry in enumerate(entries, start=1)]
    named = Counter((waiver.check, resource) for waiver in waivers for resource in waiver.resources)
    twice = [f"{check} on {resource}" for (check, resource), count in named.items() if count > 1]
    if twice:
        raise WorkbookError(f"{path.name} has two waivers for {', '.join(twice)}.", "Merge them.")
    return waivers


def _waiver(path: Path, number: int, entry: Mapping[str, Any]) -> Waiver:
    where = f"Waiver {number} of {path.name} ({entry.get('check', 'no check')})"
    if set(entry) != _KEYS:
        raise WorkbookError(
            f"{where} has the keys {', '.join(sorted(entry))}.", f"It needs {', '.join(sorted(_KEYS))}."
        )
    if not entry["resources"] or not entry["views"] or not set(entry["views"]) <= set(VIEWS):
        raise WorkbookError(
            f"{where} has resources {entry['resources']} and views {entry['views']}.",
            f"It needs at least one of each. Views: {', '.join(VIEWS)}.",
        )
    if len(entry["reason"].split()) < _WORDS or not entry["reason"].rstrip().endswith("."):
        raise WorkbookError(f"{where} gives no reason.", "Say in a sentence why the finding is accepted.")
    return Waiver(entry["check"], tuple(entry["resources"]), tuple(entry["views"]), " ".join(entry["reason"].split()))


def reconcile(findings: Iterable[Finding], waivers: Iterable[Waiver]) -> Reconciled:
    """Explain each finding with the first matching waiver; any part of a waiver that matches nothing is stale."""
    known = list(waivers)
    outcome = Reconciled()
    used: set[tuple[Waiver, str, str]] = set()
    for finding in findings:
        fitting = {waiver: resources for waiver in known if (resources := waiver.explaining(finding))}
        used.update((waiver, resource, finding.view) for waiver, resources in fitting.items() for resource in resources)
        if fitting:
            outcome.waived.setdefault(next(iter(fitting)), []).append(finding)
        else:
            outcome.unexplained.append(finding)
    outcome.stale = [
        (waiver, resource, view)
        for waiver in known
        for resource in waiver.resources
        for view in waiver.views
        if (waiver, resource, view) not in used
    ]
    return outcome
