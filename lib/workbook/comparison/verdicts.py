"""The same claims over two versions, side by side."""

from __future__ import annotations

import pandas as pd

from workbook import display
from workbook.claims.results import MARKS, Results
from workbook.display import Rendered


def compare(first: Results, improved: Results) -> pd.DataFrame:
    """claim, layer, says, first version, improved version: one row per claim that was judged on both, in the order of
    `improved`.
    """
    before = {result.claim.id: result for result in (*first.results, *first.waiting)}
    waiting = {result.claim.id for result in first.waiting}
    rows = [
        (
            after.claim.id,
            after.claim.layer,
            after.claim.says,
            "not there" if after.claim.id in waiting else before[after.claim.id].verdict.value,
            after.verdict.value,
        )
        for after in improved
        if after.claim.id in before
    ]
    return pd.DataFrame(rows, columns=["claim", "layer", "says", "first version", "improved version"])


def rendered(first: Results, improved: Results) -> Rendered:
    """How many claims the improvements turned, in one line, and those claims as a table; the others are folded away."""
    table = compare(first, improved)
    turned = table[(table["first version"] == "FAIL") & (table["improved version"] != "FAIL")]
    marks = {verdict.value: mark for verdict, mark in MARKS.items()} | {"not there": "quiet"}
    columns = {"first version": marks, "improved version": marks}
    line = f"{len(turned)} of {len(table)} claims fail on the first version and hold on the improved one."
    kept = table.drop(index=turned.index)
    return display.stack(
        display.note(line, "good"),
        display.table(turned, "What the improvements turned", marks=columns),
        display.fold("The other claims", display.table(kept, "Not turned", marks=columns)),
    )
