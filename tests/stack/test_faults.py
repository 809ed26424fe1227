"""What goes wrong in front of an audience: each fault gives one message, the state stays intact, the second try works.

They use the registry layer, which deploys quickly, in a copy of the project with its own embedded AWS.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from workbook import deployment as module
from workbook import emulator
from workbook.display.progress import ApplyProgress
from workbook.errors import WorkbookError
from workbook.host.paths import ROOT
from workbook.terraform import settings
from workbook.terraform.diagnostics import TerraformError
from workbook.workbook import Workbook


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the Terraform and container files, and a home directory with no account yet."""
    root = tmp_path / "project"
    for name in ("terraform", "container"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns(".terraform*"))
    monkeypatch.setattr(settings, "ENVIRONMENTS", root / "terraform" / "environments")
    monkeypatch.setenv("WORKBOOK_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("WORKBOOK_TARGET", raising=False)
    yield root
    emulator.stop()


def edit(project: Path, old: str, new: str) -> None:
    path = project / "terraform" / "environments" / "dev" / "locals.tf"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def repositories(wb: Workbook) -> list[str]:
    return [r["repositoryName"] for r in wb.client("ecr").describe_repositories()["repositories"]]


def kill_emulator() -> None:
    running = emulator.find()
    assert running is not None
    os.kill(running.pid, signal.SIGKILL)
    while emulator.find() is not None:
        time.sleep(0.05)


def test_the_emulator_is_killed_before_an_apply_and_restarted_empty(project: Path) -> None:
    wb = Workbook("dev")
    wb.deploy("ecr")
    plan = wb.plan("iam")
    kill_emulator()
    with pytest.raises(WorkbookError, match=r"account is not the one[\s\S]*Plan again"):
        wb.apply(plan)
    (aside,) = wb.run.path.glob("terraform.tfstate.*.aside")
    assert len(json.loads(aside.read_text())["resources"]) > 3
    wb.apply(wb.plan("ecr"))
    assert repositories(wb) == ["alloy-dev-take-home-app"]

    emulator.stop()
    again = Workbook("dev")
    assert repositories(again) == []
    (newer,) = set(again.run.path.glob("terraform.tfstate.*.aside")) - {aside}
    assert "alloy-dev-take-home-app" in newer.read_text()
    again.deploy("ecr")
    assert repositories(again) == ["alloy-dev-take-home-app"]


def test_the_emulator_is_killed_during_an_apply(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killing(ApplyProgress):
        def __call__(self, event) -> None:
            super().__call__(event)
            if event.get("type") == "apply_start" and emulator.find() is not None:
                kill_emulator()

    wb = Workbook("dev")
    plan = wb.plan("ecr")
    with monkeypatch.context() as during:
        during.setattr(module, "ApplyProgress", Killing)
        began = time.monotonic()
        with pytest.raises(WorkbookError, match="embedded AWS stopped") as caught:
            wb.apply(plan)
    assert time.monotonic() - began < 180
    assert "starts a new one" in str(caught.value)
    wb.deploy("ecr")
    assert repositories(wb) == ["alloy-dev-take-home-app"]
    assert wb.plan("ecr").empty


def test_mistakes_in_locals_are_named_and_change_nothing(project: Path) -> None:
    wb = Workbook("dev")
    wb.deploy("ecr")
    state = wb.run.state.read_bytes()
    edit(project, '"10.0.0.0/16"', '"10.0.0.0/33"')
    with pytest.raises(TerraformError) as caught:
        wb.plan("vpc")
    assert "10.0.0.0/33" in str(caught.value) and "vpc.tf, line" in str(caught.value)
    assert "Nothing was changed" in str(caught.value)
    edit(project, '"10.0.0.0/33"', '"10.0.0.0/16"')

    edit(project, 'environment  = "dev"', 'environment  = "dev')
    with pytest.raises(WorkbookError, match=r"locals\.tf, line 3"):
        wb.plan("ecr")
    with pytest.raises(WorkbookError, match=r"locals\.tf, line 3"):
        Workbook("dev")
    edit(project, 'environment  = "dev', 'environment  = "dev"')

    assert wb.run.state.read_bytes() == state
    assert wb.plan("ecr").empty


def test_a_shell_full_of_real_aws_variables_reaches_nothing(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "wJalrXUtnFEMI-REAL-SECRET"
    for name, value in {
        "AWS_ACCESS_KEY_ID": "AKIAREALREALREALREAL",
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_SESSION_TOKEN": secret,
        "AWS_PROFILE": "production",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_ENDPOINT_URL_ECR": "http://127.0.0.1:9",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "TF_CLI_ARGS_plan": "-bogus",
    }.items():
        monkeypatch.setenv(name, value)
    wb = Workbook("dev")
    wb.deploy("ecr")
    assert repositories(wb) == ["alloy-dev-take-home-app"]
    for path in wb.run.path.parent.rglob("*"):
        if path.is_file() and not path.is_symlink() and "terraform-data" not in path.parts:
            assert secret.encode() not in path.read_bytes(), path


def command(project: Path, *arguments: str) -> subprocess.Popen[str]:
    """The command line in a separate process, on the copied project."""
    code = (
        "import sys; from pathlib import Path; from workbook import cli; from workbook.terraform import settings; "
        f"settings.ENVIRONMENTS = Path({str(project / 'terraform' / 'environments')!r}); sys.exit(cli.main(sys.argv[1:]))"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def test_two_notebooks_apply_at_once(project: Path) -> None:
    emulator.start()
    both = [command(project, "apply", "ecr") for _ in range(2)]
    texts = [process.communicate(timeout=600)[0] for process in both]
    # One waits for the lock and finds nothing left to do, or reports what is going on; neither shows a traceback.
    assert any(process.returncode == 0 for process in both), texts
    for process, text in zip(both, texts, strict=True):
        if process.returncode:
            assert "Another plan or apply is running" in text or "This plan is stale" in text, text
        assert "Traceback" not in text
    wb = Workbook("dev")
    assert repositories(wb) == ["alloy-dev-take-home-app"]
    assert wb.plan("ecr").empty


def test_an_interrupt_during_an_apply(project: Path) -> None:
    emulator.start()
    process = command(project, "apply", "iam")
    log = Path(os.environ["WORKBOOK_HOME"]) / "dev-embedded" / "logs"
    deadline = time.monotonic() + 600
    while not any('"apply_start"' in path.read_text() for path in log.glob("*-apply.out")):
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.2)
    os.kill(process.pid, signal.SIGINT)
    text = process.communicate(timeout=600)[0]
    assert process.returncode == 1
    assert "continues in the background" in text and "Run this again" in text and "Traceback" not in text
    wb = Workbook("dev")
    assert wb.plan("iam").empty
