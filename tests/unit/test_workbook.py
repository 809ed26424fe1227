"""The façade: opening it starts nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from workbook import emulator
from workbook.errors import WorkbookError
from workbook.terraform.driver import Terraform
from workbook.workbook import Workbook, open_workbook


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WORKBOOK_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("WORKBOOK_TARGET", raising=False)
    monkeypatch.delenv("WORKBOOK_ENVIRONMENT", raising=False)
    return tmp_path / "home"


def test_opening_and_what_needs_no_account_start_nothing(home: Path) -> None:
    wb = open_workbook()
    assert "alloy-dev-take-home" in wb.banner().text
    assert "iam" in wb.limits().text and "The network" in wb.contents().text and "next" in wb.navigation("start").text
    assert wb.layers == ["vpc", "ecr", "iam", "s3", "ecs"]
    assert emulator.find() is None
    assert not home.exists()


def test_an_unknown_environment_is_refused_at_once(home: Path) -> None:
    with pytest.raises(WorkbookError, match="no environment 'production'"):
        open_workbook("production")


def test_copies_of_the_account_exist_on_the_embedded_aws_only(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBOOK_TARGET", "http://127.0.0.1:9")
    wb = Workbook("dev")
    for call in (wb.checkpoints, lambda: wb.checkpoint("a"), lambda: wb.restore("a"), lambda: wb.branch().__enter__()):
        with pytest.raises(WorkbookError, match="only work on the embedded AWS"):
            call()


@pytest.mark.parametrize(
    ("outputs", "bucket", "elsewhere"),
    [
        ({}, {}, ""),
        ({"region": {"value": "us-east-1"}}, {"region": "us-west-2"}, ""),
        ({"region": {"value": "eu-west-1"}}, {"region": "us-west-2"}, "eu-west-1"),
        ({}, {"region": "us-east-1", "bucket_region": "eu-west-1"}, "eu-west-1"),
        ({"region": {"value": "eu-west-1"}}, {"region": "eu-central-1"}, "eu-central-1 and eu-west-1"),
    ],
)
def test_a_stack_in_other_regions_is_not_planned(
    home: Path, monkeypatch: pytest.MonkeyPatch, outputs: dict[str, Any], bucket: dict[str, str], elsewhere: str
) -> None:
    monkeypatch.setenv("WORKBOOK_TARGET", "http://127.0.0.1:9")
    monkeypatch.setattr(Terraform, "make_plan", lambda *_, **__: (_ for _ in ()).throw(WorkbookError("Planned.")))
    wb = Workbook("dev")
    wb.run.create()
    resource = {"mode": "managed", "type": "aws_s3_bucket", "name": "this", "instances": [{"attributes": bucket}]}
    wb.run.state.write_text(json.dumps({"version": 4, "outputs": outputs, "resources": [resource]}))
    expected = f"dev is deployed in {elsewhere}, which locals.tf no longer names" if elsewhere else "Planned"
    for destroy in (False, True):
        with pytest.raises(WorkbookError, match=expected):
            wb.deployment.plan(destroy=destroy)
