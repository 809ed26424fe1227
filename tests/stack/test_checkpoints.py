"""Checkpoints as a person uses them: saved, restored, branched, and left by the walkthrough; everything agrees
afterwards.
"""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from workbook import cli
from workbook.emulator import branches
from workbook.notebooks.walkthrough import walkthrough
from workbook.workbook import Workbook

pytestmark = pytest.mark.stack


@pytest.fixture
def home(stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the deployed account."""
    home = tmp_path / "home"
    branches.fork(home, home=stack.workbook.run.home)
    monkeypatch.setenv("WORKBOOK_HOME", str(home))
    yield home
    branches.stop_all(home)


def repositories(wb: Workbook) -> list[str]:
    return [found["repositoryName"] for found in wb.client("ecr").describe_repositories()["repositories"]]


def test_all_agree_when_what_was_destroyed_is_restored(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Account, state, stamps, inventory and open kernels."""
    wb, kernel = Workbook("dev"), Workbook("dev")
    resources, ecr = sum(wb.deployed().values()), kernel.client("ecr")
    assert kernel.inventory().deployed("ecr") and wb.checkpoint("whole").text.startswith("Checkpoint whole saved")

    wb.destroy()
    assert not any(wb.deployed().values()) and not wb.deployment.is_current("ecr")
    # Nothing of it is left.
    left = kernel.inventory(fresh=True)
    assert not left.deployed("ecr")
    names = {
        name: left[name]["name"].tolist()
        for name in ("vpcs", "repositories", "roles", "buckets", "clusters", "load_balancers", "log_groups")
    }
    assert not any(names.values()), names

    assert wb.restore("whole").text == f"Restored whole: {resources} resources deployed."
    assert sum(wb.deployed().values()) == resources and wb.deployment.is_current()
    assert wb.plan("s3", "ecr").empty
    # Another kernel: its client still works, its cached inventory is read again, and it says why.
    assert len(ecr.describe_repositories()["repositories"]) == 1
    capsys.readouterr()
    assert kernel.inventory().deployed("ecr")
    assert "restored to the checkpoint whole" in capsys.readouterr().out


def test_a_plan_of_the_account_before_is_refused(home: Path) -> None:
    wb = Workbook("dev")
    wb.checkpoint("start")
    wb.client("ecr").put_image_scanning_configuration(
        repositoryName=f"{wb.settings.prefix}-app", imageScanningConfiguration={"scanOnPush": False}
    )
    plan = wb.deployment.plan("ecr", details=False)
    assert not plan.empty
    wb.restore("start")
    with pytest.raises(Exception, match="Plan again"):
        wb.apply(plan)
    assert wb.plan("ecr").empty


def test_a_branch_is_an_account_of_its_own(home: Path) -> None:
    wb = Workbook("dev")
    with wb.branch() as other:
        other.client("ecr").delete_repository(repositoryName=f"{wb.settings.prefix}-app", force=True)
        assert repositories(other) == [] and len(repositories(wb)) == 1
        assert not other.deployment.plan("ecr", details=False).empty
    assert wb.plan("ecr").empty


def test_the_command_line_saves_lists_restores_and_drops(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["checkpoint", "save", "mine"]) == 0
    assert cli.main(["checkpoint", "list"]) == 0
    assert "mine" in capsys.readouterr().out
    assert cli.main(["checkpoint", "restore", "mine"]) == 0
    assert "Restored mine" in capsys.readouterr().out
    assert cli.main(["checkpoint", "drop", "mine"]) == 0
    assert cli.main(["checkpoint", "restore", "mine"]) == 1
    assert "no checkpoint 'mine'" in capsys.readouterr().err


def test_the_walkthrough_leaves_one_at_the_start_of_every_page(home: Path, tmp_path: Path) -> None:
    cells = [new_markdown_cell("# Page"), new_code_cell("from workbook import open_workbook\nopen_workbook().banner()")]
    pages = [tmp_path / f"{name}.ipynb" for name in ("02_ecr", "42_more")]
    for path in pages:
        nbformat.write(new_notebook(cells=cells), path)
    assert walkthrough(pages) == 0
    first = {kept.name: kept.saved_at for kept in branches.listed(home)}
    assert set(first) == {"02_ecr", "42_more"}
    # A second time the layer of page 02 is deployed: its start is the first one. The other page starts where it does
    # now.
    assert walkthrough(pages) == 0
    second = {kept.name: kept.saved_at for kept in branches.listed(home)}
    assert second["02_ecr"] == first["02_ecr"] and second["42_more"] > first["42_more"]
