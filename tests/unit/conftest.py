"""The saved inventory of the dev environment, and the policy simulator."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from workbook.access import simulator_process
from workbook.errors import WorkbookError
from workbook.inventory import Inventory


@pytest.fixture(scope="session")
def dev() -> Inventory:
    return Inventory.from_json((Path(__file__).parent / "fixtures" / "inventory_dev.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def simulator() -> Path:
    """Where the simulator is installed. Skips without Node.js, or if the npm registry is unreachable the first time."""
    try:
        return simulator_process.installed()
    except WorkbookError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"the policy simulator cannot run here: {error.cause}")
