"""Run directories that change hands, the locks that Terraform and the workbook share, and the names of checkpoints."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from workbook import emulator
from workbook.emulator import branches
from workbook.emulator.running import Record, record_file
from workbook.errors import WorkbookError
from workbook.host.run_directory import EMBEDDED, RunDirectory


def run_directory(home: Path, *names: str, environment: str = "dev", instance: str = "one") -> RunDirectory:
    """A run directory whose state holds resources of these names, each a layer that is marked as deployed."""
    run = RunDirectory(home, environment, EMBEDDED)
    run.create()
    run.adopt(instance)
    resources = [{"mode": "managed", "type": "x", "name": name, "instances": [{}]} for name in names]
    run.state.write_text(json.dumps({"resources": resources}))
    (run.path / "terraform.tfstate.backup").write_text(f"before {names}")
    for name in names:
        run.mark_deployed(name, "digest")
    return run


def names(run: RunDirectory) -> set[str]:
    return {resource["name"] for resource in run.resources()}


# ── run directories ──


def test_a_copy_describes_the_copied_account(tmp_path: Path) -> None:
    run = run_directory(tmp_path / "from", "vpc", "ecr")
    (run.plans / "1.tfplan").write_text("plan")
    copy = run.copy_to(tmp_path / "to", "two")
    assert copy == RunDirectory(tmp_path / "to", "dev", EMBEDDED)
    assert (names(copy), copy.instance) == ({"vpc", "ecr"}, "two")
    assert (copy.deployed_as("vpc"), copy.deployed_as("iam")) == ("digest", "")
    assert (copy.path / "terraform.tfstate.backup").read_text() == "before ('vpc', 'ecr')"
    assert list(copy.plans.iterdir()) == []
    assert (names(run), run.instance, len(list(run.plans.iterdir()))) == ({"vpc", "ecr"}, "one", 1)


def test_a_provider_that_is_no_link_is_not_copied(tmp_path: Path) -> None:
    run = run_directory(tmp_path / "from", "vpc")
    package = run.terraform_data / "providers" / "registry" / "hashicorp" / "aws" / "5.100.0" / "linux_amd64"
    package.parent.mkdir(parents=True)
    package.symlink_to(tmp_path)
    backend = {"backend": {"type": "local", "config": {"path": str(run.state)}}}
    (run.terraform_data / "terraform.tfstate").write_text(json.dumps(backend))
    run.mark_initialized("digest")
    assert run.copy_to(tmp_path / "linked", "two").initialized_as() == "digest"

    with run.initializing(0):
        assert run.copy_to(tmp_path / "changing", "two").initialized_as() == ""

    package.unlink()
    package.mkdir()
    copy = run.copy_to(tmp_path / "packed", "two")
    assert (copy.initialized_as(), copy.terraform_data.exists()) == ("", False)
    assert names(copy) == {"vpc"}


def test_what_described_one_account_describes_another(tmp_path: Path) -> None:
    run = run_directory(tmp_path / "home", "vpc", "a-longer-name-than-any-in-the-other-state")
    (run.plans / "1.tfplan").write_text("plan")
    inode = run.state.stat().st_ino
    run.become(run_directory(tmp_path / "other", "ecr"), "two")
    assert (names(run), run.instance) == ({"ecr"}, "two")
    assert (run.deployed_as("vpc"), run.deployed_as("ecr")) == ("", "digest")
    assert list(run.plans.iterdir()) == []
    assert run.state.stat().st_ino == inode, "a Terraform that waits for its lock has this file open"
    run.become(None, "three")
    assert (names(run), run.instance, run.deployed_as("ecr")) == (set(), "three", "")
    assert not (run.path / "terraform.tfstate.backup").exists()
    assert run.adopt("three") is None
    assert run.adopt("four") is None, "a state without resources is not worth keeping"


def test_a_state_torn_by_a_kill_is_set_aside_like_any_other(tmp_path: Path) -> None:
    run = run_directory(tmp_path, "vpc")
    run.state.write_text('{"resources": [')
    aside = run.adopt("two")
    assert aside is not None and aside.read_text() == '{"resources": ['
    assert (run.instance, run.state.exists(), run.deployed_as("vpc")) == ("two", False, "")


def test_run_directories_of_a_target_are_told_from_other_directories(tmp_path: Path) -> None:
    run_directory(tmp_path, "vpc")
    run_directory(tmp_path, "vpc", environment="prod-eu")
    RunDirectory(tmp_path, "empty", EMBEDDED).create()
    aws = RunDirectory(tmp_path, "dev", "aws-123456789012")
    aws.create()
    aws.state.write_text("")
    (tmp_path / "provider-cache").mkdir()
    (tmp_path / "some-file-embedded").write_text("")

    def found(target: str = "", stateless: bool = False) -> set[str]:
        return {run.path.name for run in RunDirectory.all(tmp_path, target, stateless)}

    assert found() == {"dev-embedded", "prod-eu-embedded", "dev-aws-123456789012"}
    assert found(EMBEDDED) == {"dev-embedded", "prod-eu-embedded"}
    assert found(EMBEDDED, stateless=True) == {"dev-embedded", "prod-eu-embedded", "empty-embedded"}
    assert {run.environment for run in RunDirectory.all(tmp_path, EMBEDDED)} == {"dev", "prod-eu"}


# ── locks ──

HOLD = {
    "the workbook": (
        "from workbook.host.run_directory import RunDirectory\n"
        "with RunDirectory(path.parent, 'dev', 'embedded').applying(): print('holds', flush=True); input()"
    ),
    "Terraform": (
        "import fcntl\n"
        "state = (path / 'terraform.tfstate').open('r+b'); fcntl.lockf(state, fcntl.LOCK_EX)\n"
        "print('holds', flush=True); input()"
    ),
}


@contextmanager
def another_process(code: str, run: RunDirectory) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            f"import sys; from pathlib import Path; path = Path(sys.argv[1])\n{code}",
            str(run.path),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=10)


@pytest.mark.parametrize("holder", HOLD)
def test_at_rest_is_refused_while_another_process_works(tmp_path: Path, holder: str) -> None:
    run = run_directory(tmp_path, "vpc")
    assert not run.busy()
    with another_process(HOLD[holder], run) as process:
        assert process.stdout is not None and process.stdout.readline() == "holds\n"
        assert run.busy()
        with pytest.raises(WorkbookError) as raised, run.at_rest():
            pytest.fail("not at rest")
        assert raised.value.cause == "Terraform is working on dev right now."
        assert raised.value.next_step == "Wait until that plan, apply or destroy has ended, then run this again."
    with run.at_rest():
        assert (run.path / ".terraform.tfstate.lock.info").exists()
    assert not (run.path / ".terraform.tfstate.lock.info").exists()


@pytest.mark.parametrize("holder", HOLD)
def test_at_rest_keeps_another_process_away_until_its_block_ends(tmp_path: Path, holder: str) -> None:
    run = run_directory(tmp_path, "vpc")
    with ExitStack() as stack:
        with run.at_rest():
            process = stack.enter_context(another_process("print('starts', flush=True)\n" + HOLD[holder], run))
            assert process.stdout is not None and process.stdout.readline() == "starts\n"
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.5)
        assert process.stdout.readline() == "holds\n"


def test_what_fails_in_the_block_is_not_taken_for_a_lock(tmp_path: Path) -> None:
    run = run_directory(tmp_path, "vpc")
    for block in (run.at_rest, run.applying):
        for error in (PermissionError("in the block"), WorkbookError("in the block")):
            with pytest.raises(type(error), match="in the block"), block():
                raise error
    assert not run.busy()


def test_a_directory_that_does_not_exist_is_at_rest_and_stays_away(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path, "dev", EMBEDDED)
    with run.at_rest():
        pass
    assert not run.busy() and not run.path.exists()


# ── checkpoints ──


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../a", "-a", ".a", "a b", "a\n", "ä", "a" * 65, "a*"])
def test_a_name_that_is_not_valid_is_refused_before_anything_starts(tmp_path: Path, name: str) -> None:
    with pytest.raises(WorkbookError) as raised:
        branches.save(name, tmp_path)
    assert raised.value.cause == f"{name!r} is not a valid name for a checkpoint."
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", ["-1", "1.5", "1 GB", "²"])
def test_a_limit_that_is_not_a_number_is_refused_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv(branches.MEMORY_VARIABLE, value)
    with pytest.raises(WorkbookError, match="is not a number of megabytes"):
        branches.save("name", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_home_without_checkpoints_and_one_with_broken_ones(tmp_path: Path) -> None:
    assert branches.listed(tmp_path) == []
    for number, text in enumerate(["", "{", "[]", '{"name": "a"}', '{"name": "a", "saved_at": "x", "resources": 0}']):
        entry = tmp_path / "checkpoints" / f"a.{number}" / "checkpoint.json"
        entry.parent.mkdir(parents=True)
        entry.write_text(text)
    assert branches.listed(tmp_path) == []
    for gone in (branches.drop, branches.restore):
        with pytest.raises(WorkbookError) as raised:
            gone("a", tmp_path)
        assert str(raised.value) == "There is no checkpoint 'a'.\nSave one first."


def test_the_later_of_two_with_one_name_counts_and_one_without_a_process_is_not_alive(tmp_path: Path) -> None:
    for directory, name, saved_at in (("x", "a", 2.0), ("y", "a", 1.0), ("z", "b", 1.5)):
        entry = tmp_path / "checkpoints" / directory / "checkpoint.json"
        entry.parent.mkdir(parents=True)
        entry.write_text(json.dumps({"name": name, "saved_at": saved_at, "resources": 7}))
    found = branches.listed(tmp_path)
    assert [(each.name, each.home.name, each.saved_at) for each in found] == [("b", "z", 1.5), ("a", "x", 2.0)]
    assert {(each.alive, each.memory, each.resources) for each in found} == {(False, 0, 7)}


def test_the_record_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    record_file(tmp_path).parent.mkdir()
    record_file(tmp_path).write_text('{"pid": 1, "port": 2, "instance": "abc", "project": "/x"}')
    record = Record.read(tmp_path)
    assert record == Record(emulator.Emulator("http://127.0.0.1:2", 1, "abc"), 2, "", "abc")
