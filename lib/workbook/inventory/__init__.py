"""The inventory: AWS read in one place, once, into pandas tables; everything that is shown is made from them."""

from workbook.inventory.reader import read_inventory
from workbook.inventory.registry import TABLES
from workbook.inventory.row import Row
from workbook.inventory.schema import STATEMENT, Table
from workbook.inventory.scope import Scope
from workbook.inventory.snapshot import Inventory, NotReadError

__all__ = ["STATEMENT", "TABLES", "Inventory", "NotReadError", "Row", "Scope", "Table", "read_inventory"]
