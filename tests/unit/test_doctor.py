"""The machine report, and the removal of what runs have written."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from workbook import doctor, emulator
from workbook.deployment import count_by_layer
from workbook.emulator import branches
from workbook.errors import WorkbookError
from workbook.host.paths import ENVIRONMENTS
from workbook.host.run_directory import RunDirectory
from workbook.terraform import binary

DEV = ENVIRONMENTS / "dev"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("WORKBOOK_HOME", str(home))
    monkeypatch.delenv("WORKBOOK_TARGET", raising=False)
    monkeypatch.delenv("WORKBOOK_ENVIRONMENT", raising=False)
    return home


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch, home: Path) -> list[str]:
    """An embedded AWS that appears to be running; the list records what was done to it."""
    done: list[str] = []
    (home / "embedded").mkdir()
    (home / "embedded" / "emulator.json").write_text("{}")
    monkeypatch.setattr(emulator, "find", lambda: emulator.Emulator("http://127.0.0.1:45678", 4242, "this-one"))

    def stop_all(home: Path) -> int:
        done.append("stopped")
        return 1

    monkeypatch.setattr(branches, "stop_all", stop_all)
    return done


def deploy(home: Path, name: str = "dev-embedded", instance: str = "this-one") -> Path:
    """A run whose state holds two resources of the vpc layer, one of no layer, and a data source."""
    run = home / name
    run.mkdir()
    (run / "instance").write_text(instance)
    resources = [
        {"mode": "managed", "module": "module.vpc", "type": "aws_subnet", "name": "public", "instances": [{}, {}]},
        {
            "mode": "managed",
            "module": "module.nowhere[0].module.inner",
            "type": "aws_vpc",
            "name": "this",
            "instances": [{}],
        },
        {"mode": "data", "type": "aws_caller_identity", "name": "current", "instances": [{}]},
    ]
    (run / "terraform.tfstate").write_text(json.dumps({"version": 4, "resources": resources}))
    return run


def by_name(name: str) -> doctor.Finding:
    return next(finding for finding in doctor.examine() if finding.name == name)


def test_reports_each_item_on_a_line_and_succeeds_when_nothing_is_missing(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "differences_from_lock", lambda lock: [])
    monkeypatch.setattr(binary, "installed", lambda *_: binary.Binary(Path("/usr/bin/terraform"), "1.11.4"))

    assert doctor.doctor() == 0

    names = [line[9:22].strip() for line in capsys.readouterr().out.splitlines() if line[9:22].strip()]
    assert names == [
        "Python", "packages", "Terraform", "AWS provider", "Graphviz", "browser", "git", "target", "embedded AWS",
        "checkpoints", "deployed", "disk",
    ]  # fmt: skip


def test_what_is_missing_is_reported_with_the_next_step(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "differences_from_lock", lambda lock: ["boto3 1.0 (lock: 2.0)", "b", "c", "d", "e"])
    monkeypatch.setattr(binary, "installed", lambda *_: None)

    assert doctor.doctor() == 1

    lines = capsys.readouterr().out.splitlines()
    packages = next(number for number, line in enumerate(lines) if line.startswith("MISSING  packages"))
    assert "boto3 1.0 (lock: 2.0), b, c and 2 more" in lines[packages]
    assert lines[packages + 1].strip() == "→ make setup"
    assert any(line.startswith("MISSING  Terraform") for line in lines)


@pytest.mark.parametrize(
    ("version", "state"),
    [("1.5.6", "missing"), ("", "missing"), ("1.9.8", "missing"), ("1.10.0", "ok"), ("2.0.0", "ok")],
)
def test_terraform_has_to_be_new_enough(home: Path, monkeypatch: pytest.MonkeyPatch, version: str, state: str) -> None:
    monkeypatch.setattr(binary, "installed", lambda *_: binary.Binary(Path("/usr/bin/terraform"), version))

    assert by_name("Terraform").state == state


def test_wrong_target_is_a_finding(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBOOK_TARGET", "aws")
    monkeypatch.delenv("WORKBOOK_ACCOUNT_ID", raising=False)

    assert by_name("target").state == "missing"
    assert "WORKBOOK_ACCOUNT_ID" in by_name("target").next_step


def test_no_graphviz_and_no_browser(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.shutil, "which", lambda name, path=None: None)
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(home))
    monkeypatch.setenv("HOME", str(home))

    assert by_name("browser").state == "optional"
    # The wheel bundles its own Graphviz.
    assert by_name("Graphviz") == doctor.Finding("Graphviz", "ok", by_name("Graphviz").text)
    assert "pygraphviz" in by_name("Graphviz").text


def test_full_disk(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda path: SimpleNamespace(free=10**9))

    assert by_name("disk").state == "missing"


def test_reports_what_is_deployed_by_layer(home: Path, running: list[str]) -> None:
    deploy(home)

    assert by_name("deployed").text == "dev-embedded: 3 resources: vpc 2, other 1"
    assert by_name("embedded AWS").text.startswith("http://127.0.0.1:45678, process 4242, since 20")


@pytest.mark.parametrize("instance", ["another-one", ""])
def test_state_of_an_embedded_aws_that_is_gone_is_ignored(home: Path, running: list[str], instance: str) -> None:
    deploy(home, instance=instance)

    assert by_name("deployed").text == "nothing"


def directory(path: Path) -> RunDirectory:
    return RunDirectory(path.parent, *path.name.split("-"))


def test_every_resource_of_a_state_is_counted_once(home: Path) -> None:
    run = deploy(home)

    counts = count_by_layer(directory(run), DEV)

    assert {layer: count for layer, count in counts.items() if count} == {"vpc": 2, "other": 1}
    assert not any(count_by_layer(directory(home / "absent-embedded"), DEV).values())


def test_broken_state_is_a_clear_message(home: Path) -> None:
    run = deploy(home)
    (run / "terraform.tfstate").write_text("{")

    with pytest.raises(WorkbookError, match="Could not read the state"):
        count_by_layer(directory(run), DEV)


def test_lock_is_compared_with_what_is_installed(tmp_path: Path) -> None:
    lock = tmp_path / "requirements.lock"
    lock.write_text(
        "# a comment\n"
        f"pytest=={pytest.__version__} \\\n    --hash=sha256:00\n    # via workbook\n"
        "packaging==0.1 \\\n    --hash=sha256:00\n"
        "no-such-package==1.0\n"
        "appnope==1.0.0 ; sys_platform == 'plan9' \\\n"
    )

    different = doctor.differences_from_lock(lock)

    assert [line.split()[0] for line in different] == ["packaging", "no-such-package"]
    assert different[1] == "no-such-package not installed (lock: 1.0)"


def test_checkpoints_are_named_with_the_memory_they_take(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert by_name("checkpoints").text == "none"
    kept = [
        branches.Checkpoint(name, home, 0.0, 7, alive=True, memory=memory)
        for name, memory in (("01_vpc", 60_000_000), ("mine", 40_400_000))
    ]
    monkeypatch.setattr(branches, "listed", lambda: kept)
    assert by_name("checkpoints").text == "01_vpc, mine: 100 MB of memory"


def test_clean_refuses_while_something_is_deployed(
    home: Path, running: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    run = deploy(home)

    assert doctor.clean() == 1

    out = capsys.readouterr().out
    assert "dev-embedded is still deployed: vpc 2, other 1." in out
    assert "make destroy" in out
    assert (run / "terraform.tfstate").is_file()
    assert running == []


def test_clean_refuses_for_a_real_account_regardless_of_what_runs_here(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = deploy(home, "dev-aws-111122223333")

    assert doctor.clean() == 1
    assert run.is_dir()


def test_clean_refuses_a_state_of_an_environment_it_does_not_know(home: Path) -> None:
    run = deploy(home, "prod-aws-111122223333")

    with pytest.raises(WorkbookError, match="is not in terraform/environments"):
        doctor.clean()
    assert run.is_dir()


def test_clean_removes_what_runs_wrote_and_keeps_what_was_installed(
    home: Path, running: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    run = deploy(home)
    (run / "terraform.tfstate").write_text(json.dumps({"version": 4, "resources": []}))
    (home / "bin").mkdir()
    (home / "bin" / "terraform").touch()
    outside = home.parent / "outside"
    outside.mkdir()
    (home / "link").symlink_to(outside)

    assert doctor.clean() == 0

    assert [entry.name for entry in home.iterdir()] == ["bin"]
    assert outside.is_dir()
    assert running == ["stopped"]
    assert "stopped the embedded AWS" in capsys.readouterr().out
    assert doctor.clean() == 0


def test_clean_of_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("WORKBOOK_HOME", str(tmp_path / "absent"))

    assert doctor.clean() == 0
    assert capsys.readouterr().out == "Nothing to remove.\n"
