"""Progress of long operations, in a notebook and in a terminal: never silent, and gone when the work is done."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from typing import Any

from workbook.display import Rendered, note

_SECONDS_BETWEEN_LINES = 10.0
_SECONDS_BETWEEN_UPDATES = 0.5


class Progress:
    """One line that is kept up to date.

    In a notebook it is an updating output that `finish` replaces at the end. On a terminal the line is rewritten; in a
    file or a pipe, a line is printed every ten seconds.
    """

    def __init__(self, title: str) -> None:
        self.title = title
        self.started = time.monotonic()
        self._last = 0.0
        self._handle: Any = None
        self._notebook = in_notebook()
        self._tty = not self._notebook and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._width = 0
        self.say("starting", force=True)

    def say(self, text: str, force: bool = False) -> None:
        """Show what is going on; calls that come too soon after the last one may be dropped."""
        now = time.monotonic()
        wait = _SECONDS_BETWEEN_UPDATES if self._notebook or self._tty else _SECONDS_BETWEEN_LINES
        if not force and now - self._last < wait:
            return
        self._last = now
        line = f"{self.title}: {text} · {now - self.started:.0f} s"
        if self._notebook:
            self._show(note(line, "quiet"))
        elif self._tty:
            print(f"\r{line.ljust(self._width)}"[: _columns()], end="", file=sys.stderr, flush=True)
            self._width = len(line)
        else:
            print(line, file=sys.stderr, flush=True)

    def finish(self, shown: Rendered) -> None:
        """Replace the line with a result that is the same on every run."""
        if self._notebook:
            self._show(shown)
            return
        if self._tty:
            print("\r" + " " * min(self._width, _columns() - 1) + "\r", end="", file=sys.stderr, flush=True)
        print(shown.text, flush=True)

    def _show(self, shown: Rendered) -> None:
        from IPython.display import display

        if self._handle is None:
            self._handle = display(shown, display_id=True)
        else:
            self._handle.update(shown)


class ApplyProgress:
    """Turns Terraform's events into a line such as `12 of 47 done; aws_lb.this 34 s`."""

    def __init__(self, progress: Progress, total: int = 0) -> None:
        self.progress = progress
        self.total = total
        self.done = 0
        self._running: dict[str, float] = {}

    def __call__(self, event: Mapping[str, Any]) -> None:
        kind = event.get("type", "")
        address = event.get("hook", {}).get("resource", {}).get("addr", "")
        if kind == "apply_start":
            self._running[address] = time.monotonic()
        elif kind in ("apply_complete", "apply_errored"):
            self._running.pop(address, None)
            self.done += kind == "apply_complete"
        elif kind == "refresh_complete" and not self.total:
            self.done += 1
        self.progress.say("waiting for the background apply" if kind == "waiting" else self._line())

    def _line(self) -> str:
        count = f"{self.done} of {self.total} done" if self.total else f"{self.done} read"
        if not self._running:
            return count
        address, since = min(self._running.items(), key=lambda item: item[1])
        more = f" and {len(self._running) - 1} more" if len(self._running) > 1 else ""
        return f"{count}; {'.'.join(address.split('.')[-2:])} {time.monotonic() - since:.0f} s{more}"


def in_notebook() -> bool:
    """Whether this runs in a Jupyter kernel."""
    if "IPython" not in sys.modules:
        return False
    from IPython import get_ipython

    shell = get_ipython()
    return shell is not None and type(shell).__name__ == "ZMQInteractiveShell"


def _columns() -> int:
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns
    except OSError:
        return 100
