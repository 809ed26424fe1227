"""Every notebook runs on its own embedded AWS, or on the account that `scripts/test.py` prepared for it."""

from __future__ import annotations

import os
from contextlib import ExitStack

import pytest

from workbook.notebooks.walkthrough import account_of_its_own

_STACK = pytest.StashKey[ExitStack]()


def pytest_configure(config: pytest.Config) -> None:
    # The kernels that nbval starts inherit this process's environment.
    stack = config.stash[_STACK] = ExitStack()
    if "WORKBOOK_TEST_ACCOUNT" not in os.environ:
        stack.enter_context(account_of_its_own())


def pytest_unconfigure(config: pytest.Config) -> None:
    config.stash[_STACK].close()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """nbval gives a kernel five seconds to send a cell's output; a busy machine may need more."""
    for item in items:
        if hasattr(item, "output_timeout"):
            item.output_timeout = 120
