"""Compliance: the controls as data, and the status derived from the claims. No AWS."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from workbook import compliance
from workbook.claims import CLAIMS, Results, Verdict, judge
from workbook.compliance import CONTROLS, Control, matrix, references_of, status, totals
from workbook.errors import WorkbookError
from workbook.inventory import Inventory, Scope


@cache
def dev() -> Inventory:
    return Inventory.from_json((Path(__file__).parent / "fixtures" / "inventory_dev.json").read_text(encoding="utf-8"))


@cache
def results() -> Results:
    return judge(dev())


def of(reference: str) -> Control:
    return next(control for control in CONTROLS if control.reference == reference)


def with_verdicts(**verdicts: Verdict) -> Results:
    """The results of dev with some verdicts changed; claim ids are written with underscores."""
    wanted = {id.replace("_", "-"): verdict for id, verdict in verdicts.items()}
    changed = [
        replace(r, verdict=wanted[r.claim.id], reason="As set.") if r.claim.id in wanted else r for r in results()
    ]
    return Results(changed, dev(), "embedded")


# ── the data ──


def test_every_control_appears_once_with_its_version() -> None:
    references = [control.reference for control in CONTROLS]
    assert len(set(references)) == len(references)
    assert all(control.version and control.source.startswith("https://") and control.title for control in CONTROLS)


def test_every_control_has_claims_or_what_would_close_it_or_why_it_does_not_apply() -> None:
    for control in CONTROLS:
        given = [bool(control.claims), bool(control.closes and not control.claims), bool(control.not_applicable)]
        assert sum(given) == 1, control.reference


def test_controls_mention_only_existing_claims() -> None:
    assert {claim for control in CONTROLS for claim in control.claims} - set(CLAIMS) == set()
    mentioned = {
        name
        for control in CONTROLS
        for name in re.findall(
            r"\b[A-Z0-9]+(?:-[A-Z0-9]+)+\b", f"{control.closes} {control.not_applicable} {control.beyond}"
        )
    }
    assert {
        name for name in mentioned if name.split("-")[0] in ("VPC", "ECR", "IAM", "S3", "ECS", "ALB", "GEN")
    } <= set(CLAIMS)


def test_ids_have_the_form_of_their_framework() -> None:
    forms = {
        "CIS AWS": r"\d(\.\d+){1,2}",
        "AWS FSBP": r"[A-Z][A-Za-z0-9]+\.\d+",
        "Well-Architected": r"(SEC|REL|PERF|COST|OPS|SUS)\d\d-BP\d\d",
        "NIST CSF": r"(GV|ID|PR|DE|RS|RC)\.[A-Z]{2}-\d\d",
        "SOC 2": r"(CC|A|C|PI|P)\d\.\d",
    }
    for control in CONTROLS:
        assert re.fullmatch(forms[control.framework], control.id), control.reference


def test_both_versions_of_cis_are_complete() -> None:
    """The benchmark's recommendations per section: 22, 9, 9, 16, 6 in version 3.0.0; 21, 9, 9, 16, 8 in 5.0.0."""
    for version, expected in (("3.0.0", [22, 9, 9, 16, 6]), ("5.0.0", [21, 9, 9, 16, 8])):
        ids = [control.id for control in CONTROLS if (control.framework, control.version) == ("CIS AWS", version)]
        assert [sum(id.startswith(f"{section}.") for id in ids) for section in range(1, 6)] == expected


def test_ids_moved_between_versions_of_cis() -> None:
    assert of("CIS AWS 3.0.0 5.4").title == of("CIS AWS 5.0.0 5.5").title
    assert of("CIS AWS 3.0.0 1.16").claims == of("CIS AWS 5.0.0 1.15").claims
    assert references_of("VPC-SG-DEFAULT")[:2] == ["CIS AWS 5.0.0 5.5", "CIS AWS 3.0.0 5.4"]


# ── the status ──


def test_all_pass_is_ok() -> None:
    assert status(of("AWS FSBP 1.0.0 ECR.2"), results()) == ("OK", "")


def test_an_exception_makes_it_partial_and_says_why() -> None:
    found = status(of("CIS AWS 5.0.0 5.2"), results())
    assert found.status == "PARTIAL"
    assert found.why.startswith("VPC-NACL-ADMIN-PORTS: 3389 is one of")


def test_what_cannot_be_tested_makes_it_partial() -> None:
    assert status(of("CIS AWS 5.0.0 2.1.1"), results()) == ("PARTIAL", "S3-POLICY-ENFORCED: not testable here.")


def test_what_a_control_requires_beyond_the_claims_makes_it_partial() -> None:
    assert status(of("CIS AWS 5.0.0 5.5"), results()).status == "PARTIAL"


def test_a_failing_claim_is_a_gap() -> None:
    found = status(of("AWS FSBP 1.0.0 ECR.2"), with_verdicts(ECR_IMMUTABLE=Verdict.FAIL))
    assert found == ("GAP", "ECR-IMMUTABLE fails: As set.")


def test_no_claim_is_a_gap_with_what_would_close_it() -> None:
    found = status(of("CIS AWS 5.0.0 3.1"), results())
    assert found.status == "GAP"
    assert "aws_cloudtrail" in found.why


def test_not_applicable_has_a_reason() -> None:
    assert status(of("CIS AWS 5.0.0 2.2.1"), results()) == ("N-A", "The stack has no RDS instance.")
    alone = replace(of("AWS FSBP 1.0.0 ECR.2"), claims=("ALB-TLS-POLICY",))
    assert status(alone, results()).status == "N-A"


def test_claims_that_were_not_judged_stop_it() -> None:
    with pytest.raises(WorkbookError, match="was not checked"):
        matrix(judge(dev(), ["s3"]))
    with pytest.raises(WorkbookError, match="no framework named 'PCI'"):
        matrix(results(), "PCI")


# ── the matrix ──


def test_the_matrix_is_made_from_the_claims() -> None:
    table = matrix(results())
    assert len(table) == len(CONTROLS)
    assert (
        totals(table)[["OK", "PARTIAL", "GAP", "N-A"]].sum(axis=1)
        == table.groupby(["framework", "version"], sort=False).size().to_numpy()
    ).all()
    nothing = judge(Inventory.from_tables({}, Scope("alloy-dev-take-home", "us-east-1", "us-west-2")))
    assert set(matrix(nothing)["status"]) == {"GAP", "N-A"}


def test_it_admits_what_the_stack_does_not_do() -> None:
    gaps = set(matrix(results()).query("status == 'GAP'")["id"])
    # CloudTrail, Config, root MFA, GuardDuty, WAF, Security Hub.
    assert {"3.1", "3.3", "1.4", "GuardDuty.1", "SEC05-BP03", "4.16"} <= gaps


def test_it_says_that_it_is_not_a_certification() -> None:
    for text in (compliance.rendered(results()).text, compliance.to_html(results())):
        assert "not certification" in text
    assert "CIS AWS 5.0.0" in compliance.rendered(results(), "CIS AWS").text


def test_the_page_is_self_contained() -> None:
    for reference in ("<script", "src=", "href=", "@import", "url("):
        assert reference not in compliance.to_html(results())


def test_the_display_is_the_same_on_every_run() -> None:
    assert compliance.rendered(judge(dev())).html == compliance.rendered(results()).html
