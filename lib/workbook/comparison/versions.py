"""First version and improved version of a layer, the improved one as read from the live account.

The first version is in the take-home's words; the last column shows what the improved version is.
"""

from __future__ import annotations

import pandas as pd

from workbook import layers
from workbook.inventory import Inventory

NOT_DEPLOYED = "not deployed"
NONE = "none"


def compare(layer: str, inventory: Inventory) -> pd.DataFrame:
    """aspect, first version, improved version, seen live (`none`, or `not deployed` for the whole layer): one row per
    improvement.

    Raises
    ------
    WorkbookError : no such layer.
    """
    # Where the layer is deployed, an improvement that cannot be seen is missing, not merely undeployed.
    otherwise = NONE if inventory.deployed(layer) else NOT_DEPLOYED
    steps = layers.find(layer).steps
    rows = [(step.aspect, step.first, step.improved, step.observe(inventory) or otherwise) for step in steps]
    return pd.DataFrame(rows, columns=["aspect", "first version", "improved version", "seen live"])
