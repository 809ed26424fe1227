"""The audit report as terminal text."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from audit.agreement import Opinion
from audit.reconcile import Finding, Reconciled
from audit.scans import Scan

WIDTH = 118
TITLES = {
    "hcl": "checkov, HCL of the root and its modules",
    "plan": "checkov, plan with all values",
    "policies": "parliament, live policy documents",
}


def report(scans: list[Scan], reconciled: Reconciled, opinions: list[Opinion]) -> Iterator[str]:
    """Lines: what is accepted and why, agreement with the claims, counts, and finally what makes the audit fail."""
    yield from _waived(reconciled)
    yield from _agreement(opinions)
    yield from _counts(scans, reconciled)
    yield from _wrong(reconciled)


def _waived(reconciled: Reconciled) -> Iterator[str]:
    yield "Accepted, with reasons"
    for waiver, findings in reconciled.waived.items():
        views = "+".join(dict.fromkeys(finding.view for finding in findings))
        resources = list(dict.fromkeys(finding.resource for finding in findings))
        yield ""
        yield f"  {waiver.check}  {findings[0].asks}  [{views}]"
        yield from _indented(", ".join(resources), 4)
        yield from _indented(waiver.reason, 4)
    yield ""


def _agreement(opinions: list[Opinion]) -> Iterator[str]:
    yield "Agreement with the claims: checkov on the plan, the claim on the live account"
    yield ""
    yield f"  {'checkov':<24}{'claim':<44}agree"
    for opinion in opinions:
        said = {True: "yes", False: "NO", None: "not judged here"}[opinion.agree]
        yield f"  {opinion.check:<14}{opinion.checkov:<10}{opinion.claim:<26}{opinion.verdict:<18}{said}"
        yield from _indented(opinion.why, 26)
    counted = [sum(opinion.agree is agree for opinion in opinions) for agree in (True, False, None)]
    yield f"  {counted[0]} agree, {counted[1]} disagree, {counted[2]} cannot be judged on the embedded AWS."
    yield ""


def _counts(scans: list[Scan], reconciled: Reconciled) -> Iterator[str]:
    yield f"{'':<44}{'passed':>8}{'waived':>8}{'unexplained':>13}"
    for scan in scans:
        waived = sum(finding.view == scan.view for findings in reconciled.waived.values() for finding in findings)
        unexplained = sum(finding.view == scan.view for finding in reconciled.unexplained)
        yield f"{TITLES[scan.view]:<44}{sum(scan.passed.values()):>8}{waived:>8}{unexplained:>13}"
    yield "The passed column counts checks on resources; for parliament, policies without a finding."


def _wrong(reconciled: Reconciled) -> Iterator[str]:
    for finding in reconciled.unexplained:
        yield ""
        yield from _finding(finding)
    for waiver, resource, view in reconciled.stale:
        yield ""
        yield f"STALE        {waiver.check} on {resource}: the view {view} no longer needs this waiver. Remove it."
    if reconciled.unexplained:
        yield "\nFix each one in terraform/, or say in audit/waivers.toml why it stays."


def _finding(finding: Finding) -> Iterator[str]:
    yield f"UNEXPLAINED  {finding.check}  {finding.asks}  [{finding.view}]"
    yield f"             {finding.resource}"
    yield from _indented(finding.detail, 13)


def _indented(text: str, by: int) -> Iterator[str]:
    yield from textwrap.wrap(
        text, WIDTH, initial_indent=" " * by, subsequent_indent=" " * by, break_on_hyphens=False, break_long_words=False
    )
