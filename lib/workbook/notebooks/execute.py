"""Execute one notebook in a fresh kernel, report its progress, and keep saved outputs stable from run to run."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import signal
import time
from collections.abc import Iterator, Mapping
from configparser import ConfigParser
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import nbformat
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError

from workbook.errors import WorkbookError

START_TIMEOUT = 180
"""Seconds a kernel may take to start responding."""
GRACE = 100
"""Seconds an interrupted cell, and Terraform with it, has to finish before its kernel is killed."""

_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$", re.MULTILINE)


class Listener(Protocol):
    """Follows the progress of an execution. Cells are code cells, counted from 1."""

    def cell_started(self, number: int, label: str) -> None: ...

    def live(self, text: str) -> None:
        """The kernel showed `text`, one line, while the cell was running."""

    def tick(self) -> None:
        """About a second has passed."""

    def cell_finished(self, number: int, label: str, seconds: float) -> None: ...


class CellFailed(WorkbookError):
    """A cell failed, timed out, or lost its kernel."""


class Interrupted(Exception):
    """The user or the parent process stopped the execution; `signal` is the signal number."""

    def __init__(self, number: int) -> None:
        self.signal = number
        super().__init__(signal.Signals(number).name)


def cell_timeout(environ: Mapping[str, str] | None = None) -> int:
    """Seconds a cell may take: `WORKBOOK_CELL_TIMEOUT`, or 600.

    Raises
    ------
    WorkbookError : the variable is not a positive whole number.
    """
    value = (os.environ if environ is None else environ).get("WORKBOOK_CELL_TIMEOUT", "").strip() or "600"
    if not value.isdecimal() or int(value) == 0:
        raise WorkbookError(f"WORKBOOK_CELL_TIMEOUT={value!r} is not valid.", "Set it to seconds, such as 600.")
    return int(value)


def read(path: Path) -> nbformat.NotebookNode:
    """Read a notebook file.

    Raises
    ------
    WorkbookError : the file is not a notebook.
    """
    try:
        notebook: nbformat.NotebookNode = nbformat.read(path, as_version=4)
        return notebook
    except Exception as error:  # JSON, validation and version errors of nbformat have no common base
        raise WorkbookError(
            f"{path.name} is not a readable notebook: {first_line(str(error))}",
            f"Run git checkout {path}, or fix the file.",
        ) from error


def title(notebook: nbformat.NotebookNode, otherwise: str) -> str:
    """The first heading."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and (match := _HEADING.search(cell.source)):
            return plain(match.group(1))
    return otherwise


def code_cells(notebook: nbformat.NotebookNode) -> Iterator[tuple[int, str]]:
    """Index and label of every cell to execute; a label is the section plus the cell's first line, comment or code."""
    section = ""
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type == "markdown":
            if headings := _HEADING.findall(cell.source):
                section = plain(headings[-1])
        elif cell.cell_type == "code" and cell.source.strip():
            line = next(line for line in cell.source.splitlines() if line.strip()).strip().lstrip("# ")
            yield index, " · ".join(part for part in (section, line) if part)


def plain(markdown: str) -> str:
    """Inline markdown as plain text."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", markdown)
    return re.sub(r"[*`]|<[^>]+>|(?<!\w)_|_(?!\w)", "", text).strip()


def first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


def execute(
    path: Path,
    notebook: nbformat.NotebookNode,
    listener: Listener,
    timeout: int,
    environ: Mapping[str, str] | None = None,
) -> None:
    """Execute every code cell of `notebook`, in order and in place, in a new kernel of this Python.

    Parameters
    ----------
    path : path of the notebook; its kernel runs in that directory.
    timeout : seconds a cell may take; after that it is interrupted, and killed if that does not help.
    environ : environment of the kernel; this process's by default.

    Raises
    ------
    CellFailed : with notebook, cell and cause in its message. The outputs so far are in `notebook`.
    Interrupted : on SIGINT or SIGTERM; the kernel is interrupted first, so that Terraform can finish what it started.
    """
    asyncio.run(_Execution(path, notebook, listener, timeout, dict(os.environ if environ is None else environ)).run())


class _Client(NotebookClient):
    """nbclient, with every message of the kernel passed on as it arrives."""

    listener: Listener

    def process_message(
        self, msg: dict[str, Any], cell: nbformat.NotebookNode, cell_index: int
    ) -> nbformat.NotebookNode | None:
        if text := _live_text(msg):
            self.listener.live(text)
        return super().process_message(msg, cell, cell_index)


def _live_text(message: Mapping[str, Any]) -> str:
    """The last line shown by a stream or an updating display; empty for other messages."""
    content = message["content"]
    if message["msg_type"] == "stream":
        text = content["text"]
    elif message["msg_type"] == "update_display_data" or (
        message["msg_type"] == "display_data" and (content.get("transient") or {}).get("display_id")
    ):
        text = content["data"].get("text/plain", "")
    else:
        return ""
    return first_line("\n".join(reversed(_ANSI.sub("", str(text)).splitlines())))


@dataclass
class _Execution:
    path: Path
    notebook: nbformat.NotebookNode
    listener: Listener
    timeout: int
    environ: dict[str, str]
    ended_by: int | str | None = None  # a signal's number, or "timeout"
    kernel: AsyncKernelManager = field(default_factory=lambda: AsyncKernelManager(kernel_name="python3"))
    deadline: float = float("inf")
    _ending: asyncio.Task[None] | None = None  # The event loop keeps no strong reference to a task.

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._on_signal, number)
        ticker = asyncio.create_task(self._tick())
        try:
            await self._run_cells(await self._start())
        finally:
            ticker.cancel()
            with contextlib.suppress(RuntimeError):  # A kernel that never started has nothing to shut down.
                await self.kernel.shutdown_kernel(now=self.ended_by is not None)
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)

    async def _start(self) -> _Client:
        client = _Client(
            self.notebook,
            km=self.kernel,
            timeout=None,
            startup_timeout=START_TIMEOUT,
            record_timing=False,
            coalesce_streams=True,
        )
        client.listener = self.listener
        client.log.setLevel(logging.CRITICAL + 1)  # Errors are reported once, where they are caught.
        client.reset_execution_trackers()
        try:
            # Errors only: otherwise ipykernel warns about its transport on every start.
            await self.kernel.start_kernel(
                cwd=str(self.path.parent), env=self.environ, extra_arguments=["--IPKernelApp.log_level=40"]
            )
            await client.async_start_new_kernel_client()
        except Exception as error:
            if isinstance(self.ended_by, int):
                raise Interrupted(self.ended_by) from None
            raise CellFailed(
                f"{self.path.stem}: the Python kernel did not start: {first_line(str(error))}",
                "Repair the environment with `make setup`, then run this again.",
            ) from error
        return client

    async def _run_cells(self, client: _Client) -> None:
        for number, (index, label) in enumerate(code_cells(self.notebook), start=1):
            self.listener.cell_started(number, label)
            started = time.monotonic()
            self.deadline = started + self.timeout
            try:
                await client.async_execute_cell(self.notebook.cells[index], index, execution_count=number)
            except (CellExecutionError, DeadKernelError) as error:
                self._raise_ended(number, label)
                raise CellFailed(
                    f"{self.path.stem}, cell {number} ({label}): {_cause(error)}", *_next_step(error)
                ) from None
            self._raise_ended(number, label)
            self.listener.cell_finished(number, label, time.monotonic() - started)

    def _raise_ended(self, number: int, label: str) -> None:
        if isinstance(self.ended_by, int):
            raise Interrupted(self.ended_by)
        if self.ended_by:
            raise CellFailed(
                f"{self.path.stem}, cell {number} ({label}): no result within {self.timeout} s, so it was interrupted.",
                "Run this again; it continues from what is deployed. WORKBOOK_CELL_TIMEOUT=<seconds> allows more time.",
            )

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(1)
            self.listener.tick()
            if time.monotonic() > self.deadline:
                await self._end("timeout")

    def _on_signal(self, number: int) -> None:
        self._ending = asyncio.get_running_loop().create_task(self._end(number))

    async def _end(self, by: int | str) -> None:
        """Interrupt the kernel; a second call, or a cell that outlives its grace period, kills it."""
        first = self.ended_by is None
        self.ended_by = by if first else self.ended_by
        self.deadline = time.monotonic() + GRACE
        with contextlib.suppress(RuntimeError):  # The kernel is not running yet, or is gone.
            if first:
                self.listener.live("interrupted; waiting for the cell to finish (press Ctrl-C again to stop it now)")
                await self.kernel.interrupt_kernel()
            else:
                await self.kernel.shutdown_kernel(now=True)


def _cause(error: CellExecutionError | DeadKernelError) -> str:
    """A cell's exception in a few lines, without the traceback."""
    if isinstance(error, DeadKernelError):
        return "its kernel died."
    value = _ANSI.sub("", str(error.evalue)).strip()
    lines = [line for line in value.splitlines() if line.strip()]
    shown = "\n".join([*lines[:12], *(["…"] if len(lines) > 12 else [])])
    return shown if error.ename in ("WorkbookError", "CellFailed") and shown else f"{error.ename}: {shown}"


def _next_step(error: CellExecutionError | DeadKernelError) -> tuple[str, ...]:
    if isinstance(error, DeadKernelError):
        return ("Run this again; if it keeps happening, check memory and disk space.",)
    return () if error.ename == "WorkbookError" else ("`make lab` opens the notebook at this cell.",)


def normalise(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Strip what differs between runs or machines, so that saving twice changes nothing."""
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
            "language_info": {
                "file_extension": ".py",
                "mimetype": "text/x-python",
                "name": "python",
                "pygments_lexer": "ipython3",
            },
        }
    )
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    for number, cell in enumerate(notebook.cells, start=1):
        cell.setdefault("id", f"cell-{number:02d}")
        kept = {key: cell.metadata[key] for key in ("tags", "jupyter") if key in cell.metadata}
        cell.metadata = nbformat.from_dict(kept)
        for output in cell.get("outputs", []):
            output.pop("transient", None)
    return notebook


def keep_equal(new: nbformat.NotebookNode, saved: nbformat.NotebookNode, volatile: Path) -> None:
    """Restore the saved outputs of every cell that differs only in what nbval ignores: times, ports, ids, durations.

    Parameters
    ----------
    volatile : nbval's sanitizing file: sections with `regex` and `replace`.
    """
    patterns = ConfigParser(interpolation=None)
    patterns.read(volatile, encoding="utf-8")
    rules = [(re.compile(patterns[name]["regex"]), patterns[name]["replace"]) for name in patterns.sections()]

    def constant(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: constant(item) for key, item in value.items()}
        if isinstance(value, list):
            return [constant(item) for item in value]
        for pattern, replacement in rules if isinstance(value, str) else ():
            value = pattern.sub(replacement, value)
        return value

    before = {cell.get("id"): cell for cell in saved.cells if cell.cell_type == "code"}
    for cell in new.cells:
        old = before.get(cell.get("id"))
        if old is not None and constant(old.outputs) == constant(cell.outputs):
            cell.outputs = old.outputs
