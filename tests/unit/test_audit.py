"""The audit's own logic: findings against waivers, and the two files it reads. No checkov, no AWS."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest

from workbook.claims import CLAIMS, Verdict
from workbook.errors import WorkbookError
from workbook.host.paths import ROOT
from workbook.inventory import Inventory

sys.path.insert(0, str(ROOT))

from audit.agreement import compare, read_pairs
from audit.policies import documents
from audit.reconcile import Finding, Waiver, read_waivers, reconcile
from audit.report import report
from audit.scans import Scan

BUCKET = "module.data_bucket.aws_s3_bucket.this[0]"
FOUND = Finding("plan", "CKV_AWS_145", BUCKET, "KMS by default")
REASON = "Encrypted with the key of S3 itself, which is enough."


def waiver(resource: str = BUCKET, check: str = "CKV_AWS_145", views: tuple[str, ...] = ("plan",)) -> Waiver:
    return Waiver(check, (resource,), views, REASON)


def test_finding_without_waiver_is_unexplained():
    outcome = reconcile([FOUND], [])
    assert outcome.unexplained == [FOUND]
    assert not outcome.clean


def test_finding_with_waiver_passes():
    outcome = reconcile([FOUND], [waiver()])
    assert outcome.clean
    assert outcome.waived == {waiver(): [FOUND]}


@pytest.mark.parametrize(
    "other",
    [
        waiver(check="CKV_AWS_144"),
        waiver(views=("hcl",)),
        waiver(resource="module.data_bucket.aws_s3_bucket.this[1]"),
        waiver(resource="aws_s3_bucket.this[0]"),
    ],
    ids=["check", "view", "index", "part of the address"],
)
def test_waiver_for_something_else_explains_nothing_and_is_stale(other):
    outcome = reconcile([FOUND], [other])
    assert outcome.unexplained == [FOUND]
    assert [known for known, _, _ in outcome.stale] == [other]


def test_stale_waiver_alone_fails():
    outcome = reconcile([], [waiver()])
    assert outcome.stale == [(waiver(), BUCKET, "plan")]
    assert not outcome.clean


def test_waiver_is_stale_in_the_view_that_no_longer_has_the_finding():
    both = waiver(views=("hcl", "plan"))
    outcome = reconcile([FOUND], [both])
    assert not outcome.unexplained
    assert outcome.stale == [(both, BUCKET, "hcl")]


def test_waiver_is_stale_on_the_resource_that_no_longer_has_the_finding():
    two = Waiver("CKV_AWS_145", (BUCKET, "module.gone.aws_s3_bucket.this[0]"), ("plan",), REASON)
    assert reconcile([FOUND], [two]).stale == [(two, "module.gone.aws_s3_bucket.this[0]", "plan")]


@pytest.mark.parametrize(
    ("pattern", "fits"),
    [
        ("module.*_bucket.aws_s3_bucket.this[0]", True),
        ("*", True),
        ("module.*_bucket.aws_s3_bucket.this", False),
        ("module.log_*", False),
        ("module.data_bucket.aws_s3_bucket.this[01]", False),
        ("module.d?ta_bucket.aws_s3_bucket.this[0]", False),
    ],
)
def test_only_the_star_is_a_wildcard(pattern, fits):
    assert reconcile([FOUND], [waiver(pattern)]).clean is fits


def test_report_says_what_fails():
    found = Finding("hcl", "CKV_NEW_1", "aws_thing.this", "Be safe", "terraform/x.tf, line 3")
    scans = [Scan("hcl", Counter({"CKV_OLD_1": 4}), [found])]
    text = "\n".join(report(scans, reconcile([found], [waiver()]), []))
    assert "UNEXPLAINED  CKV_NEW_1" in text and "terraform/x.tf, line 3" in text
    assert f"STALE        CKV_AWS_145 on {BUCKET}" in text


def test_report_gives_the_reason_for_each_waiver():
    text = "\n".join(report([Scan("plan", Counter(), [FOUND])], reconcile([FOUND], [waiver()]), []))
    assert REASON in text
    assert "UNEXPLAINED" not in text and "STALE" not in text


# ── the files ──


def test_waivers_file_is_read_and_each_has_a_reason():
    waivers = read_waivers(ROOT / "audit" / "waivers.toml")
    assert waivers
    for known in waivers:
        assert known.reason.endswith(".") and len(known.reason.split()) > 8, known.check


ENTRY = '[[waiver]]\ncheck = "CKV_AWS_1"\nresources = ["a"]\nviews = ["plan"]\nreason = "This is accepted because of the test."\n'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("waiver = [", "not a list"),
        ("", "not a list"),
        (ENTRY.replace("This is accepted because of the test.", "ok"), "gives no reason"),
        (ENTRY.replace("the test.", "the test"), "gives no reason"),
        (ENTRY.replace('["plan"]', '["plans"]'), "plans"),
        (ENTRY.replace('["plan"]', "[]"), "at least one of each"),
        (ENTRY.replace('["a"]', "[]"), "at least one of each"),
        (ENTRY.replace("resources", "resource"), "has the keys"),
        (ENTRY + ENTRY, "two waivers for CKV_AWS_1 on a"),
    ],
)
def test_broken_waivers_file_is_refused(tmp_path: Path, text, says):
    path = tmp_path / "waivers.toml"
    path.write_text(text)
    with pytest.raises(WorkbookError, match=says):
        read_waivers(path)


def test_pairs_name_existing_claims():
    pairs = read_pairs(ROOT / "audit" / "agreement.toml")
    assert pairs
    assert not set(pairs.values()) - set(CLAIMS)


# ── agreement ──


def opinion(verdict: Verdict, failed: bool):
    scan = Scan("plan", Counter() if failed else Counter({"CKV_AWS_145": 1}), [FOUND] if failed else [])
    claims = {"S3-ENCRYPTION": SimpleNamespace(verdict=verdict, reason="as the claim says")}
    return compare({"CKV_AWS_145": "S3-ENCRYPTION"}, scan, reconcile(scan.findings, [waiver()]), claims)[0]


@pytest.mark.parametrize(
    ("verdict", "failed", "agree", "why"),
    [
        (Verdict.PASS, False, True, ""),
        (Verdict.PASS, True, False, REASON),
        (Verdict.FAIL, True, True, ""),
        (Verdict.FAIL, False, False, "as the claim says"),
        (Verdict.EXCEPTION, True, True, ""),
        (Verdict.NOT_TESTABLE, True, None, ""),
        (Verdict.NOT_APPLICABLE, False, None, ""),
    ],
)
def test_agreement(verdict, failed, agree, why):
    seen = opinion(verdict, failed)
    assert (seen.agree, seen.why) == (agree, why)


def test_check_that_did_not_run_is_refused():
    with pytest.raises(WorkbookError, match="did not run CKV_AWS_9"):
        compare({"CKV_AWS_9": "S3-ENCRYPTION"}, Scan("plan", Counter(), []), reconcile([], []), {})


# ── policy documents ──


def test_every_kind_of_policy_is_collected():
    allow = {"Effect": "Allow", "Action": "s3:GetObject"}
    document = {"Version": "2012-10-17", "Statement": [allow]}
    tables = {
        "policies": [
            {"name": "app", "boundary_of": [], "document": document},
            {"name": "edge", "boundary_of": ["role"], "document": document},
        ],
        "endpoints": [{"name": "s3", "policy": document}, {"name": "bare", "policy": {}}],
        "role_trust_statements": [{"role": "r", "statement": {"n": 1}}, {"role": "r", "statement": {"n": 2}}],
        "bucket_policy_statements": [{"bucket": "b", "statement": allow}],
        "repository_policy_statements": [{"repository": "e", "statement": allow}],
        "iam_statements": [
            {"policy": "app", "kind": "attached", "statement": allow},
            {"policy": "own", "kind": "inline", "roles": ["r"], "statement": allow},
            {"policy": "own", "kind": "inline", "roles": ["other"], "statement": {"n": 3}},
        ],
    }
    found = dict(documents(Inventory.from_tables(tables)))
    assert list(found) == [
        "identity/app",
        "boundary/edge",
        "endpoint/s3",
        "trust/r",
        "bucket/b",
        "repository/e",
        "inline/other/own",
        "inline/r/own",
    ]
    assert found["identity/app"] == document
    assert found["inline/other/own"]["Statement"] == [{"n": 3}]
    assert found["trust/r"]["Statement"] == [{"n": 1}, {"n": 2}]
