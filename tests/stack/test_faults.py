"""What goes wrong in front of an audience: each fault gives one message, the state stays intact, the second try works.

Each test has a copy of the project and an account of its own: a copy of an empty one, or of one where the registry layer is
deployed, which is the quickest to deploy.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from workbook import deployment as module
from workbook import emulator
from workbook.display.progress import ApplyProgress
from workbook.emulator import branches
from workbook.errors import WorkbookError
from workbook.host.paths import ROOT
from workbook.terraform import settings
from workbook.terraform.diagnostics import TerraformError
from workbook.workbook import Workbook

# The smaller one: a plan takes two thirds of the time.
ENVIRONMENT = "baseline"
SECRET = "wJalrXUtnFEMI-REAL-SECRET"
REAL_AWS = {
    "AWS_ACCESS_KEY_ID": "AKIAREALREALREALREAL",
    "AWS_SECRET_ACCESS_KEY": SECRET,
    "AWS_SESSION_TOKEN": SECRET,
    "AWS_PROFILE": "production",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "AWS_ENDPOINT_URL_ECR": "http://127.0.0.1:9",
    "HTTP_PROXY": "http://127.0.0.1:9",
    "HTTPS_PROXY": "http://127.0.0.1:9",
    "TF_CLI_ARGS_plan": "-bogus",
}


@contextmanager
def working_in(directory: Path, variables: dict[str, str], original: Path = ROOT) -> Iterator[Path]:
    """Use a copy of a project's Terraform and container files, and the home `directory / "home"`, with these variables
    set. Another test may be writing to the lock file of `ROOT` right now, so that one is left out.
    """
    root = directory / "project"
    for name in ("terraform", "container"):
        ignored = [".terraform*"] if original == ROOT else []
        shutil.copytree(original / name, root / name, ignore=shutil.ignore_patterns(*ignored))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settings, "ENVIRONMENTS", root / "terraform" / "environments")
        patch.setenv("WORKBOOK_HOME", str(directory / "home"))
        patch.setenv("WORKBOOK_ENVIRONMENT", ENVIRONMENT)
        patch.delenv("WORKBOOK_TARGET", raising=False)
        for name, value in variables.items():
            patch.setenv(name, value)
        yield root


@pytest.fixture(scope="module")
def deployed_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Home of an account with the registry, deployed from a shell full of real AWS variables; the tests use copies of it."""
    directory = tmp_path_factory.mktemp("deployed")
    try:
        with working_in(directory, REAL_AWS):
            Workbook(ENVIRONMENT).deploy("ecr")
        yield directory / "home"
    finally:
        branches.stop_all(directory / "home")


@pytest.fixture(scope="module")
def empty_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Home of an empty account; the tests use copies of it."""
    directory = tmp_path_factory.mktemp("empty")
    try:
        with working_in(directory, {}):
            wb = Workbook(ENVIRONMENT)
            # So that each copy has these services loaded.
            assert repositories(wb) == [] and wb.client("iam").list_roles()["Roles"] == []
            wb.deployment.terraform().prepare()  # and need no `terraform init`
        yield directory / "home"
    finally:
        branches.stop_all(directory / "home")


@contextmanager
def copy_of(home: Path, directory: Path) -> Iterator[Path]:
    """Use copies of an account and of the project next to it."""
    with working_in(directory, {}, original=home.parent / "project") as project:
        branches.fork(directory / "home", home)
        try:
            yield project
        finally:
            branches.stop_all(directory / "home")


@pytest.fixture
def deployed(tmp_path: Path, deployed_home: Path) -> Iterator[Path]:
    """A copy of the project in use, with the registry deployed."""
    with copy_of(deployed_home, tmp_path) as project:
        yield project


@pytest.fixture
def started(tmp_path: Path, empty_home: Path) -> Iterator[Path]:
    """A copy of the project in use, with an empty account."""
    with copy_of(empty_home, tmp_path) as project:
        yield project


def edit(project: Path, old: str, new: str) -> None:
    path = project / "terraform" / "environments" / ENVIRONMENT / "locals.tf"
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


def test_the_emulator_is_killed_before_an_apply(deployed: Path) -> None:
    wb = Workbook(ENVIRONMENT)
    assert repositories(wb) == ["alloy-baseline-take-home-app"]
    plan = wb.deployment.plan("iam", details=False)
    kill_emulator()
    with pytest.raises(WorkbookError, match=r"made for a different account[\s\S]*Plan again"):
        wb.apply(plan)
    (aside,) = wb.run.path.glob("terraform.tfstate.*.aside")
    assert "alloy-baseline-take-home-app" in aside.read_text()
    wb.deploy("ecr")
    assert repositories(wb) == ["alloy-baseline-take-home-app"]


def test_the_emulator_is_stopped_and_restarted_empty(deployed: Path) -> None:
    emulator.stop()
    wb = Workbook(ENVIRONMENT)
    assert repositories(wb) == []
    (aside,) = wb.run.path.glob("terraform.tfstate.*.aside")
    assert "alloy-baseline-take-home-app" in aside.read_text()
    assert len(wb.deployment.plan("ecr", details=False).actions) == 1


def test_the_emulator_is_killed_during_an_apply(started: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killing(ApplyProgress):
        def __call__(self, event) -> None:
            super().__call__(event)
            if event.get("type") == "apply_start" and emulator.find() is not None:
                kill_emulator()

    wb = Workbook(ENVIRONMENT)
    plan = wb.deployment.plan("vpc", details=False)
    with monkeypatch.context() as during:
        during.setattr(module, "ApplyProgress", Killing)
        began = time.monotonic()
        with pytest.raises(WorkbookError, match="embedded AWS stopped") as caught:
            wb.apply(plan)
    assert time.monotonic() - began < 180
    assert "starts a new one" in str(caught.value)
    wb.deploy("vpc")
    assert len(wb.inventory(fresh=True).rows("vpcs")) == 1
    assert wb.plan("vpc").empty


def test_mistakes_in_locals_are_named_and_change_nothing(deployed: Path) -> None:
    wb = Workbook(ENVIRONMENT)
    state = wb.run.state.read_bytes()
    edit(deployed, '"10.1.0.0/16"', '"10.1.0.0/33"')
    with pytest.raises(TerraformError) as caught:
        wb.plan("vpc")
    assert "10.1.0.0/33" in str(caught.value) and "vpc.tf, line" in str(caught.value)
    assert "Nothing was changed" in str(caught.value)
    edit(deployed, '"10.1.0.0/33"', '"10.1.0.0/16"')

    edit(deployed, 'environment  = "baseline"', 'environment  = "baseline')
    with pytest.raises(WorkbookError, match=r"locals\.tf, line 3"):
        wb.plan("ecr")
    with pytest.raises(WorkbookError, match=r"locals\.tf, line 3"):
        Workbook(ENVIRONMENT)
    edit(deployed, 'environment  = "baseline', 'environment  = "baseline"')

    assert wb.run.state.read_bytes() == state
    assert wb.plan("ecr").empty


def test_a_shell_full_of_real_aws_variables_reaches_nothing(
    deployed_home: Path, deployed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in REAL_AWS.items():
        monkeypatch.setenv(name, value)
    wb = Workbook(ENVIRONMENT)
    assert repositories(wb) == ["alloy-baseline-take-home-app"]
    written = [
        path
        for home in (deployed_home, wb.run.home)
        for path in home.rglob("*")
        if path.is_file() and not path.is_symlink() and "terraform-data" not in path.parts
    ]
    assert {"emulator.log", "terraform.tfstate", "commands.jsonl"} <= {path.name for path in written}
    for path in written:
        assert SECRET.encode() not in path.read_bytes(), path


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


def test_two_notebooks_apply_at_once(started: Path) -> None:
    both = [command(started, "apply", "ecr") for _ in range(2)]
    texts = [process.communicate(timeout=600)[0] for process in both]
    # One waits for the lock and finds nothing left to do, or reports what is going on; neither shows a traceback.
    assert any(process.returncode == 0 for process in both), texts
    for process, text in zip(both, texts, strict=True):
        if process.returncode:
            assert "Another plan or apply is running" in text or "This plan is stale" in text, text
        assert "Traceback" not in text
    wb = Workbook(ENVIRONMENT)
    assert repositories(wb) == ["alloy-baseline-take-home-app"]
    assert wb.plan("ecr").empty


def test_an_interrupt_during_an_apply(started: Path) -> None:
    # The provider itself waits for a VPC for some ten seconds.
    process = command(started, "apply", "vpc")
    log = Path(os.environ["WORKBOOK_HOME"]) / f"{ENVIRONMENT}-embedded" / "logs"
    deadline = time.monotonic() + 600
    while not any('"apply_start"' in path.read_text() for path in log.glob("*-apply.out")):
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.2)
    os.kill(process.pid, signal.SIGINT)
    text = process.communicate(timeout=600)[0]
    assert process.returncode == 1
    assert "continues in the background" in text and "Run this again" in text and "Traceback" not in text
    wb = Workbook(ENVIRONMENT)
    assert wb.plan("vpc").empty
