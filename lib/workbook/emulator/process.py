"""Starts the embedded AWS. Each home has one, whichever kernel or shell started it."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

from workbook.emulator import restoring, running
from workbook.emulator.running import Emulator, find
from workbook.errors import WorkbookError
from workbook.host import paths
from workbook.host.ports import HOST
from workbook.host.run_directory import RunDirectory

PORT_VARIABLE = "WORKBOOK_EMBEDDED_PORT"
PORT_TAKEN = 98  # exit code of the server: another process has the port

# None of the user's AWS configuration, proxies or moto settings may reach the server.
_STRIPPED = re.compile(
    r"^(AWS_|BOTO_|MOTO_|TEST_SERVER_MODE|TEST_PROXY_MODE|INITIAL_NO_AUTH|(https?|all|no)_proxy$)", re.IGNORECASE
)


def start(home: Path | None = None, timeout: float = running.START_SECONDS) -> Emulator:
    """The running embedded AWS of a home, started if necessary; safe when two kernels start at once.

    An interrupted restore is finished first.

    Parameters
    ----------
    home : None for the current one.
    timeout : seconds to wait for its first response.

    Raises
    ------
    WorkbookError : the port is taken or invalid, the process ended, or it did not respond in time.
    """
    home = (home or paths.home()).resolve()
    with running.held(home, timeout):
        return ensure(home, timeout)


def start_for(run: RunDirectory, timeout: float = running.START_SECONDS) -> tuple[Emulator, Path | None]:
    """The running embedded AWS of the home of `run`, started if necessary, and recorded as the account of `run`.

    Both happen under one lock, so that no restore can come between them.

    Returns
    -------
    The account, and where the state of the previous account was set aside, if it was (see `RunDirectory.adopt`).
    """
    home = run.home.resolve()
    with running.held(home, timeout):
        found = ensure(home, timeout)
        run.create()
        return found, run.adopt(found.instance)


def ensure(home: Path, timeout: float = running.START_SECONDS) -> Emulator:
    """What `start` does, for a caller that holds `running.held`."""
    restoring.finish(home)
    found = find(home)
    if found:
        return found
    running.end_unresponsive(home)
    return _launch(home, forced_port(), timeout)


def forced_port() -> int:
    """The port in `WORKBOOK_EMBEDDED_PORT`; 0 if it is not set.

    Raises
    ------
    WorkbookError : it is not a valid port.
    """
    value = os.environ.get(PORT_VARIABLE, "").strip()
    if not value:
        return 0
    if not re.fullmatch(r"\d{1,5}", value) or not 1024 <= int(value) <= 65535:
        raise WorkbookError(
            f"{PORT_VARIABLE} is {value!r}, which is not a valid port.",
            "Use 1024 to 65535, or leave it unset for a free one.",
        )
    return int(value)


def environment(home: Path) -> dict[str, str]:
    """The environment variables of a server: those of this process, without any that could lead it elsewhere."""
    kept = {name: value for name, value in os.environ.items() if not _STRIPPED.match(name)}
    library = str(Path(__file__).resolve().parents[2])
    inherited = kept.get("PYTHONPATH")
    return {
        **kept,
        "WORKBOOK_HOME": str(home),
        # So that the server finds the package, however this process found it.
        "PYTHONPATH": os.pathsep.join([library, inherited] if inherited else [library]),
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        # Also keeps Python from asking macOS for its proxy settings, after which a fork may abort.
        "NO_PROXY": "*",
        "OBJC_DISABLE_INITIALIZE_FORK_SAFETY": "YES",
    }


def _launch(home: Path, port: int, timeout: float) -> Emulator:
    directory = paths.emulator_dir(home)
    instance = secrets.token_hex(8)
    log = directory / "emulator.log"
    log.write_bytes(b"")
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "workbook.emulator.server", "--port", str(port), "--instance", instance],
            cwd=directory,
            env=environment(home),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    # The server outlives this process; while this process runs, something has to collect the server's exit code.
    threading.Thread(target=process.wait, daemon=True).start()
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        found = find(home)
        if found and found.instance == instance:
            return found
        if process.poll() is not None:
            raise _start_error(process.returncode, port, log)
        time.sleep(0.03)
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    raise WorkbookError(
        f"The embedded AWS did not respond within {timeout:.0f} s.", f"Its log is {log}; try again.", _tail(log)
    )


def _start_error(code: int, port: int, log: Path) -> WorkbookError:
    if code == PORT_TAKEN:
        holder = ""
        with contextlib.suppress(OSError), socket.create_connection((HOST, port), timeout=1.0):
            holder = " and answers there"
        return WorkbookError(
            f"The embedded AWS cannot use port {port}: another process has it{holder}.",
            f"End that process, or set {PORT_VARIABLE} to another port, or leave it unset for a free one.",
        )
    return WorkbookError(f"The embedded AWS ended while starting (exit code {code}).", f"Its log is {log}.", _tail(log))


def _tail(log: Path, lines: int = 5) -> str:
    with contextlib.suppress(OSError):
        return "\n".join(log.read_text(errors="replace").strip().splitlines()[-lines:])
    return ""
