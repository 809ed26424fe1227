"""Start, find and stop the embedded AWS. One runs for each home, whichever kernel or shell started it."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from workbook.errors import WorkbookError
from workbook.host import paths
from workbook.host.locking import lock
from workbook.host.ports import HOST

HEALTH_PATH = "/_embedded/instance"
PORT_VARIABLE = "WORKBOOK_EMBEDDED_PORT"
HEALTH_SECONDS = 5.0  # for one answer; a busy server may be slow while it loads a service
PORT_TAKEN = 98  # exit code of the server: the port belongs to another process

# Nothing of the person's AWS configuration, proxies or moto settings may reach the server.
_STRIPPED = re.compile(
    r"^(AWS_|BOTO_|MOTO_|TEST_SERVER_MODE|TEST_PROXY_MODE|INITIAL_NO_AUTH|(https?|all|no)_proxy$)", re.IGNORECASE
)


@dataclass(frozen=True)
class Emulator:
    """A running embedded AWS.

    Attributes
    ----------
    url : its address, such as `http://127.0.0.1:41235`; always the IP, since bucket names before a host name fail.
    pid : its process id.
    instance : random id of this process. The account lives in its memory, so another instance is another, empty account.
    """

    url: str
    pid: int
    instance: str


def start(timeout: float = 90.0) -> Emulator:
    """The running embedded AWS of this home, started if there is none; safe when two kernels start at once.

    Parameters
    ----------
    timeout : seconds to wait for its first answer.

    Raises
    ------
    WorkbookError : the port is taken or no port, the process ended, or it did not answer in time.
    """
    directory = paths.emulator_dir()
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WorkbookError(
            f"The embedded AWS cannot write to {directory}: {error.strerror}.",
            "Point WORKBOOK_HOME at a directory you may write to.",
        ) from error
    with lock(directory / "start.lock", timeout):
        found = find()
        if found:
            return found
        _end_unresponsive()
        return _launch(directory, _forced_port(), timeout)


def find() -> Emulator | None:
    """The embedded AWS of this home if it runs; a stale record, or another process on its port, is none."""
    record = _record()
    if record is None:
        return None
    # One that is silent is asked again; one that refuses the connection is gone.
    for _ in range(3):
        try:
            instance = _instance_at(record.port, HEALTH_SECONDS)
        except TimeoutError:
            continue
        return record.emulator if instance == record.emulator.instance else None
    return None


def stop() -> bool:
    """End the embedded AWS of this home, and with it the account inside. True if one ran."""
    running = find()
    if running is None:
        return _end_unresponsive()
    record = _record()
    port = record.port if record else int(running.url.rsplit(":", 1)[1])
    for sent, seconds in ((signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(running.pid, sent)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if not _listens(port, running.instance):
                _forget(running.instance)
                return True
            time.sleep(0.05)
    raise WorkbookError(
        f"The embedded AWS (process {running.pid}) does not end.", f"End it by hand: kill -9 {running.pid}"
    )


@dataclass(frozen=True)
class _Record:
    emulator: Emulator
    port: int


def _record_file() -> Path:
    return paths.emulator_dir() / "emulator.json"


def _record() -> _Record | None:
    try:
        data = json.loads(_record_file().read_text())
        port = int(data["port"])
        return _Record(Emulator(f"http://{HOST}:{port}", int(data["pid"]), str(data["instance"])), port)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _forget(instance: str) -> None:
    record = _record()
    if record is not None and record.emulator.instance == instance:
        _record_file().unlink(missing_ok=True)


def _instance_at(port: int, timeout: float) -> str | None:
    """Instance id that the server on `port` answers with; None if it is no embedded AWS. TimeoutError if it is silent."""
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


def _end_unresponsive() -> bool:
    """Kill the recorded process if it still runs as our server but no longer answers; True if there was one."""
    record = _record()
    if record is None:
        return False
    emulator = record.emulator
    ours = False
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        shown = subprocess.run(
            ["ps", "-ww", "-p", str(emulator.pid), "-o", "command="], capture_output=True, text=True, timeout=10
        )
        # The instance id on its command line tells our server from another process that got the same pid.
        ours = emulator.instance in shown.stdout
    if ours:
        with contextlib.suppress(ProcessLookupError):
            os.kill(emulator.pid, signal.SIGKILL)
    _forget(emulator.instance)
    return ours


def _forced_port() -> int:
    value = os.environ.get(PORT_VARIABLE, "").strip()
    if not value:
        return 0
    if not re.fullmatch(r"\d{1,5}", value) or not 1024 <= int(value) <= 65535:
        raise WorkbookError(
            f"{PORT_VARIABLE} is {value!r}, which is no port.", "Use 1024 to 65535, or leave it unset for a free one."
        )
    return int(value)


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not _STRIPPED.match(name)}
    library = str(Path(__file__).resolve().parents[2])
    inherited = kept.get("PYTHONPATH")
    return {
        **kept,
        # The package is found however this process found it.
        "PYTHONPATH": os.pathsep.join([library, inherited] if inherited else [library]),
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "*",
    }


def _launch(directory: Path, port: int, timeout: float) -> Emulator:
    instance = secrets.token_hex(8)
    log = directory / "emulator.log"
    log.write_bytes(b"")
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "workbook.emulator.server", "--port", str(port), "--instance", instance],
            cwd=directory,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    # It outlives this process; while this process lives, somebody has to take note of its end.
    threading.Thread(target=process.wait, daemon=True).start()
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        found = find()
        if found and found.instance == instance:
            return found
        if process.poll() is not None:
            raise _start_error(process.returncode, port, log)
        time.sleep(0.03)
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    raise WorkbookError(
        f"The embedded AWS did not answer within {timeout:.0f} s.", f"Its log is {log}; try again.", _tail(log)
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
