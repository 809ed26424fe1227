"""One deployed stack for the whole session: real Terraform on its own embedded AWS. What changes it does so on a branch.

`scripts/test.py` gives the session a copy of the stack it deployed for all suites; otherwise the session deploys one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from workbook.emulator import branches
from workbook.inventory import Inventory, Scope
from workbook.workbook import Workbook


@dataclass
class Stack:
    """The deployed environment and ways to inspect it."""

    workbook: Workbook

    @property
    def scope(self) -> Scope:
        settings = self.workbook.settings
        return Scope(settings.prefix, settings.region, settings.replica_region)

    def inventory(self) -> Inventory:
        return self.workbook.inventory(fresh=True)

    @contextmanager
    def branch(self) -> Iterator[Stack]:
        """A copy of the account to change and throw away."""
        with self.workbook.branch() as copy:
            yield Stack(copy)

    def client(self, service: str, region: str | None = None) -> Any:
        return self.workbook.client(service, region)


@pytest.fixture(scope="session")
def session_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    given = "WORKBOOK_TEST_ACCOUNT" in os.environ
    home = Path(os.environ["WORKBOOK_HOME"]) if given else tmp_path_factory.mktemp("workbook-home")
    before = {name: os.environ.get(name) for name in ("WORKBOOK_HOME", "WORKBOOK_TARGET", "WORKBOOK_ENVIRONMENT")}
    os.environ["WORKBOOK_HOME"] = str(home)
    for name in ("WORKBOOK_TARGET", "WORKBOOK_ENVIRONMENT"):
        os.environ.pop(name, None)
    yield home
    branches.stop_all(home)
    for name, value in before.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


@pytest.fixture(scope="session")
def stack(session_home: Path) -> Stack:
    workbook = Workbook("dev")
    workbook.deploy()
    return Stack(workbook)
