"""One running container: in Docker or Podman, or as a process with the same command, environment and limits."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbook.container.agent import TaskAgent
from workbook.container.definition import Definition
from workbook.container.docker import call, engine_command
from workbook.container.forwarder import FaultProxy
from workbook.errors import WorkbookError
from workbook.host.ports import HOST, free_port

START_SECONDS = 60.0
"""Seconds it may take to serve."""
STOP_SECONDS = 5.0
"""Seconds between SIGTERM and SIGKILL."""


@dataclass(frozen=True)
class Health:
    """One run of the container health check: whether it passed, how long it took (s), and what it printed."""

    passed: bool
    seconds: float
    output: str


class Container:
    """A running container; use it as a context manager, or call `stop`.

    Attributes
    ----------
    url : address of its dashboard on the loopback interface.
    engine : `docker` or `podman`, or None when it runs as a process.
    overrides : environment variables that differ from the task definition, with the value used here.
    agent : stand-in for the ECS agent; `agent.expire()` and `agent.renew()`.
    network : proxy between it and the AWS endpoint; `network.refuse()`, `.hang()`, `.answer(...)`, `.heal()`. None
        if the endpoint is https.
    """

    def __init__(
        self,
        definition: Definition,
        environment: Mapping[str, str],
        *,
        engine: str | None = None,
        agent: TaskAgent | None = None,
        network: FaultProxy | None = None,
        search_path: str | None = None,
    ) -> None:
        self.definition, self.engine, self.agent, self.network = definition, engine, agent, network
        self.port = free_port()
        self.url = f"http://{HOST}:{self.port}"
        self._directory = Path(tempfile.mkdtemp(prefix="workbook-container-"))
        # The log stays readable after `stop`; it is deleted with this object.
        weakref.finalize(self, shutil.rmtree, self._directory, ignore_errors=True)
        self._log = self._directory / "log"
        self._name = self._directory.name
        self._pages = self._directory / "pages"
        self._pages.mkdir(mode=0o700)
        self._exit: int | None = None
        own = {"PORT": str(self.port)}
        if engine is None:
            own |= dict.fromkeys(("PAGES_DIR", "HOME", "TMPDIR"), str(self._pages))
        self._environment = {**definition.environment, **environment, **own}
        self.overrides = {k: v for k, v in self._environment.items() if definition.environment.get(k) != v}
        atexit.register(self.stop)
        try:
            with self._log.open("wb") as log:
                self._process = self._start_in_engine(engine, log) if engine else self._start_process(search_path, log)
            self._wait_until_it_serves()
        except BaseException:
            self.stop()
            raise

    def __enter__(self) -> Container:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # ── observe ──

    def get(self, path: str, timeout: float = 5.0) -> tuple[int, str]:
        """Status code and body of a GET.

        Raises
        ------
        WorkbookError : nothing answers within `timeout` seconds.
        """
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(self.url + path, timeout=timeout) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError as error:
            raise WorkbookError(
                f"The container does not answer on {self.url}{path}: {error}", "See its log: container.logs()."
            ) from error

    def page(self) -> str:
        """HTML of the dashboard."""
        return self.get("/")[1]

    def status(self) -> dict[str, Any]:
        """The document of /status.json."""
        document: dict[str, Any] = json.loads(self.get("/status.json")[1])
        return document

    def logs(self, event: str | None = None) -> list[dict[str, Any]]:
        """Its log, one dict per line; a line that is not JSON has the event `output`. `event` selects the lines of one
        kind.
        """
        lines = (
            [_log_line(line) for line in self._log.read_text(errors="replace").splitlines() if line]
            if self._log.exists()
            else []
        )
        return [line for line in lines if event in (None, line.get("event"))]

    def health(self) -> Health:
        """Run the health check of the task definition once, with its timeout, as ECS does at every interval."""
        check = self.definition.health_check
        kind, *rest = check.get("command") or ["NONE"]
        if kind not in ("CMD", "CMD-SHELL"):
            raise WorkbookError(
                "The task definition has no container health check.", "Add healthCheck to the container in ecs.tf."
            )
        # Only the port differs here.
        command = [part.replace(f":{self.definition.port}", f":{self.port}") for part in rest]
        command = ["/bin/sh", "-c", *command] if kind == "CMD-SHELL" else command
        if self.engine:
            command = [self.engine, "exec", self._name, *command]
        started = time.monotonic()
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=float(check["timeout"]),
                env=self._process_environment(None) if not self.engine else None,
            )
        except subprocess.TimeoutExpired:
            return Health(False, time.monotonic() - started, f"no answer within {check['timeout']} s")
        return Health(done.returncode == 0, time.monotonic() - started, (done.stdout + done.stderr).strip())

    def wait_for(self, state: str, cause: str | None = None, timeout: float = 60.0) -> dict[str, Any]:
        """Wait until /status.json reports `state` (and `cause`, if given); returns that document.

        Raises
        ------
        WorkbookError : it has not done so within `timeout` seconds.
        """
        deadline = time.monotonic() + timeout
        while True:
            status = self.status()
            if status["state"] == state and cause in (None, status["cause"]):
                return status
            if time.monotonic() > deadline:
                wanted = f"{state} ({cause})" if cause else state
                raise WorkbookError(
                    f"The container is {status['state']} ({status['cause']}), not {wanted}, after {timeout:.0f} s.",
                    "See its log: container.logs().",
                    str((status["last_check"] or {}).get("message", "")),
                )
            time.sleep(0.2)

    @property
    def pid(self) -> int:
        """Id of its first process; of the engine's client when an engine runs it."""
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._exit is None and self._process.poll() is None

    # ── control ──

    def freeze(self) -> None:
        """Suspend it, like a process that hangs; between two checks, because a check in progress would time out."""
        seen, deadline = (
            len(self.logs("check")),
            time.monotonic() + float(self._environment.get("CHECK_INTERVAL", "30")) + 15,
        )
        while len(self.logs("check")) == seen and self.running and time.monotonic() < deadline:
            time.sleep(0.05)
        self._signal(signal.SIGSTOP, "pause")

    def thaw(self) -> None:
        """Let it continue after `freeze`."""
        self._signal(signal.SIGCONT, "unpause")

    def stop(self) -> int | None:
        """Stop it as ECS does, with SIGTERM first; returns its exit code, None if it never started. A second call does
        nothing.
        """
        process = getattr(self, "_process", None)
        if process is not None and self._exit is None:
            self.thaw()
            process.terminate()
            try:
                self._exit = process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                self._exit = process.wait(STOP_SECONDS)
            # Everything it started is in its process group.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            if self.engine:
                call([self.engine, "rm", "--force", self._name], 30)
        for part in (self.agent, self.network):
            if part is not None:
                part.close()
        self.agent = self.network = None
        atexit.unregister(self.stop)
        shutil.rmtree(self._pages, ignore_errors=True)
        return self._exit

    def _signal(self, number: signal.Signals, verb: str) -> None:
        if self._process.poll() is not None:
            return
        if self.engine:
            call([self.engine, verb, self._name], 30)
        else:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    def _process_environment(self, search_path: str | None) -> dict[str, str]:
        """Nothing from the user's shell: a PATH with this Python environment's `aws`, and what the definition sets."""
        standard = os.pathsep.join((str(Path(sys.executable).parent), "/usr/local/bin", "/usr/bin", "/bin"))
        return {"PATH": search_path or standard, "LANG": "C.UTF-8", **self._environment}

    def _start_process(self, search_path: str | None, log: Any) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            self.definition.command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=self._process_environment(search_path),
            cwd=self._pages,
            start_new_session=True,
            umask=0o077,
        )
        if hasattr(resource, "prlimit"):  # Linux
            for limit, value in {
                resource.RLIMIT_DATA: self.definition.memory * 2**20,
                resource.RLIMIT_NOFILE: 1024,
                resource.RLIMIT_FSIZE: 64 * 2**20,
                resource.RLIMIT_CORE: 0,
            }.items():
                with contextlib.suppress(ProcessLookupError):
                    resource.prlimit(process.pid, limit, (value, value))
        return process

    def _start_in_engine(self, engine: str, log: Any) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            engine_command(engine, self._name, self.definition, self._environment),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def _wait_until_it_serves(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            if self._process.poll() is not None:
                said = "\n".join(str(line.get("message") or line) for line in self.logs()[-3:])
                raise WorkbookError(
                    f"The container exited at once with code {self._process.returncode}.",
                    "Fix the cause above, then run it again.",
                    said,
                )
            with contextlib.suppress(WorkbookError):
                if self.get("/health", timeout=1)[0] == 200:
                    return
            if time.monotonic() > deadline:
                raise WorkbookError(
                    f"The container did not start serving within {START_SECONDS:.0f} s.",
                    "Try again; the machine may be busy.",
                )
            time.sleep(0.05)


def _log_line(line: str) -> dict[str, Any]:
    with contextlib.suppress(ValueError):
        parsed = json.loads(line)
        if isinstance(parsed, dict):
            return parsed
    return {"event": "output", "message": line}
