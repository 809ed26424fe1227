"""Terraform's diagnostics, and the exception that carries them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from workbook.errors import WorkbookError

# What Terraform puts around a diagnostic for human readers: colours and a box.
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_BOX = re.compile(r"^[╷│╵][ ]?", re.MULTILINE)


@dataclass(frozen=True)
class Diagnostic:
    """One error or warning. `where` is file and line, or a resource's address; empty when Terraform gives neither."""

    severity: str
    summary: str
    detail: str = ""
    where: str = ""
    code: str = ""
    address: str = ""

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Diagnostic:
        place = data.get("range") or {}
        start = (place.get("start") or {}).get("line")
        return cls(
            severity=data.get("severity", "error"),
            summary=data.get("summary", ""),
            detail=(data.get("detail") or "").strip(),
            where=f"{place['filename']}, line {start}" if place.get("filename") and start else "",
            code=((data.get("snippet") or {}).get("code") or "").strip(),
            address=data.get("address", ""),
        )

    def __str__(self) -> str:
        head = f"{self.severity.capitalize()}: {self.summary}"
        place = ", ".join(part for part in (self.where, self.address) if part)
        lines = [
            head,
            f"  at {place}" + (f":  {self.code}" if self.code else "") if place else "",
            *_shorten(self.detail),
        ]
        return "\n".join(line for line in lines if line)


class TerraformError(WorkbookError):
    """Terraform failed.

    Parameters
    ----------
    command : such as plan.
    diagnostics : what Terraform reported; the text leaves out warnings when there is an error.
    """

    def __init__(self, command: str, diagnostics: list[Diagnostic]) -> None:
        self.diagnostics = diagnostics
        errors = [d for d in diagnostics if d.severity == "error"] or diagnostics
        cause, next_step = _explain(command, errors)
        super().__init__(cause, next_step, "\n".join(dict.fromkeys(map(str, errors))))


def read_diagnostics(events: Iterable[Mapping[str, Any]], out: str, err: str) -> list[Diagnostic]:
    """Diagnostics of a command: from its events, or else from the text it printed."""
    found = [Diagnostic.from_json(event["diagnostic"]) for event in events if event.get("type") == "diagnostic"]
    if any(d.severity == "error" for d in found):
        return found
    text = _BOX.sub("", _COLOUR.sub("", err if err.strip() else out))
    blocks = re.split(r"^(?=(?:Error|Warning): )", text, flags=re.MULTILINE)
    for block in blocks:
        head, _, rest = block.strip().partition("\n")
        if head.startswith("Error: "):
            at = re.search(r"on (\S+) line (\d+)", rest)
            detail = re.sub(r"\s*on \S+ line \d+.*?\n(?:\s*\d+:.*\n?)*", "", rest, count=1).strip()
            found.append(
                Diagnostic("error", head.removeprefix("Error: "), detail, f"{at[1]}, line {at[2]}" if at else "")
            )
    if not any(d.severity == "error" for d in found):
        last = [line for line in text.strip().splitlines() if line.strip()][-3:]
        found.append(Diagnostic("error", "Terraform failed without an error message", " ".join(last)))
    return found


def _explain(command: str, errors: list[Diagnostic]) -> tuple[str, str]:
    """Cause and next step for the common failures; Terraform's own words for the rest."""
    text = " ".join(f"{d.summary} {d.detail}" for d in errors)
    if "acquiring the state lock" in text:
        return (
            "Another plan or apply is running on this environment.",
            "Wait for the other notebook or terminal to finish, then run this again. Nothing was changed.",
        )
    if "plan is stale" in text:
        return (
            "This plan is stale: something was applied after it was made, or it is for a different account.",
            "Plan again, then apply the new plan. Nothing was changed.",
        )
    if re.search(r"(query available provider packages|install provider|Failed to install|provider registry)", text):
        return (
            "Could not download the AWS provider.",
            "Check the network, or point WORKBOOK_PROVIDER_MIRROR at an unpacked provider mirror.",
        )
    if "connection refused" in text:
        return "The target stopped responding.", "Run this again; the embedded AWS starts afresh."
    if any(d.where for d in errors) and command in {"init", "validate", "plan"}:
        return (
            f"Terraform cannot {command} this configuration.",
            "Fix the line above, then run this again. Nothing was changed.",
        )
    if command == "apply":
        return (
            "The apply failed partway through.",
            "What was created is in the state. Fix the cause and plan again; the next apply picks up from there.",
        )
    return f"terraform {command} failed.", "Fix the cause, then run this again."


def _shorten(detail: str, lines: int = 6) -> list[str]:
    kept = [f"  {line.strip()}" for line in detail.splitlines() if line.strip()]
    return kept if len(kept) <= lines else [*kept[:lines], "  …"]
