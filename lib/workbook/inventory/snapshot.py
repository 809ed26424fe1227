"""The inventory: a snapshot of what is deployed, as pandas tables. Pure data; nothing here calls AWS."""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from workbook import layers
from workbook.errors import WorkbookError
from workbook.inventory.registry import TABLES
from workbook.inventory.row import Row, alike, cells_of
from workbook.inventory.schema import Record, Table
from workbook.inventory.scope import Scope

Rows = pd.DataFrame | Sequence[Record | Row]
"""A table for a what-if: a DataFrame, or dicts and rows of an inventory in any mix."""

PROBLEM_COLUMNS = ["table", "call", "error"]


class NotReadError(WorkbookError):
    """A table of a layer that was not read."""


class Inventory:
    """Tables by name, as `registry.TABLES` describes them. Created by `read_inventory`, `from_tables` or `from_json`;
    immutable.

    Attributes
    ----------
    scope : the environment it was read for.
    taken_at : when the reading began, UTC.
    problems : DataFrame with the columns table, call, error: what could not be read. A table named here may lack
        rows or
        cells, so their absence proves nothing.
    """

    def __init__(
        self, scope: Scope, taken_at: datetime, tables: Mapping[str, pd.DataFrame], problems: Iterable[Record] = ()
    ) -> None:
        self.scope = scope
        self.taken_at = taken_at
        self.problems = pd.DataFrame(list(problems), columns=PROBLEM_COLUMNS, dtype=object)
        self._tables = {name: tables[name] for name in TABLES if name in tables}
        self._rows: dict[str, tuple[Row, ...]] = {}

    @classmethod
    def from_tables(
        cls,
        tables: Mapping[str, Rows],
        scope: Scope | None = None,
        taken_at: datetime | None = None,
        problems: Iterable[Record] = (),
    ) -> Inventory:
        """An inventory made from rows, for tests and what-ifs. Tables that are not given are empty; columns that are
        not given have their type's default.

        Raises
        ------
        WorkbookError : a table or a column that the schema does not have.
        """
        for name in tables:
            _known(name, TABLES, "table")
        frames = {
            name: frame(TABLES[name], _records(tables[name])) if name in tables else _empty(name) for name in TABLES
        }
        return cls(
            scope or Scope("alloy-dev-take-home", "us-east-1", "us-west-2"),
            taken_at or datetime.now(UTC),
            frames,
            problems,
        )

    def __getitem__(self, table: str) -> pd.DataFrame:
        """A copy of one table, rows in the natural order of their names. Lists and dicts in its cells are not copied.

        Raises
        ------
        WorkbookError : no such table, or (NotReadError) its layer was not read.
        """
        return self._table(table).copy()

    def _table(self, table: str) -> pd.DataFrame:
        """One table itself, which nothing may change: what-ifs share it."""
        _known(table, TABLES, "table")
        if table not in self._tables:
            layer = TABLES[table].layer
            raise NotReadError(
                f"The table {table} was not read: it belongs to the layer {layer}.", f"Read the inventory with {layer}."
            )
        return self._tables[table]

    def __contains__(self, table: object) -> bool:
        return table in self._tables

    def __iter__(self) -> Iterator[str]:
        return iter(self._tables)

    def __repr__(self) -> str:
        rows = sum(len(table) for table in self._tables.values())
        return f"<Inventory of {self.scope.prefix}: {rows} rows in {len(self._tables)} tables, {len(self.problems)} problems>"

    def layer(self, layer: str) -> dict[str, pd.DataFrame]:
        """The tables of one layer, in the order of the schema."""
        layers.find(layer)
        return {name: self[name] for name, table in TABLES.items() if table.layer == layer}

    def deployed(self, layer: str) -> bool:
        """Whether a layer is deployed: whether its core table has a row.

        Raises
        ------
        WorkbookError : no such layer, or it was not read.
        """
        return len(self._table(layers.find(layer).core_table)) > 0

    def occupied(self, layer: str) -> list[str]:
        """The tables of a layer that have a row."""
        return [name for name, table in self.layer(layer).items() if len(table)]

    def rows(self, table: str, **where: Any) -> tuple[Row, ...]:
        """The rows of one table whose columns equal `where`, in the order of the table, with plain Python values.

        Raises
        ------
        WorkbookError : no such table or column, or the table's layer was not read.
        """
        if table not in self._rows:
            self._rows[table] = tuple(Row(table, cells) for cells in _records(self._table(table)))
        for column in where:
            _known(column, TABLES[table].columns, f"column of {table}")
        return tuple(
            row for row in self._rows[table] if all(getattr(row, column) == value for column, value in where.items())
        )

    def fingerprint(self, columns: Mapping[str, tuple[str, ...]]) -> str:
        """A digest of some columns of some tables; () for all columns. A table that was not read counts as such."""
        found = hashlib.sha256()
        for table, names in columns.items():
            found.update(f"{table} {table in self._tables}".encode())
            for row in self.rows(table) if table in self._tables else ():
                cells = cells_of(row)
                found.update(repr([cells[name] for name in names or cells]).encode())
        return found.hexdigest()

    def by_key(self, table: str) -> dict[str, Row]:
        """The rows of one table by the column that identifies them in AWS: an id, an ARN, or a unique name.

        Raises
        ------
        WorkbookError : as `rows`; ValueError for a table without a key.
        """
        rows, key = self.rows(table), TABLES[table].key
        if not key:
            raise ValueError(f"The table {table} has no key column.")
        return {getattr(row, key): row for row in rows}

    def replace(self, **tables: Rows) -> Inventory:
        """A copy with some tables replaced, for what-ifs."""
        for name in tables:
            _known(name, TABLES, "table")
        frames = {name: frame(TABLES[name], _records(rows)) for name, rows in tables.items() if name in self._tables}
        return Inventory(self.scope, self.taken_at, {**self._tables, **frames}, _records(self.problems))

    def to_json(self) -> str:
        """The whole inventory as JSON text, keys and rows in a fixed order, one row per line."""
        tables = ",\n".join(
            f"  {json.dumps(name)}: ["
            + ",".join(f"\n   {json.dumps(row)}" for row in _records(self._tables[name]))
            + "]"
            for name in self._tables
        )
        problems = json.dumps(_records(self.problems))
        head = f' "scope": {json.dumps(asdict(self.scope))},\n "taken_at": {json.dumps(self.taken_at.isoformat())},\n "problems": {problems}'
        return f'{{\n{head},\n "tables": {{\n{tables}\n }}\n}}\n'

    @classmethod
    def from_json(cls, text: str) -> Inventory:
        """An inventory from the text that `to_json` returned."""
        data = json.loads(text)
        whole = cls.from_tables(
            data["tables"], Scope(**data["scope"]), datetime.fromisoformat(data["taken_at"]), data["problems"]
        )
        return whole._only(data["tables"])

    def _only(self, tables: Iterable[str]) -> Inventory:
        kept = set(tables)
        frames = {name: table for name, table in self._tables.items() if name in kept}
        return Inventory(self.scope, self.taken_at, frames, _records(self.problems))


@functools.cache
def _empty(table: str) -> pd.DataFrame:
    return frame(TABLES[table], [])


def frame(table: Table, rows: Iterable[Record]) -> pd.DataFrame:
    """Rows as the DataFrame that the schema describes: its columns and types, sorted naturally, index from 0."""
    order = [*table.order, *table.identifiers]
    ordered = sorted(rows, key=lambda row: [natural(row.get(column)) for column in order])
    for row in ordered:
        for column in row:
            _known(column, table.columns, f"column of {table.name}")
    made = pd.DataFrame(
        {
            name: pd.Series(
                [row[name] if name in row else column.type.default() for row in ordered], dtype=column.type.dtype
            )
            for name, column in table.columns.items()
        }
    )
    made.attrs["hidden"] = table.hidden  # For the display, which does not import the inventory.
    return made


def natural(value: Any) -> list[tuple[int, int, str]]:
    """A sort key that puts `a2` before `a10`, None before everything else, and sorts numbers by value."""
    if value is None:
        return []
    if isinstance(value, list | tuple):
        return [part for item in value for part in [*natural(item), (0, 0, "")]]
    if isinstance(value, bool | int | float):
        return [(1, round(value * 1000), "")]
    return [(1, int(part), "") if part.isdecimal() else (2, 0, part) for part in re.split(r"(\d+)", str(value)) if part]


def _records(table: Rows) -> list[Record]:
    if not isinstance(table, pd.DataFrame):
        return [cells_of(row) for row in table]
    return [
        {str(column): None if value is pd.NA else value for column, value in row.items()}
        for row in table.to_dict("records")
    ]


def _known(name: str, names: Iterable[str], what: str) -> None:
    names = list(names)
    if name not in names:
        raise WorkbookError(f"There is no {what} named {name!r} in the inventory.", alike(name, names))
