"""Copies of the embedded AWS: checkpoints to return to, branches to change and throw away.

A copy is a separate process, forked from the running one, with its own home and the Terraform states that describe it.
Making one takes some 20 ms and hardly any memory, since the two share everything that neither has changed. A checkpoint
is a copy that stays unchanged, in `checkpoints` below the home; it lasts as long as its process and can be restored any
number of times. A branch, in `branches` below the home, lasts as long as the block that opened it.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from workbook.emulator import process, restoring, running
from workbook.emulator.running import Emulator
from workbook.errors import WorkbookError
from workbook.host import paths
from workbook.host.locking import lock
from workbook.host.run_directory import EMBEDDED, RunDirectory

MEMORY_VARIABLE = "WORKBOOK_CHECKPOINT_MEMORY"
MEMORY = 1_500 * 10**6  # bytes that all checkpoints of a home may take together
MOST = 24  # checkpoints of a home

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_ENTRY = "checkpoint.json"


@dataclass(frozen=True)
class Checkpoint:
    """A saved copy of an account, waiting in a process of its own.

    Attributes
    ----------
    home : where its process record and its states are.
    saved_at : seconds since 1970.
    resources : number of resources in its Terraform states.
    alive : whether its process is running; if not, the account is lost.
    memory : bytes it uses. On Linux, a page shared by several processes counts in equal parts for each; elsewhere it
        counts in full for each. 0 if it is not alive.
    """

    name: str
    home: Path
    saved_at: float
    resources: int
    alive: bool
    memory: int


@dataclass(frozen=True)
class Saved:
    """A new checkpoint, and the names of the checkpoints dropped to make room for it, oldest first."""

    checkpoint: Checkpoint
    dropped: tuple[str, ...]


def fork(into: Path, home: Path | None = None) -> Emulator:
    """Copy the running account of a home (None: the current one), with its states, to the home `into`.

    `stop_all(into)` ends it.

    Raises
    ------
    BranchingUnavailable : the process cannot be copied on this machine.
    WorkbookError : Terraform is working in `home`, no account is running there, or one is already running in `into`.
    """
    home, into = _home(home), into.resolve()
    with running.held(home):
        restoring.finish(home)
        with running.at_rest(home):
            return running.copy(home, into)


# ── checkpoints ──


def save(name: str, home: Path | None = None) -> Saved:
    """Keep the account as it is now under a name. An existing checkpoint of that name is replaced.

    While the checkpoints use more than `MEMORY` together (or `WORKBOOK_CHECKPOINT_MEMORY`, in MB), or number more than
    `MOST`, the oldest is dropped; the new one never is.

    Raises
    ------
    BranchingUnavailable : the process cannot be copied on this machine.
    WorkbookError : the name is not valid, or Terraform is working.
    """
    if not _NAME.fullmatch(name):
        raise WorkbookError(
            f"{name!r} is not a valid name for a checkpoint.",
            "Use up to 64 letters, digits, dots, dashes and underscores; start with a letter or a digit.",
        )
    limit, home = _memory_limit(), _home(home)
    with running.held(home):
        process.ensure(home)
        directory = home / "checkpoints" / f"{name}.{secrets.token_hex(4)}"
        try:
            with running.at_rest(home):
                running.copy(home, directory)
            _enter(directory, name)
        except BaseException:
            _remove(directory)
            raise
        return _make_room(home, directory, limit)


def restore(name: str, home: Path | None = None) -> Emulator:
    """Replace the running account, if any, and its states by a copy of a checkpoint, which itself stays as it is.

    The copy takes over the port of the account it replaces, so clients and kernels stay connected. It has a new
    `instance`, and its `restored_from` names the checkpoint. Saved plans are removed. `workbook.emulator.restoring`
    says what a kill leaves behind.

    Raises
    ------
    BranchingUnavailable : the process cannot be copied on this machine.
    WorkbookError : no such checkpoint, its process has ended, or Terraform is working.
    """
    home = _home(home)
    with running.held(home):
        restoring.finish(home)
        chosen = _named(home, name)
        if not chosen.alive:
            raise WorkbookError(
                f"The process of checkpoint {name!r} has ended, so its account is lost.",
                _others(home, f"Deploy instead, and save {name!r} again"),
            )
        with running.at_rest(home):
            restoring.restore(home, chosen.home, name, process.forced_port())
        found = running.find(home)
    if found is None:
        raise WorkbookError(f"The account restored from {name!r} has ended.", "Restore it again, or deploy.")
    return found


def drop(name: str, home: Path | None = None) -> None:
    """End a checkpoint and remove it.

    Raises
    ------
    WorkbookError : no such checkpoint.
    """
    home = _home(home)
    with running.held(home):
        _remove(_named(home, name).home)


def listed(home: Path | None = None) -> list[Checkpoint]:
    """The checkpoints of a home, oldest first. One whose process has ended is listed until the next save."""
    # While one is being replaced, both exist for a moment: the later one counts.
    latest = {checkpoint.name: checkpoint for checkpoint in _entries(_home(home))}
    return sorted(latest.values(), key=lambda checkpoint: checkpoint.saved_at)


def _enter(directory: Path, name: str) -> None:
    """Make the copy in `directory` a checkpoint: without this entry it is what an interrupted save left behind."""
    resources = sum(
        len(resource.get("instances", []))
        for run in RunDirectory.all(directory, EMBEDDED)
        for resource in run.resources()
    )
    draft = directory / f"{_ENTRY}.{os.getpid()}"
    draft.write_text(json.dumps({"name": name, "saved_at": time.time(), "resources": resources}))
    draft.replace(directory / _ENTRY)


def _entries(home: Path) -> list[Checkpoint]:
    found = [_read(entry) for entry in (home / "checkpoints").glob(f"*/{_ENTRY}")]
    return sorted((checkpoint for checkpoint in found if checkpoint), key=lambda checkpoint: checkpoint.saved_at)


def _read(entry: Path) -> Checkpoint | None:
    try:
        data = json.loads(entry.read_text())
        name, saved_at, resources = str(data["name"]), float(data["saved_at"]), int(data["resources"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    account = running.find(entry.parent)
    memory = _memory(account.pid) if account is not None else 0
    return Checkpoint(name, entry.parent, saved_at, resources, account is not None, memory)


def _named(home: Path, name: str) -> Checkpoint:
    for checkpoint in listed(home):
        if checkpoint.name == name:
            return checkpoint
    raise WorkbookError(f"There is no checkpoint {name!r}.", _others(home, "Save one first"))


def _others(home: Path, otherwise: str) -> str:
    names = [checkpoint.name for checkpoint in listed(home) if checkpoint.alive]
    return f"Checkpoints: {', '.join(names)}." if names else f"{otherwise}."


def _make_room(home: Path, new: Path, limit: int) -> Saved:
    """Remove what the checkpoint in `new` replaces, what has ended, and the oldest beyond the limits."""
    entries = _entries(home)
    created = next(checkpoint for checkpoint in entries if checkpoint.home == new)
    left = [other for other in entries if other is created or (other.alive and other.name != created.name)]
    for directory in {*(home / "checkpoints").iterdir()} - {checkpoint.home for checkpoint in left}:
        _remove(directory)
    dropped: list[str] = []
    while len(left) > MOST or sum(checkpoint.memory for checkpoint in left) > limit:
        oldest = next((checkpoint for checkpoint in left if checkpoint.home != new), None)
        if oldest is None:
            break
        _remove(oldest.home)
        dropped.append(oldest.name)
        # Measured again: what the dropped one shared with a single other is now counted in full for that one.
        left = _entries(home)
    return Saved(created, tuple(dropped))


def _memory_limit() -> int:
    value = os.environ.get(MEMORY_VARIABLE, "").strip()
    if not value:
        return MEMORY
    if not value.isascii() or not value.isdigit():
        raise WorkbookError(
            f"{MEMORY_VARIABLE} is {value!r}, which is not a number of megabytes.",
            f"Use a whole number, or leave it unset for {MEMORY // 10**6}.",
        )
    return int(value) * 10**6


def _memory(pid: int) -> int:
    """Memory of a process in bytes, as in `Checkpoint.memory`; 0 if it cannot be read."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        shown = subprocess.run(["ps", "-p", str(pid), "-o", "rss="], capture_output=True, text=True, timeout=10)
        return int(shown.stdout) * 1024
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return 0


# ── branches ──


@contextmanager
def branch(home: Path | None = None) -> Iterator[Path]:
    """A copy of the account of a home (None: the current one) to change and throw away; yields the home of the copy.

    It is ended and removed at the end of the block. What killed processes left behind is removed by the next call.

    Raises
    ------
    BranchingUnavailable : the process cannot be copied on this machine.
    WorkbookError : Terraform is working in `home`.
    """
    home = _home(home)
    directory = home / "branches" / secrets.token_hex(4)
    with ExitStack() as owned:
        with running.held(home):
            _remove_left_behind(home)
            process.ensure(home)
            directory.mkdir(parents=True, mode=0o700)
            owned.enter_context(lock(_owner(directory), 0))
            owned.callback(_remove, directory)
            _owner(directory).write_text(str(os.getpid()))
            with running.at_rest(home):
                running.copy(home, directory)
        yield directory


def _remove_left_behind(home: Path) -> None:
    """Remove the branches whose owner was killed, which released its lock. The caller holds `held`."""
    for directory in (home / "branches").glob("*"):
        with ExitStack() as owned:
            try:
                owned.enter_context(lock(_owner(directory), 0))
            except WorkbookError:
                continue
            _remove(directory)


def _owner(directory: Path) -> Path:
    return directory / "owner.pid"


# ── the end ──


def stop_all(home: Path | None = None) -> int:
    """End the account of a home and every copy below it, and remove the copies.

    Returns the number of processes ended.
    """
    home = _home(home)
    if not home.is_dir():
        return 0
    with running.held(home):
        return _stop_all(home)


def _stop_all(home: Path) -> int:
    ended = int(running.stop(home))
    for part in ("restoring", "checkpoints", "branches"):
        directories = [home / part] if part == "restoring" else [*(home / part).glob("*")]
        ended += sum(_remove(directory) for directory in directories)
        shutil.rmtree(home / part, ignore_errors=True)
    return ended


def _remove(copy: Path) -> int:
    """End a copy and every copy below it, and remove its home; returns the number of processes ended."""
    ended = _stop_all(copy) if copy.is_dir() else 0
    shutil.rmtree(copy, ignore_errors=True)
    return ended


def _home(home: Path | None) -> Path:
    return (home or paths.home()).resolve()
