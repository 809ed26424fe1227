"""Setup: one set of versions for both ways of installing, and a Terraform whose checksum is verified."""

from __future__ import annotations

import hashlib
import http.server
import io
import os
import re
import shutil
import subprocess
import threading
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import rattler
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from workbook.errors import WorkbookError
from workbook.host.paths import ROOT
from workbook.host.ports import free_port
from workbook.terraform import binary

ENVIRONMENT = yaml.safe_load((ROOT / "environment.yml").read_text())
LOCK = dict(re.findall(r"^([A-Za-z0-9._-]+)==([^ ;\\\n]+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

CONDA = [entry for entry in ENVIRONMENT["dependencies"] if isinstance(entry, str)]
PIP = [
    entry
    for entry in next(entry["pip"] for entry in ENVIRONMENT["dependencies"] if isinstance(entry, dict))
    if not entry.startswith("-")
]
# Programs: PyPI either does not have them or has something else by that name.
PROGRAMS = {"python", "pip", "terraform", "graphviz", "git", "make"}


def wanted() -> list[Requirement]:
    return [Requirement(text) for text in (*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["test"])]


@pytest.mark.parametrize("entry", CONDA)
def test_conda_entry_is_a_match_spec_with_the_lock_s_version(entry: str) -> None:
    spec = rattler.MatchSpec(entry)
    name = spec.name.normalized
    if name not in PROGRAMS:
        assert rattler.VersionSpec(spec.version.removesuffix(".*") + ".*").matches(rattler.Version(LOCK[name]))
        assert entry == f"{name}={LOCK[name]}"


def test_conda_terraform_has_native_locking_of_the_s3_backend() -> None:
    spec = rattler.VersionSpec(
        rattler.MatchSpec(next(entry for entry in CONDA if entry.startswith("terraform"))).version
    )
    assert spec.matches(rattler.Version("1.10.0"))
    assert not spec.matches(rattler.Version("1.9.8"))
    assert spec.matches(rattler.Version(binary.VERSION))


@pytest.mark.parametrize("entry", PIP)
def test_pip_entry_is_pinned_to_the_lock_s_version(entry: str) -> None:
    requirement = Requirement(entry)
    assert str(requirement.specifier) == f"=={LOCK[canonicalize_name(requirement.name)]}"


def test_conda_environment_has_everything_the_project_requires() -> None:
    present = {rattler.MatchSpec(entry).name.normalized for entry in CONDA} | {
        canonicalize_name(Requirement(entry).name) for entry in PIP
    }
    assert {canonicalize_name(requirement.name) for requirement in wanted()} <= present
    assert ENVIRONMENT["name"] == "workbook"
    assert ENVIRONMENT["channels"] == ["conda-forge", "nodefaults"]


@pytest.mark.parametrize("requirement", wanted(), ids=lambda requirement: requirement.name)
def test_lock_satisfies_what_the_project_requires(requirement: Requirement) -> None:
    assert requirement.specifier.contains(LOCK[canonicalize_name(requirement.name)])


def test_lock_names_no_host_and_has_a_hash_for_every_package() -> None:
    text = (ROOT / "requirements.lock").read_text()
    assert "://" not in text
    entries = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)[1:]
    assert len(entries) >= len(LOCK) > 100
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []


def test_boto3_matches_what_the_container_s_aws_cli_pins() -> None:
    assert LOCK["boto3"] == LOCK["botocore"]


# ── Terraform ──


def archive(content: bytes = b"#!/bin/sh\necho 'Terraform v1.11.4'\n") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        packed.writestr("LICENSE.txt", "text")
        packed.writestr("terraform", content)
    return buffer.getvalue()


@pytest.fixture
def releases(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """URL and directory of a local release server."""
    directory = tmp_path / "releases"
    (directory / binary.VERSION).mkdir(parents=True)

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: object) -> None:
            super().__init__(*args, directory=str(directory))  # type: ignore[arg-type]

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", free_port()), Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", directory / binary.VERSION
    server.shutdown()
    server.server_close()


def publish(directory: Path, content: bytes, checksum: str | None = None) -> None:
    name = binary.archive_name()
    (directory / name).write_bytes(content)
    other = f"{'0' * 64}  terraform_{binary.VERSION}_plan9_386.zip\n"
    sums = f"{other}{checksum or hashlib.sha256(content).hexdigest()}  {name}\n"
    (directory / f"terraform_{binary.VERSION}_SHA256SUMS").write_text(sums)


def test_release_with_the_right_checksum_is_installed(releases: tuple[str, Path], tmp_path: Path) -> None:
    url, directory = releases
    publish(directory, archive())

    fetched = binary.fetch(tmp_path / "bin", url)

    assert os.access(fetched, os.X_OK)
    assert binary.installed(search_path=str(tmp_path / "empty"), own=tmp_path / "bin") == binary.Binary(
        fetched, "1.11.4"
    )
    assert [path.name for path in (tmp_path / "bin").iterdir()] == ["terraform"]


def test_release_with_another_checksum_is_refused(releases: tuple[str, Path], tmp_path: Path) -> None:
    url, directory = releases
    publish(directory, archive(b"something else"), checksum=hashlib.sha256(archive()).hexdigest())

    with pytest.raises(WorkbookError, match=r"Discarded .* checksum"):
        binary.fetch(tmp_path / "bin", url)

    assert not (tmp_path / "bin").exists()


def test_release_that_the_checksums_do_not_list_is_refused(releases: tuple[str, Path], tmp_path: Path) -> None:
    url, directory = releases
    publish(directory, archive())
    (directory / f"terraform_{binary.VERSION}_SHA256SUMS").write_text(f"{'0' * 64}  terraform_0_plan9_386.zip\n\n")

    with pytest.raises(WorkbookError, match="do not list"):
        binary.fetch(tmp_path / "bin", url)


def test_no_release_or_no_network_says_what_to_install(releases: tuple[str, Path], tmp_path: Path) -> None:
    url, _ = releases
    for address in (url, "http://127.0.0.1:9"):
        with pytest.raises(WorkbookError, match="could not be downloaded") as caught:
            binary.fetch(tmp_path / "bin", address)
        assert "Install Terraform" in caught.value.next_step


def test_machine_without_a_release_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binary.platform, "machine", lambda: "riscv64")

    with pytest.raises(WorkbookError, match="riscv64"):
        binary.archive_name()


def test_terraform_on_the_path_comes_first_and_a_broken_one_is_not_usable(tmp_path: Path) -> None:
    for name, answer in (
        ("path", "echo 'Terraform v1.5.6'"),
        ("own", "echo 'Terraform v1.11.4'"),
        ("broken", "exit 3"),
    ):
        (tmp_path / name).mkdir()
        program = tmp_path / name / "terraform"
        program.write_text(f"#!/bin/sh\n{answer}\n")
        program.chmod(0o755)

    found = binary.installed(str(tmp_path / "path"), tmp_path / "own")
    assert (found and found.version, found and found.usable) == ("1.5.6", False)
    broken = binary.installed(str(tmp_path / "broken"), tmp_path / "own")
    assert broken and not broken.usable
    assert binary.installed(str(tmp_path / "absent"), tmp_path / "absent") is None


# ── make ──


def make(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **environment},
        check=False,
    )


def test_make_lists_its_targets() -> None:
    shown = make().stdout
    assert {line.split()[1] for line in shown.splitlines()} >= {
        "setup", "walkthrough", "lab", "test", "lint", "bench", "notebooks", "doctor", "clean", "lock",
    }  # fmt: skip


def test_make_uses_the_conda_environment_when_it_is_active() -> None:
    inside = make("-n", "doctor", CONDA_DEFAULT_ENV="workbook", CONDA_PREFIX="/somewhere/envs/workbook").stdout
    other = make("-n", "doctor", CONDA_DEFAULT_ENV="base", CONDA_PREFIX="/somewhere").stdout
    assert "/somewhere/envs/workbook/bin/workbook doctor" in inside
    assert "/somewhere" not in other
    assert ".venv/bin/workbook doctor" in other


def set_up(tmp_path: Path, **programs: str) -> subprocess.CompletedProcess[str]:
    """Run setup in an empty project, on a machine with only these programs besides the basic ones."""
    project, search_path = tmp_path / "project", tmp_path / "path"
    (project / "scripts").mkdir(parents=True)
    search_path.mkdir()
    shutil.copy(ROOT / "scripts" / "setup.sh", project / "scripts")
    for name in ("bash", "dirname", "basename", "mktemp", "rm", "mkdir", "mv", "cut", "head"):
        (search_path / name).symlink_to(shutil.which(name) or name)
    for name, text in programs.items():
        (search_path / name).write_text(f"#!{search_path}/bash\n{text}\n")
        (search_path / name).chmod(0o755)
    return subprocess.run(
        [str(search_path / "bash"), "scripts/setup.sh"],
        cwd=project,
        env={"PATH": str(search_path), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_set_up_without_a_new_python_says_so_in_one_line(tmp_path: Path) -> None:
    done = set_up(tmp_path, python3='[ "$1" = --version ] && echo "Python 3.9.2"; exit 1')

    assert done.returncode == 1
    assert (
        done.stderr
        == "setup: Python 3.11 or newer is missing (found: Python 3.9.2). Install it, or uv, and run this again.\n"
    )


def test_set_up_without_pip_and_venv_says_what_to_install(tmp_path: Path) -> None:
    done = set_up(tmp_path, python3='[ "$1" = -c ]')

    assert done.returncode == 1
    assert "has neither pip nor venv" in done.stderr
    assert "python3-venv" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_set_up_without_a_network_says_so(tmp_path: Path) -> None:
    done = set_up(tmp_path, python3='[ "$1" = -c ] || [ "$3" = --version ]')

    assert done.returncode == 1
    assert "could not install uv" in done.stderr and "with pip" in done.stderr
