"""What a layer costs per month without traffic, counted on the live account.

Prices are AWS's list prices for us-east-1 as published in 2025, in US dollars; what is billed by use comes on top; its
price is named and its amount is not guessed. Both are in the layer's record.
"""

from __future__ import annotations

import pandas as pd

from workbook import layers
from workbook.inventory import Inventory

HOURS_A_MONTH = 730


def on_top(layer: str, inventory: Inventory) -> str:
    """What is billed by use, in US dollars, as a sentence.

    Raises
    ------
    WorkbookError : no such layer.
    """
    return layers.find(layer).usage(inventory)


def monthly(layer: str, inventory: Inventory) -> pd.DataFrame:
    """what, how many, hourly price of one, monthly price of all, in US dollars; the last row is the total. Empty if
    nothing is billed by the hour.

    Raises
    ------
    WorkbookError : no such layer.
    """
    counted = [(price, price.count(inventory)) for price in layers.find(layer).prices]
    totals = [(price, n, price.hourly * n * HOURS_A_MONTH) for price, n in counted if n]
    rows = [(price.what, f"{n:g}", f"{price.hourly:g}", f"{total:.2f}") for price, n, total in totals]
    if rows:
        rows.append(("total", "", "", f"{sum(total for _, _, total in totals):.2f}"))
    return pd.DataFrame(rows, columns=["what", "how many", "USD an hour, each", "USD a month"])
