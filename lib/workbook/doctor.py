"""What is installed, which target is selected, what is deployed; and cleaning up once nothing is deployed."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from packaging.requirements import InvalidRequirement, Requirement

from workbook import emulator
from workbook.deployment import count_by_layer
from workbook.emulator import branches
from workbook.errors import WorkbookError
from workbook.host.paths import ENVIRONMENTS, ROOT, emulator_dir, home
from workbook.host.run_directory import RunDirectory
from workbook.target import choose_target
from workbook.terraform import binary
from workbook.terraform.provider import find_mirror
from workbook.terraform.settings import read_settings

State = Literal["ok", "optional", "missing"]
_WORDS: dict[State, str] = {"ok": "ok", "optional": "-", "missing": "MISSING"}
_DISK_NEEDED = 2 * 10**9  # bytes; the AWS provider alone takes 0.7
# What stays in the home after a clean: programs that setup installed, not output of a run.
_KEPT = frozenset({"bin", "provider-cache", "simulator", "audit-env"})


@dataclass(frozen=True)
class Finding:
    """One line of the report. What is `optional` may be absent; what is `missing` needs fixing, and `next_step` says
    how.
    """

    name: str
    state: State
    text: str
    next_step: str = ""


def doctor() -> int:
    """Print one line for each thing the workbook needs or has.

    Returns
    -------
    Exit code: 1 when something required is missing, else 0.
    """
    findings = list(examine())
    for finding in findings:
        print(f"{_WORDS[finding.state]:<8} {finding.name:<13} {finding.text}")
        if finding.next_step and finding.state != "ok":
            print(f"{'':<22} → {finding.next_step}")
    return int(any(finding.state == "missing" for finding in findings))


def examine() -> Iterator[Finding]:
    """Every finding of the report, in order; a check that fails to run is a finding too."""
    checks: list[tuple[str, Callable[[], Iterator[Finding]]]] = [
        ("Python", _python),
        ("packages", _packages),
        ("Terraform", _terraform),
        ("AWS provider", _provider),
        ("Graphviz", _graphviz),
        ("browser", _browser),
        ("git", _git),
        ("target", _target),
        ("embedded AWS", _embedded),
        ("checkpoints", _checkpoints),
        ("deployed", _deployed),
        ("disk", _disk),
    ]
    for name, check in checks:
        try:
            yield from check()
        except WorkbookError as error:
            yield Finding(name, "missing", error.cause, error.next_step)


def clean() -> int:
    """Stop the embedded AWS with its checkpoints and remove what runs wrote, unless something is still deployed.

    Returns
    -------
    Exit code: 1 if something is deployed (then nothing is removed), else 0.
    """
    directory = home()
    if not directory.is_dir():
        print("Nothing to remove.")
        return 0
    deployed = _still_deployed()
    if deployed:
        for name, resources in deployed.items():
            print(f"{name} is still deployed: {_counts(resources)}.")
        print(
            "Nothing was removed. Run `make destroy` with the same WORKBOOK_ENVIRONMENT and WORKBOOK_TARGET, then "
            "clean again."
        )
        return 1
    stopped = branches.stop_all(directory)
    removed = [entry for entry in sorted(directory.iterdir()) if entry.name not in _KEPT]
    for entry in removed:
        shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
    print(f"Removed {len(removed)} entries from {directory}{'; stopped the embedded AWS' if stopped else ''}.")
    return 0


def find_browser() -> Path | None:
    """A Chromium for the browser tests: the system's, or else Playwright's."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return Path(found)
    for cache in (
        os.environ.get("PLAYWRIGHT_BROWSERS_PATH"),
        Path.home() / ".cache/ms-playwright",
        Path.home() / "Library/Caches/ms-playwright",
    ):
        if cache:
            for pattern in ("chromium-*/chrome-linux*/chrome", "chromium-*/chrome-mac*/*.app/Contents/MacOS/*"):
                if found_paths := sorted(Path(cache).glob(pattern)):
                    return found_paths[-1]
    return None


def differences_from_lock(lock: Path) -> list[str]:
    """Packages of the lock that are missing here or differ in version, such as `boto3 1.40.0 (lock: 1.44.5)`."""
    differences = []
    for line in lock.read_text().splitlines():
        if not re.match(r"[A-Za-z0-9]", line):
            continue
        try:
            wanted = Requirement(line.rstrip(" \\"))
        except InvalidRequirement:
            continue
        if wanted.marker is not None and not wanted.marker.evaluate():
            continue
        locked = str(wanted.specifier).removeprefix("==")
        try:
            version = importlib.metadata.version(wanted.name)
        except importlib.metadata.PackageNotFoundError:
            version = "not installed"
        if version != locked:
            differences.append(f"{wanted.name} {version} (lock: {locked})")
    return differences


def _python() -> Iterator[Finding]:
    version = platform.python_version()
    if sys.version_info < (3, 11):  # noqa: UP036 - run by hand, it may be an older one
        yield Finding("Python", "missing", f"{version} is too old", "Install Python 3.11 or newer, then: make setup")
    else:
        yield Finding("Python", "ok", f"{version} ({sys.executable})")


def _packages() -> Iterator[Finding]:
    different = differences_from_lock(ROOT / "requirements.lock")
    if different:
        more = f" and {len(different) - 3} more" if len(different) > 3 else ""
        yield Finding(
            "packages", "missing", f"differ from requirements.lock: {', '.join(different[:3])}{more}", "make setup"
        )
    else:
        yield Finding("packages", "ok", "match requirements.lock")


def _terraform() -> Iterator[Finding]:
    found = binary.require()
    yield Finding("Terraform", "ok", f"{found.version} ({found.path})")


def _provider() -> Iterator[Finding]:
    mirror = find_mirror(os.environ)
    if mirror is not None:
        yield Finding("AWS provider", "ok", f"from the mirror in {mirror}")
        return
    caches = [
        path
        for path in (home() / "provider-cache", ROOT / ".workbook" / "provider-cache")
        if any(path.glob("*/hashicorp/aws"))
    ]
    yield Finding(
        "AWS provider",
        "ok",
        f"cached in {caches[0]}" if caches else "Terraform downloads it from its registry on the first run",
    )


def _graphviz() -> Iterator[Finding]:
    if found := shutil.which("dot"):
        yield Finding("Graphviz", "ok", found)
        return
    try:
        import pygraphviz
    except ImportError:
        yield Finding(
            "Graphviz", "missing", "neither dot on the PATH nor pygraphviz", "make setup, or install graphviz"
        )
    else:
        yield Finding("Graphviz", "ok", f"bundled with pygraphviz {pygraphviz.__version__}")


def _browser() -> Iterator[Finding]:
    found = find_browser()
    if found:
        yield Finding("browser", "ok", f"{found} (for the browser tests)")
    else:
        yield Finding(
            "browser",
            "optional",
            "no Chromium: the browser tests are skipped",
            "Install chromium, or run: playwright install chromium",
        )


def _git() -> Iterator[Finding]:
    found = shutil.which("git")
    yield Finding(
        "git",
        "ok" if found else "optional",
        found or "not on the PATH",
        "Install git to see what `make notebooks` changed",
    )


def _target() -> Iterator[Finding]:
    environment = os.environ.get("WORKBOOK_ENVIRONMENT") or "dev"
    target = choose_target(read_settings(environment).region)
    yield Finding("target", "ok", f"{target.label}, environment {environment}")


def _embedded() -> Iterator[Finding]:
    running = emulator.find()
    if running is None:
        yield Finding("embedded AWS", "ok", "not running; it starts when needed")
        return
    since = time.strftime("%Y-%m-%d %H:%M", time.localtime((emulator_dir() / "emulator.json").stat().st_mtime))
    yield Finding("embedded AWS", "ok", f"{running.url}, process {running.pid}, since {since}")


def _checkpoints() -> Iterator[Finding]:
    kept = branches.listed()
    memory = sum(checkpoint.memory for checkpoint in kept)
    text = f"{', '.join(checkpoint.name for checkpoint in kept)}: {memory / 10**6:.0f} MB of memory" if kept else "none"
    yield Finding("checkpoints", "ok", text)


def _deployed() -> Iterator[Finding]:
    found = _still_deployed()
    for name, resources in found.items():
        yield Finding("deployed", "ok", f"{name}: {sum(resources.values())} resources: {_counts(resources)}")
    if not found:
        yield Finding("deployed", "ok", "nothing")


def _disk() -> Iterator[Finding]:
    existing = next(path for path in (home(), *home().parents) if path.exists())
    free = shutil.disk_usage(existing).free
    text = f"{free / 10**9:.1f} GB free for {home()}"
    if not os.access(existing, os.W_OK):
        yield Finding(
            "disk", "missing", f"{existing} is not writable", "Point WORKBOOK_HOME at a directory you can write to"
        )
    elif free < _DISK_NEEDED:
        yield Finding("disk", "missing", text, f"Free up space: {_DISK_NEEDED / 10**9:.0f} GB needed")
    else:
        yield Finding("disk", "ok", text)


def _still_deployed() -> dict[str, dict[str, int]]:
    """Run directory -> resources by layer, for every run that has any. Resources of an embedded AWS that has stopped
    are gone.
    """
    running = emulator.find()
    found: dict[str, dict[str, int]] = {}
    for run in RunDirectory.all():
        if run.target == "embedded" and (running is None or run.instance != running.instance):
            continue
        if not (ENVIRONMENTS / run.environment / "locals.tf").is_file():
            raise WorkbookError(
                f"{run.path} has the state of an environment that is not in terraform/environments.",
                "Restore the environment, or destroy its resources by hand.",
            )
        counts = count_by_layer(run, ENVIRONMENTS / run.environment)
        found[run.path.name] = {layer: count for layer, count in counts.items() if count}
    return {name: resources for name, resources in found.items() if resources}


def _counts(resources: dict[str, int]) -> str:
    return ", ".join(f"{layer} {count}" for layer, count in resources.items())
