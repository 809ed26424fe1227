"""The lock between processes: one holder at a time, released however it ends."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from workbook.errors import WorkbookError
from workbook.host.locking import lock

HOLD = """
import sys, time
from pathlib import Path
from workbook.host.locking import lock
with lock(Path(sys.argv[1]), 30):
    print("held", flush=True)
    {then}
"""
WAIT = "time.sleep(600)"


@pytest.fixture
def hold(tmp_path: Path) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Starts a process that takes the lock, then runs a statement; returns once it holds it."""
    started = []

    def start(then: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD.format(then=then), str(tmp_path / "a" / "the.lock")],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_another_process_is_waited_for_only_so_long(tmp_path, hold):
    holder = hold(WAIT)
    message = r"Another process has held the\.lock for 1 s"
    with pytest.raises(WorkbookError, match=message) as caught, lock(tmp_path / "a" / "the.lock", 1):
        pytest.fail("two holders at once")
    assert "Wait for the other notebook or command to end" in str(caught.value)
    assert holder.poll() is None


def test_a_killed_holder_leaves_no_lock(tmp_path, hold):
    holder = hold(WAIT)
    holder.kill()
    holder.wait()
    with lock(tmp_path / "a" / "the.lock", 30):
        pass


def test_what_a_holder_started_does_not_keep_the_lock(tmp_path, hold):
    holder = hold("import subprocess; print(subprocess.Popen(['sleep', '600']).pid, flush=True)")
    assert holder.stdout is not None
    child = int(holder.stdout.readline())
    try:
        assert holder.wait(60) == 0
        with lock(tmp_path / "a" / "the.lock", 30):
            os.kill(child, 0)  # Still there.
    finally:
        os.kill(child, 9)


def test_one_that_waits_gets_it_when_the_holder_is_done(tmp_path):
    entered = threading.Event()

    def wait() -> None:
        with lock(tmp_path / "a" / "the.lock", 120):
            entered.set()

    with lock(tmp_path / "a" / "the.lock", 30):
        waiting = threading.Thread(target=wait)
        waiting.start()
        assert not entered.wait(0.5)
    waiting.join(60)
    assert entered.is_set()


def test_an_error_inside_releases_it(tmp_path):
    with pytest.raises(ZeroDivisionError), lock(tmp_path / "the.lock", 1):
        raise ZeroDivisionError
    with lock(tmp_path / "the.lock", 0):
        pass
