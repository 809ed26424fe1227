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
        # The library's substitute on file systems without flock, a soft lock, would outlive a holder that is killed.
        held = FileLock(path, fallback_to_soft=False).acquire(timeout, poll_interval=0.05)
    except Timeout:
        raise WorkbookError(
            f"Another process has held {path.name} for {timeout:.0f} s.",
            "Wait for the other notebook or command to end, then run this again.",
        ) from None
    with held:
        yield
