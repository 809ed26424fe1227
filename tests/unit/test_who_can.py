"""Who can do something, and what a role can do: on the saved inventory of dev."""

from __future__ import annotations

import pytest

from workbook.access.proofs import Answer, Prover
from workbook.access.who import rendered_proof, rendered_who, what_can, who_can
from workbook.claims import Verdict, judge
from workbook.errors import WorkbookError
from workbook.inventory import Inventory

P = "alloy-dev-take-home"
OUTSIDE = {"Null": {"aws:SourceVpce": "true"}}


def test_the_application_reads_through_the_endpoint_and_the_deployer_from_anywhere(dev: Inventory) -> None:
    found = who_can(dev, "s3:GetObject", "data/*").set_index("who")
    able = found[found["can"] == "yes"]
    assert f"{P}-ecs-task-role" in able.index
    assert able.loc[f"{P}-ecs-task-role", "circumstances"] == f"over HTTPS, through {P}-s3-endpoint" or (
        able.loc[f"{P}-ecs-task-role", "circumstances"] == f"through {P}-s3-endpoint, over HTTPS"
    )
    assert "ReadAndWriteData" in able.loc[f"{P}-ecs-task-role", "by"]
    assert able.loc["arn:aws:sts::123456789012:user/moto", "circumstances"] == "over HTTPS"
    assert found.loc["anyone on the internet", "can"] == "no"
    assert found.loc[f"{P}-lambda-role", "can"] == "no"
    assert "…-ecs-task-role" in str(rendered_who(dev, "s3:GetObject", "data/*"))


def test_a_grant_in_the_bucket_policy_shows_up(dev: Inventory) -> None:
    row = dev.rows("bucket_policy_statements", sid="DenyInsecureTransport")[0]
    grant = {
        "Sid": "Gift",
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::999999999998:role/stranger"},
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{row.bucket}/*",
    }
    rows = [*dev.rows("bucket_policy_statements"), row.replaced(sid="Gift", effect="Allow", statement=grant)]
    buckets = [
        b.replaced(policy_statements=b.policy_statements + 1) if b.name == row.bucket else b
        for b in dev.rows("buckets")
    ]
    found = who_can(dev.replace(bucket_policy_statements=rows, buckets=buckets), "s3:GetObject", f"{row.bucket}/*")
    stranger = found[found["who"] == "arn:aws:iam::999999999998:role/stranger"].iloc[0]
    expected = "no" if row.bucket.startswith(f"{P}-data") else "yes"
    assert stranger["can"] == expected


def test_what_a_role_can_do_and_what_is_withheld(dev: Inventory) -> None:
    found = what_can(dev, "ecs-task-role").set_index("statement")
    assert found.loc["ReadAndWriteData", "actions"] == ["s3:PutObject", "s3:GetObject"]
    assert list(found["withheld"]) == [[], []]
    generous = [
        s.replaced(statement={**s.statement, "Action": ["s3:GetObject", "s3:DeleteObject"]})
        if s.sid == "ReadAndWriteData" and s.kind == "attached"
        else s
        for s in dev.rows("iam_statements")
    ]
    withheld = what_can(dev.replace(iam_statements=generous), "ecs-task-role").set_index("statement")
    assert withheld.loc["ReadAndWriteData", "withheld"] == ["s3:DeleteObject"]


def test_a_proof_is_refuted_by_a_request_and_holds_without_its_principal(dev: Inventory) -> None:
    refuted = str(rendered_proof(dev, "s3:*", "data", OUTSIDE))
    assert "REFUTED" in refuted and "s3-replication-role: s3:" in refuted
    proven = rendered_proof(dev, "s3:*", "data", OUTSIDE, ["s3-replication-role", "deployer"])
    assert "PROVEN" in str(proven) and "DenyOutsideVpcEndpoint" in str(proven)


def test_a_proof_about_nobody_proves_nothing(dev: Inventory) -> None:
    assert Prover(dev).prove(["s3:*"], None, []).answer is Answer.CANNOT_TELL
    rules = [rule.replaced(role="replication-of-another-team") for rule in dev.rows("bucket_replication_rules")]
    assert judge(dev.replace(bucket_replication_rules=rules))["S3-REPLICA-OUTLIVES"].verdict is Verdict.CANNOT_TELL


def test_questions_that_cannot_be_asked_say_why(dev: Inventory) -> None:
    with pytest.raises(WorkbookError, match="no action s3:Fly"):
        who_can(dev, "s3:Fly*", "data/*")
    with pytest.raises(WorkbookError, match="nothing called 'nowhere'"):
        who_can(dev, "s3:GetObject", "nowhere/*")
    with pytest.raises(WorkbookError, match="no role 'nobody'"):
        what_can(dev, "nobody")
