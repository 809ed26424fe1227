"""The façade: opening it starts nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from workbook import emulator
from workbook.errors import WorkbookError
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
