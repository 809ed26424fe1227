"""A row of a table: its columns are read-only attributes."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn


class Row:
    """One row of a table, read-only. What could not be read is None.

    Raises
    ------
    AttributeError : the table has no such column; the message names similar ones.
    """

    __slots__ = ("_cells", "_table")

    def __init__(self, table: str, cells: Mapping[str, Any]) -> None:
        object.__setattr__(self, "_table", table)
        object.__setattr__(self, "_cells", dict(cells))

    def __getattr__(self, column: str) -> Any:
        # A row that is being copied has no cells yet.
        cells = {} if column in Row.__slots__ else self._cells
        if column not in cells:
            raise AttributeError(f"A row of {self._table} has no column {column!r}. {alike(column, cells)}")
        return cells[column]

    def __setattr__(self, column: str, value: Any) -> NoReturn:
        raise AttributeError(f"A row of {self._table} cannot be changed. For a what-if: row.replaced({column}=…).")

    def replaced(self, **cells: Any) -> Row:
        """A copy with some cells replaced, for what-ifs."""
        for column in cells:
            getattr(self, column)
        return Row(self._table, {**self._cells, **cells})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Row) and (self._table, self._cells) == (other._table, other._cells)

    __hash__ = None  # type: ignore[assignment]

    def __dir__(self) -> list[str]:
        return [*self._cells, "replaced"]

    def __repr__(self) -> str:
        return f"<{self._table}: {', '.join(f'{column}={value!r}' for column, value in self._cells.items())}>"

    def __reduce__(self) -> tuple[type[Row], tuple[str, dict[str, Any]]]:
        return Row, (self._table, self._cells)


def cells_of(row: Row | Mapping[str, Any]) -> dict[str, Any]:
    """The cells of a row, by column; the row may also be given as a mapping."""
    return dict(row._cells if isinstance(row, Row) else row)


def alike(name: str, names: Iterable[str]) -> str:
    """A hint for a misspelled name: similar names, or else all names."""
    names = list(names)
    close = difflib.get_close_matches(str(name), names, n=3, cutoff=0.5)
    return f"Did you mean {' or '.join(close)}?" if close else f"There are: {', '.join(names)}."
