"""The running embedded AWS of a home: find it, copy it, move it, stop it."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import secrets
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from workbook.errors import WorkbookError
from workbook.host import paths
from workbook.host.locking import lock
from workbook.host.ports import HOST
from workbook.host.run_directory import EMBEDDED, RunDirectory

HEALTH_PATH = "/_embedded/instance"
COPY_PATH = "/_embedded/copy"
MOVE_PATH = "/_embedded/move"
SECRET_HEADER = "X-Workbook-Secret"
HEALTH_SECONDS = 5.0  # for one response; a server that is loading a service may be slow
CONTROL_SECONDS = 60.0  # for a copy or a move, which wait for the request in progress
START_SECONDS = 90.0  # to wait for another process that starts, copies or restores the same account


@dataclass(frozen=True)
class Emulator:
    """A running embedded AWS.

    Attributes
    ----------
    url : its address, such as `http://127.0.0.1:41235`; always the IP address, since bucket names in front of a
        host name fail.
    pid : its process id.
    instance : random id of this process. The account lives in its memory, so another instance is another account: an
        empty one after a start, a copy after a branch or a restore.
    restored_from : name of the checkpoint this account was restored from; empty if it was not.
    """

    url: str
    pid: int
    instance: str
    restored_from: str = ""


class BranchingUnavailable(WorkbookError):
    """The embedded AWS cannot be copied on this machine; deploy instead."""

    def __init__(self, detail: str = "") -> None:
        super().__init__(
            "Checkpoints are not available here: the system could not copy the process of the embedded AWS.",
            "Deploy instead.",
            detail,
        )


@dataclass(frozen=True)
class Record:
    """What the embedded AWS of a home recorded about itself.

    Attributes
    ----------
    port : of its listener on the loopback interface.
    secret : every request to copy or move must carry it, so only someone who can read the record can make one.
    launched : instance id on the command line of the process. A copy has the command line of its original, so this may
        be the id of an ancestor.
    """

    emulator: Emulator
    port: int
    secret: str
    launched: str

    @classmethod
    def read(cls, home: Path) -> Record | None:
        """The record of a home; None if it is missing or broken."""
        try:
            data = json.loads(record_file(home).read_text())
            port, instance = int(data["port"]), str(data["instance"])
            emulator = Emulator(f"http://{HOST}:{port}", int(data["pid"]), instance, str(data.get("restored_from", "")))
            return cls(emulator, port, str(data.get("secret", "")), str(data.get("launched", instance)))
        except (OSError, ValueError, KeyError, TypeError):
            return None


def record_file(home: Path) -> Path:
    return paths.emulator_dir(home) / "emulator.json"


@contextmanager
def held(home: Path, timeout: float = START_SECONDS) -> Iterator[None]:
    """Keep every other process from starting, copying or replacing the account of a home.

    Raises
    ------
    WorkbookError : the home is not writable, or another process holds this for longer than `timeout` seconds.
    """
    directory = paths.emulator_dir(home)
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WorkbookError(
            f"The embedded AWS cannot write to {directory}: {error.strerror}.",
            "Point WORKBOOK_HOME at a directory you can write to.",
        ) from error
    with lock(directory / "start.lock", timeout):
        yield


@contextmanager
def at_rest(home: Path) -> Iterator[None]:
    """Keep Terraform away from every embedded state of a home.

    Raises
    ------
    WorkbookError : an apply, a destroy or a plan is running.
    """
    with ExitStack() as stack:
        for run in RunDirectory.all(home, EMBEDDED, stateless=True):
            stack.enter_context(run.at_rest())
        yield


def find(home: Path | None = None) -> Emulator | None:
    """The running embedded AWS of a home (None: the current one).

    None if its record is missing or stale, or another process has its port.
    """
    record = Record.read(home or paths.home())
    if record is None:
        return None
    # If it is silent, ask again; if it refuses the connection, it is gone.
    for _ in range(3):
        try:
            instance = _instance_at(record.port, HEALTH_SECONDS)
        except TimeoutError:
            continue
        return record.emulator if instance == record.emulator.instance else None
    return None


def stop(home: Path | None = None) -> bool:
    """Stop the embedded AWS of a home (None: the current one), and with it its account. Returns whether one was
    running.

    Its checkpoints and branches keep running.
    """
    home = home or paths.home()
    running, record = find(home), Record.read(home)
    if running is None or record is None:
        return end_unresponsive(home)
    for sent, seconds in ((signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(running.pid, sent)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if not _listens(record.port, running.instance):
                _forget(home, running.instance)
                return True
            time.sleep(0.01)
    raise WorkbookError(
        f"The embedded AWS (process {running.pid}) did not stop.", f"End it by hand: kill -9 {running.pid}"
    )


def copy(home: Path, into: Path) -> Emulator:
    """Copy the running account of `home`, with the states that describe it, to the home `into`.

    The caller holds `held` and `at_rest` of `home`, and removes `into` when this fails.

    Raises
    ------
    BranchingUnavailable : the process cannot be copied.
    WorkbookError : no account is running in `home`, or one is already running in `into`.
    """
    record = Record.read(home)
    if record is None or find(home) is None:
        raise WorkbookError("No embedded AWS is running here.", "Deploy first.")
    if find(into) is not None:
        raise WorkbookError(f"An embedded AWS is already running in {into}.", "Choose another directory.")
    try:
        for directory in (into, paths.emulator_dir(into)):
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise WorkbookError(f"Cannot write to {into}: {error.strerror}.", "Choose another directory.") from error
    _ask(record, COPY_PATH, home=str(into), instance=secrets.token_hex(8))
    copied = find(into)
    if copied is None:
        raise BranchingUnavailable("The copy ended at once.")
    for run in RunDirectory.all(home, EMBEDDED, stateless=True):
        if run.instance == record.emulator.instance:
            run.copy_to(into, copied.instance)
    return copied


def move(home: Path, to: Path, port: int, restored_from: str) -> None:
    """Make the account of `home` that of `to`, on `port` unless another process has it; 0 keeps its present port."""
    record = Record.read(home)
    if record is not None:
        _ask(record, MOVE_PATH, home=str(to), port=port, restored_from=restored_from)


def end_unresponsive(home: Path) -> bool:
    """Kill the recorded process if it is still our server but no longer answers; True if there was one."""
    record = Record.read(home)
    if record is None:
        return False
    ours = False
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        shown = subprocess.run(
            ["ps", "-ww", "-p", str(record.emulator.pid), "-o", "command="], capture_output=True, text=True, timeout=10
        )
        # The id on its command line distinguishes our server, and copies of it, from another process that got the same
        # pid.
        ours = record.launched in shown.stdout
    if ours:
        with contextlib.suppress(ProcessLookupError):
            os.kill(record.emulator.pid, signal.SIGKILL)
    _forget(home, record.emulator.instance)
    return ours


def _forget(home: Path, instance: str) -> None:
    record = Record.read(home)
    if record is not None and record.emulator.instance == instance:
        record_file(home).unlink(missing_ok=True)


def _ask(record: Record, path: str, **wanted: str | int) -> None:
    connection = http.client.HTTPConnection(HOST, record.port, timeout=CONTROL_SECONDS)
    try:
        connection.request("POST", path, json.dumps(wanted), {SECRET_HEADER: record.secret})
        answer = connection.getresponse()
        text = answer.read(65536).decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        raise WorkbookError(
            f"The embedded AWS (process {record.emulator.pid}) is not responding: {error}.", "Run this again."
        ) from error
    finally:
        connection.close()
    if answer.status == 503:
        raise BranchingUnavailable(text)
    if answer.status != 200:
        raise WorkbookError(f"The embedded AWS refused ({answer.status}): {text}", "Run this again.")


def _instance_at(port: int, timeout: float) -> str | None:
    """Instance id reported by the server on `port`; None if it is not an embedded AWS. TimeoutError if it is silent."""
    connection = http.client.HTTPConnection(HOST, port, timeout=timeout)
    try:
        connection.request("GET", HEALTH_PATH)
        answer = connection.getresponse()
        body = answer.read(4096)
        return str(json.loads(body)["instance"]) if answer.status == 200 else None
    except TimeoutError:
        raise
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return None
    finally:
        connection.close()


def _listens(port: int, instance: str) -> bool:
    try:
        return _instance_at(port, timeout=1.0) == instance
    except TimeoutError:
        return True
