"""The inventory: AWS read in one place, once, into pandas tables that everything shown is made of."""

from workbook.inventory.reader import read_inventory
from workbook.inventory.schema import STATEMENT, TABLES, Table
from workbook.inventory.snapshot import Inventory, Scope

__all__ = ["STATEMENT", "TABLES", "Inventory", "Scope", "Table", "read_inventory"]
