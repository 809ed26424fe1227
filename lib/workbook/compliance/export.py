"""The outcome of the claims for other programs and for auditors: JSON, JUnit XML, and a page with sources and controls."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import pandas as pd

from workbook import display
from workbook.claims import Results, Verdict
from workbook.claims.bullets import sources_of
from workbook.claims.results import EVIDENCE_COLUMNS, MARKS
from workbook.compliance.frameworks import references_of
from workbook.display.document import page
from workbook.target import LIMITS_BY_ID


def to_json(results: Results) -> str:
    """Everything, as JSON text."""
    claims = [
        {
            "id": r.claim.id,
            "layer": r.claim.layer,
            "severity": r.claim.severity,
            "says": r.claim.says,
            "sources": sources_of(r.claim.id),
            "controls": references_of(r.claim.id),
            "verdict": r.verdict.value,
            "reason": r.reason,
            "limit": r.claim.limit,
            "evidence": [
                {"resource": e.resource, "seen": e.observed, "ok": e.ok, "reason": e.reason} for e in r.evidence
            ],
        }
        for r in results
    ]
    head = {
        "environment": results.scope.prefix,
        "target": results.target,
        "taken_at": results.taken_at.isoformat(timespec="seconds"),
        "counts": results.counts,
    }
    return json.dumps({**head, "claims": claims}, indent=1, ensure_ascii=False) + "\n"


def to_junit(results: Results) -> str:
    """JUnit XML: a case for each claim. FAIL and CANNOT TELL are failures; NOT TESTABLE HERE and N-A are skipped; EXCEPTION passes,
    with its reason.
    """
    skipped = results.counts[Verdict.NOT_TESTABLE] + results.counts[Verdict.NOT_APPLICABLE]
    totals = {"tests": str(len(results)), "failures": str(len(results.failed)), "errors": "0", "skipped": str(skipped)}
    suite = ElementTree.Element("testsuite", {"name": f"claims {results.scope.prefix}", **totals})
    for r in results:
        case = ElementTree.SubElement(
            suite, "testcase", classname=f"claims.{r.claim.layer}", name=f"{r.claim.id}: {r.claim.says}"
        )
        if r.verdict in (Verdict.FAIL, Verdict.CANNOT_TELL):
            ElementTree.SubElement(case, "failure", message=_printable(r.reason), type=r.claim.severity)
        elif r.verdict in (Verdict.NOT_TESTABLE, Verdict.NOT_APPLICABLE):
            ElementTree.SubElement(case, "skipped", message=_printable(f"{r.verdict}: {r.reason}"))
        lines = [f"{e.resource}: {e.observed}" for e in r.evidence]
        ElementTree.SubElement(case, "system-out").text = _printable(
            "\n".join([*([r.reason] if r.reason else []), *lines])
        )
    ElementTree.indent(suite)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(suite, encoding="unicode") + "\n"


def to_html(results: Results) -> str:
    """A page of its own, without scripts or references: summary, claims, and for each claim its source, controls and
    evidence.
    """
    parts = [
        display.table(
            results.table(),
            "Claims",
            marks={"verdict": {v.value: m for v, m in MARKS.items()}},
            prefix=results.scope.prefix,
        )
    ]
    for r in results:
        about = [
            ("Says", r.claim.says),
            ("Verdict", r.verdict.value + (f". {r.reason}" if r.reason else "")),
            ("Said in", "; ".join(sources_of(r.claim.id)) or "added to what the take-home says"),
            ("Supports", "; ".join(references_of(r.claim.id)) or "no control"),
        ]
        if r.claim.limit:
            about.append(("Limit", LIMITS_BY_ID[r.claim.limit].what))
        lines = pd.DataFrame(
            [(e.resource, e.observed, e.ok, e.reason) for e in r.evidence], columns=EVIDENCE_COLUMNS[1:]
        )
        parts.append(
            display.fold(
                f"{r.claim.id}: {r.verdict.value}",
                display.stack(display.pairs(r.claim.id, about), display.table(lines, "Evidence")),
            )
        )
    return page(
        f"Claims of {results.scope.prefix}",
        f"{results.summary}. Target: {results.target}. Read at {results.taken_at:%Y-%m-%d %H:%M} UTC.",
        display.stack(*parts),
    )


def _printable(text: str) -> str:
    """XML has no place for control characters."""
    return "".join(character for character in text if character in "\n\t" or character >= " ")
