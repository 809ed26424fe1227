"""A lock between processes, held by the kernel and therefore released however its holder dies."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from workbook.errors import WorkbookError


@contextmanager
def lock(path: Path, timeout: float) -> Iterator[None]:
    """Hold an exclusive lock on `path` (created if missing).

    Parameters
    ----------
    timeout : seconds to wait for another holder.

    Raises
    ------
    WorkbookError : another process still holds it after `timeout`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + timeout
    with path.open("a") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise WorkbookError(
                        f"Another process has held {path.name} for {timeout:.0f} s.",
                        "Wait for the other notebook or command to finish, then run this again.",
                    ) from None
                time.sleep(0.1)
        yield
