"""Execute every notebook in order, with progress on the terminal, and write a readable page for each."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

import nbformat

from workbook.deployment import Deployment, count_by_layer
from workbook.emulator import branches
from workbook.errors import WorkbookError
from workbook.host.paths import NOTEBOOKS, ROOT, home
from workbook.host.run_directory import RunDirectory
from workbook.layers import LAYERS
from workbook.notebooks import execute as notebook
from workbook.notebooks import pages
from workbook.target import choose_target
from workbook.terraform import binary
from workbook.terraform.settings import read_settings


def walkthrough(notebooks: Sequence[Path] | None = None) -> int:
    """Execute notebooks against the target, keep executed copies and pages of them, and print a summary.

    What is deployed stays deployed, so a second run is quick.

    Parameters
    ----------
    notebooks : files to execute; by default every notebook of the project, in order.

    Returns
    -------
    Exit code: 0; 1 if a cell failed; 130 if interrupted.
    """
    return _run(list(notebooks or sorted(NOTEBOOKS.glob("*.ipynb"))), os.environ, save=False)


def save_notebooks(notebooks: Sequence[Path] | None = None) -> int:
    """Execute notebooks against an embedded AWS of their own, from empty to teardown, and save them with their outputs.

    Returns
    -------
    Exit code as for `walkthrough`. A notebook that fails is not saved.
    """
    with account_of_its_own() as environ:
        return _run(list(notebooks or sorted(NOTEBOOKS.glob("*.ipynb"))), environ, save=True)


@contextmanager
def account_of_its_own() -> Iterator[dict[str, str]]:
    """Environment variables for processes that use an empty embedded AWS, which is removed afterwards.

    While the context is open the variables apply to this process too.
    """
    before = dict(os.environ)
    scratch = Path(tempfile.mkdtemp(prefix="workbook-"))
    os.environ.update(WORKBOOK_HOME=str(scratch), WORKBOOK_TARGET="embedded", WORKBOOK_TEARDOWN="1")
    try:
        yield dict(os.environ)
    finally:
        branches.stop_all(scratch)
        os.environ.clear()
        os.environ.update(before)
        shutil.rmtree(scratch, ignore_errors=True)


@dataclass
class _Totals:
    """What the executed notebooks show, counted."""

    cells: int = 0
    tables: int = 0
    pictures: int = 0

    def add(self, executed: nbformat.NotebookNode) -> None:
        for cell in executed.cells:
            self.cells += bool(cell.cell_type == "code" and cell.get("execution_count"))
            for output in cell.get("outputs", []):
                data = output.get("data", {})
                html = "".join(data.get("text/html", ""))
                self.tables += html.count("<table")
                if "image/png" in data or "image/svg+xml" in data:
                    self.pictures += 1
                else:
                    self.pictures += html.count("<img") + html.count("<svg")


@dataclass
class Console:
    """Progress of a walkthrough as lines of text.

    On a terminal the line of the running cell is rewritten. Elsewhere each cell gets a line, and a slow cell another
    one every `quiet` seconds.
    """

    stream: TextIO = field(default_factory=lambda: sys.stdout)
    quiet: float = 10.0

    def __post_init__(self) -> None:
        self._rewrites = self.stream.isatty() and os.environ.get("TERM") != "dumb"
        self._cells = 0
        self._number, self._label, self._text = 0, "", ""
        self._started = self._said = 0.0

    def notebook_started(self, position: str, name: str, title: str, cells: int) -> None:
        self._cells = cells
        self.line(f"{position} {name} · {title} ({cells} cells)")

    def cell_started(self, number: int, label: str) -> None:
        self._number, self._label, self._text = number, label, ""
        self._started = self._said = time.monotonic()
        if self._rewrites:
            self._rewrite()

    def live(self, text: str) -> None:
        self._text = text

    def tick(self) -> None:
        if not self._number:
            return
        if self._rewrites:
            self._rewrite()
        elif time.monotonic() - self._said >= self.quiet:
            self._said = time.monotonic()
            self.line(self._running())

    def cell_finished(self, number: int, label: str, seconds: float) -> None:
        self._number = 0
        # On a terminal only the lines of slow cells stay.
        if not self._rewrites or seconds >= 5:
            self.line(f"{self._place(number)} {_clip(label, 76):<76} {seconds:6.1f} s")

    def notebook_finished(self, seconds: float) -> None:
        self._number = 0
        self.line(f"        done in {duration(seconds)}")

    def line(self, text: str = "") -> None:
        """Print a line that stays."""
        self.stream.write(f"\r\x1b[2K{text}\n" if self._rewrites else f"{text}\n")
        self.stream.flush()

    def _place(self, number: int) -> str:
        return f"  {number:>3}/{self._cells:<3}"

    def _running(self) -> str:
        parts = [
            f"{self._place(self._number)} {_clip(self._label, 76)} … {time.monotonic() - self._started:.0f} s",
            self._text,
        ]
        return "  ".join(part for part in parts if part)

    def _rewrite(self) -> None:
        width = shutil.get_terminal_size((100, 24)).columns
        self.stream.write(f"\r\x1b[2K{_clip(self._running(), width - 1)}")
        self.stream.flush()


def _keep_start(deployment: Deployment, page: str, console: Console) -> None:
    """Leave a checkpoint at the start of a page, so that the page can be rehearsed without those before it.

    One that is there already stays where the page's layer is deployed: in a second walkthrough everything is.
    """
    try:
        deployment.connect()
        kept = any(checkpoint.name == page and checkpoint.alive for checkpoint in deployment.checkpoints())
        layer = next((layer for layer in LAYERS if layer.page == page), None)
        if not (kept and layer is not None and deployment.resources().get(layer.key)):
            deployment.checkpoint(page)
    except WorkbookError as error:
        console.line(f"        No checkpoint of this page: {error.cause}")


def duration(seconds: float) -> str:
    """Seconds in readable form: `8.2 s`, `3 min 5 s`."""
    return f"{seconds:.1f} s" if seconds < 60 else f"{int(seconds) // 60} min {int(seconds) % 60} s"


def _clip(text: str, width: int) -> str:
    return text if len(text) <= width else text[: max(width - 1, 0)] + "…"


def _run(paths: list[Path], environ: Mapping[str, str], save: bool) -> int:
    console = Console()
    started = time.monotonic()
    try:
        timeout = notebook.cell_timeout(environ)
        missing = [str(path) for path in paths if not path.is_file()]
        if missing or not paths:
            raise WorkbookError(
                f"There is no notebook {', '.join(missing) or 'in ' + str(NOTEBOOKS)}.", "Notebooks are in notebooks/."
            )
        environment = environ.get("WORKBOOK_ENVIRONMENT") or "dev"
        settings = read_settings(environment)
        # Only its name and label are needed here; each notebook connects on its own.
        target = choose_target(settings.region, environ)
        # Reported now, not by the second notebook.
        binary.require(environ.get("PATH"))
        run = RunDirectory(home(), environment, target.slug)
        console.line(f"Target: {target.label}. Environment: {environment}.")
        totals, book = (
            _Totals(),
            pages.Book(run.pages, [path.stem for path in paths], f"{settings.prefix} on {target.label}"),
        )
        sources = [notebook.read(path) for path in paths]
        for source, path in zip(sources, paths, strict=True):
            book.titles[path.stem] = notebook.title(source, path.stem)
        for number, (path, node) in enumerate(zip(paths, sources, strict=True), start=1):
            console.notebook_started(
                f"[{number}/{len(paths)}]", path.stem, book.titles[path.stem], len(list(notebook.code_cells(node)))
            )
            if target.kind == "embedded" and not save:
                _keep_start(Deployment(environment, run.home), path.stem, console)
            began = time.monotonic()
            try:
                notebook.execute(path.resolve(), node, console, timeout, environ)
            finally:
                book.add(path, node, time.monotonic() - began)
            console.notebook_finished(time.monotonic() - began)
            totals.add(node)
            if save:
                saved = notebook.read(path)
                notebook.keep_equal(notebook.normalise(node), saved, ROOT / "tests" / "notebooks" / "sanitize.cfg")
                nbformat.write(node, path)
    except notebook.Interrupted as interrupted:
        console.line("Interrupted. What was done is in the state; `make walkthrough` picks up from there.")
        return 128 + interrupted.signal
    except KeyboardInterrupt:
        console.line("Interrupted.")
        return 128 + signal.SIGINT
    except WorkbookError as error:
        console.line()
        console.line(f"FAILED  {error}")
        return 1
    resources = count_by_layer(run, settings.directory)
    summary = {
        "notebooks": str(len(paths)),
        "cells": str(totals.cells),
        "layers deployed": ", ".join(f"{layer} ({count})" for layer, count in resources.items() if count) or "none",
        "resources": str(sum(resources.values())),
        "tables": str(totals.tables),
        "pictures": str(totals.pictures),
        "time": duration(time.monotonic() - started),
    }
    console.line()
    for name, value in summary.items():
        console.line(f"  {name:<16} {value}")
    console.line()
    if save:
        console.line(f"Saved with outputs: {', '.join(path.name for path in paths)}")
        return 0
    index = book.write_index(summary)
    console.line(f"Pages:   {index}")
    if target.kind == "embedded":
        console.line("Again:   workbook checkpoint restore 04_s3   the account as it was at the start of that page")
    console.line("Next:    make lab      the same notebooks in JupyterLab, on what is deployed now")
    console.line("         make doctor   what is installed and deployed")
    console.line("Stop:    make destroy, then make clean")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m workbook.notebooks.walkthrough", description="Execute notebooks.")
    parser.add_argument("--save", action="store_true", help="use an empty account and save the notebooks with outputs")
    parser.add_argument("notebook", nargs="*", type=Path, help="notebooks to execute (default: all, in order)")
    options = parser.parse_args()
    return (save_notebooks if options.save else walkthrough)(options.notebook or None)


if __name__ == "__main__":
    sys.exit(main())
