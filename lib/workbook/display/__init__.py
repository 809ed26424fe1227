"""Output for people: captioned tables with a plain-text twin, progress, and a rendered object as a page of its own."""

from workbook.display.tables import (
    Rendered,
    cell_lines,
    fold,
    note,
    pairs,
    readable_columns,
    stack,
    table,
    text_table,
)

__all__ = ["Rendered", "cell_lines", "fold", "note", "pairs", "readable_columns", "stack", "table", "text_table"]
