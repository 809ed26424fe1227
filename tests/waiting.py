"""Waiting for something to happen in another process or thread."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest


def until(
    condition: Callable[[], object], what: str, seconds: float = 60.0, evidence: Callable[[], str] = lambda: ""
) -> None:
    """Returns once `condition` holds; fails with `what` and the `evidence` if it does not within `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"Not within {seconds:.0f} s: {what}\n{evidence()}".rstrip())
        time.sleep(0.05)
