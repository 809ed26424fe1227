"""The saved inventory of the dev environment, for every unit test."""

from __future__ import annotations

from pathlib import Path

import pytest

from workbook.inventory import Inventory


@pytest.fixture(scope="session")
def dev() -> Inventory:
    return Inventory.from_json((Path(__file__).parent / "fixtures" / "inventory_dev.json").read_text(encoding="utf-8"))
