"""A lock between processes, released by the kernel however its holder ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from workbook.errors import WorkbookError


@contextmanager
def lock(path: Path, timeout: float) -> Iterator[None]:
    """Hold an exclusive lock on `path`, which is created if it is missing. Not reentrant.

    Parameters
    ----------
    timeout : seconds to wait for another holder.

    Raises
    ------
    WorkbookError : another process still holds it after `timeout`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(path, timeout=timeout, poll_interval=0.05):
            yield
    except Timeout:
        raise WorkbookError(
            f"Another process has held {path.name} for {timeout:.0f} s.",
            "Wait for the other notebook or command to end, then run this again.",
        ) from None
