"""The command line: exit codes, output formats, and no traceback for the user."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest

from workbook import cli
from workbook.errors import WorkbookError
from workbook.inventory import Inventory
from workbook.layers import BY_KEY

DEV = Inventory.from_json((Path(__file__).parent / "fixtures" / "inventory_dev.json").read_text())


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A workbook whose account is the saved inventory."""
    workbook = SimpleNamespace(account=DEV, target=SimpleNamespace(kind="embedded"))
    workbook.inventory = lambda: workbook.account
    monkeypatch.setattr("workbook.workbook.open_workbook", lambda environment: workbook)
    return workbook


def test_claims_in_every_format(deployed: SimpleNamespace, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["claims", "--layer", "s3"]) == 0
    assert capsys.readouterr().out.splitlines()[0].startswith("21 claims on alloy-dev-take-home: 15 PASS")
    assert cli.main(["claims", "--layer", "s3", "--format", "json"]) == 0
    assert {claim["layer"] for claim in json.loads(capsys.readouterr().out)["claims"]} == {"s3"}
    assert cli.main(["claims", "--layer", "s3", "--format", "junit"]) == 0
    assert len(list(ElementTree.fromstring(capsys.readouterr().out).iter("testcase"))) == 21
    assert cli.main(["claims", "--layer", "s3", "--format", "html"]) == 0
    assert "S3-TLS" in capsys.readouterr().out


def test_checkpoints_are_of_the_embedded_aws_only(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("WORKBOOK_TARGET", "http://127.0.0.1:9")
    monkeypatch.setenv("WORKBOOK_HOME", str(tmp_path))
    for arguments in (["list"], ["save", "a"], ["restore", "a"], ["drop", "a"]):
        assert cli.main(["checkpoint", *arguments]) == 1
        assert "only work on the embedded AWS" in capsys.readouterr().err, arguments


def test_a_checkpoint_has_to_be_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["checkpoint", "restore"]) == 1
    assert "Name the checkpoint to restore" in capsys.readouterr().err


def test_the_help_names_every_layer(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["plan", "--help"])
    assert ", ".join(BY_KEY) in " ".join(capsys.readouterr().out.split())


def test_a_failing_claim_sets_the_exit_code(deployed: SimpleNamespace, capsys: pytest.CaptureFixture[str]) -> None:
    deployed.account = DEV.replace(buckets=DEV["buckets"].assign(versioning="Suspended"))
    assert cli.main(["claims", "--layer", "s3"]) == 1
    assert "FAIL              S3-VERSIONING" in capsys.readouterr().out


def test_compliance_as_table_and_page(deployed: SimpleNamespace, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["compliance", "--framework", "CIS AWS"]) == 0
    assert "not certification" in capsys.readouterr().out
    assert cli.main(["compliance", "--format", "html"]) == 0
    assert "<html" in capsys.readouterr().out


def test_a_failure_with_a_known_cause_is_two_lines_and_exit_code_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(environment: str) -> None:
        raise WorkbookError("It is broken.", "Fix it.")

    monkeypatch.setattr("workbook.workbook.open_workbook", broken)
    assert cli.main(["plan"]) == 1
    assert capsys.readouterr().err == "workbook: It is broken.\nFix it.\n"


def test_an_interrupt_is_exit_code_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(environment: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("workbook.workbook.open_workbook", interrupted)
    assert cli.main(["plan"]) == 130


def test_wrong_usage_is_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["bogus"])
    assert ended.value.code == 2
