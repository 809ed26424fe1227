"""Where checkov and a claim cover the same thing, whether they agree."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from audit.reconcile import Reconciled
from audit.scans import Scan
from workbook.claims import Results, Verdict
from workbook.errors import WorkbookError

_NO = (Verdict.FAIL, Verdict.EXCEPTION)


@dataclass(frozen=True)
class Opinion:
    """checkov: passed or failed on the plan. agree: None if it cannot be judged here. why: only on disagreement."""

    check: str
    checkov: str
    claim: str
    verdict: str
    agree: bool | None
    why: str


def read_pairs(path: Path) -> dict[str, str]:
    """Check -> claim, from the table [claims] of a TOML file."""
    return dict(tomllib.loads(path.read_text())["claims"])


def compare(pairs: Mapping[str, str], plan: Scan, reconciled: Reconciled, claims: Results) -> list[Opinion]:
    """One opinion per pair, in order.

    A check counts as failed if it fails on any resource in the plan, waived or not. A claim that holds only with
    exceptions counts as not holding.

    Raises
    ------
    WorkbookError : checkov no longer has a check, or has nothing to run it on.
    """
    failed = {finding.check for finding in plan.findings}
    gone = [check for check in pairs if check not in failed and not plan.passed[check]]
    if gone:
        raise WorkbookError(
            f"checkov did not run {', '.join(gone)} on the plan.",
            "Remove it from audit/agreement.toml, or find what replaced it.",
        )
    reasons: dict[str, list[str]] = {}
    for waiver, findings in reconciled.waived.items():
        if any(finding.view == plan.view for finding in findings):
            reasons.setdefault(waiver.check, []).append(waiver.reason)
    opinions = []
    for check, claim in pairs.items():
        result = claims[claim]
        agree = None
        if result.verdict in (Verdict.PASS, *_NO):
            agree = (check in failed) == (result.verdict in _NO)
        why = ""
        if agree is False:
            why = " ".join(dict.fromkeys(reasons.get(check, []))) if check in failed else result.reason
        opinions.append(
            Opinion(check, "failed" if check in failed else "passed", claim, result.verdict.value, agree, why)
        )
    return opinions
