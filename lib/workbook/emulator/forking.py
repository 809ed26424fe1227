"""Copies this process by fork. The copy belongs to init and shares no socket or pipe with the original."""

from __future__ import annotations

import contextlib
import gc
import os
import select
import stat
import time
from collections.abc import Callable, Iterator
from typing import NoReturn

Report = Callable[[], None]
"""Called by the copy once it is reachable."""

_READY = b"ready"


class CannotCopy(Exception):
    """The system refused, or the copy ended before it was reachable."""


def fork(run: Callable[[Report], NoReturn]) -> int:
    """Start `run` in a copy of this process.

    In the copy, the calling thread is the main thread and the only one. Locks held by other threads stay held there,
    except those that Python resets (imports, logging, threading), so `run` must not use any of the others.

    Returns
    -------
    Descriptor for `wait`.

    Raises
    ------
    CannotCopy : the system has no fork, or refused it.
    """
    if not hasattr(os, "fork"):
        raise CannotCopy("this system has no fork")
    reader, writer = os.pipe()
    # A garbage collection writes to every object that it visits, and a page that is written to is no longer shared.
    gc.freeze()
    try:
        child = os.fork()
    except OSError as error:
        os.close(reader)
        os.close(writer)
        raise CannotCopy(error.strerror or str(error)) from error
    if child == 0:
        _leave(run, writer)
    os.close(writer)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(child, 0)
    return reader


def wait(reader: int, seconds: float) -> None:
    """Wait until the copy reports that it is reachable.

    Raises
    ------
    CannotCopy : it ended first (with its last words), or took longer than `seconds`.
    """
    said = b""
    deadline = time.monotonic() + seconds
    try:
        while said != _READY:
            if not select.select([reader], [], [], max(deadline - time.monotonic(), 0))[0]:
                raise CannotCopy(f"the copy could not be reached within {seconds:.0f} s")
            part = os.read(reader, 4096)
            if not part:
                raise CannotCopy(said.decode(errors="replace") or "the copy ended at once")
            said += part
    finally:
        os.close(reader)


def _leave(run: Callable[[Report], NoReturn], writer: int) -> NoReturn:
    """In the new process: fork once more, so that init adopts the copy, and run."""
    reported = False
    try:
        os.setsid()
        if os.fork():
            os._exit(0)
        _disconnect(keep=writer)

        def report() -> None:
            nonlocal reported
            reported = True
            os.write(writer, _READY)
            os.close(writer)

        run(report)
    except BaseException as error:
        if not reported:
            with contextlib.suppress(OSError):
                os.write(writer, f"{type(error).__name__}: {error}"[:1000].encode())
    finally:
        os._exit(1)


def _disconnect(keep: int) -> None:
    """Give up every socket and pipe inherited from the original, so that its clients notice when it ends.

    The null device takes their place: objects left over from the original's threads still refer to these descriptors,
    and may close them later, when a closed number would belong to something else.
    """
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in _descriptors():
        if descriptor < 3 or descriptor in (keep, null):
            continue
        with contextlib.suppress(OSError):  # It was the descriptor of the directory listing itself.
            mode = os.fstat(descriptor).st_mode
            if stat.S_ISSOCK(mode) or stat.S_ISFIFO(mode):
                os.dup2(null, descriptor, inheritable=False)
    os.close(null)


def _descriptors() -> Iterator[int]:
    try:
        yield from map(int, os.listdir("/dev/fd"))
    except OSError:
        yield from range(os.sysconf("SC_OPEN_MAX"))
