"""Terraform, driven through python-terraform: saved plans only, live events, diagnostics as exceptions.

Terraform writes its output to files rather than to pipes of the notebook, so a kernel that dies does not take a running
apply with it, and the state stays intact.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import python_terraform
from python_terraform import IsFlagged

from workbook.errors import WorkbookError
from workbook.host.run_directory import RunDirectory
from workbook.terraform import binary
from workbook.terraform.diagnostics import TerraformError, read_diagnostics
from workbook.terraform.hcl import configuration_digest
from workbook.terraform.plan import Plan
from workbook.terraform.provider import cli_configuration
from workbook.terraform.secrets import SENSITIVE, Secrets

Event = Mapping[str, Any]
"""One line of Terraform's `-json` output: `type`, `@message`, and the fields of that type."""

TIMEOUT = {
    "init": 300.0,
    "plan": 600.0,
    "apply": 1800.0,
    "show": 180.0,
    "output": 60.0,
}
"""Seconds after which a command is stopped."""

# Terraform and its provider live for seconds: below this much memory, garbage collection would only cost CPU time.
SPARING = {"GOGC": "off", "GOMEMLIMIT": "700MiB"}
# Long enough for a call in flight to finish, short enough for someone waiting: aws_lb alone takes 60 s.
STOP_SECONDS = 90.0
# Short: another plan finishes soon; an apply does not, so reporting it is better than waiting for it.
LOCK_SECONDS = 10
_POLL_SECONDS = 0.05
_ALIVE_SECONDS = 1.0


@dataclass(frozen=True)
class Applied:
    """What an apply or a destroy did. Counts are resources; `seconds` is wall time."""

    added: int
    changed: int
    destroyed: int
    seconds: float = field(compare=False)


class Terraform(python_terraform.Terraform):  # type: ignore[misc]
    """One root directory with one state.

    Parameters
    ----------
    directory : the root, such as terraform/environments/dev.
    run : where state, plans, logs and Terraform's own data go.
    environ : the complete environment of the child process.
    on_event : called with every event while a command runs.
    alive : called about once a second while a command runs; a text means the target is gone, and stops the command.
    """

    def __init__(
        self,
        directory: Path,
        run: RunDirectory,
        environ: Mapping[str, str],
        on_event: Callable[[Event], None] | None = None,
        alive: Callable[[], str | None] | None = None,
    ) -> None:
        super().__init__(working_dir=str(directory), terraform_bin_path=str(binary.locate(environ.get("PATH"))))
        self.directory = directory
        self.run_directory = run
        self.on_event = on_event
        self.alive = alive
        self.target_environ = dict(environ)
        self._background = run.path / "background-apply"
        run.create()
        self.environ = {
            **SPARING,
            **environ,
            **cli_configuration(environ, run.path),
            "TF_DATA_DIR": str(run.terraform_data),
            "TF_IN_AUTOMATION": "1",
            "TF_INPUT": "0",
            "CHECKPOINT_DISABLE": "1",
        }

    # ── commands ──

    def prepare(self) -> None:
        """`terraform init`, if configuration, modules, lock file, Terraform itself or the mirror changed since the last
        one.
        """
        self._wait_for_background()
        with self.run_directory.initializing(TIMEOUT["init"]):
            if self.run_directory.initialized_as() == self._fingerprint():
                return
            binary.require(self.environ.get("PATH"))
            self.run_directory.mark_initialized("")
            self.run(
                "init",
                backend_config={"path": str(self.run_directory.state)},
                reconfigure=IsFlagged,
                no_color=IsFlagged,
            )
            # Read again: it has written the lock file.
            self.run_directory.mark_initialized(self._fingerprint())

    def make_plan(self, targets: list[str] | None = None, destroy: bool = False, details: bool = True) -> Plan:
        """Plan and save it to a file; only a saved plan is ever applied.

        Parameters
        ----------
        targets : addresses to restrict the plan to; None plans everything.
        destroy : plan the destruction of everything (or of `targets`).
        details : read what changes and why, which a person wants to see; takes some seconds.
        """
        self.prepare()
        path = (
            self.run_directory.plans
            / f"{time.strftime('%Y%m%dT%H%M%S')}-{os.getpid()}-{time.monotonic_ns() % 10**6}.tfplan"
        )
        events = self.run(
            "plan",
            json=IsFlagged,
            out=str(path),
            detailed_exitcode=IsFlagged,
            lock_timeout=f"{LOCK_SECONDS}s",
            destroy=IsFlagged if destroy else None,
            target=targets or [],
        )
        self.run_directory.forget_old()
        plan = Plan.from_events(path, events, tuple(targets or ()), destroy)
        return plan if plan.empty or not details else plan.detailed(self.show(path))

    def apply_plan(self, plan: Plan) -> Applied:
        """Apply a saved plan.

        Raises
        ------
        TerraformError : Terraform failed; what was done so far is in the state, and a new plan continues from there.
        """
        started = time.monotonic()
        if plan.empty:
            return Applied(0, 0, 0, 0.0)
        if not plan.path.is_file():
            raise WorkbookError("This plan file no longer exists.", "Plan again, then apply.")
        events = self.run("apply", str(plan.path), json=IsFlagged, lock_timeout=f"{LOCK_SECONDS}s", planned=plan)
        done: dict[str, int] = next((e["changes"] for e in reversed(events) if e.get("type") == "change_summary"), {})
        return Applied(done.get("add", 0), done.get("change", 0), done.get("remove", 0), time.monotonic() - started)

    def show(self, path: Path) -> dict[str, Any]:
        """A saved plan as Terraform's JSON."""
        return dict(json.loads(self._output("show", str(path), json=IsFlagged)))

    def outputs(self) -> dict[str, Any]:
        """Output values by name; sensitive ones are masked."""
        self.prepare()
        values = json.loads(self._output("output", json=IsFlagged))
        return {name: SENSITIVE if value["sensitive"] else value["value"] for name, value in values.items()}

    # ── running one command ──

    def run(self, command: str, *args: str, planned: Plan | None = None, **options: Any) -> list[Event]:
        """Run a command that streams events; return them all.

        Raises
        ------
        TerraformError : it failed.
        WorkbookError : it timed out, was interrupted, or the target is gone.
        """
        events: list[Event] = []

        def take(line: str) -> None:
            if not line.startswith("{"):
                return
            with contextlib.suppress(json.JSONDecodeError):
                events.append(json.loads(line))
                if self.on_event is not None:
                    self.on_event(events[-1])

        code, out, err = self.cmd(command, *args, on_line=take, **options)
        if code not in (0, 2 if command == "plan" else 0):
            raise TerraformError(command, read_diagnostics(events, out, err), self._secrets(planned))
        return events

    def _secrets(self, planned: Plan | None) -> Secrets:
        """The sensitive values that an error message may repeat: those of the state and of the plan."""
        found = planned.secrets if planned is not None else Secrets()
        with contextlib.suppress(OSError, ValueError):
            found |= Secrets.of_state(json.loads(self.run_directory.state.read_text(encoding="utf-8")))
        if planned is not None and not planned.changes and planned.path.is_file():
            # Nobody asked for details. A failure to read them must not hide the failure that is being reported.
            with contextlib.suppress(WorkbookError, ValueError):
                found |= Secrets.of_plan(self.show(planned.path))
        return found

    def _output(self, command: str, *args: str, check: bool = True, **options: Any) -> str:
        code, out, err = self.cmd(command, *args, **options)
        if check and code != 0:
            raise TerraformError(command, read_diagnostics([], out, err))
        return out

    def cmd(
        self, cmd: str, *args: str, on_line: Callable[[str], None] | None = None, **kwargs: Any
    ) -> tuple[int, str, str]:
        """Overrides how python-terraform starts Terraform: adds live output, a time limit and a process group."""
        argv = self.generate_cmd_string(cmd, *args, **{k: v for k, v in kwargs.items() if v is not None})
        name = f"{time.strftime('%Y%m%dT%H%M%S')}-{os.getpid()}-{time.monotonic_ns() % 10**6}-{cmd.replace(' ', '-')}"
        out_path, err_path = (self.run_directory.logs / f"{name}.{kind}" for kind in ("out", "err"))
        with out_path.open("wb") as out, err_path.open("wb") as err:
            process = subprocess.Popen(
                argv,
                cwd=self.working_dir,
                env=self.environ,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        began, left_running = time.monotonic(), False
        try:
            self._follow(process, out_path, cmd, on_line or (lambda line: None))
            shown, errors = (path.read_text(errors="replace") for path in (out_path, err_path))
            if cmd in ("show", "output"):
                # They print sensitive values in clear, so what they printed is not kept.
                out_path.unlink(missing_ok=True)
            return process.returncode, shown, errors
        except _LeftRunning:
            left_running = True
            raise
        finally:
            if not left_running:
                _end_group(process)
            with (self.run_directory.logs / "commands.jsonl").open("a") as record:
                print(
                    json.dumps(
                        {"command": cmd, "seconds": round(time.monotonic() - began, 3), "code": process.returncode}
                    ),
                    file=record,
                )
            self.run_directory.forget_old()

    def _follow(self, process: subprocess.Popen[bytes], path: Path, cmd: str, on_line: Callable[[str], None]) -> None:
        deadline = time.monotonic() + TIMEOUT[cmd]
        next_alive = time.monotonic() + _ALIVE_SECONDS
        with path.open("r", errors="replace") as stream:
            lines = _lines(stream)
            try:
                while True:
                    ended = process.poll() is not None
                    for line in iter(lambda: next(lines), None):
                        on_line(line)
                    if ended:
                        return
                    now = time.monotonic()
                    if now > deadline:
                        _stop(process)
                        raise WorkbookError(
                            f"terraform {cmd} had not finished after {TIMEOUT[cmd]:.0f} s and was stopped.",
                            "What was done is in the state. Plan again to see what is left.",
                        )
                    if now > next_alive:
                        self._tick(process)
                        next_alive = time.monotonic() + _ALIVE_SECONDS
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(_POLL_SECONDS)
            except KeyboardInterrupt:
                if cmd == "apply":
                    self._background.write_text(str(process.pid))
                    raise _LeftRunning(
                        "Detached: the apply continues in the background and writes its state.",
                        "Run this again: it waits for the apply to finish, then plans what is left. To stop it now: "
                        f"kill -INT {process.pid} (a resource being created then may be missing from the state).",
                    ) from None
                _stop(process)
                raise WorkbookError(
                    f"terraform {cmd} was interrupted. Nothing was changed.", "Run this again."
                ) from None

    def _wait_for_background(self) -> None:
        """Wait for a detached apply: stopping Terraform midway would lose track of what it is creating."""
        if not self._background.is_file():
            return
        pid = int(self._background.read_text())
        deadline = time.monotonic() + TIMEOUT["apply"]
        while _is_terraform(pid):
            if time.monotonic() > deadline:
                raise WorkbookError(
                    f"The background apply (process {pid}) is still running.",
                    f"Check on it, or stop it: kill -INT {pid}",
                )
            if self.on_event is not None:
                self.on_event({"type": "waiting"})
            time.sleep(_ALIVE_SECONDS / 2)
        self._background.unlink(missing_ok=True)

    def _tick(self, process: subprocess.Popen[bytes]) -> None:
        if self.on_event is not None:
            self.on_event({"type": "tick"})
        gone = self.alive() if self.alive is not None else None
        if gone:
            _stop(process, patience=2.0)
            raise WorkbookError(gone, "Run this again: it starts a new one and deploys from scratch.")

    def _fingerprint(self) -> str:
        digest = hashlib.sha256(configuration_digest(self.directory).encode())
        binary = Path(self.terraform_bin_path)
        digest.update(f"{self.terraform_bin_path}\0{binary.stat().st_mtime_ns}\0".encode())
        for path in (Path(self.environ.get("TF_CLI_CONFIG_FILE") or "/"), self.directory / ".terraform.lock.hcl"):
            digest.update((path.read_bytes() if path.is_file() else b"") + b"\0")
        return digest.hexdigest()


def _lines(stream: Any) -> Iterator[str | None]:
    """Complete lines as they arrive; None when there is no new one yet."""
    rest = ""
    while True:
        chunk = stream.readline()
        if not chunk:
            yield None
            continue
        rest += chunk
        if rest.endswith("\n"):
            yield rest.rstrip("\n")
            rest = ""


class _LeftRunning(WorkbookError):
    """The command was detached; its process keeps running."""


def _is_terraform(pid: int) -> bool:
    """Whether the process exists and is a Terraform, not another one that reused its pid."""
    shown = subprocess.run(
        ["ps", "-ww", "-p", str(pid), "-o", "state=,command="], capture_output=True, text=True, timeout=10
    )
    state, _, command = shown.stdout.strip().partition(" ")
    return bool(command) and not state.startswith("Z") and "terraform" in command


def _stop(process: subprocess.Popen[bytes], patience: float = STOP_SECONDS) -> None:
    """Ask Terraform to finish what it started and write its state; a second interrupt or the time limit forces a stop."""
    with contextlib.suppress(KeyboardInterrupt, subprocess.TimeoutExpired):
        process.send_signal(signal.SIGINT)
        process.wait(patience)
        return
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.send_signal(signal.SIGINT)
        process.wait(5)


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """Providers outlive a killed Terraform: end the whole process group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGTERM if process.poll() is not None else signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(5)
