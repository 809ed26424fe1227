"""All tables of the inventory, collected from the layers' readers: a new layer needs no change here."""

from __future__ import annotations

import importlib

from workbook.inventory.schema import Table
from workbook.layers import LAYERS


def _assembled() -> dict[str, Table]:
    tables: dict[str, Table] = {}
    for layer in LAYERS:
        for table in importlib.import_module(f"workbook.inventory.{layer.key}").TABLES:
            if table.layer != layer.key or table.name in tables:
                raise ValueError(f"{table.name} of {layer.key}: declared twice, or for another layer")
            tables[table.name] = table
    return tables


TABLES: dict[str, Table] = _assembled()
"""By name; layer by layer, in deployment order."""
